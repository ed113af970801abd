//! Statements typed letter by letter.

use crate::support::{catalog, is_wanted};
use flockscope_sql::complete;

/// One statement a line, with the items that completion should offer in `‹…›`.
const STATEMENTS: &str = include_str!("../data/statements.txt");

/// A statement without its marks, and where each wanted item begins in it.
fn unmarked(line: &str) -> (String, Vec<(usize, String)>) {
    let mut plain = String::new();
    let mut wanted = Vec::new();
    for (place, part) in line.split(['‹', '›']).enumerate() {
        if place % 2 == 1 {
            wanted.push((plain.len(), part.to_owned()));
        }
        plain.push_str(part);
    }
    (plain, wanted)
}

/// Types every `step`th statement between two others, and says at which letter a wanted item was missing.
fn missing(before: &str, after: &str, step: usize) -> Vec<String> {
    let mut missing = Vec::new();
    for line in STATEMENTS.lines().step_by(step) {
        let (statement, wanted) = unmarked(line);
        for (end, letter) in statement.char_indices() {
            let end = end + letter.len_utf8();
            let text = format!("{before}{}{after}", &statement[..end]);
            let offset = before.len() + end;
            let found = complete(catalog(), &text, offset);
            assert!(found.replace.contains(&offset) || found.replace.end == offset, "{text}");
            for (start, item) in &wanted {
                let typed = start + 1..=start + item.len() - usize::from(item.starts_with('\''));
                // Of a literal the quote comes first; the item is wanted as soon as it stands there.
                let within = typed.contains(&end) || (item.starts_with('\'') && end == start + 1);
                // After a blank within `GROUP BY` only its second word is wanted.
                let second_word = item[..end.saturating_sub(*start).min(item.len())].contains(' ');
                if within && !second_word && !found.items.iter().any(|found| is_wanted(found, item)) {
                    missing.push(format!("{item} at {}|", &statement[..end]));
                }
            }
        }
    }
    missing
}

#[test]
fn each_wanted_item_is_offered_from_its_first_letter_to_its_last() {
    assert!(STATEMENTS.lines().count() >= 60);
    let missing = missing("", "", 1);
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn other_statements_around_it_change_nothing() {
    let missing = missing(
        "SELECT 'größe; 🐦', $$;$$ -- ;\r\n;\r\n",
        "\n;\nSELECT 'it''s' FROM traces();",
        3,
    );
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
