//! Errors of the API: RFC 9457 problem details, with the right status and no paths or internals in them. The log has the
//! whole cause under the problem's id.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flockscope_protocol::Problem;
use flockscope_store::StoreError;
use serde_json::{Map, Value};

use crate::words_without_paths::{Secrets, without_paths};

/// Media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A kind of problem: the last part of its `type`, its title, its status. Those of callers who are not let in are made
/// by `flockscope-security`, and stand here for the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) status: StatusCode,
}

macro_rules! kinds {
    ($($constant:ident = $name:literal, $title:literal, $status:ident;)*) => {
        $(pub(crate) const $constant: Kind = Kind { name: $name, title: $title, status: StatusCode::$status };)*
        /// All kinds.
        pub(crate) const KINDS: &[Kind] = &[$($constant),*];
    };
}

kinds! {
    BAD_PARAMETER = "bad-parameter", "A parameter can't be used", BAD_REQUEST;
    BAD_BODY = "bad-body", "The body can't be used", BAD_REQUEST;
    SQL_ERROR = "sql-error", "The SQL is wrong", BAD_REQUEST;
    SIGN_IN_NEEDED = "sign-in-needed", "Sign-in needed", UNAUTHORIZED;
    WRONG_CREDENTIAL = "wrong-credential", "The credential is not valid", UNAUTHORIZED;
    QUERY_REFUSED = "query-refused", "This SQL is not allowed", FORBIDDEN;
    ADMIN_ONLY = "admin-only", "Only an admin may do this", FORBIDDEN;
    UNKNOWN_HOST = "unknown-host", "This host is not served here", FORBIDDEN;
    UNKNOWN_ORIGIN = "unknown-origin", "This web page may not use the API", FORBIDDEN;
    CROSS_SITE_REQUEST = "cross-site-request", "The request is not of our own page", FORBIDDEN;
    NOT_FOUND = "not-found", "There is no such thing", NOT_FOUND;
    WRONG_METHOD = "wrong-method", "Not with this method", METHOD_NOT_ALLOWED;
    NOT_ACCEPTABLE = "not-acceptable", "No such form of answer", NOT_ACCEPTABLE;
    QUERY_STOPPED = "query-stopped", "The query was stopped", CONFLICT;
    QUERY_ID_IN_USE = "query-id-in-use", "A query of this id runs already", CONFLICT;
    CANNOT_DO = "cannot-do", "This can't be done here", CONFLICT;
    BODY_TOO_LARGE = "body-too-large", "The body is too large", PAYLOAD_TOO_LARGE;
    WRONG_MEDIA_TYPE = "wrong-media-type", "The body has another media type", UNSUPPORTED_MEDIA_TYPE;
    QUERY_TOO_LARGE = "query-too-large", "The query needs too much memory", UNPROCESSABLE_ENTITY;
    TOO_MANY_REQUESTS = "too-many-requests", "Too many requests", TOO_MANY_REQUESTS;
    TOO_MANY_FAILURES = "too-many-failures", "Too many failed sign-ins", TOO_MANY_REQUESTS;
    INTERNAL = "internal", "Something went wrong inside", INTERNAL_SERVER_ERROR;
    BUSY = "busy", "Too many queries run", SERVICE_UNAVAILABLE;
    STORE_RESTARTS = "store-restarts", "The store is opened again", SERVICE_UNAVAILABLE;
    QUERY_TIMED_OUT = "query-timed-out", "The query ran too long", GATEWAY_TIMEOUT;
    DISK_FULL = "disk-full", "The disk is full", INSUFFICIENT_STORAGE;
}

/// An error on its way to the client.
#[derive(Debug, Clone)]
pub struct ApiProblem(Box<Content>);

#[derive(Debug, Clone)]
struct Content {
    kind: Kind,
    detail: String,
    id: Option<String>,
    retry_after: Option<u64>,
    /// Members beside those of RFC 9457, §3.2.
    more: Map<String, Value>,
}

impl ApiProblem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Content {
            kind,
            detail: detail.into(),
            id: None,
            retry_after: None,
            more: Map::new(),
        }))
    }

    fn after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// A parameter that can't be used: which one, what it was, what is allowed.
    pub(crate) fn parameter(name: &str, value: &str, allowed: impl fmt::Display) -> Self {
        let shown: String = value.chars().take(200).collect();
        Self::new(
            BAD_PARAMETER,
            format!("the parameter {name} is {shown:?}, but must be {allowed}"),
        )
        .with("parameter", name.into())
        .with("value", shown.into())
        .with("allowed", allowed.to_string().into())
    }

    pub(crate) fn busy(seconds: u64) -> Self {
        Self::new(
            BUSY,
            format!("so many queries run and wait that this one was not begun; try again in {seconds} s"),
        )
        .after(seconds)
    }

    /// Something went wrong that the caller can do nothing about; the log says what.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        Self::new(
            INTERNAL,
            "the log of the process has the cause under the id of this problem",
        )
        .logged(&cause)
    }

    /// Another member of the JSON.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.0.more.insert(name.to_owned(), value);
        self
    }

    /// Writes the cause to the log, under an id that the problem shows.
    pub(crate) fn logged(mut self, cause: &dyn fmt::Display) -> Self {
        let id = self.0.id.get_or_insert_with(next_id).clone();
        tracing::error!(problem = self.0.kind.name, %id, %cause, "a request failed");
        self
    }

    /// What a failure of the store means to a client. `sql` is what the client wrote, which may be said back.
    pub(crate) fn of_store(error: &StoreError, sql: &str, secrets: &Secrets) -> Self {
        match error {
            StoreError::Refused(why) => Self::new(QUERY_REFUSED, without_paths(why, sql, secrets)),
            StoreError::Sql(words) => Self::new(SQL_ERROR, without_paths(words, sql, secrets)),
            StoreError::TimedOut(time) => Self::new(
                QUERY_TIMED_OUT,
                format!(
                    "the query was stopped after {} s; narrow it, for example by times, or allow it more",
                    time.as_secs_f64()
                ),
            ),
            StoreError::Cancelled => Self::new(QUERY_STOPPED, "somebody stopped it"),
            StoreError::OutOfMemory { limit, .. } => Self::new(
                QUERY_TOO_LARGE,
                format!("the query needs more memory than there is ({limit} for all queries); narrow it, or sum up less at a time"),
            )
            .logged(error),
            StoreError::DiskFull { .. } => Self::new(
                DISK_FULL,
                "no space is left on the disk of the store; nothing that was stored is lost",
            )
            .logged(error),
            StoreError::Stopped { .. } | StoreError::Busy { .. } | StoreError::InUse { .. } => Self::new(STORE_RESTARTS, "the store is being opened again; nothing that was stored is lost").after(1).logged(error),
            StoreError::InMemory(_) => Self::new(CANNOT_DO, "the store is in memory only"),
            StoreError::Database(cause) if cause.to_string().contains("No space left") => {
                Self::new(DISK_FULL, "no space is left on the disk of the store").logged(error)
            }
            _ => Self::internal(error),
        }
    }
}

impl fmt::Display for ApiProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.title, self.0.detail)
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let content = *self.0;
        let problem = Problem {
            kind: format!("/problems/{}", content.kind.name),
            title: content.kind.title.to_owned(),
            status: content.kind.status.as_u16(),
            detail: Some(content.detail),
            id: content.id,
        };
        let mut json = match serde_json::to_value(problem) {
            Ok(Value::Object(json)) => json,
            _ => Map::new(),
        };
        json.extend(content.more);
        let mut response = Response::new(Body::from(Value::Object(json).to_string()));
        *response.status_mut() = content.kind.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = content.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Short, and another one for each problem of this machine in practice: the time, and a count.
fn next_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("{:x}-{:x}", now.as_millis(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_their_names() {
        let mut names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
        assert!(
            KINDS
                .iter()
                .all(|kind| kind.status.is_client_error() || kind.status.is_server_error())
        );
    }

    #[test]
    fn a_problem_of_the_store_names_no_file() {
        let path = std::path::PathBuf::from("/home/somebody/store.duckdb");
        let secrets = Secrets::of(&path);
        for error in [
            StoreError::InUse {
                path: path.clone(),
                holder: Some("python (7)".into()),
            },
            StoreError::DiskFull {
                path: path.clone(),
                message: format!("IO Error: {} No space left on device", path.display()),
            },
            StoreError::Sql(format!("IO Error: Cannot open file \"{}\"", path.display())),
        ] {
            let problem = ApiProblem::of_store(&error, "SELECT 1", &secrets);
            assert!(!problem.0.detail.contains("/home"), "{problem}");
        }
    }
}
