//! What holds for any text.

use flockscope_redaction::{Redactor, Rules};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{redacted_with, redactor};

/// Secrets that are found wherever they stand.
fn any_secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "ghp_[A-Za-z0-9]{35}[0-9]",
        "sk-proj-[A-Za-z0-9]{31}[0-9]",
        "AKIA[A-Z0-9]{16}",
        "eyJ[A-Za-z0-9]{10,20}\\.eyJ[A-Za-z0-9]{10,20}\\.[A-Za-z0-9]{20,30}",
        "glpat-[A-Za-z0-9]{20}[0-9]",
    ]
}

/// Words that bring rules near one another, and any characters.
fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,6}",
        2 => any::<String>(),
        3 => prop::sample::select(vec![
            "password", "api_key", "token", "Bearer ", "Authorization: ", "://", "@", "=", ":", "'", "\"", "\\", "?", "&",
            "sk-", "eyJ", ".", "[redacted]", "-----BEGIN PRIVATE KEY-----", "{", "[", "}", "]", ",", "1234567890123456",
            "AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdefghijABCDEFGHIJ012345", " ", "\n", "PASSWORD", "abc123def456", "\u{1}",
        ]).prop_map(str::to_owned),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    vec(any_word(), 0..8).prop_map(|words| words.concat())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => any_text().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let object = vec((any_word(), inner.clone()), 0..4)
            .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()));
        prop_oneof![
            2 => vec(inner.clone(), 0..4).prop_map(Value::Array),
            3 => object,
            2 => inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    vec((any_word(), any_json()), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

/// JSON in which some characters of its texts are written as escapes, those of JSON's own escapes not among them.
fn escaped(json: &str, every: usize) -> String {
    let mut in_text = false;
    let mut written = String::new();
    let mut characters = json.chars().enumerate();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => in_text = !in_text,
            '\\' => {
                written.push(character);
                let escape = characters.next().map_or('"', |(_, escape)| escape);
                written.push(escape);
                let digits = if escape == 'u' { 4 } else { 0 };
                written.extend(characters.by_ref().take(digits).map(|(_, digit)| digit));
                continue;
            }
            _ if in_text && index % every == 0 && character.is_ascii_graphic() => {
                written.push_str(&format!("\\u{:04x}", u32::from(character)));
                continue;
            }
            _ => {}
        }
        written.push(character);
    }
    written
}

/// With every rule on, and with a pattern that switches the quick look off.
fn every_rule(without_look: bool) -> Redactor {
    let patterns = if without_look {
        vec!["\u{10fffd}{50}".to_owned()]
    } else {
        vec![]
    };
    let keys = vec!["customer_number".to_owned()];
    Redactor::new(&Rules {
        emails: true,
        cards: true,
        keys,
        patterns,
        ..Rules::default()
    })
    .expect("rules")
}

thread_local! {
    static DEFAULT: Redactor = redactor();
    static LOOKING: Redactor = every_rule(false);
    static READING: Redactor = every_rule(true);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_comes_out_is_json_and_comes_out_the_same_again(given in any_object(), every in 1_usize..40) {
        let given = escaped(&given.to_string(), every);
        // That it is JSON is checked by the function that redacts.
        let (once, _) = DEFAULT.with(|redactor| redacted_with(redactor, &given));
        let (twice, values) = DEFAULT.with(|redactor| redacted_with(redactor, &once));
        prop_assert_eq!((&twice, values), (&once, 0));
    }

    #[test]
    fn a_planted_secret_is_never_left(
        secret in any_secret(), before in any_text(), after in any_text(), around in any_object(),
        levels in 0_usize..6, every in 1_usize..40, under_key in any::<bool>(),
    ) {
        let mut planted = if under_key {
            json!({ "client_secret": secret, "x": around })
        } else {
            json!([around, format!("{before} {secret} {after}")])
        };
        for _ in 0..levels {
            planted = Value::from(planted.to_string());
        }
        let given = escaped(&json!({ "input.x": planted }).to_string(), every);
        let (found, values) = DEFAULT.with(|redactor| redacted_with(redactor, &given));
        prop_assert!(values > 0);
        let found: Value = serde_json::from_str(&found).expect("JSON");
        prop_assert!(!found.to_string().contains(&secret), "{}", found);
    }

    #[test]
    fn text_without_secrets_keeps_every_byte(words in vec("[b-d ]{1,9}", 1..20), every in 1_usize..40, number in any::<i128>()) {
        let object = json!({ words[0].clone(): words, "tokens": [1.5, true], "text": json!({ "k": words }).to_string() });
        let given = escaped(&object.to_string(), every).replace("1.5", &format!("{number}.50E+2"));
        let (found, values) = DEFAULT.with(|redactor| redacted_with(redactor, &given));
        prop_assert_eq!((found, values), (given, 0));
    }

    #[test]
    fn the_quick_look_misses_nothing(given in any_object(), every in 1_usize..200) {
        let given = escaped(&given.to_string(), every);
        let looking = LOOKING.with(|redactor| redacted_with(redactor, &given));
        let reading = READING.with(|redactor| redacted_with(redactor, &given));
        prop_assert_eq!(looking, reading);
    }

    #[test]
    fn any_bytes_of_a_field_are_taken(text in any_text(), more in any::<String>()) {
        let mut span = crate::span("{}");
        span.attributes = text;
        span.events = more;
        DEFAULT.with(|redactor| redactor.redact(&mut span));
    }
}
