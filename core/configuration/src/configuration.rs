//! What all settings come to, typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::Secret;
use crate::value::{FromValue, Values};

/// The values of all settings: a section of [`crate::settings`] each, with the section's settings as fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// The API.
    pub api: Api,
    /// TLS of the API and the receivers.
    pub tls: Tls,
    /// Who may do what.
    pub auth: Auth,
    /// Receivers.
    pub otlp: Otlp,
    /// Which spans are kept.
    pub filters: Filters,
    /// What is made unreadable.
    pub redaction: Redaction,
    /// Between receivers and store.
    pub ingest: Ingest,
    /// Export to another OTLP endpoint.
    pub onward: Onward,
    /// The database.
    pub store: Store,
    /// How long, and how much.
    pub retention: Retention,
    /// A user's own SQL.
    pub sql: Sql,
    /// The process itself.
    pub process: Process,
}

/// Settings of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Api {
    /// Where it is served; port 0 takes any free one.
    pub address: SocketAddr,
    /// Origins that may read from it in a browser, besides its own: `scheme://host[:port]`.
    pub allowed_origins: Vec<String>,
    /// Hosts (`name` or `name:port`) under which it may be called, besides those of this machine.
    pub allowed_hosts: Vec<String>,
    /// Folder that is served at `/`.
    pub viewer_folder: Option<PathBuf>,
    /// Whether `/metrics` answers.
    pub metrics: bool,
}

/// Settings of TLS: both, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

/// Settings of authentication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Auth {
    /// Whether callers from other machines are let in.
    pub enabled: bool,
    /// Secret of JWTs, at least 32 bytes.
    pub jwt_secret: Option<Secret>,
    /// Public keys of JWTs; not together with `jwks_url`.
    pub jwks_file: Option<PathBuf>,
    /// Address of the public keys of JWTs.
    pub jwks_url: Option<String>,
    /// Issuer that a JWT must name.
    pub jwt_issuer: Option<String>,
    /// Audience that a JWT must name.
    pub jwt_audience: Option<String>,
    /// File of the API keys, which may be missing.
    pub api_keys_file: Option<PathBuf>,
}

/// Settings of the receivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Otlp {
    /// Whether there are any.
    pub enabled: bool,
    /// Where gRPC is spoken.
    pub grpc_address: SocketAddr,
    /// Where HTTP is spoken.
    pub http_address: SocketAddr,
    /// Bytes of a request over gRPC, decompressed.
    pub max_grpc_request: u64,
    /// Bytes of a request over HTTP, decompressed.
    pub max_http_request: u64,
    /// Spans of a request.
    pub max_spans_per_request: u64,
    /// Spans a second.
    pub max_spans_per_second: Option<u64>,
}

/// Which spans are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Filters {
    /// Services whose spans are kept, compared in lower case. `None`: every service; an empty list: none, as in Flock.
    pub services: Option<Vec<String>>,
    /// Names of spans that are dropped first, compared exactly.
    pub ignore: Vec<String>,
}

/// What is made unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redaction {
    /// Whether anything is.
    pub enabled: bool,
    /// Keys besides the well-known ones.
    pub keys: Vec<String>,
    /// Regular expressions besides the well-known ones; each compiles.
    pub patterns: Vec<String>,
    /// Whether e-mail addresses are.
    pub emails: bool,
    /// Whether numbers of payment cards are.
    pub cards: bool,
    /// Keys whose values are left as they are.
    pub allow: Vec<String>,
}

/// Between receivers and store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ingest {
    /// Bytes of spans that are accepted and not yet stored.
    pub queue: u64,
    /// How often the log is synced; zero: before each reply.
    pub sync_interval: Duration,
}

/// Export to another OTLP endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Onward {
    /// Where to; `None`: nowhere. An `http` or `https` URL.
    pub endpoint: Option<String>,
    /// How.
    pub protocol: OnwardProtocol,
    /// Headers of each request: valid names, values of visible ASCII.
    pub headers: Vec<(String, Secret)>,
    /// Bytes on the disk that may wait.
    pub queue_size: u64,
    /// Longest that a request may take.
    pub timeout: Duration,
}

/// How spans are sent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum OnwardProtocol {
    /// OTLP over gRPC.
    #[default]
    #[serde(rename = "grpc")]
    Grpc,
    /// OTLP over HTTP with protobuf bodies.
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}

/// Settings of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Store {
    /// Bytes of memory.
    pub memory: u64,
    /// Threads; `None`: all cores.
    pub threads: Option<usize>,
}

/// How long, and how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// Days; `None`: for ever.
    pub days: Option<u32>,
    /// Bytes of disk; `None`: no limit.
    pub max_size: Option<u64>,
}

/// Limits of a user's own SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sql {
    /// Rows of an answer.
    pub rows: u64,
    /// Bytes of an answer.
    pub answer_size: u64,
    /// Time of a query.
    pub time: Duration,
    /// Bytes of memory of a query.
    pub memory: u64,
    /// Queries at the same time.
    pub concurrent: usize,
    /// Queries a minute from one client on another machine; 0: no limit.
    pub queries_per_minute: u32,
}

/// Settings of the process itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Idle time after which a process that a client started ends.
    pub idle_time: Duration,
    /// Whether it never does.
    pub stay: bool,
    /// What its log says.
    pub log_level: LogLevel,
}

/// How much a log says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what will.
    Warn,
    /// And what a person wants to know.
    #[default]
    Info,
    /// And what a developer wants to know.
    Debug,
    /// And all else.
    Trace,
}

impl Default for Configuration {
    /// The defaults of the table.
    fn default() -> Self {
        Self::from_values(&Values::defaults())
    }
}

impl Configuration {
    pub(crate) fn from_values(values: &Values) -> Self {
        Self {
            api: Api {
                address: values.get("api.address"),
                allowed_origins: values.get("api.allowed_origins"),
                allowed_hosts: values.get("api.allowed_hosts"),
                viewer_folder: values.get("api.viewer_folder"),
                metrics: values.get("api.metrics"),
            },
            tls: Tls {
                certificate: values.get("tls.certificate"),
                key: values.get("tls.key"),
            },
            auth: Auth {
                enabled: values.get("auth.enabled"),
                jwt_secret: values.get("auth.jwt_secret"),
                jwks_file: values.get("auth.jwks_file"),
                jwks_url: values.get("auth.jwks_url"),
                jwt_issuer: values.get("auth.jwt_issuer"),
                jwt_audience: values.get("auth.jwt_audience"),
                api_keys_file: values.get("auth.api_keys_file"),
            },
            otlp: Otlp {
                enabled: values.get("otlp.enabled"),
                grpc_address: values.get("otlp.grpc_address"),
                http_address: values.get("otlp.http_address"),
                max_grpc_request: values.get("otlp.max_grpc_request"),
                max_http_request: values.get("otlp.max_http_request"),
                max_spans_per_request: values.get("otlp.max_spans_per_request"),
                max_spans_per_second: values.get("otlp.max_spans_per_second"),
            },
            filters: Filters {
                services: values.get("filters.services"),
                ignore: values.get("filters.ignore"),
            },
            redaction: Redaction {
                enabled: values.get("redaction.enabled"),
                keys: values.get("redaction.keys"),
                patterns: values.get("redaction.patterns"),
                emails: values.get("redaction.emails"),
                cards: values.get("redaction.cards"),
                allow: values.get("redaction.allow"),
            },
            ingest: Ingest {
                queue: values.get("ingest.queue"),
                sync_interval: values.get("ingest.sync_interval"),
            },
            onward: Onward {
                endpoint: values.get("onward.endpoint"),
                protocol: values.get("onward.protocol"),
                headers: values.get("onward.headers"),
                queue_size: values.get("onward.queue_size"),
                timeout: values.get("onward.timeout"),
            },
            store: Store {
                memory: values.get("store.memory"),
                threads: values.get("store.threads"),
            },
            retention: Retention {
                days: values.get("retention.days"),
                max_size: values.get("retention.max_size"),
            },
            sql: Sql {
                rows: values.get("sql.rows"),
                answer_size: values.get("sql.answer_size"),
                time: values.get("sql.time"),
                memory: values.get("sql.memory"),
                concurrent: values.get("sql.concurrent"),
                queries_per_minute: values.get("sql.queries_per_minute"),
            },
            process: Process {
                idle_time: values.get("process.idle_time"),
                stay: values.get("process.stay"),
                log_level: values.get("process.log_level"),
            },
        }
    }
}

impl FromValue for OnwardProtocol {
    fn from_value(value: &crate::value::Value) -> Self {
        match value.as_text() {
            "http/protobuf" => Self::HttpProtobuf,
            _ => Self::Grpc,
        }
    }
}

impl FromValue for LogLevel {
    fn from_value(value: &crate::value::Value) -> Self {
        match value.as_text() {
            "error" => Self::Error,
            "warn" => Self::Warn,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => Self::Info,
        }
    }
}
