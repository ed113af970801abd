//! What a request says about who sends it.

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};

use crate::refusal::Refusal;

/// Longest credential that is looked at, in bytes: a JWT has a few hundred.
const LONGEST: usize = 8 << 10;

/// The credential of a request.
#[derive(PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token, key or JWT in a header.
    Header(String),
    /// A token, key or JWT in the address that a browser opens, and the address without it.
    Link {
        token: String,
        address: String,
    },
    /// What a browser was given when it signed in.
    Cookie(String),
    None,
}

impl Credential {
    /// Finds the credential. A header stands above a link, and a link above a cookie; a wrong one is never made up for by
    /// the next. `takes_links`: whether the address may hold a token.
    pub(crate) fn of(parts: &Parts, cookie_name: &str, takes_links: bool) -> Result<Self, Refusal> {
        if let Some(token) = header(&parts.headers)? {
            return Ok(Self::Header(token));
        }
        if takes_links
            && parts.method == Method::GET
            && let Some((token, address)) = link(parts)
        {
            return Ok(Self::Link { token, address });
        }
        Ok(cookie(&parts.headers, cookie_name).map_or(Self::None, Self::Cookie))
    }
}

/// `Authorization: Bearer …` or `x-api-key: …`.
fn header(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(|value| (value, true))
        .chain(headers.get_all("x-api-key").iter().map(|value| (value, false)));
    let Some((value, is_authorization)) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::WrongCredential("there is more than one"));
    }
    let text = value
        .to_str()
        .map_err(|_| Refusal::WrongCredential("it holds characters that no token has"))?;
    let token = if is_authorization {
        // The name of the scheme is not case-sensitive (RFC 9110, 11.1).
        let bearer = text
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        bearer
            .ok_or(Refusal::WrongCredential(
                "the header must be 'Authorization: Bearer' and a token",
            ))?
            .1
    } else {
        text
    };
    bounded(token.trim()).map(Some)
}

fn bounded(token: &str) -> Result<String, Refusal> {
    if token.is_empty() || token.len() > LONGEST {
        return Err(Refusal::WrongCredential("it is empty or too long"));
    }
    Ok(token.into())
}

/// The value of `token` in the query, and the path with what else is in the query.
fn link(parts: &Parts) -> Option<(String, String)> {
    let query = parts.uri.query()?;
    // Tokens, keys and JWTs are made of characters that are not escaped in a query.
    let token = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("token="))
        .filter(|token| !token.is_empty() && token.len() <= LONGEST)?;
    let rest: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("token=")).collect();
    // A browser would read "//evil.example" or "/\evil.example" as the address of another site.
    let path = parts.uri.path().trim_start_matches(['/', '\\']);
    let address = if rest.is_empty() {
        format!("/{path}")
    } else {
        format!("/{path}?{}", rest.join("&"))
    };
    Some((token.into(), address))
}

/// The value of a cookie.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && value.len() <= LONGEST)
        .map(|(_, value)| value.into())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn of(method: Method, uri: &str, headers: &[(&str, &str)]) -> Result<Credential, Refusal> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        Credential::of(&parts, "flockscope_token_1", true)
    }

    #[test]
    fn a_header_is_read_in_every_usual_form() {
        for (name, value) in [
            ("authorization", "Bearer abc"),
            ("authorization", "bearer  abc "),
            ("x-api-key", "abc"),
        ] {
            let found = of(
                Method::POST,
                "/?token=x",
                &[(name, value), ("cookie", "flockscope_token_1=y")],
            );
            assert!(found == Ok(Credential::Header("abc".into())), "{name}: {value}");
        }
        let long = format!("Bearer {}", "x".repeat(LONGEST + 1));
        for wrong in [
            vec![("authorization", "Basic abc")],
            vec![("authorization", "abc")],
            vec![("authorization", "Bearer ")],
            vec![("authorization", long.as_str())],
            vec![("authorization", "Bearer abc"), ("authorization", "Bearer abc")],
            vec![("authorization", "Bearer abc"), ("x-api-key", "abc")],
            vec![("x-api-key", "")],
        ] {
            assert!(matches!(of(Method::GET, "/", &wrong), Err(Refusal::WrongCredential(_))));
        }
    }

    #[test]
    fn a_link_leads_to_the_same_place_without_the_token() {
        for (uri, expected) in [
            ("/?token=abc", "/"),
            ("/a/b?x=1&token=abc&y=2", "/a/b?x=1&y=2"),
            ("/a?token=abc&token=def", "/a"),
            ("//evil.example/?token=abc", "/evil.example/"),
            ("/\\evil.example?token=abc", "/evil.example"),
            ("http://localhost:1/a?token=abc", "/a"),
        ] {
            let Ok(Credential::Link { token, address }) = of(Method::GET, uri, &[]) else {
                panic!("{uri}");
            };
            assert_eq!((token.as_str(), address.as_str()), ("abc", expected), "{uri}");
        }
        for (method, uri) in [
            (Method::POST, "/?token=abc"),
            (Method::GET, "/?token="),
            (Method::GET, "/?xtoken=abc"),
        ] {
            assert!(of(method, uri, &[]) == Ok(Credential::None), "{uri}");
        }
    }

    #[test]
    fn the_cookie_of_this_port_is_taken() {
        let cookies = [("cookie", "a=b; flockscope_token_2=no; flockscope_token_1=yes")];
        assert!(of(Method::GET, "/", &cookies) == Ok(Credential::Cookie("yes".into())));
        assert!(of(Method::GET, "/", &[("cookie", "flockscope_token_11=no")]) == Ok(Credential::None));
    }
}
