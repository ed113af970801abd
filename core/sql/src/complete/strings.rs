//! Inside a string: attribute keys, values, trace ids, arguments of analyses.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Candidate, Filters, ItemKind, ranking, words};
use crate::catalog::{AttributeKey, Parameter, Value};
use crate::cursor::Cursor;
use crate::keywords::literal;
use crate::lexer::TokenKind;
use crate::scope::{Operand, ScopeColumn, Scopes, text_value};

/// What a string literal is there for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place<'a> {
    /// A key of a JSON column, below the steps before it.
    Key { column: ScopeColumn<'a>, path: Vec<String> },
    /// A value that something is compared with.
    Value(Operand<'a>),
    /// An argument of an analysis.
    Argument(&'a Parameter),
    /// A part of a date.
    DatePart,
}

/// Calls with more tokens than this before the literal are not looked into.
const LONGEST_CALL: usize = 1_000;

/// Keys further down are offered without what is known about them, which costs more than all the rest.
const DOCUMENTED: usize = 40;

/// A CASE that began more tokens ago is not found.
const LONGEST_CASE: usize = 100;

/// What the literal at a token is there for.
pub(crate) fn place<'a>(scopes: &Scopes<'a>, at: usize) -> Option<Place<'a>> {
    let tree = scopes.tree;
    let select = tree.select_at(at)?;
    let previous = at.checked_sub(1)?;
    if tree.sign(previous, "->>") || tree.sign(previous, "->") {
        return key_of(
            scopes,
            select,
            scopes.operand_start(previous.checked_sub(1)?, 0)..previous,
        );
    }
    if let Some(found) = compared(scopes, select, previous) {
        return Some(found);
    }
    let open = tree.bracket_at(at)?;
    let name = open.checked_sub(1)?;
    if tree.is(name, "in") {
        return left_of(scopes, select, open - 1);
    }
    // Of a very long list nobody wants to know what its last value is; going through it for each would take for ever.
    if at - open > LONGEST_CALL {
        return None;
    }
    if tree.sign(open, "[") {
        // `attributes['key']`, or a list of values: `= ANY(['a', 'b'])`.
        return key_of(scopes, select, scopes.operand_start(name, 0)..open).filter(|_| previous == open);
    }
    let function = tree.name(name)?.to_ascii_lowercase();
    let arguments = tree.parts(open + 1..at + 1);
    let number = arguments.len().saturating_sub(1);
    let first = arguments.first().cloned().unwrap_or(0..0);
    if let Some(table) = scopes.catalog.table_macro(&function) {
        let named = tree.sign(previous, ":=") || tree.sign(previous, "=>");
        let parameter = if named {
            let name = previous.checked_sub(1).and_then(|at| tree.name(at))?;
            table
                .parameters
                .iter()
                .find(|parameter| parameter.name.eq_ignore_ascii_case(&name))
        } else {
            table.parameters.get(number)
        };
        return parameter.map(Place::Argument);
    }
    match function.as_str() {
        "date_trunc" | "date_part" | "datepart" | "datetrunc" | "date_diff" | "datediff" | "date_sub" | "datesub"
            if number == 0 =>
        {
            Some(Place::DatePart)
        }
        "starts_with" | "contains" | "prefix" | "suffix" | "ends_with" | "list_contains" | "array_contains"
        | "nullif" | "coalesce" | "ifnull" | "regexp_matches"
            if number > 0 =>
        {
            Some(Place::Value(scopes.operand(select, first)))
        }
        name if name.starts_with("json_") && number > 0 => key_of(scopes, select, first),
        _ => None,
    }
}

fn key_of<'a>(scopes: &Scopes<'a>, select: usize, operand: Range<usize>) -> Option<Place<'a>> {
    match scopes.operand(select, operand) {
        Operand::Column(column) if column.data_type == "JSON" || column.base.is_none() => Some(Place::Key {
            column,
            path: Vec::new(),
        }),
        Operand::Key { column, path } => Some(Place::Key { column, path }),
        _ => None,
    }
}

/// After `=`, `LIKE` and the like.
fn compared<'a>(scopes: &Scopes<'a>, select: usize, operator: usize) -> Option<Place<'a>> {
    const SIGNS: &[&str] = &[
        "=", "==", "<>", "!=", "~", "!~", "~~", "!~~", "^@", "~*", "<", ">", "<=", ">=",
    ];
    let tree = scopes.tree;
    if SIGNS.iter().any(|sign| tree.sign(operator, sign)) {
        return left_of(scopes, select, operator);
    }
    if tree.is_any(operator, &["like", "ilike", "glob"]) {
        let not = operator > 0 && tree.is(operator - 1, "not");
        return left_of(scopes, select, operator - usize::from(not));
    }
    if tree.is(operator, "to") && operator > 0 && tree.is(operator - 1, "similar") {
        return left_of(scopes, select, operator - 1);
    }
    if tree.is(operator, "from") && operator > 1 && tree.is(operator - 1, "distinct") {
        let is = if tree.is(operator - 2, "not") {
            operator.checked_sub(3)?
        } else {
            operator - 2
        };
        return left_of(scopes, select, is);
    }
    if tree.is(operator, "when") {
        // `CASE status_code WHEN '…'`
        let case = (operator.saturating_sub(LONGEST_CASE)..operator)
            .rev()
            .find(|at| tree.is(*at, "case") && tree.parent.get(*at) == tree.parent.get(operator))?;
        let end = (case + 1..=operator).find(|at| tree.is(*at, "when"))?;
        return (end > case + 1).then(|| Place::Value(scopes.operand(select, case + 1..end)));
    }
    None
}

/// A value of what stands left of an operator.
fn left_of<'a>(scopes: &Scopes<'a>, select: usize, operator: usize) -> Option<Place<'a>> {
    let tree = scopes.tree;
    let not = operator > 0 && tree.is(operator, "in") && tree.is(operator - 1, "not");
    let end = operator - usize::from(not);
    let last = end.checked_sub(1)?;
    let operand = scopes.operand(select, scopes.operand_start(last, 0)..end);
    (operand != Operand::Other).then_some(Place::Value(operand))
}

pub(super) fn candidates(cursor: &Cursor<'_>, scopes: &Scopes<'_>) -> Vec<Candidate> {
    let tree = &cursor.tree;
    let Some(at) = cursor.at else {
        return Vec::new();
    };
    let (Some(select), Some(place)) = (tree.select_at(at), place(scopes, at)) else {
        return Vec::new();
    };
    let filters = Filters::of(scopes, select, cursor.at);
    match place {
        Place::Key { column, path } => keys(cursor, scopes, &column, &path, &filters),
        Place::Value(operand) => values(cursor, scopes, &operand, &filters),
        Place::Argument(parameter) => argument(scopes, parameter, &filters),
        Place::DatePart => words::DATE_PARTS
            .iter()
            .zip(0..)
            .map(|(part, rank)| Candidate::new(ItemKind::Value, literal(part), 900 - rank))
            .collect(),
    }
}

/// The JSON column of `spans` that a column passes on, and whether its keys are those of events.
pub(crate) fn json_column<'a>(column: &'a ScopeColumn<'_>) -> Option<&'a str> {
    let name = column
        .base
        .map_or(column.name.as_str(), |base| base.column.name.as_str());
    ["attributes", "resource", "events"]
        .into_iter()
        .any(|known| known.eq_ignore_ascii_case(name))
        .then_some(name)
}

fn keys(
    cursor: &Cursor<'_>,
    scopes: &Scopes<'_>,
    column: &ScopeColumn<'_>,
    path: &[String],
    filters: &Filters,
) -> Vec<Candidate> {
    let Some(name) = json_column(column) else {
        return Vec::new();
    };
    let of_events = name.eq_ignore_ascii_case("events");
    let inside_event = of_events && path.iter().any(|step| step == "attributes");
    if !path.is_empty() && !inside_event {
        let event = ["attributes", "name", "timestamp"];
        let steps = event.iter().zip(0..).filter(|_| of_events);
        return steps
            .map(|(step, rank)| Candidate::new(ItemKind::AttributeKey, literal(step), 900 - rank))
            .collect();
    }
    let typed = cursor.typed();
    let as_path = typed.starts_with("'$");
    let text_of = |key: &AttributeKey| {
        literal(&if of_events && !inside_event {
            format!("$[*].attributes.{}", path_step(&key.key))
        } else if as_path {
            format!("$.{}", path_step(&key.key))
        } else {
            bare_path(&key.key)
        })
    };
    // A store may have thousands of keys: only those that will be shown are written out.
    let mut shown: Vec<(u32, usize, &AttributeKey, u64)> = filtered(scopes, name, filters)
        .into_iter()
        .enumerate()
        .filter_map(|(rank, (key, spans))| Some((ranking::class(&text_of(key), typed)?, rank, key, spans)))
        .collect();
    shown.sort_by_key(|(class, rank, ..)| (*class, *rank));
    shown.truncate(ranking::MOST + 1);
    let mut found: Vec<Candidate> = shown
        .into_iter()
        .enumerate()
        .map(|(place, (_, rank, key, spans))| {
            let share = key.share * 100.0;
            let score = 9_000 - i32::try_from(rank).unwrap_or(0);
            let text = text_of(key);
            Candidate::new(ItemKind::AttributeKey, key.key.clone(), score)
                .detail(format!("{} · {spans} spans · {share:.0} %", key.json_type))
                .doc(if place < DOCUMENTED {
                    key_doc(key)
                } else {
                    String::new()
                })
                .filter(text.clone())
                .insert(text)
        })
        .collect();
    if of_events && !inside_event {
        for step in ["$[*].name", "$[*].timestamp"] {
            found.push(Candidate::new(ItemKind::AttributeKey, literal(step), 100));
        }
    }
    found
}

/// The keys of a column that spans of the query have, most frequent first; all keys if none of them has any.
fn filtered<'c>(scopes: &Scopes<'c>, column: &str, filters: &Filters) -> Vec<(&'c AttributeKey, u64)> {
    let all = || {
        let catalog = scopes.catalog;
        catalog
            .attribute_keys
            .iter()
            // DuckDB has no path for a key without letters.
            .filter(move |key| key.column.eq_ignore_ascii_case(column) && !key.key.is_empty())
    };
    let mut found: Vec<(&AttributeKey, u64)> = all()
        .filter_map(|key| {
            if filters.is_empty() || key.carriers.is_empty() {
                return Some((key, key.spans));
            }
            let spans = key
                .carriers
                .iter()
                .filter(|carrier| filters.pass(&carrier.service, &carrier.operation))
                .map(|carrier| carrier.spans)
                .sum();
            (spans > 0).then_some((key, spans))
        })
        .collect();
    if found.is_empty() {
        found = all().map(|key| (key, key.spans)).collect();
    }
    // What says most about an event comes first where all are as frequent.
    let rank = |key: &AttributeKey| match key.key.as_str() {
        "exception.type" => 0,
        "exception.message" => 1,
        _ => 2,
    };
    found.sort_by(|(a, a_spans), (b, b_spans)| {
        b_spans
            .cmp(a_spans)
            .then(b.spans.cmp(&a.spans))
            .then(rank(a).cmp(&rank(b)))
            .then_with(|| a.key.cmp(&b.key))
    });
    found
}

/// A key as DuckDB reads it after `->>`: as it is, but for keys that look like a path.
fn bare_path(key: &str) -> String {
    if key.starts_with(['$', '/']) || key.contains('*') {
        format!("$.{}", path_step(key))
    } else {
        key.to_owned()
    }
}

fn path_step(key: &str) -> String {
    format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What is known about a key, as Markdown.
pub(crate) fn key_doc(key: &AttributeKey) -> String {
    let mut doc = format!(
        "`{}` of `{}`: {}, on {} spans ({:.1} %)",
        key.key.replace('`', "'"),
        key.column,
        key.json_type,
        key.spans,
        key.share * 100.0
    );
    let mut services: BTreeMap<&str, u64> = BTreeMap::new();
    for carrier in &key.carriers {
        *services.entry(&carrier.service).or_default() += carrier.spans;
    }
    let mut services: Vec<(&str, u64)> = services.into_iter().collect();
    services.sort_by_key(|(_, spans)| std::cmp::Reverse(*spans));
    if !services.is_empty() {
        let names: Vec<String> = services
            .iter()
            .take(8)
            .map(|(name, _)| crate::hover::code(name))
            .collect();
        doc.push_str(&format!("\n\nOf {}", names.join(", ")));
    }
    if !key.values.is_empty() {
        doc.push_str("\n\n");
        doc.push_str(&crate::hover::value_list(&key.values));
    }
    doc
}

fn values(cursor: &Cursor<'_>, scopes: &Scopes<'_>, operand: &Operand<'_>, filters: &Filters) -> Vec<Candidate> {
    match operand {
        Operand::Key { column, path } => {
            let (Some(name), Some(last)) = (json_column(column), path.last()) else {
                return Vec::new();
            };
            scopes
                .catalog
                .keys_of(name)
                .find(|key| key.key == *last)
                .map(|key| listed(&key.values))
                .unwrap_or_default()
        }
        Operand::Column(column) => {
            let name = column
                .base
                .map_or(column.name.as_str(), |base| base.column.name.as_str());
            if name == "trace_id" || name == "last_trace_id" {
                return traces(scopes);
            }
            let like = cursor
                .previous()
                .is_some_and(|previous| cursor.tree.is_any(previous, &["like", "ilike"]));
            let known = recorded(scopes, name, filters);
            let mut found = match (known, column.base.and_then(|base| base.column.profile.as_ref())) {
                (Some(known), _) => listed(&known),
                (None, Some(profile)) => listed(&profile.values),
                (None, None) => from_spans(scopes, name),
            };
            if like && name == "name" {
                found.extend(patterns(scopes, filters));
            }
            found
        }
        Operand::Other => Vec::new(),
    }
}

/// Services, operations and names of the spans that the rest of the query asks for.
fn recorded(scopes: &Scopes<'_>, column: &str, filters: &Filters) -> Option<Vec<Value>> {
    let operations = &scopes.catalog.operations;
    if operations.is_empty() || !matches!(column, "service" | "operation" | "name") {
        return None;
    }
    // What a column itself is compared with elsewhere does not limit it.
    let mut others = filters.clone();
    match column {
        "service" => others.services.clear(),
        "operation" => others.operations.clear(),
        _ => others.names.clear(),
    }
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for pass in [true, false] {
        for operation in operations {
            if pass && !others.pass(&operation.service, &operation.operation) {
                continue;
            }
            let value = match column {
                "service" => &operation.service,
                "operation" => &operation.operation,
                _ => &operation.name,
            };
            *counts.entry(value).or_default() += operation.spans;
        }
        if !counts.is_empty() {
            break;
        }
    }
    let mut values: Vec<Value> = counts
        .into_iter()
        .map(|(text, count)| Value {
            text: text.into(),
            count,
        })
        .collect();
    values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
    Some(values)
}

/// The values that a column of the same name has in `spans`: for the columns of analyses.
fn from_spans(scopes: &Scopes<'_>, name: &str) -> Vec<Candidate> {
    let column = scopes.catalog.relation("spans").and_then(|spans| spans.column(name));
    match column.and_then(|column| column.profile.as_ref()) {
        Some(profile) => listed(&profile.values),
        None if name == "status_code" => ["OK", "ERROR", "UNSET"]
            .iter()
            .map(|word| Candidate::new(ItemKind::Value, literal(word), 900))
            .collect(),
        None => Vec::new(),
    }
}

/// `'Agent.%'` for every service.
fn patterns(scopes: &Scopes<'_>, filters: &Filters) -> Vec<Candidate> {
    let services = recorded(scopes, "service", filters).unwrap_or_default();
    services
        .iter()
        .zip(0..)
        .map(|(service, rank)| {
            Candidate::new(ItemKind::Value, literal(&format!("{}.%", service.text)), 10_000 - rank)
                .detail(format!("{} spans", service.count))
        })
        .collect()
}

fn listed(values: &[Value]) -> Vec<Candidate> {
    let scored = values.iter().zip(0..);
    scored
        .map(|(value, rank)| {
            Candidate::new(ItemKind::Value, literal(&value.text), 9_000 - rank).detail(format!("{} spans", value.count))
        })
        .collect()
}

fn traces(scopes: &Scopes<'_>) -> Vec<Candidate> {
    let scored = scopes.catalog.traces.iter().zip(0..);
    scored
        .map(|(trace, rank)| {
            let started = utc(trace.start_time);
            Candidate::new(ItemKind::Trace, literal(&trace.trace_id), 9_000 - rank).detail(format!(
                "{} · {started} UTC · {:.1} ms",
                trace.root_name, trace.duration_ms
            ))
        })
        .collect()
}

/// `2026-01-31 12:30:05`, by Howard Hinnant's algorithm for civil dates from days.
fn utc(nanoseconds: i64) -> String {
    let seconds = nanoseconds.div_euclid(1_000_000_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

fn argument(scopes: &Scopes<'_>, parameter: &Parameter, filters: &Filters) -> Vec<Candidate> {
    if !parameter.words.is_empty() {
        let scored = parameter.words.iter().zip(0..);
        return scored
            .map(|(word, rank)| Candidate::new(ItemKind::Value, literal(word), 900 - rank))
            .collect();
    }
    match parameter.name.as_str() {
        "trace" | "trace_id" => traces(scopes),
        "key" => filtered(scopes, "attributes", filters)
            .into_iter()
            .zip(0..)
            .map(|((key, spans), rank)| {
                Candidate::new(ItemKind::AttributeKey, literal(&key.key), 9_000 - rank)
                    .detail(format!("{} · {spans} spans", key.json_type))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The text of the literal at a token, and whether it is one.
pub(crate) fn literal_at(scopes: &Scopes<'_>, at: usize) -> Option<String> {
    (scopes.tree.kind(at) == Some(TokenKind::Text))
        .then(|| text_value(scopes.tree.text_of(at)))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_shown_as_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_782_400_000_000_000), "2000-02-29 00:00:00");
        assert_eq!(utc(-1), "1969-12-31 23:59:59");
        assert_eq!(utc(1_767_225_599_999_999_999), "2025-12-31 23:59:59");
    }
}
