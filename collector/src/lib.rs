//! The core process: owns one store, follows the project's Flock file, takes OTLP in, serves the API.
//!
//! Start at [`run`]. Clients find the process by its discovery record (`flockscope_protocol::DiscoveryFile`), and start
//! it (`flockscope_client::Connection`).

mod activity;
mod care;
mod end;
mod error;
mod figures;
mod jwks;
mod listening;
mod log;
mod parts;
mod process;
mod run;
mod servers;
mod settings_files;
mod sink;
mod state;

pub use end::Ended;
pub use error::RunError;
pub use listening::BindError;
pub use parts::{redaction_rules, retention};
pub use run::{Options, Ready, run};
pub use settings_files::SettingsFiles;
