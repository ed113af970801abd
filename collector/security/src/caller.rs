//! Who sent a request.

use std::fmt;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read.
    Viewer,
    /// Also clear, configure, back up and stop.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "viewer" => Ok(Self::Viewer),
            "admin" => Ok(Self::Admin),
            _ => Err(format!("'{word}' is no role: allowed are viewer and admin")),
        }
    }
}

/// Who sent a request. A handler takes it as an argument; without [`Security::protect`](crate::Security::protect)
/// around the route there is none, and the request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `local` for the store's own token, `key:<name>` for an API key, `jwt:<subject>` for a JWT, `otlp` for a program
    /// on this machine that sends spans without signing in. At most about 140 characters, none of them a control.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it is on this machine and has the store's own token (or authentication is off): the editor, a notebook,
    /// the command line. Such a caller may see paths, and no rate limit holds for it.
    pub is_local: bool,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or(Refusal::SignInNeeded)
    }
}

/// A caller who is an admin. A handler that takes it as an argument answers everybody else with 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(pub Caller);

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let caller = Caller::from_request_parts(parts, state).await?;
        match caller.role {
            Role::Admin => Ok(Self(caller)),
            Role::Viewer => Err(Refusal::AdminOnly),
        }
    }
}
