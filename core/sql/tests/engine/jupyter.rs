//! The answers as a Jupyter kernel gives them.

use flockscope_sql::jupyter::{complete_reply, inspect_reply};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{catalog, completions, cursor};

/// The reply at the `$0` of a cell, and the cell with the wanted match written in.
fn written(fixture: &str, wanted: &str) -> String {
    let (code, offset) = cursor(fixture);
    let at = code[..offset].chars().count();
    let reply = complete_reply(catalog(), &code, at);
    let found = reply.matches.iter().find(|found| found.contains(wanted));
    let found = found.unwrap_or_else(|| panic!("no {wanted}: {:?}", reply.matches));
    let characters: Vec<char> = code.chars().collect();
    let part = |range: std::ops::Range<usize>| characters[range].iter().collect::<String>();
    part(0..reply.cursor_start) + found + &part(reply.cursor_end..characters.len())
}

#[test]
fn a_cursor_counts_characters_and_a_match_is_written_in_its_place() {
    assert_eq!(
        written("SELECT 'ü🐦', sta$0 FROM spans", "status_code"),
        "SELECT 'ü🐦', status_code FROM spans"
    );
    assert_eq!(
        written("-- 🐦🐦\nSELECT attributes->>'agent.n$0' FROM spans", "agent.name"),
        "-- 🐦🐦\nSELECT attributes->>'agent.name' FROM spans"
    );
}

#[test]
fn replies_have_the_fields_of_the_messages() {
    let (code, offset) = cursor("SELECT sta$0 FROM spans");
    let reply = serde_json::to_value(complete_reply(catalog(), &code, offset)).expect("JSON");
    assert_eq!((&reply["cursor_start"], &reply["cursor_end"]), (&json!(7), &json!(10)));
    let first = &reply["metadata"]["_jupyter_types_experimental"][0];
    assert_eq!(first["text"], reply["matches"][0]);
    assert_eq!(
        (&first["start"], &first["end"], &first["type"]),
        (&json!(7), &json!(10), &json!("field"))
    );

    let inspected = inspect_reply(catalog(), &code.replace("sta ", "status_code "), 9);
    assert!(inspected.found && inspected.data["text/markdown"].contains("OK, ERROR or UNSET"));
    assert_eq!(inspected.data["text/plain"], inspected.data["text/markdown"]);
    let nothing = inspect_reply(catalog(), "   ", 1);
    assert_eq!(
        serde_json::to_value(nothing).expect("JSON"),
        json!({"found": false, "data": {}})
    );
}

#[test]
fn the_order_is_that_of_the_editor_without_what_has_places_to_fill_in() {
    let fixture = "SELECT $0 FROM spans";
    let (code, offset) = cursor(fixture);
    let items = completions(fixture).items;
    let plain: Vec<String> = items
        .into_iter()
        .filter(|item| !item.is_snippet)
        .map(|item| item.insert)
        .collect();
    assert_eq!(complete_reply(catalog(), &code, offset).matches, plain);
}

proptest! {
    #[test]
    fn any_cell_and_any_cursor_are_taken(code in "[a-z ('.>🐦ü\n-]{0,60}", cursor in 0..80_usize) {
        let reply = complete_reply(catalog(), &code, cursor);
        let length = code.chars().count();
        prop_assert!(reply.cursor_start <= reply.cursor_end && reply.cursor_end <= length);
        prop_assert!(reply.cursor_start <= cursor.min(length));
        inspect_reply(catalog(), &code, cursor);
    }
}
