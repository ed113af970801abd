//! Which source counts.

use flockscope_configuration::{Configuration, Origin, Sources};

use crate::{Project, effective};

#[test]
fn a_flag_beats_the_environment_beats_env_beats_toml_beats_the_default() {
    let mut project = Project::new();
    let rows = |project: &Project| {
        let loaded = project.loaded();
        let effective = effective(&loaded, "sql.rows");
        assert_eq!(effective.value, loaded.configuration.sql.rows.to_string());
        (loaded.configuration.sql.rows, effective.origin.clone())
    };
    assert_eq!(rows(&project), (10_000, Origin::Default));

    project = project.toml("\n[sql]\nrows = 1\n");
    let path = project.folder.path().join("flockscope.toml");
    assert_eq!(rows(&project), (1, Origin::File { path, line: 3 }));

    project = project.env_file("FLOCKSCOPE_SQL_ROWS=2\n");
    let variable = "FLOCKSCOPE_SQL_ROWS".to_owned();
    let path = project.folder.path().join(".env");
    let origin = Origin::EnvironmentFile {
        path,
        variable: variable.clone(),
    };
    assert_eq!(rows(&project), (2, origin));

    project = project.variable("FLOCKSCOPE_SQL_ROWS", "3");
    assert_eq!(rows(&project), (3, Origin::Environment { variable }));

    project = project.flag("sql.rows", "4").flag("sql.rows", "5");
    let flag = "sql-rows".to_owned();
    assert_eq!(rows(&project), (5, Origin::CommandLine { flag }));
}

#[test]
fn a_value_that_is_overridden_is_checked_all_the_same() {
    let project = Project::new().toml("[sql]\nrows = 0\n").flag("sql.rows", "5");
    let message = project.problem();
    assert!(message.starts_with("sql.rows is \"0\""), "{message}");
    assert!(message.ends_with("flockscope.toml, line 2)"), "{message}");
}

#[test]
fn an_empty_variable_says_none_where_that_is_a_value_and_nothing_elsewhere() {
    let toml = "[retention]\ndays = 5\n[sql]\nrows = 7\n";
    let project = Project::new()
        .toml(toml)
        .variable("FLOCK_TRACE_TTL_DAYS", " ")
        .variable("FLOCKSCOPE_SQL_ROWS", "");
    let loaded = project.loaded();
    assert_eq!(loaded.configuration.retention.days, None);
    assert_eq!(
        effective(&loaded, "retention.days").origin,
        Origin::Environment {
            variable: "FLOCK_TRACE_TTL_DAYS".into()
        }
    );
    assert_eq!(loaded.configuration.sql.rows, 7);

    // Whoever writes a flag or a line of the file means it.
    assert!(
        Project::new()
            .flag("sql.rows", "")
            .problem()
            .starts_with("--sql-rows is \"\"")
    );
    assert!(
        Project::new()
            .toml("sql.rows = ''")
            .problem()
            .starts_with("sql.rows is \"\"")
    );
    assert_eq!(
        Project::new()
            .flag("retention.days", "")
            .loaded()
            .configuration
            .retention
            .days,
        None
    );
}

#[test]
fn the_size_may_also_be_given_in_megabytes() {
    let loaded = Project::new().variable("FLOCK_TRACE_MAX_DB_SIZE_MB", "5000").loaded();
    assert_eq!(loaded.configuration.retention.max_size, Some(5_000_000_000));
    assert_eq!(effective(&loaded, "retention.max_size").value, "5GB");
    assert_eq!(
        effective(&loaded, "retention.max_size").origin,
        Origin::Environment {
            variable: "FLOCK_TRACE_MAX_DB_SIZE_MB".into()
        }
    );
    let empty = Project::new()
        .toml("retention.max_size = '2GiB'")
        .variable("FLOCK_TRACE_MAX_DB_SIZE_MB", "");
    assert_eq!(empty.loaded().configuration.retention.max_size, None);

    for text in ["16", "5GB", "1.5", "-1", "99999999999999999999999"] {
        let message = Project::new().variable("FLOCK_TRACE_MAX_DB_SIZE_MB", text).problem();
        assert_eq!(
            message,
            format!(
                "FLOCK_TRACE_MAX_DB_SIZE_MB is {text:?}, but must be a whole number of megabytes (10⁶ bytes), at least \
                 17, or empty for no limit (environment)"
            )
        );
    }
}

#[test]
fn of_two_variables_of_one_setting_the_first_counts_and_the_other_is_told() {
    let project = Project::new()
        .variable("FLOCKSCOPE_MAX_SIZE", "2GiB")
        .variable("FLOCK_TRACE_MAX_DB_SIZE_MB", "100");
    assert_eq!(project.loaded().configuration.retention.max_size, Some(2 << 30));
    assert_eq!(
        project.warnings(),
        ["FLOCK_TRACE_MAX_DB_SIZE_MB does not count, since FLOCKSCOPE_MAX_SIZE is set too (environment)"]
    );
    // A source that counts more does so under either name.
    let project = Project::new()
        .env_file("FLOCKSCOPE_MAX_SIZE=2GiB")
        .variable("FLOCK_TRACE_MAX_DB_SIZE_MB", "100");
    assert_eq!(project.loaded().configuration.retention.max_size, Some(100_000_000));
    assert_eq!(project.warnings(), [""; 0]);
}

#[test]
fn a_variable_that_other_programs_use_too_does_not_stop_us() {
    let project = Project::new().variable("ALLOWED_ORIGINS", "*");
    assert_eq!(project.loaded().configuration.api.allowed_origins, [""; 0]);
    let warnings = project.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("ALLOWED_ORIGINS is not taken: it is \"*\""),
        "{warnings:?}"
    );

    let fits = Project::new()
        .variable("ALLOWED_ORIGINS", "https://a.example,http://b.example:81")
        .loaded();
    assert_eq!(
        fits.configuration.api.allowed_origins,
        ["https://a.example", "http://b.example:81"]
    );
    assert!(fits.warnings.is_empty());
    // Our own name is strict.
    assert!(
        Project::new()
            .variable("FLOCKSCOPE_ALLOWED_ORIGINS", "*")
            .problem()
            .contains("\"*\" is none")
    );
}

#[test]
fn a_variable_that_looks_like_one_of_flock_is_warned_of() {
    let project = Project::new()
        .variable("FLOCK_TRACE_TTL_DAY", "3")
        .variable("FLOCKSCOPE_MAX_SIZES", "3")
        .variable("FLOCKSCOPE_TEST_FOLDER", "x")
        .variable("FLOCK_TRACE_FILE", "true")
        .variable("FLOCK_HOME", "x")
        .env_file("FLOCK_TRACE_IGNORED=[]\n");
    let folder = project.folder.path().display();
    assert_eq!(
        project.warnings(),
        [
            format!(
                "FLOCK_TRACE_IGNORED is no variable that is known; the nearest is FLOCK_TRACE_IGNORE ({folder}/.env)"
            ),
            "FLOCKSCOPE_MAX_SIZES is no variable that is known; the nearest is FLOCKSCOPE_MAX_SIZE (environment)"
                .into(),
            "FLOCK_TRACE_TTL_DAY is no variable that is known; the nearest is FLOCK_TRACE_TTL_DAYS (environment)"
                .into(),
        ]
    );
}

#[test]
fn what_the_flock_program_is_told_is_shown() {
    let project = Project::new().variable("FLOCK_TRACE_FILE", "true").env_file(
        "FLOCK_AUTO_TRACE=false\nFLOCK_TRACE_FILE=no\nOTEL_EXPORTER_OTLP_ENDPOINT=http://me:hunter2@host:4317\n",
    );
    let loaded = project.loaded();
    let value = |name: &str| {
        let found = loaded
            .program
            .iter()
            .find(|value| value.variable == name)
            .expect("a variable");
        (found.value.as_str(), &found.origin)
    };
    assert_eq!(value("FLOCK_AUTO_TRACE").0, "false");
    assert!(matches!(value("FLOCK_AUTO_TRACE").1, Origin::EnvironmentFile { .. }));
    assert_eq!(value("FLOCK_TRACE_FILE").0, "true");
    assert!(matches!(value("FLOCK_TRACE_FILE").1, Origin::Environment { .. }));
    assert_eq!(value("FLOCK_AUTO_WORKFLOW_TRACE"), ("false", &Origin::Default));
    assert_eq!(value("OTEL_EXPORTER_OTLP_ENDPOINT").0, "•••");
}

#[test]
fn an_unknown_flag_names_the_nearest_setting() {
    let message = Project::new().flag("retention.day", "3").problem();
    assert_eq!(
        message,
        "retention.day is no setting; the nearest is retention.days (command line)"
    );
}

#[test]
fn a_project_gives_the_files_that_it_has() {
    let project = Project::new();
    let none = Sources::of_project(project.folder.path());
    assert_eq!((none.env_file, none.toml_file), (None, None));
    let project = project.env_file("").toml("[sql]\nrows = 12\n");
    let both = Sources::of_project(project.folder.path());
    assert_eq!(both.env_file, project.sources.env_file);
    assert_eq!(both.toml_file, project.sources.toml_file);
    assert!(
        !both.environment.contains_key("PATH"),
        "only variables that matter are kept"
    );
}

#[test]
fn nothing_given_is_the_default() {
    let loaded = Configuration::load(&Sources::default()).expect("the default");
    assert_eq!(loaded.configuration, Configuration::default());
    assert!(loaded.warnings.is_empty());
    assert!(
        loaded
            .effective
            .iter()
            .all(|effective| effective.origin == Origin::Default)
    );
}
