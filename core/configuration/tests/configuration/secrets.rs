//! Secrets are never shown.

use flockscope_configuration::{Secret, check_value};

use crate::{Project, effective};

const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

fn assert_hidden(text: &str) {
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn neither_in_debug_prints_nor_in_json() {
    let project = Project::new()
        .env_file(format!("FLOCK_TRACE_JWT_SECRET={SECRET}\n"))
        .variable(
            "FLOCKSCOPE_ONWARD_HEADERS",
            "authorization=Bearer%20hunter2,x-team=hunter2",
        );
    let loaded = project.loaded();
    let secret = loaded.configuration.auth.jwt_secret.as_ref().expect("a secret");
    assert_eq!(secret.expose(), SECRET);
    let headers: Vec<_> = loaded
        .configuration
        .onward
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(headers, [("authorization", "Bearer hunter2"), ("x-team", "hunter2")]);

    assert_hidden(&format!("{loaded:?} {loaded:#?}"));
    let json = serde_json::to_string(&loaded).expect("JSON");
    assert_hidden(&json);
    assert!(json.contains("•••"));
    assert_hidden(&format!("{:?} {:#?}", project.sources, project.sources));
    assert_eq!(effective(&loaded, "auth.jwt_secret").value, "•••");
    assert_eq!(
        effective(&loaded, "onward.headers").value,
        "authorization=•••,x-team=•••"
    );
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "•••");

    let unset = Project::new().loaded();
    assert_eq!(effective(&unset, "auth.jwt_secret").value, "");
}

#[test]
fn nor_in_problems() {
    let short = Project::new().variable("FLOCK_TRACE_JWT_SECRET", "hunter2").problem();
    assert_eq!(
        short,
        "FLOCK_TRACE_JWT_SECRET is a value that is not shown, but must be a secret of at least 32 bytes, or empty to \
         accept no JWT signed with a secret; it has 7 (environment)"
    );
    for project in [
        Project::new().variable("FLOCKSCOPE_ONWARD_HEADERS", "hunter2"),
        Project::new().variable("FLOCKSCOPE_ONWARD_HEADERS", "a b=hunter2"),
        Project::new().variable("FLOCKSCOPE_ONWARD_HEADERS", "{hunter2}"),
        Project::new().variable("FLOCKSCOPE_ONWARD_ENDPOINT", "http://me:hunter2@host:1"),
        Project::new().variable("FLOCKSCOPE_ALLOWED_ORIGINS", "http://me:hunter2@host:1"),
        Project::new().env_file("FLOCK_TRACE_JWT_SECRET=hunter2 hunter2\n"),
        Project::new().env_file("FLOCK_TRACE_JWT_SECRET='hunter2\n"),
        Project::new().toml("[auth]\njwt_secret = hunter2\n"),
        Project::new().toml("[auth]\njwt_secret = ['hunter2']\n"),
        Project::new().toml("[auth]\njwt_secret = 'hunter2'\n"),
        Project::new().toml("[auth]\njwt_secret = 'hunter2'\njwt_secret = 'hunter2'\n"),
        Project::new().toml("[auth]\njwt_secret = 'hunter2\n"),
        Project::new().toml("[onward]\nheaders = { authorization = 5, x = 'hunter2' }\n"),
        Project::new().flag("auth.jwt_secret", SECRET),
    ] {
        let problems = project.load().expect_err("a problem");
        assert_hidden(&format!("{problems} {problems:?}"));
        assert_hidden(&serde_json::to_string(&problems).expect("JSON"));
    }
    let problem = check_value("auth.jwt_secret", "hunter2").expect_err("too short");
    assert_hidden(&format!("{problem} {problem:?}"));
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_one_in_the_file_is_warned_of() {
    let message = Project::new().flag("auth.jwt_secret", SECRET).problem();
    assert_eq!(
        message,
        "auth.jwt_secret must not stand on a command line, which everybody can read: use FLOCK_TRACE_JWT_SECRET \
         (command line)"
    );
    let project = Project::new().toml(&format!("[auth]\njwt_secret = '{SECRET}'\n"));
    let warnings = project.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("auth.jwt_secret is a secret, and better kept in .env"),
        "{warnings:?}"
    );
    assert_hidden(&warnings[0]);
}
