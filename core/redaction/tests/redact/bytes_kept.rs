//! What is no secret keeps every byte.

use crate::{redacted, redactor, span};

#[test]
fn order_spaces_numbers_and_escapes_around_a_secret_stay() {
    let given = concat!(
        r#" {"z" : 12345678901234567890123, "a":1.50e+10 ,"#,
        "\n\t",
        r#""e":"\u00e9\/\ud83d\ude00" , "password":"x", "b":-0.0, "a":2, "n":"{\"big\": 18446744073709551616,\"pwd\":\"y\"}" } "#
    );
    let expected = given
        .replace(r#""x""#, r#""[redacted]""#)
        .replace(r#"\"y\""#, r#"\"[redacted]\""#);
    assert_eq!(redacted(given), (expected, 2));
}

#[test]
fn escapes_hide_nothing() {
    for (given, expected) in [
        (r#"{"\u0070assword":"x"}"#, r#"{"\u0070assword":"[redacted]"}"#),
        (
            r#"{"p\u0061ssw\u006frd":"x"}"#,
            r#"{"p\u0061ssw\u006frd":"[redacted]"}"#,
        ),
        (r#"{"a":"\u0041KIAIOSFODNN7EXAMPLE"}"#, r#"{"a":"[redacted]"}"#),
        (r#"{"a":"postgres:\/\/u:pw@h"}"#, r#"{"a":"postgres://u:[redacted]@h"}"#),
        (
            r#"{"a":"{\"\\u0070assword\":\"x\"}"}"#,
            r#"{"a":"{\"\\u0070assword\":\"[redacted]\"}"}"#,
        ),
        (
            r#"{"a":"{\u0022password\u0022:1}"}"#,
            r#"{"a":"{\"password\":\"[redacted]\"}"}"#,
        ),
        (r#"{"password":"\"\\"}"#, r#"{"password":"[redacted]"}"#),
    ] {
        assert_eq!(redacted(given), (expected.to_owned(), 1), "{given}");
    }
}

#[test]
fn half_a_surrogate_pair_is_passed_over() {
    // JSON can spell it, Python writes it, and no text can hold it.
    let given = r#"{"password":"\ud83d","a":"secret \ud83d","\udc00token":"x","b":"AKIAIOSFODNN7EXAMPLE \ud800"}"#;
    let expected = "{\"password\":\"[redacted]\",\"a\":\"secret \\ud83d\",\"\\udc00token\":\"x\",\"b\":\"[redacted] \u{fffd}\u{fffd}\u{fffd}\"}";
    let mut with_surrogates = span("{}");
    with_surrogates.attributes = given.to_owned();
    let values = redactor().redact(&mut with_surrogates);
    assert_eq!((with_surrogates.attributes.as_str(), values), (expected, 2));
}

#[test]
fn text_that_is_no_json_keeps_to_the_patterns() {
    let mut broken = span("{}");
    broken.attributes = "{\"a\": \"AKIAIOSFODNN7EXAMPLE\", \"password\": \"x\", ".into();
    assert_eq!(redactor().redact(&mut broken), 1);
    assert_eq!(
        broken.attributes,
        "{\"a\": \"[redacted]\", \"password\": \"[redacted]\", "
    );
}

#[test]
fn json_of_any_depth_and_length_is_gone_through() {
    let deep = format!(
        r#"{{"a":{}{{"password":"x"}}{}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let (found, values) = redacted_unparsed(&deep);
    assert_eq!((found, values), (deep.replace(r#""x""#, r#""[redacted]""#), 1));
    let schemas = format!(
        "{}null{}",
        r#"{"type":"object","password":"#.repeat(20_000),
        "}".repeat(20_000)
    );
    assert_eq!(redacted_unparsed(&schemas).1, 0);
    let wide = format!("[{}]", vec![r#"{"secret":"x"}"#; 50_000].join(","));
    assert_eq!(redacted_unparsed(&wide).1, 50_000);
}

/// Without the check that it is JSON, which has a greatest depth.
fn redacted_unparsed(attributes: &str) -> (String, u64) {
    let mut span = span("{}");
    span.attributes = attributes.to_owned();
    let values = redactor().redact(&mut span);
    (span.attributes, values)
}
