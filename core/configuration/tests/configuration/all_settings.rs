//! The table and the configuration fit together.

use std::collections::BTreeSet;

use flockscope_configuration::{Configuration, Kind, Place, Setting, check_value, settings};
use serde_json::Value;

use crate::{Project, effective};

/// A project in which only this setting is not at its default.
fn with_example(setting: &Setting) -> Project {
    let project = Project::new();
    let path = project.folder.path().join("there");
    let text = match setting.kind {
        Kind::Path { place: Place::Folder } => project.folder.path(),
        Kind::Path { .. } => {
            project.file("there", "");
            path.as_path()
        }
        _ => return project.variable(setting.variable, setting.example),
    };
    let text = text.to_str().expect("Unicode").to_owned();
    // One of the pair alone is refused.
    match setting.key {
        "tls.certificate" => project
            .variable(setting.variable, &text)
            .variable("FLOCKSCOPE_TLS_KEY", &text),
        "tls.key" => project
            .variable(setting.variable, &text)
            .variable("FLOCKSCOPE_TLS_CERTIFICATE", &text),
        _ => project.variable(setting.variable, &text),
    }
}

fn fields(configuration: &Configuration) -> Vec<(String, Value)> {
    let Value::Object(sections) = serde_json::to_value(configuration).expect("JSON") else {
        panic!("sections");
    };
    let fields = sections.into_iter().flat_map(|(section, fields)| {
        let Value::Object(fields) = fields else {
            panic!("fields");
        };
        fields
            .into_iter()
            .map(move |(name, value)| (format!("{section}.{name}"), value))
    });
    fields.collect()
}

#[test]
fn each_field_has_a_setting_and_each_setting_a_field() {
    let of_fields: BTreeSet<_> = fields(&Configuration::default())
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let of_table: BTreeSet<_> = settings().iter().map(|setting| setting.key.to_owned()).collect();
    assert_eq!(of_fields, of_table);
}

#[test]
fn each_setting_changes_its_own_field_and_no_other() {
    let before = fields(&Configuration::default());
    for setting in settings() {
        let loaded = with_example(setting).loaded();
        let after = fields(&loaded.configuration);
        let mut changed: Vec<_> = before
            .iter()
            .zip(&after)
            .filter(|(old, new)| old != new)
            .map(|(old, _)| old.0.as_str())
            .collect();
        if setting.section() == "tls" {
            changed.retain(|key| *key == setting.key);
        }
        assert_eq!(changed, [setting.key]);
    }
}

#[test]
fn defaults_and_examples_are_allowed_and_differ() {
    for setting in settings() {
        let expected = setting.empty.is_some() || !setting.default.is_empty();
        assert!(expected, "{} must have a default", setting.key);
        assert_eq!(check_value(setting.key, setting.default), Ok(()));
        assert_eq!(check_value(setting.key, setting.example), Ok(()));
        assert_eq!(
            check_value(setting.key, "").is_ok(),
            setting.empty.is_some(),
            "{}",
            setting.key
        );
    }
}

#[test]
fn what_is_shown_reads_as_the_same_value() {
    for setting in settings().iter().filter(|setting| !setting.is_secret()) {
        let project = with_example(setting);
        let first = project.loaded();
        let shown = &effective(&first, setting.key).value;
        let again = project.variable(setting.variable, shown).loaded();
        assert_eq!(again.configuration, first.configuration, "{} {shown:?}", setting.key);
    }
}

#[test]
fn each_setting_can_be_given_by_its_flag_and_by_the_file() {
    for setting in settings().iter().filter(|setting| !setting.is_secret()) {
        if matches!(setting.kind, Kind::Path { .. }) {
            continue;
        }
        let by_variable = with_example(setting).loaded().configuration;
        let by_flag = Project::new().flag(setting.key, setting.example).loaded().configuration;
        assert_eq!(by_flag, by_variable, "{}", setting.key);
        let toml = format!("{} = '''{}'''\n", setting.key, setting.example);
        assert_eq!(Project::new().toml(&toml).loaded().configuration, by_variable, "{toml}");
        let env = format!("{}='{}'\n", setting.variable, setting.example);
        assert_eq!(
            Project::new().env_file(&env).loaded().configuration,
            by_variable,
            "{env}"
        );
    }
}

#[test]
fn a_setting_says_all_about_itself_as_json() {
    let days = settings()
        .iter()
        .find(|setting| setting.key == "retention.days")
        .expect("a setting");
    assert_eq!(
        serde_json::to_value(days).expect("JSON"),
        serde_json::json!({
            "key": "retention.days",
            "variable": "FLOCK_TRACE_TTL_DAYS",
            "alias": null,
            "flag": "retention-days",
            "value": {"kind": "days"},
            "default": "",
            "may_be_empty": true,
            "allowed": "a whole number of days from 1 to 36500, or empty to keep traces for ever",
            "description": "Days that traces are kept.",
            "secret": false,
            "needs_restart": false,
        })
    );
}

#[test]
fn an_unknown_key_is_told_with_the_nearest() {
    let problem = check_value("sql.row", "1").expect_err("unknown");
    assert_eq!(problem.to_string(), "sql.row is no setting; the nearest is sql.rows");
}
