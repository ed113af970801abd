//! Settings of the core process: flockscope.toml, environment, .env and flags, checked, and where each came from.
//!
//! [`Configuration::load`] reads [`Sources`]: a flag counts more than the environment, that more than the project's
//! `.env`, that more than its `flockscope.toml`, that more than the default. Every value of every source is checked, and
//! all that is wrong is said at once ([`Problems`]).
//!
//! Each setting stands once in the table [`settings`], from which the documentation ([`markdown`]) and the sample file
//! ([`sample_file`]) are made.

mod configuration;
mod documents;
mod edit;
mod env_file;
mod kind;
mod load;
mod nearest;
mod network;
mod problem;
mod program;
mod rules;
mod secret;
mod setting;
mod settings;
mod sources;
mod toml_file;
mod value;

pub use configuration::{
    Api, Auth, Configuration, Filters, Ingest, LogLevel, Onward, OnwardProtocol, Otlp, Process, Redaction, Retention,
    Sql, Store, Tls,
};
pub use documents::{markdown, sample_file};
pub use edit::{EditError, set_in_file, unset_in_file};
pub use kind::{Item, Kind, Place};
pub use load::{Effective, Loaded, check_value};
pub use problem::{Origin, Problem, Problems};
pub use program::{PROGRAM_VARIABLES, ProgramValue, ProgramVariable};
pub use secret::Secret;
pub use setting::{Alias, Reading, Setting};
pub use settings::settings;
pub use sources::{CONFIGURATION_FILE, Sources};
