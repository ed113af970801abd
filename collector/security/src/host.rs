//! The Host check: a name that an attacker's DNS points at this machine must not reach the API.
//!
//! A web page of evil.example can make its own name resolve to 127.0.0.1 (DNS rebinding), and its requests are then of
//! the same origin as itself; only the Host header still tells. So a Host is accepted if it is no name that DNS could
//! lie about: an address, `localhost`, or a name that the configuration allows.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;

use crate::address::is_loopback;
use crate::connection::{Connection, default_port};
use crate::refusal::Refusal;
use crate::settings::SettingsError;

/// A host and a port, as in the Host header, in the one form in which they are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// In lower case and without a dot at its end; an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The names under which this process may be asked.
#[derive(Debug)]
pub(crate) struct Hosts {
    allowed: Vec<(String, Option<u16>)>,
}

impl Hosts {
    /// Each entry is `name` for any port, or `name:port`.
    pub(crate) fn new(entries: &[String]) -> Result<Self, SettingsError> {
        let allowed = entries
            .iter()
            .map(|entry| allowed_host(entry).ok_or_else(|| SettingsError::Host(entry.clone())))
            .collect::<Result<_, _>>()?;
        Ok(Self { allowed })
    }

    /// The host that a request is for, if it is one of this process. `on_loopback`: whether the process listens on
    /// loopback only. Then there is no other way to it than its own port; on a network address a port may be mapped.
    pub(crate) fn check(&self, parts: &Parts, connection: &Connection, on_loopback: bool) -> Result<HostPort, Refusal> {
        let mut hosts = parts.headers.get_all(HOST).iter();
        let (header, second) = (hosts.next(), hosts.next());
        if second.is_some() {
            return Err(Refusal::host("several"));
        }
        let header = header
            .map(|value| value.to_str().map_err(|_| Refusal::host("unreadable")))
            .transpose()?;
        // The target of an absolute-form request, or :authority of HTTP/2, stands above the header (RFC 9112, 3.2.2).
        // Both are checked, so that it does not matter which of them another layer believes.
        let target = parts.uri.authority().map(Authority::as_str);
        let mut found = None;
        for name in [target, header].into_iter().flatten() {
            let host = host_port(name, connection.scheme())
                .filter(|host| self.is_allowed(host, connection, on_loopback))
                .ok_or_else(|| Refusal::host(name))?;
            found = found.or(Some(host));
        }
        found.ok_or_else(|| Refusal::host("none"))
    }

    fn is_allowed(&self, host: &HostPort, connection: &Connection, on_loopback: bool) -> bool {
        let is_listed = self
            .allowed
            .iter()
            .any(|(name, port)| *name == host.host && port.is_none_or(|port| port == host.port));
        if is_listed {
            return true;
        }
        let is_safe = match host.host.parse::<IpAddr>() {
            Ok(address) => is_loopback(address) || !on_loopback,
            // Names under localhost never leave the machine (RFC 6761, 6.3).
            Err(_) => host.host == "localhost" || host.host.ends_with(".localhost"),
        };
        is_safe && (!on_loopback || host.port == connection.local.port())
    }
}

/// Reads `host`, `host:port`, `[::1]:port`; nothing else, and no user names.
pub(crate) fn host_port(text: &str, scheme: &str) -> Option<HostPort> {
    let authority: Authority = text.parse().ok()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host)? {
        "" => default_port(scheme),
        port => {
            let digits = port.strip_prefix(':')?;
            // A parser of numbers would also take a plus sign.
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok())??
        }
    };
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.to_string(),
        None => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    };
    (!host.is_empty()).then_some(HostPort { host, port })
}

fn allowed_host(entry: &str) -> Option<(String, Option<u16>)> {
    let entry = entry.trim();
    let has_port = entry
        .rsplit_once(':')
        .is_some_and(|(host, port)| !port.ends_with(']') && (!host.contains(':') || host.ends_with(']')));
    let host = host_port(entry, "http")?;
    // A star would let every name in, which is what the check is against.
    (!host.host.contains('*')).then_some((host.host, has_port.then_some(host.port)))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use proptest::prelude::*;

    use super::*;

    fn check(hosts: &Hosts, target: &str, headers: &[&str], on_loopback: bool) -> bool {
        let mut request = Request::builder().uri(target);
        for header in headers {
            request = request.header(HOST, *header);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let connection = Connection {
            peer: ([127, 0, 0, 1], 50_000).into(),
            local: ([127, 0, 0, 1], 4319).into(),
            tls: false,
        };
        hosts.check(&parts, &connection, on_loopback).is_ok()
    }

    #[test]
    fn on_loopback_only_loopback_names_with_our_port_are_let_in() {
        let hosts = Hosts::new(&["flock.internal".into(), "proxy.example:443".into()]).expect("hosts");
        let good = [
            "127.0.0.1:4319",
            "127.9.9.9:4319",
            "localhost:4319",
            "LOCALHOST:4319",
            "localhost.:4319",
            "[::1]:4319",
            "my.localhost:4319",
            "[::ffff:127.0.0.1]:4319",
            "flock.internal",
            "flock.internal:99",
            "proxy.example:443",
        ];
        for host in good {
            assert!(check(&hosts, "/", &[host], true), "{host}");
        }
        let evil = [
            "evil.example",
            "evil.example:4319",
            "127.0.0.1.nip.io:4319",
            "localhost.evil.example:4319",
            "evillocalhost:4319",
            "127.0.0.1",
            "localhost",
            "localhost:80",
            "127.0.0.1:4318",
            "0.0.0.0:4319",
            "10.0.0.1:4319",
            "[::]:4319",
            "[::1",
            "[::1]:4319.evil.example",
            "127.0.0.1:4319@evil.example",
            "evil.example@127.0.0.1:4319",
            "127.1:4319",
            "2130706433:4319",
            "0x7f.1:4319",
            "proxy.example",
            "proxy.example:4319",
            "flock.internal.evil.example",
            "",
            " ",
            ":4319",
            "localhost:4319:4319",
            "localhost:+4319",
            "127.0.0.1:4319,evil.example",
            "localhost:4319/x",
            "xn--localhost:4319",
        ];
        for host in evil {
            assert!(!check(&hosts, "/", &[host], true), "{host}");
        }
        assert!(!check(&hosts, "/", &[], true), "no Host");
        assert!(!check(&hosts, "/", &["localhost:4319", "localhost:4319"], true), "two");
        assert!(!check(&hosts, "/", &["localhost:4319", "evil.example"], true), "two");
    }

    #[test]
    fn the_target_of_a_request_is_checked_as_the_header_is() {
        let hosts = Hosts::new(&[]).expect("hosts");
        assert!(check(&hosts, "http://localhost:4319/x", &["127.0.0.1:4319"], true));
        assert!(check(&hosts, "http://localhost:4319/x", &[], true));
        assert!(!check(&hosts, "http://evil.example/x", &["127.0.0.1:4319"], true));
        assert!(!check(&hosts, "http://localhost:4319/x", &["evil.example"], true));
    }

    #[test]
    fn on_a_network_address_any_address_is_let_in_but_no_unknown_name() {
        let hosts = Hosts::new(&["flock.example".into()]).expect("hosts");
        for host in [
            "10.0.0.1:4319",
            "10.0.0.1:80",
            "[2001:db8::1]:4319",
            "localhost:8080",
            "flock.example",
        ] {
            assert!(check(&hosts, "/", &[host], false), "{host}");
        }
        for host in ["evil.example:4319", "10.0.0.1.nip.io:4319", "www.flock.example"] {
            assert!(!check(&hosts, "/", &[host], false), "{host}");
        }
    }

    #[test]
    fn an_allowed_host_must_be_a_host() {
        for entry in [
            "*",
            "*.example",
            "http://flock.example",
            "a b",
            "",
            "flock.example/x",
            "[::1",
        ] {
            let error = Hosts::new(&[entry.into()]).expect_err(entry).to_string();
            assert!(error.contains(&format!("'{entry}'")), "{error}");
        }
        assert_eq!(allowed_host("[::1]"), Some(("::1".into(), None)));
        assert_eq!(allowed_host("[::1]:9"), Some(("::1".into(), Some(9))));
        assert_eq!(allowed_host("A.example:9"), Some(("a.example".into(), Some(9))));
    }

    proptest! {
        #[test]
        fn no_name_is_let_in_that_is_not_loopback(name in "\\PC{0,30}|[a-z0-9.:\\[\\]@-]{0,30}(localhost|127.0.0.1)?(:4319)?") {
            let hosts = Hosts::new(&[]).expect("hosts");
            let Ok(value) = axum::http::HeaderValue::from_str(&name) else { return Ok(()) };
            let Ok(text) = value.to_str() else { return Ok(()) };
            if check(&hosts, "/", &[text], true) {
                let host = text.strip_suffix(":4319").expect("our port").to_ascii_lowercase();
                let host = host.strip_suffix('.').unwrap_or(&host);
                let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(is_loopback);
                prop_assert!(is_address || host == "localhost" || host.ends_with(".localhost"), "{}", text);
            }
        }
    }
}
