//! What the configuration decides.

use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::jwt::JwtSettings;
use crate::private_file::FileError;
use crate::secret::Secret;

/// Who is let in, from where, and how often.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether callers must sign in. Off is possible on loopback only; the Host and Origin checks stay.
    pub auth_enabled: bool,
    /// The store's own token, see [`store_token`](crate::store_token).
    pub token: Secret,
    /// The file of API keys, see [`ApiKeyFile`](crate::ApiKeyFile). It need not be there yet.
    pub keys_file: Option<PathBuf>,
    /// Which JWTs are valid; `None`: no JWT is.
    pub jwt: Option<JwtSettings>,
    /// Whether the API listens on loopback only.
    pub api_is_loopback: bool,
    /// Whether the OTLP receivers listen on loopback only.
    pub otlp_is_loopback: bool,
    /// Whether programs on this machine must sign in to send spans. On a network address they always must.
    pub otlp_needs_sign_in: bool,
    /// Web pages of other origins that may use the API: `https://app.example`, `http://localhost:3000`.
    pub allowed_origins: Vec<String>,
    /// Names under which this process is known besides `localhost` and addresses: `name`, or `name:port`.
    pub allowed_hosts: Vec<String>,
    /// How often a caller may ask. They do not hold for a local caller, see [`Caller`](crate::Caller).
    pub rate_limits: RateLimits,
}

impl Settings {
    /// The defaults: everything on loopback, callers sign in with the store's token, spans are taken from any program on
    /// this machine.
    pub fn local(token: Secret) -> Self {
        Self {
            auth_enabled: true,
            token,
            keys_file: None,
            jwt: None,
            api_is_loopback: true,
            otlp_is_loopback: true,
            otlp_needs_sign_in: false,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            rate_limits: RateLimits::default(),
        }
    }
}

/// Requests that a caller may send in a minute, by what they cost; `None`: any number. All may come at once; then one
/// more is allowed each time that a fraction of the minute has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// SQL that a user wrote.
    pub sql: Option<NonZeroU32>,
    /// What changes something: clear, configuration, backup.
    pub changes: Option<NonZeroU32>,
    /// Everything else.
    pub other: Option<NonZeroU32>,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            sql: NonZeroU32::new(10),
            changes: NonZeroU32::new(30),
            other: NonZeroU32::new(1_200),
        }
    }
}

/// Settings that can't be.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Whoever can reach the address could do everything.
    #[error("authentication can be off on loopback only: set FLOCK_TRACE_AUTH_ENABLED=true, or listen on 127.0.0.1")]
    OpenToNetwork,
    /// The JWT secret can be guessed.
    #[error(
        "FLOCK_TRACE_JWT_SECRET has {bytes} bytes, and HS256 needs at least 32: make one with `openssl rand -hex 32`"
    )]
    ShortSecret {
        /// Its length.
        bytes: usize,
    },
    /// The store's token can be guessed.
    #[error("the store's token has {bytes} bytes, and at least 32 are needed")]
    ShortToken {
        /// Its length.
        bytes: usize,
    },
    /// An entry of the allowed origins is no origin.
    #[error(
        "ALLOWED_ORIGINS: '{0}' is no origin; allowed are entries such as https://app.example or http://localhost:3000, \
         and '*' is not"
    )]
    Origin(String),
    /// An entry of the allowed hosts is no host.
    #[error(
        "allowed hosts: '{0}' is no host; allowed are entries such as flock.example or flock.example:8080, and '*' is not"
    )]
    Host(String),
    /// The keys or the JWKS could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}
