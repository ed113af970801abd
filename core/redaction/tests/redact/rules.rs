//! What can be set.

use flockscope_redaction::{Redactor, RuleError, Rules};
use serde_json::json;

use crate::{redacted_with, span};

fn with(rules: Rules, attributes: &str) -> (String, u64) {
    redacted_with(&Redactor::new(&rules).expect("rules"), attributes)
}

#[test]
fn the_default_is_on_for_well_known_secrets_only() {
    let rules: Rules = serde_json::from_str("{}").expect("rules");
    assert_eq!(rules, Rules::default());
    let given = r#"{"password":"x","mail":"bob@example.com","card":"4111 1111 1111 1111"}"#;
    let expected = r#"{"password":"[redacted]","mail":"bob@example.com","card":"4111 1111 1111 1111"}"#;
    assert_eq!(with(rules, given), (expected.to_owned(), 1));
    assert!(serde_json::from_str::<Rules>(r#"{"email": true}"#).is_err());
}

#[test]
fn off_leaves_everything() {
    let given = r#"{"password":"x"}"#;
    for redactor in [
        Redactor::off(),
        Redactor::new(&Rules {
            enabled: false,
            ..Rules::default()
        })
        .expect("rules"),
        Redactor::new(&Rules {
            secrets: false,
            ..Rules::default()
        })
        .expect("rules"),
    ] {
        assert_eq!(redacted_with(&redactor, given), (given.to_owned(), 0));
    }
}

#[test]
fn e_mail_addresses_can_be_redacted() {
    let rules = || Rules {
        emails: true,
        ..Rules::default()
    };
    let found = with(
        rules(),
        r#"{"a":"Bob <bob.b+x@mail.example.com>, \u0061nn@x.org","b":{"c@d.net":1}}"#,
    );
    assert_eq!(
        found,
        (
            r#"{"a":"Bob <[redacted]>, [redacted]","b":{"[redacted]":1}}"#.to_owned(),
            2
        )
    );
    let none = r#"{"a":"@user a@b user@localhost ©@"}"#;
    assert_eq!(with(rules(), none), (none.to_owned(), 0));
}

#[test]
fn numbers_of_cards_can_be_redacted() {
    let rules = || Rules {
        cards: true,
        ..Rules::default()
    };
    let given = r#"{"a":"pay with 4111 1111 1111 1111 12/24 or 5555-5555-5555-4444.","b":4111111111111111,"c":[378282246310005]}"#;
    let expected = r#"{"a":"pay with [redacted] 12/24 or [redacted].","b":"[redacted]","c":["[redacted]"]}"#;
    assert_eq!(with(rules(), given), (expected.to_owned(), 3));
    let none =
        r#"{"time":1700000000000000000,"n":4111111111111112,"id":"41111111111111110000","f":4111111111111111.5}"#;
    assert_eq!(with(rules(), none), (none.to_owned(), 0));
}

#[test]
fn keys_and_patterns_can_be_added() {
    let keys = Rules {
        keys: vec!["customer_number".into(), "größe".into()],
        ..Rules::default()
    };
    let given = r#"{"customerNumber":7,"input.customer-number":"8","customer":"9","gr\u00f6\u00dfe":"x"}"#;
    let expected = r#"{"customerNumber":"[redacted]","input.customer-number":"[redacted]","customer":"9","gr\u00f6\u00dfe":"[redacted]"}"#;
    assert_eq!(with(keys, given), (expected.to_owned(), 3));
    let patterns = Rules {
        patterns: vec![r"(?i)\bproject\s+(\w+)".into(), "^a\"b$".into()],
        ..Rules::default()
    };
    let given = r#"{"a":"the Project\nManhattan is late","b":"a\"b"}"#;
    assert_eq!(
        with(patterns, given),
        (r#"{"a":"the [redacted] is late","b":"[redacted]"}"#.to_owned(), 2)
    );
}

#[test]
fn a_pattern_that_matches_the_replacement_does_no_harm() {
    let rules = Rules {
        patterns: vec!["red|act|[^b]".into()],
        ..Rules::default()
    };
    let found = with(rules, r#"{"b":"abba red"}"#);
    assert_eq!(found.0, r#"{"b":"[redacted]bb[redacted][redacted][redacted]"}"#);
}

#[test]
fn keys_can_be_excepted_with_all_that_is_under_them() {
    let rules = Rules {
        allow: vec!["session_token".into(), "input.prompt".into()],
        ..Rules::default()
    };
    let given = json!({
        "session_token": "a", "my_session_token": "b", "input.prompt": "{\"password\": \"AKIAIOSFODNN7EXAMPLE\"}",
        "input": {"session-token": ["c", {"secret": "d"}]}, "password": {"session_token": "e"},
    });
    let (found, values) = with(rules, &given.to_string());
    let mut expected = given;
    expected["my_session_token"] = json!("[redacted]");
    assert_eq!((found, values), (expected.to_string(), 1));
}

#[test]
fn rules_that_can_not_be_used_say_why() {
    let error = |rules| Redactor::new(&rules).expect_err("no rules").to_string();
    let pattern = error(Rules {
        patterns: vec!["a(b".into()],
        ..Rules::default()
    });
    assert!(pattern.starts_with(r#""a(b" is not a regular expression"#), "{pattern}");
    let large = Redactor::new(&Rules {
        patterns: vec![r"\w{1000}{10}".into()],
        ..Rules::default()
    });
    assert!(matches!(large, Err(RuleError::Pattern { .. })), "{large:?}");
    let empty = error(Rules {
        patterns: vec!["x*".into()],
        ..Rules::default()
    });
    assert!(empty.contains("matches the empty text"), "{empty}");
    let key = error(Rules {
        allow: vec!["--".into()],
        ..Rules::default()
    });
    assert_eq!(key, r#""--" is not a key: it needs at least one letter"#);
}

#[test]
fn rules_are_read_and_written() {
    let rules = Rules {
        emails: true,
        keys: vec!["a".into()],
        ..Rules::default()
    };
    let text = serde_json::to_string(&rules).expect("JSON");
    assert_eq!(serde_json::from_str::<Rules>(&text).expect("rules"), rules);
    assert_eq!(Redactor::off().redact(&mut span(r#"{"token":"x"}"#)), 0);
}
