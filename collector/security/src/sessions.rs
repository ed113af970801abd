//! Signing in a browser: a cookie that says who was let in.
//!
//! Cookies go to every port of a host. So the cookie does not hold the token, which another program on this machine
//! could then use for good: it says who its owner is and until when, and is signed with a key made of the store's token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::secret::Secret;

/// How long a browser stays signed in.
pub(crate) const LIFETIME_S: i64 = 7 * 24 * 60 * 60;

/// Makes and checks what is in the cookies of one store.
pub(crate) struct Sessions {
    key: hmac::Key,
}

/// Who signed in, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// With the store's own token.
    Token,
    /// With the API key of this hash; a revoked key ends its sessions.
    Key(String),
    /// With a JWT.
    Jwt { name: String, role: Role },
}

#[derive(Serialize, Deserialize)]
struct Session {
    subject: Subject,
    ends_at: i64,
}

impl Sessions {
    pub(crate) fn new(token: &Secret) -> Self {
        let token = hmac::Key::new(hmac::HMAC_SHA256, token.reveal().as_bytes());
        let derived = hmac::sign(&token, b"flockscope session cookie");
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
        }
    }

    /// The value of a cookie.
    pub(crate) fn make(&self, subject: Subject, ends_at: i64) -> String {
        // Strings and numbers always make JSON.
        let session = serde_json::to_vec(&Session { subject, ends_at }).unwrap_or_default();
        let session = URL_SAFE_NO_PAD.encode(session);
        let signature = hmac::sign(&self.key, session.as_bytes());
        format!("{session}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Who the owner of a cookie is; `None` if it has ended or this store has not made it.
    pub(crate) fn read(&self, cookie: &str, now: i64) -> Option<Subject> {
        let (session, signature) = cookie.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, session.as_bytes(), &signature).ok()?;
        let session = URL_SAFE_NO_PAD.decode(session).ok()?;
        let session: Session = serde_json::from_slice(&session).ok()?;
        (session.ends_at > now).then_some(session.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_only_valid_as_it_was_made() {
        let sessions = Sessions::new(&Secret::new("the token"));
        let viewer = Subject::Jwt {
            name: "ann".into(),
            role: Role::Viewer,
        };
        let cookie = sessions.make(viewer.clone(), 100);
        assert!(!cookie.contains("the token"));
        assert_eq!(sessions.read(&cookie, 99), Some(viewer.clone()));
        assert_eq!(sessions.read(&cookie, 100), None, "it has ended");
        let other = Sessions::new(&Secret::new("another token"));
        assert_eq!(other.read(&cookie, 99), None);

        let (session, signature) = cookie.split_once('.').expect("two parts");
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(session).expect("base64")).expect("JSON");
        let admin = URL_SAFE_NO_PAD.encode(text.replace("viewer", "admin"));
        for forged in [
            format!("{admin}.{signature}"),
            format!("{admin}."),
            admin.clone(),
            format!("{session}.{}", &signature[1..]),
            String::new(),
            ".".into(),
        ] {
            assert_eq!(sessions.read(&forged, 99), None, "{forged}");
        }
    }
}
