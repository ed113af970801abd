//! What a statement begins with.

use super::{Candidate, ItemKind, words};
use crate::catalog::TableMacro;
use crate::scope::Scopes;

/// What a statement begins with: keywords, analyses, whole queries to fill in.
pub(super) fn statement_starts(scopes: &Scopes<'_>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = words::STATEMENTS
        .iter()
        .map(|(word, score)| Candidate::new(ItemKind::Keyword, *word, *score))
        .collect();
    for table in &scopes.catalog.macros {
        let call = call_snippet(table);
        found.push(
            Candidate::new(ItemKind::Snippet, format!("FROM {}(…)", table.name), 640)
                .filter(table.name.clone())
                .snippet(format!("FROM {call}$0"))
                .detail("analysis")
                .doc(table.summary.clone()),
        );
    }
    for (label, filter, text, detail) in SNIPPETS {
        found.push(
            Candidate::new(ItemKind::Snippet, *label, 630)
                .filter(*filter)
                .snippet(*text)
                .detail(*detail),
        );
    }
    found
}

/// Label, what is typed for it, text, what it is.
const SNIPPETS: &[(&str, &str, &str, &str)] = &[
    (
        "slowest spans",
        "slowest spans",
        "SELECT trace_id, service, operation, duration_ms\nFROM spans\nWHERE service = '${1:Agent}'\nORDER BY duration_ms DESC\nLIMIT 20$0",
        "spans by duration",
    ),
    (
        "latest errors",
        "latest errors",
        "SELECT make_timestamp_ns(start_time) AS at, service, operation, exception_type, exception_message, trace_id\nFROM spans\nWHERE status_code = 'ERROR'\nORDER BY start_time DESC\nLIMIT 20$0",
        "failed spans, newest first",
    ),
    (
        "spans per minute",
        "spans per minute",
        "SELECT date_trunc('minute', make_timestamp_ns(start_time)) AS minute, count(*) AS spans\nFROM spans\nGROUP BY minute\nORDER BY minute$0",
        "a time series",
    ),
    (
        "attribute breakdown",
        "attribute breakdown",
        "SELECT attributes->>'${1:agent.name}' AS value, count(*) AS spans, avg(duration_ms) AS avg_ms\nFROM spans\nGROUP BY value\nORDER BY spans DESC$0",
        "spans by the value of an attribute",
    ),
];

/// `name(…)` with the arguments that must be given, and the one that takes a word.
pub(super) fn call_snippet(table: &TableMacro) -> String {
    let arguments: Vec<String> = table
        .parameters
        .iter()
        .filter(|parameter| parameter.required || !parameter.words.is_empty())
        .enumerate()
        .map(|(place, parameter)| {
            let place = place + 1;
            match parameter.words.first() {
                Some(word) => format!("{} := '${{{place}:{word}}}'", parameter.name),
                None => format!("'${{{place}:{}}}'", parameter.name),
            }
        })
        .collect();
    format!("{}({})", table.name, arguments.join(", "))
}
