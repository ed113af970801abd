//! Where the process may listen.

use std::net::{IpAddr, SocketAddr};

/// An address that the process must not listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Everybody on the network could read the traces and run SQL.
    #[error(
        "{address} can be reached from other machines, and authentication is off: set FLOCK_TRACE_AUTH_ENABLED=true and \
         make a key (`flockscope keys create`) or set FLOCK_TRACE_JWT_SECRET, or listen on 127.0.0.1"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// Authentication is on, but there is nothing that anybody could sign in with.
    #[error(
        "{address} can be reached from other machines, but nobody there could sign in: make a key (`flockscope keys \
         create`), or set FLOCK_TRACE_JWT_SECRET or a JWKS, or listen on 127.0.0.1"
    )]
    NoCredentials {
        /// The address.
        address: SocketAddr,
    },
}

/// Checks whether the process may listen there, before it does.
///
/// - `auth_enabled`: whether callers must sign in.
/// - `has_credentials`: whether there is an API key, a JWT secret or a JWKS. The store's own token does not count: it is
///   for programs on the same machine, which can read its file.
/// - `tls`: whether the address will speak TLS.
///
/// Answers with a warning that a person should read, if there is one.
pub fn check_address(
    address: SocketAddr,
    auth_enabled: bool,
    has_credentials: bool,
    tls: bool,
) -> Result<Option<String>, AddressError> {
    if is_loopback(address.ip()) {
        return Ok(None);
    }
    if !auth_enabled {
        return Err(AddressError::Open { address });
    }
    if !has_credentials {
        return Err(AddressError::NoCredentials { address });
    }
    Ok((!tls).then(|| {
        format!(
            "{address} can be reached from other machines and does not speak TLS: keys and spans can be read on the way; \
             set a certificate and its key, or put a proxy that speaks TLS in front"
        )
    }))
}

/// Whether only this machine can reach the address, or be it. `::ffff:127.0.0.1` is 127.0.0.1.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_address_is_open_without_authentication() {
        // address, authentication, credentials, TLS: whether it is allowed, whether it warns
        let table = [
            ("127.0.0.1:4319", false, false, false, true, false),
            ("127.8.9.1:4319", false, false, false, true, false),
            ("[::1]:4319", false, false, false, true, false),
            ("[::ffff:127.0.0.1]:4319", false, false, false, true, false),
            ("127.0.0.1:4319", true, true, false, true, false),
            ("0.0.0.0:4319", false, false, false, false, false),
            ("0.0.0.0:4319", false, true, true, false, false),
            ("[::]:4319", false, true, true, false, false),
            ("192.168.1.20:4319", false, true, true, false, false),
            ("[::ffff:10.0.0.1]:4319", false, true, true, false, false),
            ("0.0.0.0:4319", true, false, true, false, false),
            ("0.0.0.0:4319", true, true, false, true, true),
            ("0.0.0.0:4319", true, true, true, true, false),
            ("[2001:db8::1]:4319", true, true, true, true, false),
        ];
        for (address, auth, credentials, tls, allowed, warns) in table {
            let outcome = check_address(address.parse().expect("an address"), auth, credentials, tls);
            assert_eq!(outcome.is_ok(), allowed, "{address} {auth} {credentials} {tls}");
            assert_eq!(
                matches!(outcome, Ok(Some(_))),
                warns,
                "{address} {auth} {credentials} {tls}"
            );
        }
    }

    #[test]
    fn a_refusal_says_what_to_set() {
        let address = "0.0.0.0:4319".parse().expect("an address");
        let open = check_address(address, false, true, true).expect_err("open").to_string();
        for word in ["0.0.0.0:4319", "FLOCK_TRACE_AUTH_ENABLED=true", "127.0.0.1"] {
            assert!(open.contains(word), "{open}");
        }
        let nobody = check_address(address, true, false, true)
            .expect_err("no keys")
            .to_string();
        for word in ["flockscope keys create", "FLOCK_TRACE_JWT_SECRET"] {
            assert!(nobody.contains(word), "{nobody}");
        }
    }
}
