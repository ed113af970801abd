//! `flockscope.toml` and `.env`.

use std::time::Duration;

use crate::{Project, effective};

#[test]
fn values_of_the_file_may_have_their_own_types() {
    let project = Project::new().toml(
        r#"
        sql.rows = 20
        [retention]
        days = 9
        max_size = 20000000      # bytes
        [filters]
        services = ["flock", 'a,b']
        [otlp]
        enabled = false
        max_grpc_request = "8MiB"
        [ingest]
        sync_interval = 0
        [redaction]
        patterns = ['\d{4}', "x"]
        [api]
        allowed_hosts = "a.example, b.example"
        [onward.headers]
        Authorization = "Bearer a,b"
        "#,
    );
    let configuration = project.loaded().configuration;
    assert_eq!(configuration.sql.rows, 20);
    assert_eq!(configuration.retention.days, Some(9));
    assert_eq!(configuration.retention.max_size, Some(20_000_000));
    assert_eq!(
        configuration.filters.services,
        Some(vec!["flock".to_owned(), "a,b".to_owned()])
    );
    assert!(!configuration.otlp.enabled);
    assert_eq!(configuration.otlp.max_grpc_request, 8 << 20);
    assert_eq!(configuration.ingest.sync_interval, Duration::ZERO);
    assert_eq!(configuration.redaction.patterns, [r"\d{4}", "x"]);
    assert_eq!(configuration.api.allowed_hosts, ["a.example", "b.example"]);
    let [(name, value)] = configuration.onward.headers.as_slice() else {
        panic!("one header");
    };
    assert_eq!((name.as_str(), value.expose()), ("authorization", "Bearer a,b"));
}

#[test]
fn a_value_of_another_type_is_refused_with_its_line() {
    for (toml, shown, line) in [
        ("[retention]\n\ndays = true", "retention.days is \"true\"", 3),
        ("[retention]\ndays = 1.5", "retention.days is \"1.5\"", 2),
        ("retention.days = [1]", "retention.days is \"[1]\"", 1),
        ("retention = { days = -1 }", "retention.days is \"-1\"", 1),
        ("[process]\nstay = 1", "process.stay is \"1\"", 2),
        ("[process]\nidle_time = 30", "process.idle_time is \"30\"", 2),
        ("[filters]\nignore = [1]", "filters.ignore is \"[1]\"", 2),
        ("[filters.ignore]\na = 1", "filters.ignore is \"a = 1\"", 1),
        ("[api]\naddress = 4319", "api.address is \"4319\"", 2),
        (
            "[auth]\njwt_issuer = 2020-01-01",
            "auth.jwt_issuer is \"2020-01-01\"",
            2,
        ),
    ] {
        let project = Project::new().toml(toml);
        let message = project.problem();
        let place = format!("({}/flockscope.toml, line {line})", project.folder.path().display());
        assert!(message.starts_with(shown) && message.ends_with(&place), "{message}");
    }
}

#[test]
fn an_unknown_key_names_the_nearest_one_and_its_line() {
    let project = Project::new().toml(
        "[retention]\nday = 3\n\n[sqll]\nrows = 3\n[oltp]\n\n[api]\nmax_spans_per_request = 3\n[process.nested]\nx = 1\n",
    );
    let file = project.folder.path().join("flockscope.toml");
    let expected = [
        ("retention.day is no setting; the nearest is retention.days ", 2),
        ("sqll.rows is no setting; the nearest is sql.rows ", 5),
        ("oltp is no section; the nearest is otlp ", 6),
        (
            "api.max_spans_per_request is no setting; the nearest is otlp.max_spans_per_request ",
            9,
        ),
        // Which one is nearest to nonsense is no matter.
        ("process.nested is no setting; the nearest is ", 10),
    ];
    let problems = project.problems();
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (message, (start, line)) in problems.iter().zip(expected) {
        let place = format!(" ({}, line {line})", file.display());
        assert!(message.starts_with(start) && message.ends_with(&place), "{message}");
    }
}

#[test]
fn a_value_where_a_section_should_be_and_a_stray_key_are_told() {
    let project = Project::new().toml("days = 3\nsql = 5\n[[otlp]]\nenabled = true\n");
    let problems = project.problems();
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(
        problems[0].starts_with("days is no setting; the nearest is retention.days ("),
        "{problems:#?}"
    );
    assert!(
        problems[1].starts_with("sql is a section, and must be a table: [sql] ("),
        "{problems:#?}"
    );
    assert!(
        problems[2].starts_with("otlp is a section, and must be a table: [otlp] ("),
        "{problems:#?}"
    );
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let project = Project::new().toml("[sql]\nrows = 5\nrows == 6\n");
    let message = project.problem();
    assert!(
        message.contains("flockscope.toml is no TOML: ") && message.ends_with("line 3)"),
        "{message}"
    );
    let twice = Project::new().toml("[sql]\nrows = 5\nrows = 6\n").problem();
    assert!(
        twice.contains("is no TOML: duplicate key") && twice.ends_with("line 3)"),
        "{twice}"
    );
    let latin = Project::new();
    let file = latin.file("flockscope.toml", b"[sql]\n# caf\xe9\n");
    let mut latin = latin;
    latin.sources.toml_file = Some(file);
    assert!(latin.problem().ends_with("flockscope.toml is no text in UTF-8"));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let mut project = Project::new();
    let missing = project.folder.path().join("missing.toml");
    project.sources.toml_file = Some(missing.clone());
    project.sources.env_file = Some(project.folder.path().to_owned());
    let problems = project.problems();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(
        problems[0].starts_with(&format!("{} can't be read: ", missing.display())),
        "{problems:#?}"
    );
    assert!(problems[1].contains("can't be read: it is no file"), "{problems:#?}");
}

#[test]
fn all_problems_of_all_sources_are_told_at_once() {
    let project = Project::new()
        .toml("[sql]\nrows = 0\ntime = '5'\n[nothing]\nx = 1\n")
        .env_file("FLOCK_TRACE_TTL_DAYS=never\n")
        .variable("FLOCKSCOPE_LOG_LEVEL", "loud")
        .flag("api.address", "here")
        .flag("otlp.enabled", "perhaps");
    let names: Vec<_> = project
        .load()
        .expect_err("problems")
        .problems
        .into_iter()
        .map(|problem| problem.name)
        .collect();
    assert_eq!(
        names,
        [
            "nothing.x",
            "sql.rows",
            "sql.time",
            "FLOCK_TRACE_TTL_DAYS",
            "FLOCKSCOPE_LOG_LEVEL",
            "--api-address",
            "--otlp",
        ]
    );
    let text = project.load().expect_err("problems").to_string();
    assert_eq!(text.lines().count(), 7);
}

#[test]
fn problems_do_not_grow_without_bound() {
    let toml: String = (0..20_000).map(|number| format!("x{number} = 1\n")).collect();
    let problems = Project::new().toml(&toml).load().expect_err("problems");
    assert_eq!((problems.problems.len(), problems.more), (100, 19_900));
    assert!(problems.to_string().ends_with("… and 19900 more"));
    let env: String = (0..2000).map(|number| format!("FLOCK_TRACE_X{number}=1\n")).collect();
    assert_eq!(Project::new().env_file(env).warnings().len(), 100);
    let long = "a".repeat(100_000);
    let message = Project::new().variable("FLOCK_TRACE_TTL_DAYS", &long).problem();
    assert!(message.len() < 500, "{}", message.len());
}

#[test]
fn lines_of_env_that_are_not_ours_do_not_matter() {
    let project = Project::new().env_file(
        "\u{feff}export FLOCK_TRACE_TTL_DAYS=\"12\" # days\nnot a setting\nB='x y'\nC=a b c\n\
         FLOCKSCOPE_SQL_ROWS=1\nFLOCKSCOPE_SQL_ROWS='2'\nUNIT=GiB\nFLOCKSCOPE_MAX_SIZE=3${UNIT}\n\
         FLOCKSCOPE_SQL_TIME='1m 30s'\n",
    );
    let loaded = project.loaded();
    assert_eq!(loaded.configuration.retention.days, Some(12));
    assert_eq!(loaded.configuration.sql.rows, 2);
    assert_eq!(loaded.configuration.retention.max_size, Some(3 << 30));
    assert_eq!(effective(&loaded, "sql.time").value, "1m 30s");
    // Not even if they are no text, or the file is a large one.
    Project::new().env_file(b"NAME=caf\xe9\nX='\n").loaded();
    Project::new().env_file("NAME=x\n".repeat(50_000)).loaded();
}

#[test]
fn a_line_of_env_that_is_ours_and_broken_is_a_problem() {
    for text in [
        "FLOCK_TRACE_AUTH_ENABLED='true\n",
        "NAME=it's\nFLOCK_TRACE_AUTH_ENABLED=true\n",
        "FLOCK_TRACE_AUTH_ENABLED=tr ue\n",
        "FLOCK_TRACE_AUTH_ENABLED=false\nexport FLOCK_TRACE_AUTH_ENABLED=\"true\n",
    ] {
        let message = Project::new().env_file(text).problem();
        assert!(
            message.contains(".env gives FLOCK_TRACE_AUTH_ENABLED in a line that can't be read: "),
            "{text:?}: {message}"
        );
    }
    let not_text = Project::new().env_file(b"FLOCKSCOPE_JWT_ISSUER=caf\xe9\n").problem();
    assert!(not_text.contains("it is not in UTF-8"), "{not_text}");
}

#[test]
fn a_small_env_that_grows_is_refused() {
    let mut text = "A0=0123456789\n".to_owned();
    for number in 1..40 {
        text += &format!("A{number}=${{A{0}}}${{A{0}}}\n", number - 1);
    }
    text += "FLOCKSCOPE_LOG_LEVEL=info\n";
    let message = Project::new().env_file(text).problem();
    assert!(message.ends_with(".env has a value of more than 8 KiB"), "{message}");
}
