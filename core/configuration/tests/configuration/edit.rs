//! Changes to `flockscope.toml`.

use std::fs;

use flockscope_configuration::{EditError, Kind, Place, set_in_file, settings, unset_in_file};

use crate::{Project, effective};

const FILE: &str = "\
# Ours.

[sql] # limits
rows = 5 # few
# time = '1s'

[retention]
days    =    7
";

#[test]
fn comments_order_and_other_values_stay() {
    let project = Project::new().toml(FILE);
    let file = project.sources.toml_file.clone().expect("a file");
    set_in_file(&file, "sql.rows", "6").expect("set");
    set_in_file(&file, "retention.max_size", "2GiB").expect("set");
    set_in_file(&file, "filters.services", "flock,agent").expect("set");
    set_in_file(&file, "process.stay", "yes").expect("set");
    assert_eq!(
        fs::read_to_string(&file).expect("text"),
        "\
# Ours.

[sql] # limits
rows = 6 # few
# time = '1s'

[retention]
days    =    7
max_size = \"2GiB\"

[filters]
services = [\"flock\", \"agent\"]

[process]
stay = true
"
    );
    let loaded = project.loaded();
    assert_eq!(effective(&loaded, "sql.rows").value, "6");
    assert_eq!(effective(&loaded, "filters.services").value, "flock,agent");

    for key in [
        "sql.rows",
        "retention.max_size",
        "filters.services",
        "process.stay",
        "api.address",
    ] {
        unset_in_file(&file, key).expect("unset");
    }
    let loaded = project.loaded();
    assert_eq!(effective(&loaded, "sql.rows").value, "10000");
    assert_eq!(loaded.configuration.retention.days, Some(7));
    assert!(fs::read_to_string(&file).expect("text").contains("# Ours."));
}

#[test]
fn a_file_is_made_and_every_setting_can_be_written() {
    for setting in settings().iter().filter(|setting| !setting.is_secret()) {
        let project = Project::new();
        let file = project.folder.path().join("flockscope.toml");
        let text = match setting.kind {
            Kind::Path { place: Place::Folder } => ".",
            Kind::Path { .. } if setting.section() == "tls" => continue,
            Kind::Path { .. } => "flockscope.toml",
            _ => setting.example,
        };
        set_in_file(&file, setting.key, text).expect(setting.key);
        let mut project = project;
        project.sources.toml_file = Some(file);
        let loaded = project.loaded();
        assert_ne!(
            effective(&loaded, setting.key).origin,
            flockscope_configuration::Origin::Default
        );
    }
}

#[test]
fn an_empty_value_says_none_and_not_an_empty_list() {
    let project = Project::new().toml("filters.services = ['a']\nretention.days = 3\n");
    let file = project.sources.toml_file.clone().expect("a file");
    set_in_file(&file, "filters.services", "").expect("set");
    set_in_file(&file, "retention.days", "").expect("set");
    let configuration = project.loaded().configuration;
    assert_eq!(
        (configuration.filters.services, configuration.retention.days),
        (None, None)
    );
    set_in_file(&file, "filters.services", "[]").expect("set");
    assert_eq!(project.loaded().configuration.filters.services, Some(Vec::new()));
}

#[test]
fn inline_tables_and_dotted_keys_are_edited_too() {
    for text in ["sql = { rows = 5, time = '2s' }\n", "sql.rows = 5\nsql.time = '2s'\n"] {
        let project = Project::new().toml(text);
        let file = project.sources.toml_file.clone().expect("a file");
        set_in_file(&file, "sql.rows", "6").expect("set");
        set_in_file(&file, "sql.concurrent", "7").expect("set");
        let sql = project.loaded().configuration.sql;
        assert_eq!((sql.rows, sql.concurrent, sql.time.as_secs()), (6, 7, 2), "{text}");
    }
}

#[test]
fn what_will_not_do_leaves_the_file_as_it_is() {
    let project = Project::new().toml("sql = 5\n");
    let file = project.sources.toml_file.clone().expect("a file");
    let edits = [
        set_in_file(&file, "sql.rows", "5"),
        set_in_file(&file, "retention.days", "0"),
        set_in_file(&file, "retention.dayz", "5"),
        set_in_file(&file, "auth.jwt_secret", &"x".repeat(40)),
        unset_in_file(&file, "sql.rows"),
    ];
    let messages = edits.map(|edit| edit.expect_err("refused").to_string());
    assert!(
        messages[0].ends_with("flockscope.toml: sql is a section, and must be a table: [sql]"),
        "{messages:?}"
    );
    assert!(
        messages[1].starts_with("retention.days is \"0\", but must be"),
        "{messages:?}"
    );
    assert!(messages[2].ends_with("the nearest is retention.days"), "{messages:?}");
    assert!(
        messages[3].contains("belongs in .env or the environment: FLOCK_TRACE_JWT_SECRET"),
        "{messages:?}"
    );
    assert_eq!(fs::read_to_string(&file).expect("text"), "sql = 5\n");

    fs::write(&file, "[sql\n").expect("a file");
    let error = set_in_file(&file, "sql.rows", "5").expect_err("no TOML");
    assert!(matches!(error, EditError::Content { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).expect("text"), "[sql\n");
    // Nothing is left behind.
    assert_eq!(fs::read_dir(project.folder.path()).expect("a folder").count(), 1);
}

#[test]
fn a_file_in_a_folder_that_is_not_there_is_an_error() {
    let project = Project::new();
    let file = project.folder.path().join("missing/flockscope.toml");
    let error = set_in_file(&file, "sql.rows", "5").expect_err("no folder");
    assert!(matches!(error, EditError::Io { .. }), "{error}");
    unset_in_file(&file, "sql.rows").expect("nothing to do");
}

#[test]
#[cfg(unix)]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let project = Project::new();
    let file = project.file("real.toml", "");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("permissions");
    let link = project.folder.path().join("flockscope.toml");
    symlink(&file, &link).expect("a link");
    set_in_file(&link, "sql.rows", "5").expect("set");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(fs::read_to_string(&file).expect("text"), "[sql]\nrows = 5\n");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o640);
}
