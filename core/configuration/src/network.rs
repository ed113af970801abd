//! Values that name something on a network.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use crate::Secret;
use crate::value::{Refused, shown};

/// An IP address and a port; `localhost` is 127.0.0.1. Other names are refused: what they mean may change.
pub(crate) fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into()),
        None => text.parse().ok(),
    }
}

/// The `http` or `https` URL, as it was written.
pub(crate) fn url(text: &str, must_be_private: bool) -> Result<String, Refused> {
    let uri: Uri = text.parse().map_err(|_| Refused::default())?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(Refused::default());
    };
    if authority.as_str().contains('@') {
        return Err(Refused::because("it has a user name or password"));
    }
    let is_allowed =
        *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP && (!must_be_private || is_this_machine(authority.host()));
    match is_allowed && has_host(authority) {
        true => Ok(text.to_owned()),
        false => Err(Refused::default()),
    }
}

/// Whether a host of a URL is this machine for sure.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether it is an origin as browsers write it: scheme, host, and port where it is not the scheme's own. Not `null`,
/// which any sandboxed page sends, and not `*`, which would let every page in.
pub(crate) fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme && is_host(authority)
}

/// Whether it is a host with or without a port, as the header `Host` has it.
pub(crate) fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    !text.contains(['@', '*']) && has_host(&authority)
}

fn has_host(authority: &Authority) -> bool {
    // `host:` and `host:99999` are no ports, but the parser lets them pass.
    let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let has_port = after_host.is_empty() || authority.port_u16().is_some();
    !authority.host().is_empty() && has_port
}

/// Headers as `name=value,…` with percent-encoded values, or as a JSON object of strings.
pub(crate) fn headers(text: &str) -> Result<Vec<(String, Secret)>, Refused> {
    let pairs: Vec<(String, String)> = if text.starts_with('{') {
        let object: BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|_| Refused::because("it is no JSON object of strings"))?;
        object.into_iter().collect()
    } else {
        let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
        pairs.map(pair).collect::<Result<_, _>>()?
    };
    let header = |(name, value): (String, String)| {
        // A name that is none may be a value that was put in the wrong place.
        let name: HeaderName = name
            .parse()
            .map_err(|_| Refused::because("a name is no name of a header"))?;
        match HeaderValue::from_str(&value) {
            Ok(_) => Ok((name.to_string(), Secret::new(value))),
            Err(_) => Err(Refused::because(format!(
                "the value of {} holds characters that a header can't",
                shown(name.as_str())
            ))),
        }
    };
    pairs.into_iter().map(header).collect()
}

fn pair(text: &str) -> Result<(String, String), Refused> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| Refused::because("a part has no ="))?;
    let value = percent_decode_str(value.trim()).decode_utf8();
    let value = value.map_err(|_| Refused::because("a value is not percent-encoded UTF-8"))?;
    Ok((name.trim().to_owned(), value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_and_host_and_nothing_else() {
        for text in [
            "https://example.org",
            "http://localhost:3000",
            "http://[::1]:8080",
            "vscode-webview://0abc",
        ] {
            assert!(is_origin(text), "{text}");
        }
        for text in [
            "*",
            "null",
            "example.org",
            "https://",
            "https://example.org/",
            "https://example.org/page",
            "https://a@example.org",
            "https://*.example.org",
            "https://example.org:",
            "https://example.org:99999",
            "1s://example.org",
        ] {
            assert!(!is_origin(text), "{text}");
        }
    }

    #[test]
    fn a_host_has_no_scheme_and_no_path() {
        for text in ["example.org", "example.org:4319", "10.0.0.5", "[::1]", "[::1]:4319"] {
            assert!(is_host(text), "{text}");
        }
        for text in ["", "http://example.org", "example.org/", "a@b", "a b", "a:b", "*"] {
            assert!(!is_host(text), "{text}");
        }
    }

    #[test]
    fn a_url_of_keys_is_https_or_of_this_machine() {
        for text in [
            "https://example.org/keys",
            "http://localhost:8080/keys",
            "http://127.0.0.1/keys",
            "http://[::1]/keys",
        ] {
            assert_eq!(url(text, true), Ok(text.to_owned()));
        }
        for text in [
            "http://example.org/keys",
            "http://127.0.0.1.example.org/keys",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://",
            "example.org",
            "/keys",
        ] {
            assert!(url(text, true).is_err(), "{text}");
        }
        assert!(url("http://example.org:4317", false).is_ok());
        assert!(url("https://user:password@example.org", false).is_err());
    }

    #[test]
    fn headers_are_decoded_and_checked() {
        let expected = vec![
            ("authorization".to_owned(), Secret::new("Bearer a,b")),
            ("x-team".to_owned(), Secret::new("a=b")),
        ];
        assert_eq!(
            headers("Authorization=Bearer%20a%2Cb, x-team=a=b,"),
            Ok(expected.clone())
        );
        assert_eq!(
            headers(r#"{"authorization": "Bearer a,b", "x-team": "a=b"}"#),
            Ok(expected)
        );
        for text in [
            "hunter2",
            "bad name=hunter2",
            "a=hunter2%0A",
            "a=hunter2%FF",
            "{\"a\": [\"hunter2\"]}",
            "=hunter2",
        ] {
            let refused = headers(text).expect_err(text);
            let reason = refused.0.expect("a reason");
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn an_address_is_a_number_and_a_port() {
        assert_eq!(address("localhost:4317"), Some(([127, 0, 0, 1], 4317).into()));
        assert_eq!(address("0.0.0.0:0"), Some(([0, 0, 0, 0], 0).into()));
        assert!(address("[::1]:4317").is_some_and(|address| address.is_ipv6()));
        for text in [
            "4317",
            ":4317",
            "127.0.0.1",
            "127.0.0.1:65536",
            "example.org:80",
            "localhost",
            "localhost:x",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
