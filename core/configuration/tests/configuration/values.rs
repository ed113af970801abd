//! Each kind of value, good and bad, and rules between settings.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use flockscope_configuration::{Configuration, LogLevel, OnwardProtocol, check_value};

use crate::Project;

/// What a text makes of a setting.
fn with(key: &str, text: &str) -> Configuration {
    Project::new().flag(key, text).loaded().configuration
}

fn refused(key: &str, texts: &[&str]) {
    for text in texts {
        let problem = check_value(key, text).expect_err(text);
        assert_eq!(problem.key, Some(key));
        let message = problem.to_string();
        assert!(
            message.starts_with(&format!("{key} is {text:?}, but must be ")),
            "{message}"
        );
    }
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let Configuration {
        api,
        otlp,
        ingest,
        onward,
        store,
        retention,
        sql,
        process,
        ..
    } = Configuration::default();
    assert_eq!(api.address, "127.0.0.1:4319".parse::<SocketAddr>().expect("an address"));
    assert_eq!(
        otlp.grpc_address,
        "127.0.0.1:4317".parse::<SocketAddr>().expect("an address")
    );
    assert_eq!(
        otlp.http_address,
        "127.0.0.1:4318".parse::<SocketAddr>().expect("an address")
    );
    assert!(otlp.enabled && api.metrics && !process.stay);
    assert_eq!((otlp.max_grpc_request, otlp.max_http_request), (4_194_304, 20_971_520));
    assert_eq!(ingest.sync_interval, Duration::from_secs(1));
    assert_eq!(process.idle_time, Duration::from_secs(30 * 60));
    assert_eq!((retention.days, retention.max_size), (None, None));
    assert_eq!(
        (sql.queries_per_minute, sql.rows, sql.time),
        (10, 10_000, Duration::from_secs(30))
    );
    assert_eq!(
        (sql.memory, sql.answer_size, store.memory),
        (384_000_000, 268_435_456, 512_000_000)
    );
    assert_eq!((onward.endpoint, onward.protocol), (None, OnwardProtocol::Grpc));
}

#[test]
fn yes_and_no_are_said_in_flocks_words() {
    for text in ["true", "TRUE", "1", "yes", "on", " On "] {
        assert!(with("process.stay", text).process.stay, "{text}");
    }
    for text in ["false", "0", "No", "off"] {
        assert!(!with("otlp.enabled", text).otlp.enabled, "{text}");
    }
    refused("otlp.enabled", &["", "maybe", "2", "truee", "не"]);
}

#[test]
fn numbers_are_whole_and_within_limits() {
    assert_eq!(with("sql.concurrent", "1").sql.concurrent, 1);
    assert_eq!(with("sql.concurrent", " 1024 ").sql.concurrent, 1024);
    assert_eq!(with("sql.queries_per_minute", "0").sql.queries_per_minute, 0);
    assert_eq!(with("store.threads", "").store.threads, None);
    refused(
        "sql.concurrent",
        &[
            "0",
            "1025",
            "-1",
            "+1",
            "1.0",
            "1e2",
            "0x10",
            "١",
            "",
            "99999999999999999999",
        ],
    );
}

#[test]
fn days_mean_what_the_store_takes_them_for() {
    for (text, days) in [("", None), ("30", Some(30)), (" 1 ", Some(1)), ("36500", Some(36_500))] {
        assert_eq!(with("retention.days", text).retention.days, days, "{text:?}");
    }
    refused(
        "retention.days",
        &[
            "0",
            "-1",
            "+7",
            "1.5",
            "30d",
            "36501",
            "99999999999999999999",
            "forever",
            "٣",
        ],
    );
    let message = Project::new().variable("FLOCK_TRACE_TTL_DAYS", "x").problem();
    assert_eq!(
        message,
        "FLOCK_TRACE_TTL_DAYS is \"x\", but must be a whole number of days from 1 to 36500, or empty to keep traces \
         for ever (environment)"
    );
}

#[test]
fn sizes_mean_what_the_store_takes_them_for() {
    for (text, bytes) in [
        ("", None),
        ("500MB", Some(500_000_000)),
        ("500 mb", Some(500_000_000)),
        ("2GiB", Some(2 << 30)),
        ("1.5GB", Some(1_500_000_000)),
        ("20000000", Some(20_000_000)),
    ] {
        assert_eq!(with("retention.max_size", text).retention.max_size, bytes, "{text:?}");
    }
    refused("retention.max_size", &["0", "1MB", "-5GB", "lots", "5 parsecs", "GB"]);
    let message = Project::new().variable("FLOCKSCOPE_MAX_SIZE", "1MB").problem();
    assert_eq!(
        message,
        "FLOCKSCOPE_MAX_SIZE is \"1MB\", but must be a size of at least 16MiB, such as 500MB or 2GiB, or empty for no \
         limit (environment)"
    );
    refused("otlp.max_grpc_request", &["63KiB", "1025MiB", ""]);
    assert_eq!(with("otlp.max_grpc_request", "64KiB").otlp.max_grpc_request, 65_536);
    assert_eq!(with("otlp.max_grpc_request", "1GiB").otlp.max_grpc_request, 1 << 30);
}

#[test]
fn times_need_a_unit() {
    for (text, milliseconds) in [
        ("0", 0),
        ("0s", 0),
        ("500ms", 500),
        ("1s", 1000),
        ("1s 500ms", 1500),
        ("1min", 60_000),
    ] {
        let interval = with("ingest.sync_interval", text).ingest.sync_interval;
        assert_eq!(interval, Duration::from_millis(milliseconds), "{text}");
    }
    refused(
        "ingest.sync_interval",
        &["", "5", "61s", "-1s", "soon", "1 parsec", "99999999999999999999y"],
    );
    let message = check_value("process.idle_time", "30").expect_err("no unit").to_string();
    assert!(message.ends_with("; it has no unit"), "{message}");
    refused("process.idle_time", &["0", "999ms"]);
}

#[test]
fn services_and_operations_are_lists_with_commas_or_json_arrays() {
    let services = |text: &str| with("filters.services", text).filters.services;
    assert_eq!(services(""), None);
    assert_eq!(services("flock"), Some(vec!["flock".to_owned()]));
    let both = Some(vec!["flock".to_owned(), "Agent".to_owned()]);
    assert_eq!(services("flock, Agent,"), both);
    assert_eq!(services(r#"["flock", "Agent"]"#), both);
    assert_eq!(
        with("filters.ignore", r#"["Agent.run", "a,b"]"#).filters.ignore,
        ["Agent.run", "a,b"]
    );
    refused(
        "filters.services",
        &["[", "[flock]", r#"["flock", 1]"#, r#"["flock"] x"#],
    );
    let many = vec!["a"; 1001].join(",");
    assert!(check_value("filters.ignore", &many).is_err());
    assert!(check_value("filters.ignore", &many[2..]).is_ok());
}

#[test]
fn an_empty_array_of_services_drops_all_as_in_flock_and_is_warned_of() {
    let project = Project::new().variable("FLOCK_TRACE_SERVICES", "[]");
    assert_eq!(project.loaded().configuration.filters.services, Some(Vec::new()));
    assert_eq!(
        project.warnings(),
        ["FLOCK_TRACE_SERVICES is an empty list, so that every span is dropped (environment)"]
    );
}

#[test]
fn patterns_are_regular_expressions_and_may_hold_commas() {
    let patterns = |text: &str| with("redaction.patterns", text).redaction.patterns;
    assert_eq!(patterns("a{1,2}"), ["a{1,2}"]);
    assert_eq!(patterns("[0-9]{4},x"), ["[0-9]{4},x"]);
    assert_eq!(patterns(r#"["[0-9]+", "b"]"#), ["[0-9]+", "b"]);
    refused(
        "redaction.patterns",
        &["(", r#"["a", "("]"#, "a*", "", "a{1000}{1000}"][..3],
    );
    let message = check_value("redaction.patterns", r#"["a", "("]"#).expect_err("no expression");
    assert!(
        message.to_string().contains("\"(\" is no regular expression"),
        "{message}"
    );
    let large = check_value("redaction.patterns", "(x{1000}){1000}").expect_err("too large");
    assert!(large.to_string().contains("is too large"), "{large}");
}

#[test]
fn an_address_is_a_number_and_a_port() {
    let address = |text: &str| with("api.address", text).api.address.to_string();
    assert_eq!(address("0.0.0.0:80"), "0.0.0.0:80");
    assert_eq!(address("[::1]:0"), "[::1]:0");
    assert_eq!(address("localhost:1"), "127.0.0.1:1");
    refused(
        "api.address",
        &[
            "",
            "4319",
            "127.0.0.1",
            "example.org:80",
            "127.0.0.1:99999",
            "http://127.0.0.1:1",
        ],
    );
}

#[test]
fn a_choice_is_one_of_its_words() {
    assert_eq!(
        with("onward.protocol", "http/protobuf").onward.protocol,
        OnwardProtocol::HttpProtobuf
    );
    for (text, level) in [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ] {
        assert_eq!(with("process.log_level", text).process.log_level, level);
    }
    refused("process.log_level", &["", "loud", "INFO"]);
    let message = check_value("onward.protocol", "http/json")
        .expect_err("no choice")
        .to_string();
    assert!(message.ends_with("must be one of grpc, http/protobuf"), "{message}");
}

#[test]
fn a_path_in_a_file_counts_from_its_folder() {
    let project = Project::new().toml("[auth]\njwks_file = 'keys/jwks.json'\napi_keys_file = 'new.json'\n");
    fs::create_dir(project.folder.path().join("keys")).expect("a folder");
    let file = project.file("keys/jwks.json", "{}");
    let auth = project.loaded().configuration.auth;
    assert_eq!(auth.jwks_file, Some(file));
    assert_eq!(auth.api_keys_file, Some(project.folder.path().join("new.json")));

    // From elsewhere, it counts from the working directory: here that of this package.
    let auth = Project::new()
        .flag("auth.jwks_file", "Cargo.toml")
        .loaded()
        .configuration
        .auth;
    let here = std::env::current_dir().expect("a directory").join("Cargo.toml");
    assert_eq!(auth.jwks_file, Some(here));
}

#[test]
fn what_a_path_names_must_be_there() {
    let project = Project::new();
    let file = project.file("a-file", "");
    let project = project
        .flag("auth.jwks_file", "/nowhere/jwks.json")
        .flag("api.viewer_folder", file.to_str().expect("Unicode"))
        .variable("FLOCKSCOPE_API_KEYS_FILE", "/");
    let problems = project.problems();
    assert_eq!(
        problems,
        [
            format!("--viewer-folder is {file:?}, but must be the path of a folder; there is none (command line)"),
            "--jwks-file is \"/nowhere/jwks.json\", but must be the path of a file; there is none (command line)"
                .into(),
            "FLOCKSCOPE_API_KEYS_FILE is \"/\", but must be the path of a file; there is a folder (environment)".into(),
        ]
    );
}

#[test]
fn certificate_and_key_go_together() {
    let project = Project::new();
    let file = project.file("some.pem", "");
    let project = project.flag("tls.key", file.to_str().expect("Unicode"));
    assert_eq!(project.problem(), "--tls-key also needs tls.certificate (command line)");
    let project = project.flag("tls.certificate", file.to_str().expect("Unicode"));
    assert_eq!(project.loaded().configuration.tls.certificate, Some(file));
}

#[test]
fn two_listeners_can_not_have_one_address() {
    let project = Project::new().toml("[otlp]\nhttp_address = '127.0.0.1:4319'\n");
    let message = project.problem();
    assert!(
        message.starts_with("otlp.http_address must not be the same address as api.address ("),
        "{message}"
    );
    project.flag("otlp.enabled", "false").loaded();
    let any = Project::new()
        .flag("otlp.http_address", "127.0.0.1:0")
        .flag("otlp.grpc_address", "127.0.0.1:0");
    any.loaded();
}

#[test]
fn spans_are_not_sent_onward_to_this_process() {
    for text in [
        "http://localhost:4317",
        "http://127.0.0.1:4318/v1/traces",
        "https://[::1]:4317",
    ] {
        let message = Project::new().variable("FLOCKSCOPE_ONWARD_ENDPOINT", text).problem();
        assert!(
            message.starts_with("FLOCKSCOPE_ONWARD_ENDPOINT is where this process itself"),
            "{message}"
        );
    }
    for text in [
        "http://localhost:4320",
        "http://collector:4317",
        "https://collector.example.org",
    ] {
        let onward = Project::new()
            .variable("FLOCKSCOPE_ONWARD_ENDPOINT", text)
            .loaded()
            .configuration
            .onward;
        assert_eq!(onward.endpoint.as_deref(), Some(text));
    }
}

#[test]
fn keys_of_jwts_come_from_one_place() {
    let project = Project::new();
    let file = project.file("jwks.json", "{}");
    let project = project
        .flag("auth.jwks_file", file.to_str().expect("Unicode"))
        .flag("auth.jwks_url", "https://login.example.org/jwks");
    assert_eq!(
        project.problem(),
        "--jwks-file can't be set together with auth.jwks_url (command line)"
    );
    refused("auth.jwks_url", &["http://login.example.org/jwks", "ftp://x", "jwks"]);
}
