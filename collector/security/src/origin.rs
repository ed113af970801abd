//! Which web pages may use the API.
//!
//! A browser says in `Origin` which page a request is of, and in `Sec-Fetch-Site` how that page is related to us
//! ([Fetch Metadata](https://www.w3.org/TR/fetch-metadata/)). Programs send neither, and are not judged here.

use std::time::Duration;

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::connection::Connection;
use crate::host::{HostPort, host_port};
use crate::refusal::Refusal;
use crate::settings::SettingsError;

/// How long a browser remembers the answer to a preflight.
const PREFLIGHT_LIFETIME: Duration = Duration::from_secs(600);

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// The pages of other origins that may use the API.
#[derive(Debug)]
pub(crate) struct Origins {
    allowed: Vec<Origin>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: HostPort,
}

impl Origins {
    /// Each entry is `scheme://host` or `scheme://host:port`.
    pub(crate) fn new(entries: &[String]) -> Result<Self, SettingsError> {
        let allowed = entries
            .iter()
            .map(|entry| {
                Origin::read(entry.trim().trim_end_matches('/'))
                    .filter(|origin| !origin.host.host.contains('*'))
                    .ok_or_else(|| SettingsError::Origin(entry.clone()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { allowed })
    }

    /// Refuses a request of a page that is neither ours nor allowed. `host` is what [`Hosts`](crate::host::Hosts) found.
    pub(crate) fn check(&self, parts: &Parts, host: &HostPort, connection: &Connection) -> Result<(), Refusal> {
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        let (origin, second) = (origins.next(), origins.next());
        if second.is_some() {
            return Err(Refusal::origin("several"));
        }
        let Some(value) = origin else {
            // Images, frames and forms of other pages have no Origin when they only get something.
            let is_foreign = matches!(word(&parts.headers, SEC_FETCH_SITE), Some("cross-site" | "same-site"));
            return if is_foreign && !is_navigation(parts) {
                Err(Refusal::origin("none, but the request is of another site"))
            } else {
                Ok(())
            };
        };
        let text = value.to_str().map_err(|_| Refusal::origin("unreadable"))?;
        // A sandboxed frame or a local file says "null", and so can every page.
        let origin = Origin::read(text).ok_or_else(|| Refusal::origin(text))?;
        if is_same(&origin, host, connection) || self.allowed.contains(&origin) {
            Ok(())
        } else {
            Err(Refusal::origin(text))
        }
    }

    /// Tells browsers which other pages may read answers. Cookies are not for them: they use a key.
    pub(crate) fn cors(&self) -> CorsLayer {
        // `check` has refused every other origin before, so what is here was judged in one place only.
        let allowed = self.allowed.clone();
        let is_allowed = move |value: &HeaderValue, _: &Parts| {
            let origin = value.to_str().ok().and_then(Origin::read);
            origin.is_some_and(|origin| allowed.contains(&origin))
        };
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(is_allowed))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::ACCEPT,
                header::AUTHORIZATION,
                header::CONTENT_ENCODING,
                header::CONTENT_TYPE,
                header::IF_NONE_MATCH,
                HeaderName::from_static("last-event-id"),
                HeaderName::from_static("traceparent"),
                HeaderName::from_static("tracestate"),
                HeaderName::from_static("x-api-key"),
            ])
            .expose_headers([
                header::ETAG,
                header::LINK,
                header::RETRY_AFTER,
                HeaderName::from_static("ratelimit-limit"),
                HeaderName::from_static("ratelimit-remaining"),
                HeaderName::from_static("ratelimit-reset"),
                HeaderName::from_static("x-request-id"),
            ])
            .max_age(PREFLIGHT_LIFETIME)
    }
}

/// Whether the browser says that one of our own pages sends this request. Needed where a cookie alone would let it in.
pub(crate) fn is_of_our_page(parts: &Parts, host: &HostPort, connection: &Connection) -> bool {
    if let Some(origin) = word(&parts.headers, ORIGIN.as_str()) {
        return Origin::read(origin).is_some_and(|origin| is_same(&origin, host, connection));
    }
    word(&parts.headers, SEC_FETCH_SITE) == Some("same-origin")
}

/// Whether the browser says that a link on another site led here.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    word(headers, SEC_FETCH_SITE) == Some("cross-site")
}

fn is_same(origin: &Origin, host: &HostPort, connection: &Connection) -> bool {
    origin.scheme == connection.scheme() && origin.host == *host
}

/// A person followed a link or typed an address: the page comes into its own tab, where no other page can read it.
fn is_navigation(parts: &Parts) -> bool {
    let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
    is_read
        && word(&parts.headers, "sec-fetch-mode") == Some("navigate")
        && word(&parts.headers, "sec-fetch-dest") == Some("document")
}

fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Origin {
    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?.as_str();
        // An origin ends with its host and port.
        if authority != rest {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let host = host_port(authority, &scheme)?;
        Some(Self { scheme, host })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const HOST: &str = "localhost:4319";

    fn check(origins: &Origins, method: Method, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let connection = Connection {
            peer: ([127, 0, 0, 1], 50_000).into(),
            local: ([127, 0, 0, 1], 4319).into(),
            tls: false,
        };
        let host = host_port(HOST, "http").expect("a host");
        origins.check(&parts, &host, &connection).is_ok()
    }

    #[test]
    fn only_our_own_pages_and_allowed_ones_are_let_in() {
        let allowed = ["https://app.example", "http://localhost:3000/", "vscode-webview://abc"];
        let origins = Origins::new(&allowed.map(String::from)).expect("origins");
        let good = [
            "http://localhost:4319",
            "http://LOCALHOST:4319",
            "https://app.example",
            "https://app.example:443",
            "http://localhost:3000",
            "vscode-webview://abc",
        ];
        for origin in good {
            assert!(check(&origins, Method::POST, &[("origin", origin)]), "{origin}");
        }
        let evil = [
            "null",
            "http://evil.example",
            "https://localhost:4319",
            "http://localhost:4318",
            "http://localhost",
            "http://127.0.0.1:4319",
            "http://app.example",
            "https://app.example:444",
            "https://app.example.evil",
            "https://evil.example/https://app.example",
            "https://app.example/x",
            "https://app.example@evil.example",
            "localhost:4319",
            "",
            "*",
            "vscode-webview://abd",
            "https://app.example https://evil.example",
        ];
        for origin in evil {
            assert!(!check(&origins, Method::POST, &[("origin", origin)]), "{origin}");
            assert!(!check(&origins, Method::GET, &[("origin", origin)]), "{origin}");
        }
        let two = [("origin", "http://localhost:4319"), ("origin", "http://evil.example")];
        assert!(!check(&origins, Method::POST, &two));
    }

    #[test]
    fn what_a_foreign_page_embeds_is_refused_and_what_a_person_opens_is_not() {
        let origins = Origins::new(&[]).expect("origins");
        // site, mode, destination: let in?
        let table = [
            ("none", "navigate", "document", true),
            ("same-origin", "cors", "empty", true),
            ("cross-site", "navigate", "document", true),
            ("same-site", "navigate", "document", true),
            ("cross-site", "navigate", "iframe", false),
            ("cross-site", "no-cors", "image", false),
            ("same-site", "no-cors", "script", false),
            ("cross-site", "cors", "empty", false),
        ];
        for (site, mode, destination, let_in) in table {
            let headers = [
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", destination),
            ];
            assert_eq!(check(&origins, Method::GET, &headers), let_in, "{headers:?}");
        }
        let form = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert!(!check(&origins, Method::POST, &form));
        assert!(check(&origins, Method::POST, &[]), "a program");
    }

    #[test]
    fn an_allowed_origin_must_be_an_origin() {
        for entry in [
            "*",
            "https://*.example",
            "app.example",
            "https://app.example/x",
            "null",
            "",
            "https://",
        ] {
            let error = Origins::new(&[entry.into()]).expect_err(entry).to_string();
            assert!(error.contains(&format!("'{entry}'")), "{error}");
        }
    }
}
