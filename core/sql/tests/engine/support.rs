//! The catalog of the sample program's store, and texts with a cursor in them.

use std::collections::HashMap;
use std::sync::LazyLock;

use flockscope_sql::catalog::{AttributeKey, Contents, Operation, Profile, Trace};
use flockscope_sql::{Catalog, Completions, Item, complete};
use serde::Deserialize;

#[derive(Deserialize)]
struct Sample {
    attribute_keys: Vec<AttributeKey>,
    operations: Vec<Operation>,
    traces: Vec<Trace>,
    profiles: HashMap<String, Profile>,
}

/// What the store of the sample program knows.
pub(crate) fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
        let sample: Sample = serde_json::from_str(include_str!("../data/catalog.json")).expect("the sample");
        let mut contents = Contents::clone(&Catalog::builtin());
        let mut profiles = sample.profiles;
        for column in contents.relations.iter_mut().flat_map(|relation| &mut relation.columns) {
            column.profile = profiles.remove(&column.name);
        }
        contents.attribute_keys = sample.attribute_keys;
        contents.operations = sample.operations;
        contents.traces = sample.traces;
        Catalog::new(contents)
    });
    &CATALOG
}

/// The text without its `$0`, and where that stood.
pub(crate) fn cursor(fixture: &str) -> (String, usize) {
    let offset = fixture.find("$0").expect("a cursor in the fixture");
    (fixture.replacen("$0", "", 1), offset)
}

/// What is offered at the `$0` of a text.
pub(crate) fn completions(fixture: &str) -> Completions {
    let (text, offset) = cursor(fixture);
    complete(catalog(), &text, offset)
}

/// The labels offered at the `$0` of a text, in order.
pub(crate) fn labels(fixture: &str) -> Vec<String> {
    let mut items = completions(fixture).items;
    items.sort_by(|a, b| a.sort_text.cmp(&b.sort_text));
    items.into_iter().map(|item| item.label).collect()
}

/// Whether an item is the wanted one: by what it shows or writes, in any case.
pub(crate) fn is_wanted(item: &Item, wanted: &str) -> bool {
    item.label.eq_ignore_ascii_case(wanted) || item.insert.eq_ignore_ascii_case(wanted)
}

/// Checks what is offered at the `$0` of a text: each `+label` must be, each `-label` must not be, and labels without a
/// sign come first, in this order.
#[track_caller]
pub(crate) fn check(fixture: &str, expect: &[&str]) {
    let found = labels(fixture);
    let list = || format!("{fixture}\n{}", found.join("\n"));
    let mut place = 0;
    for expected in expect {
        if let Some(label) = expected.strip_prefix('+') {
            assert!(
                found.iter().any(|found| found == label),
                "{label} is missing: {}",
                list()
            );
        } else if let Some(label) = expected.strip_prefix('-') {
            assert!(
                found.iter().all(|found| found != label),
                "{label} is offered: {}",
                list()
            );
        } else {
            assert_eq!(found.get(place).map(String::as_str), Some(*expected), "{}", list());
            place += 1;
        }
    }
}

/// The text after the best item is taken, the cursor at its end as `$0`. Snippets keep their places.
pub(crate) fn accept(fixture: &str, label: &str) -> String {
    let (text, _) = cursor(fixture);
    let found = completions(fixture);
    let item = found.items.iter().find(|item| item.label == label);
    let item = item.unwrap_or_else(|| panic!("{label} is not offered for {fixture}"));
    let end = &text[found.replace.end..];
    format!("{}{}{end}", &text[..found.replace.start], item.insert)
}
