//! What is said to a caller who is not let in.

use std::fmt::Write;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use flockscope_protocol::Problem;
use prost::Message;

use crate::face::Face;

/// Most characters of a stranger's text in an answer.
const LONGEST_ECHO: usize = 100;

/// Why a request is refused. As a response it is a problem of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request says nothing about who sends it.
    SignInNeeded,
    /// The token, key or JWT is not valid; why, as far as its owner may know.
    WrongCredential(&'static str),
    /// A viewer asked for something that only an admin may do.
    AdminOnly,
    /// The request is for another host; which.
    Host(String),
    /// The request is of another web page; which.
    Origin(String),
    /// A cookie came with a request that none of our own pages sent.
    Forgery,
    /// The caller asked too often, and may ask again after this time.
    TooMany(Duration),
    /// Too many wrong credentials came from this address; the next will be looked at after this time.
    TooManyFailures(Duration),
    /// The request did not come by way of [`serve`](crate::serve).
    NoConnection,
}

/// A kind of problem that a [`Refusal`] is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemKind {
    /// The last part of its `type`, behind `/problems/`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
}

/// Every kind of problem that this crate answers with, for whoever documents them.
pub fn problem_kinds() -> Vec<ProblemKind> {
    let one_of_each = [
        Refusal::SignInNeeded,
        Refusal::WrongCredential(""),
        Refusal::AdminOnly,
        Refusal::Host(String::new()),
        Refusal::Origin(String::new()),
        Refusal::Forgery,
        Refusal::TooMany(Duration::ZERO),
        Refusal::TooManyFailures(Duration::ZERO),
        Refusal::NoConnection,
    ];
    let kind = |refusal: &Refusal| {
        let (name, title) = refusal.kind();
        ProblemKind {
            name: name.strip_prefix("/problems/").unwrap_or(name),
            title,
            status: refusal.status().as_u16(),
        }
    };
    one_of_each.iter().map(kind).collect()
}

impl Refusal {
    pub(crate) fn host(host: &str) -> Self {
        Self::Host(host.chars().take(LONGEST_ECHO).collect())
    }

    pub(crate) fn origin(origin: &str) -> Self {
        Self::Origin(origin.chars().take(LONGEST_ECHO).collect())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::SignInNeeded | Self::WrongCredential(_) => StatusCode::UNAUTHORIZED,
            Self::AdminOnly | Self::Host(_) | Self::Origin(_) | Self::Forgery => StatusCode::FORBIDDEN,
            Self::TooMany(_) | Self::TooManyFailures(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NoConnection => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable name of the problem, and its title. A new kind goes into [`problem_kinds`], too.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::SignInNeeded => ("/problems/sign-in-needed", "Sign-in needed"),
            Self::WrongCredential(_) => ("/problems/wrong-credential", "The credential is not valid"),
            Self::AdminOnly => ("/problems/admin-only", "Only an admin may do this"),
            Self::Host(_) => ("/problems/unknown-host", "This host is not served here"),
            Self::Origin(_) => ("/problems/unknown-origin", "This web page may not use the API"),
            Self::Forgery => ("/problems/cross-site-request", "The request is not of our own page"),
            Self::TooMany(_) => ("/problems/too-many-requests", "Too many requests"),
            Self::TooManyFailures(_) => ("/problems/too-many-failures", "Too many failed sign-ins"),
            Self::NoConnection => ("/problems/internal", "Something went wrong inside"),
        }
    }

    /// What happened, and what to do.
    fn detail(&self) -> String {
        match self {
            Self::SignInNeeded => "Send 'Authorization: Bearer' with the store's token, an API key or a JWT; in a \
                                   browser open the link that `flockscope status` shows."
                .into(),
            Self::WrongCredential(reason) => format!("The token, key or JWT was not accepted: {reason}."),
            Self::AdminOnly => "The caller has the role viewer; this needs the role admin.".into(),
            Self::Host(host) => format!(
                "The request is for the host '{host}'. Use localhost or the address with its port, or add the name to \
                 the allowed hosts."
            ),
            Self::Origin(origin) => format!(
                "The request comes from the origin '{origin}'. Add it to ALLOWED_ORIGINS if its pages may read the traces."
            ),
            Self::Forgery => "A request that changes something and is signed in by a cookie must come from a page of \
                              this server; programs use 'Authorization: Bearer'."
                .into(),
            Self::TooMany(pause) => format!("Try again in {} s.", seconds(*pause)),
            Self::TooManyFailures(pause) => format!(
                "Too many wrong tokens, keys or JWTs came from this address; try again in {} s.",
                seconds(*pause)
            ),
            Self::NoConnection => "The request could not be judged.".into(),
        }
    }

    /// The code of [google.rpc.Code](https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto).
    fn grpc_code(&self) -> i32 {
        match self.status() {
            StatusCode::UNAUTHORIZED => 16,
            StatusCode::FORBIDDEN => 7,
            StatusCode::TOO_MANY_REQUESTS => 8,
            _ => 13,
        }
    }

    /// The answer in the form that the caller reads. `headers` are those of the request, `id` is its id.
    pub(crate) fn response_for(&self, face: Face, headers: &HeaderMap, id: &str) -> Response {
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut response = if kind.starts_with("application/grpc") {
            return self.grpc();
        } else if face == Face::Otlp {
            self.otlp(kind)
        } else {
            self.problem(Some(id))
        };
        self.add_headers(response.headers_mut());
        response
    }

    fn problem(&self, id: Option<&str>) -> Response {
        let (kind, title) = self.kind();
        let problem = Problem {
            kind: kind.into(),
            title: title.into(),
            status: self.status().as_u16(),
            detail: Some(self.detail()),
            id: id.map(Into::into),
        };
        // Strings and numbers always make JSON.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        respond(self.status(), "application/problem+json", body)
    }

    /// A `google.rpc.Status` of the request's type
    /// ([OTLP specification, failures](https://opentelemetry.io/docs/specs/otlp/#failures-1)).
    fn otlp(&self, kind: &str) -> Response {
        let (code, message) = (self.grpc_code(), self.detail());
        if kind.starts_with("application/json") {
            let body = serde_json::json!({ "code": code, "message": message });
            respond(self.status(), "application/json", body.to_string().into_bytes())
        } else {
            let body = RpcStatus { code, message }.encode_to_vec();
            respond(self.status(), "application/x-protobuf", body)
        }
    }

    /// Only trailers, which stand among the headers then
    /// ([gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses)).
    fn grpc(&self) -> Response {
        let mut response = respond(StatusCode::OK, "application/grpc", Vec::new());
        let headers = response.headers_mut();
        headers.insert("grpc-status", HeaderValue::from(self.grpc_code()));
        if let Ok(message) = HeaderValue::from_str(&percent_encoded(&self.detail())) {
            headers.insert("grpc-message", message);
        }
        response
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        match self {
            Self::SignInNeeded => {
                headers.insert(
                    WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"flockscope\""),
                );
            }
            // RFC 6750, 3.1.
            Self::WrongCredential(_) => {
                let challenge = "Bearer realm=\"flockscope\", error=\"invalid_token\"";
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            Self::TooMany(pause) | Self::TooManyFailures(pause) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds(*pause)));
            }
            _ => {}
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.problem(None);
        self.add_headers(response.headers_mut());
        response
    }
}

/// `google.rpc.Status` without its details.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

fn respond(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Whole seconds, rounded up and at least one: a client that waits so long is let in.
pub(crate) fn seconds(pause: Duration) -> u64 {
    let part = u64::from(pause.subsec_nanos() > 0);
    (pause.as_secs().saturating_add(part)).max(1)
}

/// As gRPC wants its messages: printable ASCII other than `%` as it is, everything else as the bytes of UTF-8.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_whole_seconds_and_never_too_short() {
        let table = [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (59_001, 60)];
        for (milliseconds, expected) in table {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), expected);
        }
    }

    #[test]
    fn a_message_of_grpc_is_ascii() {
        assert_eq!(percent_encoded("100 % ä\n"), "100 %25 %C3%A4%0A");
    }

    #[test]
    fn strangers_text_is_cut() {
        let Refusal::Host(host) = Refusal::host(&"ä".repeat(10_000)) else {
            panic!("a host");
        };
        assert_eq!(host.chars().count(), LONGEST_ECHO);
    }
}
