//! Who may ask the core process for what: tokens, keys, roles, rate limits, origins, TLS.
//!
//! - [`Security::protect`]: the layers around a router, and [`serve`]: the server under it. They belong together.
//! - [`Caller`], [`Admin`]: what a handler takes as an argument.
//! - [`store_token`], [`ApiKeyFile`], [`JwtSettings`]: what callers sign in with.
//! - [`check_address`]: where the process may listen.

mod address;
mod api_keys;
mod caller;
mod clock;
mod connection;
mod credentials;
mod face;
mod failed_sign_ins;
mod file_watch;
mod host;
mod jwks;
mod jwt;
mod key_ring;
mod origin;
mod private_file;
mod rate_limit;
mod refusal;
mod route_class;
mod secret;
mod security;
mod serving;
mod sessions;
mod settings;
mod sign_in_link;
mod signature;
mod store_token;

pub use address::{AddressError, check_address, is_loopback};
pub use api_keys::{ApiKey, ApiKeyFile, KeyError};
pub use caller::{Admin, Caller, Role};
pub use connection::Connection;
pub use face::Face;
pub use jwks::{FetchJwks, Fetched, JwksSource};
pub use jwt::JwtSettings;
pub use private_file::FileError;
pub use refusal::{ProblemKind, Refusal, problem_kinds};
pub use secret::Secret;
pub use security::{RequestId, Security};
pub use serving::{Limits, Tls, TlsError, serve};
pub use settings::{RateLimits, Settings, SettingsError};
pub use store_token::store_token;
