//! No text makes it fail other than by saying so.

use flockscope_configuration::{Kind, Secret, check_value, set_in_file, settings};
use proptest::prelude::*;

use crate::{Project, effective};

/// Any text, or one that is near to a value.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("true"),
        Just("[\"a\"]"),
        Just("{\"a\":\"b\"}"),
        Just("127.0.0.1:4319"),
        Just("http://[::1]:1"),
        Just("99999999999999999999"),
        Just("1.5GiB"),
        Just("30min"),
        Just("name=value"),
        Just("(a|b)+"),
        Just("'"),
        Just("\""),
        Just("$"),
        Just("${"),
        Just("\\"),
        Just(","),
        Just("\n"),
        Just("["),
        Just("="),
        Just("#"),
        Just("µs"),
        Just("\0"),
    ];
    prop_oneof![
        any::<String>(),
        proptest::collection::vec(prop_oneof![word.prop_map(str::to_owned), "\\PC{0,3}"], 0..6)
            .prop_map(|words| words.concat()),
    ]
}

fn a_key() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(settings().iter().map(|setting| setting.key).collect::<Vec<_>>())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_a_value_or_refused_and_shown_values_read_again(key in a_key(), text in text()) {
        let setting = settings().iter().find(|setting| setting.key == key).expect("a setting");
        let is_path = matches!(setting.kind, Kind::Path { .. });
        match (check_value(key, &text), Project::new().flag(key, &text).load()) {
            (Err(_), loaded) => prop_assert!(loaded.is_err()),
            (Ok(()), Ok(loaded)) if !is_path => {
                let shown = effective(&loaded, key).value.clone();
                let again = Project::new().flag(key, &shown).load();
                let again = again.map_err(|problems| TestCaseError::fail(format!("{shown:?}: {problems}")))?;
                prop_assert_eq!(again.configuration, loaded.configuration);
            }
            _ => {}
        }
    }

    #[test]
    fn any_file_is_read_or_refused(toml in text(), env in text(), key in a_key()) {
        let section = key.split_once('.').expect("a section").0;
        let variable = settings().iter().find(|setting| setting.key == key).expect("a setting").variable;
        let project = Project::new()
            .toml(&format!("{key} = {toml}\n[{section}]\n{toml}"))
            .env_file(format!("{env}\n{variable}={env}\n"));
        let _ = project.load();
        let _ = Project::new().toml(&toml).env_file(env).load();
    }

    #[test]
    fn what_is_set_is_read_again(key in a_key(), text in text()) {
        let mut by_file = Project::new();
        let file = by_file.folder.path().join("flockscope.toml");
        let setting = settings().iter().find(|setting| setting.key == key).expect("a setting");
        let is_allowed = check_value(key, &text).is_ok() && !setting.is_secret();
        prop_assert_eq!(set_in_file(&file, key, &text).is_ok(), is_allowed);
        if is_allowed && !matches!(setting.kind, Kind::Path { .. }) {
            by_file.sources.toml_file = Some(file);
            if let Ok(by_flag) = Project::new().flag(key, &text).load() {
                prop_assert_eq!(by_file.loaded().configuration, by_flag.configuration);
            }
        }
    }

    #[test]
    fn no_secret_comes_out(text in text()) {
        let secret = format!("{text}hunter2{text}");
        let mut shown = format!("{:?}", Secret::new(secret.clone()));
        for key in ["auth.jwt_secret", "onward.headers"] {
            if let Err(problem) = check_value(key, &secret) {
                shown += &format!("{problem} {problem:?}");
            }
        }
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
    }
}
