//! The table of all settings.

use std::time::Duration;

use crate::{Item, Kind, Place, Reading, Setting};

/// All settings, section by section.
pub fn settings() -> &'static [Setting] {
    SETTINGS
}

/// The setting of a key.
pub(crate) fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Less than this is no useful limit of a store: an empty one takes about 2 MB.
const LEAST_STORE: u64 = 16 * MIB;

/// A key of HMAC with SHA-256 must be as long as the hash (RFC 7518, section 3.2).
const LEAST_JWT_SECRET: usize = 32;

const NAMES: Kind = Kind::List { item: Item::Name };

const fn integer(least: u64, most: u64) -> Kind {
    Kind::Integer { least, most }
}

const fn size(least: u64, most: u64) -> Kind {
    Kind::Size {
        least,
        most: Some(most),
    }
}

const fn time(least: Duration, most: Duration) -> Kind {
    Kind::Duration { least, most }
}

const fn path(place: Place) -> Kind {
    Kind::Path { place }
}

const SETTINGS: &[Setting] = &[
    // The API, for editor, kernel, browser and scripts.
    Setting::new("api.address", "FLOCKSCOPE_API_ADDRESS", "api-address", Kind::Address, "127.0.0.1:4319").says(
        "127.0.0.1:4320",
        "Where the API and the viewer are served. Any address but one of this machine needs `auth.enabled`.",
    ),
    Setting::new(
        "api.allowed_origins",
        "FLOCKSCOPE_ALLOWED_ORIGINS",
        "allowed-origins",
        Kind::List { item: Item::Origin },
        "",
    )
    .alias("ALLOWED_ORIGINS", Reading::Shared)
    .or_empty("for the pages of the process itself only")
    .says(
        "https://dashboards.example.org",
        "Web pages that may read from the API in a browser (CORS), besides those that the process serves itself.",
    ),
    Setting::new(
        "api.allowed_hosts",
        "FLOCKSCOPE_ALLOWED_HOSTS",
        "allowed-hosts",
        Kind::List { item: Item::Host },
        "",
    )
    .or_empty("for the names of this machine only")
    .says(
        "traces.example.org",
        "Names under which clients may call the process (header `Host`), besides localhost and its addresses. All \
         others are refused, against DNS rebinding.",
    ),
    Setting::new(
        "api.viewer_folder",
        "FLOCKSCOPE_VIEWER_FOLDER",
        "viewer-folder",
        path(Place::Folder),
        "",
    )
    .or_empty("for no viewer")
    .says(
        "viewer",
        "A folder whose files are served at `/`, such as that of Flock's own viewer.",
    ),
    Setting::new("api.metrics", "FLOCK_TRACE_METRICS_ENABLED", "metrics", Kind::Boolean, "true").says(
        "false",
        "Whether `/metrics` gives the process's own figures in the format of Prometheus.",
    ),
    // TLS, for addresses outside of this machine.
    Setting::new("tls.certificate", "FLOCKSCOPE_TLS_CERTIFICATE", "tls-certificate", path(Place::File), "")
        .or_empty("to serve without TLS")
        .says(
            "certificate.pem",
            "Certificate chain (PEM) with which the API and the receivers speak TLS. Goes with `tls.key`.",
        ),
    Setting::new("tls.key", "FLOCKSCOPE_TLS_KEY", "tls-key", path(Place::File), "")
        .or_empty("to serve without TLS")
        .says("key.pem", "Private key (PEM) of `tls.certificate`."),
    // Who may do what.
    Setting::new("auth.enabled", "FLOCK_TRACE_AUTH_ENABLED", "auth", Kind::Boolean, "false").says(
        "true",
        "Whether callers from other machines are let in, with an API key or a JWT. Clients on this machine use the \
         token of the store in any case.",
    ),
    Setting::secret(
        "auth.jwt_secret",
        "FLOCK_TRACE_JWT_SECRET",
        Kind::Secret {
            least: LEAST_JWT_SECRET,
        },
    )
    .or_empty("to accept no JWT signed with a secret")
    .says(
        "an example only, 32 bytes or more",
        "Secret with which JWTs are signed (HS256).",
    ),
    Setting::new("auth.jwks_file", "FLOCKSCOPE_JWKS_FILE", "jwks-file", path(Place::File), "")
        .or_empty("for none")
        .says(
            "jwks.json",
            "File with the public keys of JWTs (JSON Web Key Set). Not together with `auth.jwks_url`.",
        ),
    Setting::new(
        "auth.jwks_url",
        "FLOCKSCOPE_JWKS_URL",
        "jwks-url",
        Kind::Url { must_be_private: true },
        "",
    )
    .or_empty("for none")
    .says(
        "https://login.example.org/.well-known/jwks.json",
        "Address of the public keys of JWTs (JSON Web Key Set).",
    ),
    Setting::new("auth.jwt_issuer", "FLOCKSCOPE_JWT_ISSUER", "jwt-issuer", Kind::Text, "")
        .or_empty("for any issuer")
        .says("https://login.example.org/", "Issuer (`iss`) that a JWT must name."),
    Setting::new("auth.jwt_audience", "FLOCKSCOPE_JWT_AUDIENCE", "jwt-audience", Kind::Text, "")
        .or_empty("for any audience")
        .says("flockscope", "Audience (`aud`) that a JWT must name."),
    Setting::new(
        "auth.api_keys_file",
        "FLOCKSCOPE_API_KEYS_FILE",
        "api-keys-file",
        path(Place::MayBeMissing),
        "",
    )
    .or_empty("for no API keys")
    .says("keys.json", "File with the API keys, each stored as a hash only."),
    // OTLP in.
    Setting::new("otlp.enabled", "FLOCKSCOPE_OTLP_ENABLED", "otlp", Kind::Boolean, "true")
        .says("false", "Whether spans are taken in over OTLP."),
    Setting::new(
        "otlp.grpc_address",
        "FLOCKSCOPE_OTLP_GRPC_ADDRESS",
        "otlp-grpc-address",
        Kind::Address,
        "127.0.0.1:4317",
    )
    .says("127.0.0.1:14317", "Where OTLP over gRPC is taken in."),
    Setting::new(
        "otlp.http_address",
        "FLOCKSCOPE_OTLP_HTTP_ADDRESS",
        "otlp-http-address",
        Kind::Address,
        "127.0.0.1:4318",
    )
    .says("127.0.0.1:14318", "Where OTLP over HTTP is taken in (protobuf and JSON)."),
    Setting::new(
        "otlp.max_grpc_request",
        "FLOCKSCOPE_OTLP_MAX_GRPC_REQUEST",
        "otlp-max-grpc-request",
        size(64 * KIB, GIB),
        "4MiB",
    )
    .says("16MiB", "Largest request over gRPC, decompressed."),
    Setting::new(
        "otlp.max_http_request",
        "FLOCKSCOPE_OTLP_MAX_HTTP_REQUEST",
        "otlp-max-http-request",
        size(64 * KIB, GIB),
        "20MiB",
    )
    .says("64MiB", "Largest request over HTTP, decompressed."),
    Setting::new(
        "otlp.max_spans_per_request",
        "FLOCK_TRACE_MAX_SPANS_PER_REQUEST",
        "max-spans-per-request",
        integer(1, 10_000_000),
        "100000",
    )
    .says(
        "1000",
        "Most spans of one request; those beyond are refused, and the sender is told so.",
    ),
    Setting::new(
        "otlp.max_spans_per_second",
        "FLOCK_TRACE_MAX_SPANS_PER_SECOND",
        "max-spans-per-second",
        integer(1, 100_000_000),
        "",
    )
    .or_empty("for as many as can be stored")
    .says(
        "5000",
        "Most spans a second, over all senders; more are put off, and the sender is told to try again.",
    ),
    // What of it is kept, with Flock's meaning.
    Setting::new("filters.services", "FLOCK_TRACE_SERVICES", "services", NAMES, "")
        .or_empty("for every service")
        .says(
            "flock,agent",
            "Services whose spans are kept, in upper or lower case; the spans of all others are dropped. `[]` drops \
             every span.",
        ),
    Setting::new("filters.ignore", "FLOCK_TRACE_IGNORE", "ignore", NAMES, "")
        .or_empty("to drop none")
        .says(
            "DashboardEventCollector.set_websocket_manager",
            "Span names (`Class.method`) that are dropped, whatever `filters.services` says.",
        ),
    // What of it is made unreadable.
    Setting::new("redaction.enabled", "FLOCKSCOPE_REDACTION", "redaction", Kind::Boolean, "true").says(
        "false",
        "Whether values that look like secrets are made unreadable before they are stored.",
    ),
    Setting::new("redaction.keys", "FLOCKSCOPE_REDACTION_KEYS", "redaction-keys", NAMES, "")
        .or_empty("for the well-known ones only")
        .says(
            "customer_id,ssn",
            "More names of attributes, or of fields inside of them, whose values are made unreadable.",
        ),
    Setting::new(
        "redaction.patterns",
        "FLOCKSCOPE_REDACTION_PATTERNS",
        "redaction-patterns",
        Kind::Patterns,
        "",
    )
    .or_empty("for the well-known ones only")
    .says(
        "CUST-[0-9]{6,8}",
        "More regular expressions (syntax of the Rust crate `regex`); what they match in a value is made unreadable.",
    ),
    Setting::new("redaction.emails", "FLOCKSCOPE_REDACTION_EMAILS", "redaction-emails", Kind::Boolean, "false").says(
        "true",
        "Whether e-mail addresses are made unreadable, too.",
    ),
    Setting::new("redaction.cards", "FLOCKSCOPE_REDACTION_CARDS", "redaction-cards", Kind::Boolean, "false").says(
        "true",
        "Whether numbers of payment cards are made unreadable, too: told by issuer, length and check digit.",
    ),
    Setting::new("redaction.allow", "FLOCKSCOPE_REDACTION_ALLOW", "redaction-allow", NAMES, "")
        .or_empty("for none")
        .says(
            "page_token,input.session",
            "Names of attributes, or of fields inside of them, whose values are left as they are, whatever the other \
             rules say.",
        ),
    // Between receiver and store.
    Setting::new("ingest.queue", "FLOCKSCOPE_INGEST_QUEUE", "ingest-queue", size(MIB, 4 * GIB), "64MiB").says(
        "128MiB",
        "Memory for spans that are accepted but not yet stored. When it is full, senders are told to try again.",
    ),
    Setting::new(
        "ingest.sync_interval",
        "FLOCKSCOPE_INGEST_SYNC_INTERVAL",
        "ingest-sync-interval",
        time(Duration::ZERO, MINUTE),
        "1s",
    )
    .says(
        "0",
        "How often the log of accepted spans is forced to the disk, against power loss; 0: before each reply. A \
         killed process loses nothing in any case.",
    ),
    // To another OTLP endpoint.
    Setting::new(
        "onward.endpoint",
        "FLOCKSCOPE_ONWARD_ENDPOINT",
        "onward-endpoint",
        Kind::Url { must_be_private: false },
        "",
    )
    .or_empty("to send nothing on")
    .says(
        "https://collector.example.org:4317",
        "Where accepted spans are also sent, after filters and redaction.",
    ),
    Setting::new(
        "onward.protocol",
        "FLOCKSCOPE_ONWARD_PROTOCOL",
        "onward-protocol",
        Kind::Choice {
            words: &["grpc", "http/protobuf"],
        },
        "grpc",
    )
    .says("http/protobuf", "How spans are sent on."),
    Setting::secret("onward.headers", "FLOCKSCOPE_ONWARD_HEADERS", Kind::Headers)
        .or_empty("for none")
        .says(
            "authorization=Bearer%20abc",
            "Headers of the requests by which spans are sent on, such as a token.",
        ),
    Setting::new(
        "onward.queue_size",
        "FLOCKSCOPE_ONWARD_QUEUE_SIZE",
        "onward-queue-size",
        size(MIB, 1024 * GIB),
        "256MiB",
    )
    .says(
        "1GiB",
        "Disk for spans that could not be sent on yet. When it is full, the oldest are given up (the store keeps them).",
    ),
    Setting::new(
        "onward.timeout",
        "FLOCKSCOPE_ONWARD_TIMEOUT",
        "onward-timeout",
        time(Duration::from_millis(100), Duration::from_secs(600)),
        "10s",
    )
    .says("30s", "How long one request onward may take."),
    // The database.
    Setting::new(
        "store.memory",
        "FLOCKSCOPE_STORE_MEMORY",
        "store-memory",
        size(64 * MIB, 1024 * GIB),
        "512MB",
    )
    .says("2GB", "Memory that the database may use."),
    Setting::new("store.threads", "FLOCKSCOPE_STORE_THREADS", "store-threads", integer(1, 1024), "")
        .or_empty("for all cores")
        .says("4", "Threads that the database may use."),
    // How long.
    Setting::new("retention.days", "FLOCK_TRACE_TTL_DAYS", "retention-days", Kind::Days, "")
        .or_empty("to keep traces for ever")
        .live()
        .says("30", "Days that traces are kept."),
    Setting::new(
        "retention.max_size",
        "FLOCKSCOPE_MAX_SIZE",
        "max-size",
        Kind::Size {
            least: LEAST_STORE,
            most: None,
        },
        "",
    )
    .alias("FLOCK_TRACE_MAX_DB_SIZE_MB", Reading::Megabytes)
    .or_empty("for no limit")
    .live()
    .says(
        "2GiB",
        "Most disk that the store may take, its archive included; the oldest spans go first.",
    ),
    // A user's own SQL.
    Setting::new("sql.rows", "FLOCKSCOPE_SQL_ROWS", "sql-rows", integer(1, 10_000_000), "10000")
        .live()
        .says("50000", "Most rows of an answer; more are cut off, and the answer says so."),
    Setting::new("sql.answer_size", "FLOCKSCOPE_SQL_ANSWER_SIZE", "sql-answer-size", size(MIB, 16 * GIB), "256MiB")
        .live()
        .says("64MiB", "Most memory of an answer; more rows are cut off."),
    Setting::new(
        "sql.time",
        "FLOCKSCOPE_SQL_TIME",
        "sql-time",
        time(Duration::from_millis(10), DAY),
        "30s",
    )
    .live()
    .says("2m", "Time after which a query is stopped."),
    Setting::new("sql.memory", "FLOCKSCOPE_SQL_MEMORY", "sql-memory", size(MIB, 1024 * GIB), "384MB")
        .says("256MB", "Memory for the intermediate results of a query."),
    Setting::new("sql.concurrent", "FLOCKSCOPE_SQL_CONCURRENT", "sql-concurrent", integer(1, 1024), "4").says(
        "8",
        "Queries that run at the same time; more wait.",
    ),
    Setting::new(
        "sql.queries_per_minute",
        "FLOCK_TRACE_RATE_LIMIT",
        "sql-queries-per-minute",
        integer(0, 1_000_000),
        "10",
    )
    .says(
        "60",
        "SQL queries a minute that a client from another machine may ask; 0: as many as it likes. There is no limit \
         for clients on this machine that use the token of the store.",
    ),
    // The process itself.
    Setting::new(
        "process.idle_time",
        "FLOCKSCOPE_IDLE_TIME",
        "idle-time",
        time(Duration::from_secs(1), DAY.saturating_mul(30)),
        "30m",
    )
    .says(
        "2h",
        "A process that was started by a client ends by itself when nobody asked it anything, and no span came, for \
         this long.",
    ),
    Setting::new("process.stay", "FLOCKSCOPE_STAY", "stay", Kind::Boolean, "false").says(
        "true",
        "Whether the process runs until it is told to stop, however idle it is.",
    ),
    Setting::new(
        "process.log_level",
        "FLOCKSCOPE_LOG_LEVEL",
        "log-level",
        Kind::Choice {
            words: &["error", "warn", "info", "debug", "trace"],
        },
        "info",
    )
    .says("debug", "How much the log of the process says."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_stands_for_two_settings() {
        let mut names = BTreeSet::new();
        for setting in settings() {
            let variables = setting.variables().map(|(variable, _)| variable.to_owned());
            let flag = setting.flag.map(|flag| format!("--{flag}"));
            for name in variables.chain(flag).chain([setting.key.to_owned()]) {
                assert!(names.insert(name.clone()), "{name} stands twice");
            }
        }
    }

    #[test]
    fn names_have_their_form() {
        let is_word =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        for setting in settings() {
            assert!(is_word(setting.section()) && is_word(setting.name()), "{}", setting.key);
            assert_eq!(format!("{}.{}", setting.section(), setting.name()), setting.key);
            for (variable, _) in setting.variables() {
                let has_form = variable.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
                assert!(has_form, "{variable}");
            }
            if let Some(flag) = setting.flag {
                assert!(
                    flag.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
                    "{flag}"
                );
            }
            assert!(setting.description.ends_with('.'), "{}", setting.key);
        }
    }

    #[test]
    fn secrets_never_stand_on_a_command_line() {
        for setting in settings() {
            assert_eq!(setting.flag.is_none(), setting.is_secret(), "{}", setting.key);
        }
        let secret = settings()
            .iter()
            .filter(|setting| setting.is_secret())
            .map(|setting| setting.key);
        assert_eq!(secret.collect::<Vec<_>>(), ["auth.jwt_secret", "onward.headers"]);
    }

    #[test]
    fn sections_stand_together() {
        let mut seen = Vec::new();
        for section in settings().iter().map(Setting::section) {
            if seen.last() != Some(&section) {
                assert!(!seen.contains(&section), "{section} stands at two places");
                seen.push(section);
            }
        }
    }
}
