//! Lists, objects, and JSON that stands as text within JSON.

use serde_json::{Value, json};

use crate::{redacted, redactor, span};

/// The value as the text of its JSON, so many times.
fn as_text(mut value: Value, levels: usize) -> Value {
    for _ in 0..levels {
        value = Value::from(value.to_string());
    }
    value
}

#[test]
fn keys_in_json_within_texts_are_found_eight_levels_deep() {
    for levels in 0..=8 {
        let given =
            json!({ "input.args": as_text(json!({"user": "bob", "password": "hunter2", "n": [1, 2.50]}), levels) });
        let expected =
            json!({ "input.args": as_text(json!({"user": "bob", "password": "[redacted]", "n": [1, 2.50]}), levels) });
        assert_eq!(redacted(&given.to_string()), (expected.to_string(), 1), "{levels}");
    }
}

#[test]
fn beyond_eight_levels_patterns_still_find_what_they_know() {
    let given = json!({ "input.args": as_text(json!({"password": "hunter2", "a": "AKIAIOSFODNN7EXAMPLE"}), 9) });
    let (found, values) = redacted(&given.to_string());
    assert!(!found.contains("hunter2") && !found.contains("AKIAIO"), "{found}");
    assert_eq!(values, 1);
    // Each level doubles the backslashes, so that many levels can't be a small message.
    let deep = json!({ "input.args": as_text(json!({"a": "b"}), 15) }).to_string();
    assert_eq!(redacted(&deep), (deep, 0));
}

#[test]
fn all_texts_and_numbers_under_a_secret_key_are_secrets() {
    assert_eq!(
        redacted(r#"{"authorization": ["Bearer x", "y"], "secret": {"a": "b", "c": [{"d": 5}], "e": null, "f": true}, "z": "y"}"#),
        (
            r#"{"authorization": ["[redacted]", "[redacted]"], "secret": {"a": "[redacted]", "c": [{"d": "[redacted]"}], "e": null, "f": true}, "z": "y"}"#.to_owned(),
            4
        )
    );
    assert_eq!(
        redacted(r#"{"password":123456,"token":123456,"list":[1,{"passcode":-1.5e3},2]}"#),
        (
            r#"{"password":"[redacted]","token":123456,"list":[1,{"passcode":"[redacted]"},2]}"#.to_owned(),
            2
        )
    );
}

#[test]
fn a_field_that_is_named_in_a_field_beside_it_is_found() {
    assert_eq!(
        redacted(r#"{"headers":[{"name":"X-Api-Key","value":"abc"},{"name":"Accept","value":"abc"},{"key":"password","type":"text","value":"x"}],"value":"y"}"#),
        (
            r#"{"headers":[{"name":"X-Api-Key","value":"[redacted]"},{"name":"Accept","value":"abc"},{"key":"password","type":"text","value":"[redacted]"}],"value":"y"}"#.to_owned(),
            2
        )
    );
}

#[test]
fn a_secret_in_a_key_is_found() {
    assert_eq!(
        redacted(r#"{"limits": {"AKIAIOSFODNN7EXAMPLE": 5, "a": 6}}"#),
        (r#"{"limits": {"[redacted]": 5, "a": 6}}"#.to_owned(), 1)
    );
}

#[test]
fn every_json_field_of_a_span_and_its_status_are_looked_at() {
    let mut span = span(r#"{"password":"1"}"#);
    span.events =
        r#"[{"name":"exception","timestamp":5,"attributes":{"exception.message":"bad key AKIAIOSFODNN7EXAMPLE"}}]"#
            .into();
    span.links = r#"[{"trace_id":"1","span_id":"2","attributes":{"token":"x"}}]"#.into();
    span.resource = r#"{"service.name":"shop","env.SECRET":"y"}"#.into();
    span.status_description = Some("KeyError: {\"password\": \"x\"}".into());
    assert_eq!(redactor().redact(&mut span), 5);
    assert_eq!(span.attributes, r#"{"password":"[redacted]"}"#);
    assert_eq!(
        span.events,
        r#"[{"name":"exception","timestamp":5,"attributes":{"exception.message":"bad key [redacted]"}}]"#
    );
    assert_eq!(
        span.links,
        r#"[{"trace_id":"1","span_id":"2","attributes":{"token":"[redacted]"}}]"#
    );
    assert_eq!(span.resource, r#"{"service.name":"shop","env.SECRET":"[redacted]"}"#);
    assert_eq!(
        span.status_description.as_deref(),
        Some("KeyError: {\"password\": \"[redacted]\"}")
    );
}
