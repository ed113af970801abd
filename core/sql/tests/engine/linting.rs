//! Mistakes that DuckDB does not see.

use crate::support::catalog;
use flockscope_sql::{Catalog, lint};

/// The codes with the text that each is about, and the text after its first fix.
fn found(catalog: &Catalog, text: &str) -> Vec<(&'static str, String, String)> {
    lint(catalog, text)
        .into_iter()
        .map(|lint| {
            let fixed = lint.fixes.first().map_or(String::new(), |fix| {
                format!("{}{}{}", &text[..fix.range.start], fix.text, &text[fix.range.end..])
            });
            (lint.code, text[lint.range].to_owned(), fixed)
        })
        .collect()
}

#[test]
fn an_unknown_key_is_found_with_the_nearest_one() {
    assert_eq!(
        found(catalog(), "SELECT attributes->>'agent.nmae' FROM spans"),
        [(
            "unknown-attribute",
            "'agent.nmae'".into(),
            "SELECT attributes->>'agent.name' FROM spans".into()
        )]
    );
    let far = found(
        catalog(),
        "SELECT 1; SELECT json_extract_string(s.attributes, 'zzz') FROM spans s",
    );
    assert_eq!(far, [("unknown-attribute", "'zzz'".into(), String::new())]);
}

#[test]
fn known_keys_and_other_texts_are_left_alone() {
    for text in [
        "SELECT attributes->>'agent.name', resource->>'service.name' FROM spans",
        "SELECT attributes->'input.ctx'->>'anything' FROM spans",
        "SELECT attributes->>'$.\"agent.name\"' FROM spans",
        "SELECT events->>'$[*].attributes.\"exception.type\"' FROM spans",
        "SELECT name FROM spans WHERE name = 'agent.nmae'",
        "SELECT j->>'x' FROM other_table",
        "-- attributes->>'agent.nmae'",
    ] {
        assert_eq!(found(catalog(), text), [], "{text}");
    }
    // Nothing is known of the keys: none is unknown.
    assert_eq!(
        found(&Catalog::builtin(), "SELECT attributes->>'agent.nmae' FROM spans"),
        []
    );
}

#[test]
fn a_path_that_takes_dots_for_steps_is_found() {
    assert_eq!(
        found(catalog(), "SELECT attributes->>'$.output.value' FROM spans"),
        [(
            "unquoted-path",
            "'$.output.value'".into(),
            "SELECT attributes->>'output.value' FROM spans".into()
        )]
    );
}

#[test]
fn local_time_beside_utc_is_found() {
    for text in [
        "SELECT 1 FROM spans WHERE created_at > now() - INTERVAL 1 HOUR",
        "SELECT 1 FROM spans s WHERE current_timestamp < s.created_at",
        "SELECT created_at - make_timestamp_ns(start_time) FROM spans",
        "SELECT 1 FROM spans WHERE created_at BETWEEN '2026-01-01T00:00:00Z' AND now()",
    ] {
        let found = found(catalog(), text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].0, "local-time", "{text}");
        assert!(found[0].2.contains("make_timestamp_ns("), "{text}");
    }
    for text in [
        "SELECT created_at FROM spans WHERE start_time > 5",
        "SELECT 1 FROM spans WHERE created_at > '2026-01-01'",
        "SELECT 1 FROM spans WHERE created_at > '2026-01-01' AND start_time > 5",
        "SELECT created_at > now() FROM (SELECT make_timestamp_ns(start_time) AS created_at FROM spans)",
    ] {
        assert_eq!(found(catalog(), text), [], "{text}");
    }
}

#[test]
fn a_renamed_attribute_is_found_unless_only_the_old_one_is_recorded() {
    let text = "SELECT attributes->>'http.method' FROM spans";
    let expected = [(
        "renamed-attribute",
        "'http.method'".into(),
        "SELECT attributes->>'http.request.method' FROM spans".into(),
    )];
    assert_eq!(found(catalog(), text), expected);
    assert_eq!(found(&Catalog::builtin(), text), expected);
    let mut contents = flockscope_sql::catalog::Contents::clone(catalog());
    contents.attribute_keys[0].key = "http.method".into();
    contents.attribute_keys[0].column = "attributes".into();
    assert_eq!(found(&Catalog::new(contents), text), []);
}
