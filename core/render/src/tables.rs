//! The rows of each analysis as a [`Table`] for people: chosen columns, figures with their units, bars.

use std::collections::BTreeMap;

use flockscope_model::rows::{
    AttributeKeyRow, AttributeValueRow, CriticalPathRow, DependencyRow, ExceptionRow, OperationRow, RedRow,
    StatisticsRow, TraceRow,
};

use crate::figures;
use crate::table::{Cell, Column, Table};

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn optional(text: &Option<String>) -> Cell {
    text.as_ref().map_or(Cell::Empty, |text| Cell::Text(text.clone()))
}

fn count(number: i64) -> Cell {
    Cell::Figure(figures::count(number))
}

fn ms(ms: f64) -> Cell {
    Cell::Figure(figures::ms(ms))
}

/// Lists show times to the second.
fn time(ns: i64) -> Cell {
    Cell::Figure(figures::second(ns))
}

fn errors(number: i64) -> Cell {
    if number == 0 {
        Cell::Faint("0".into())
    } else {
        Cell::Error(figures::count(number))
    }
}

fn error_share(errors: i64, rate: f64) -> Cell {
    if errors == 0 {
        Cell::Faint("0 %".into())
    } else {
        Cell::Error(figures::percent(rate))
    }
}

/// Traces, as listed.
pub fn traces(rows: &[TraceRow]) -> Table {
    let longest = rows.iter().map(|row| row.duration_ms).fold(0.0, f64::max);
    Table {
        columns: vec![
            Column::text("start (UTC)", 1),
            Column::text("root", 0),
            Column::figure("duration ms", 0),
            Column::text("", 5),
            Column::figure("spans", 2),
            Column::figure("errors", 2),
            Column::text("agents", 4),
            Column::text("trace", 0).least(32),
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    time(row.start_time),
                    text(&row.root_name),
                    ms(row.duration_ms),
                    Cell::Share(figures::share(row.duration_ms, longest)),
                    count(row.spans),
                    errors(row.errors),
                    text(&row.agents.join(" ")),
                    text(&row.trace_id),
                ]
            })
            .collect(),
        total: None,
        unit: "trace",
    }
}

/// The names of the columns that rows of `red()` are grouped by: those that any row has.
pub(crate) fn red_keys(rows: &[RedRow]) -> Vec<&'static str> {
    RED_KEYS
        .iter()
        .filter(|(_, key)| rows.iter().any(|row| key(row).is_some()))
        .map(|(name, _)| *name)
        .collect()
}

type RedKey = fn(&RedRow) -> Option<&str>;

/// The columns that `red()` can group by, in the order in which they are written.
pub(crate) const RED_KEYS: [(&str, RedKey); 6] = [
    ("service", |row| row.service.as_deref()),
    ("operation", |row| row.operation.as_deref()),
    ("agent", |row| row.agent.as_deref()),
    ("module", |row| row.module.as_deref()),
    ("environment", |row| row.environment.as_deref()),
    ("version", |row| row.version.as_deref()),
];

/// The group of a row, in words.
pub(crate) fn red_group(row: &RedRow) -> String {
    let keys: Vec<&str> = RED_KEYS.iter().filter_map(|(_, key)| key(row)).collect();
    if keys.is_empty() { "all".into() } else { keys.join(" ") }
}

fn red_group_key(row: &RedRow) -> [Option<String>; 6] {
    RED_KEYS.map(|(_, key)| key(row).map(str::to_owned))
}

/// Rate, errors and durations. `series` are the same groups over time: where given, each row gets a spark line of its
/// calls. The bar is a group's share of the time of all groups.
pub fn red(rows: &[RedRow], series: &[RedRow]) -> Table {
    let total: f64 = rows.iter().map(|row| row.total_ms).filter(|ms| ms.is_finite()).sum();
    let keys = red_keys(rows);
    let timed = rows.iter().any(|row| row.bucket_time.is_some());
    let sparks = sparks(series);
    let mut columns = Vec::new();
    if timed {
        columns.push(Column::text("time (UTC)", 0));
    }
    columns.extend(keys.iter().map(|key| Column::text(*key, 0).least(20)));
    columns.extend([
        Column::figure("calls", 0),
        Column::figure("errors", 1),
        Column::figure("errors %", 4),
        Column::figure("rate /s", 7),
        Column::figure("avg ms", 6),
        Column::figure("p50 ms", 3),
        Column::figure("p90 ms", 9),
        Column::figure("p95 ms", 1),
        Column::figure("p99 ms", 8),
        Column::figure("max ms", 5),
        Column::text("share of time", 2),
    ]);
    if !sparks.is_empty() {
        columns.push(Column::text("calls over time", 10));
    }
    let rows = rows
        .iter()
        .map(|row| {
            let mut cells = Vec::with_capacity(columns.len());
            if timed {
                cells.push(row.bucket_time.map_or(Cell::Empty, time));
            }
            for (name, key) in RED_KEYS.iter().filter(|(name, _)| keys.contains(name)) {
                cells.push(match (key(row), *name) {
                    (None, _) => Cell::Empty,
                    (Some(service), "service") => Cell::Service(service.into()),
                    (Some(key), _) => text(key),
                });
            }
            cells.extend([
                count(row.calls),
                errors(row.errors),
                error_share(row.errors, row.error_rate),
                Cell::Figure(figures::decimal(row.rate_per_s, 2)),
                ms(row.avg_ms),
                ms(row.p50_ms),
                ms(row.p90_ms),
                ms(row.p95_ms),
                ms(row.p99_ms),
                ms(row.max_ms),
                Cell::Share(figures::share(row.total_ms, total)),
            ]);
            if !sparks.is_empty() {
                cells.push(
                    sparks
                        .get(&red_group_key(row))
                        .map_or(Cell::Empty, |calls| Cell::Series(calls.clone())),
                );
            }
            cells
        })
        .collect();
    Table {
        columns,
        rows,
        total: None,
        unit: "group",
    }
}

/// Calls of each group over time, one figure a bucket: a bucket in which a group has no row counts 0.
fn sparks(series: &[RedRow]) -> BTreeMap<[Option<String>; 6], Vec<f64>> {
    let mut buckets: Vec<i64> = series.iter().filter_map(|row| row.bucket_time).collect();
    buckets.sort_unstable();
    buckets.dedup();
    let mut sparks = BTreeMap::new();
    for row in series {
        let Some(place) = row.bucket_time.and_then(|time| buckets.binary_search(&time).ok()) else {
            continue;
        };
        let calls = sparks
            .entry(red_group_key(row))
            .or_insert_with(|| vec![0.0; buckets.len()]);
        calls[place] += row.calls as f64;
    }
    sparks
}

/// Edges of the dependency graph, as a table.
pub fn dependencies(rows: &[DependencyRow]) -> Table {
    let most = rows.iter().map(|row| row.calls).max().unwrap_or(0);
    Table {
        columns: vec![
            Column::text("from", 0),
            Column::text("to", 0),
            Column::figure("calls", 0),
            Column::text("", 6),
            Column::figure("errors", 1),
            Column::figure("errors %", 3),
            Column::figure("avg ms", 4),
            Column::figure("p50 ms", 2),
            Column::figure("p95 ms", 2),
            Column::figure("p99 ms", 5),
            Column::figure("max ms", 5),
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    Cell::Service(row.from.clone()),
                    Cell::Service(row.to.clone()),
                    count(row.calls),
                    Cell::Share(figures::share(row.calls as f64, most as f64)),
                    errors(row.errors),
                    error_share(row.errors, row.error_rate),
                    ms(row.avg_ms),
                    ms(row.p50_ms),
                    ms(row.p95_ms),
                    ms(row.p99_ms),
                    ms(row.max_ms),
                ]
            })
            .collect(),
        total: None,
        unit: "edge",
    }
}

/// Where the critical paths spent their time.
pub fn critical_path(rows: &[CriticalPathRow]) -> Table {
    Table {
        columns: vec![
            Column::text("service", 0),
            Column::text("operation", 0),
            Column::figure("critical ms", 0),
            Column::text("share of all traces", 1),
            Column::figure("traces", 2),
            Column::figure("spans", 3),
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    Cell::Service(row.service.clone()),
                    text(&row.operation),
                    ms(row.critical_ms),
                    Cell::Share(row.share),
                    count(row.traces),
                    count(row.spans),
                ]
            })
            .collect(),
        total: None,
        unit: "operation",
    }
}

/// Kinds of exceptions. Stack traces are not part of the table.
pub fn exceptions(rows: &[ExceptionRow]) -> Table {
    Table {
        columns: vec![
            Column::text("exception", 0).least(24),
            Column::text("service", 0),
            Column::text("operation", 0),
            Column::text("message", 0).least(20),
            Column::figure("times", 0),
            Column::figure("traces", 3),
            Column::text("last (UTC)", 2),
            Column::text("first (UTC)", 5),
            Column::text("last trace", 4).least(32),
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    Cell::Error(row.exception_type.clone()),
                    Cell::Service(row.service.clone()),
                    text(&row.operation),
                    optional(&row.message),
                    count(row.occurrences),
                    count(row.traces),
                    time(row.last_time),
                    time(row.first_time),
                    text(&row.last_trace_id),
                ]
            })
            .collect(),
        total: None,
        unit: "kind",
    }
}

/// Traced functions.
pub fn operations(rows: &[OperationRow]) -> Table {
    let total: f64 = rows.iter().map(|row| row.total_ms).filter(|ms| ms.is_finite()).sum();
    Table {
        columns: vec![
            Column::text("service", 0),
            Column::text("operation", 0),
            Column::figure("calls", 0),
            Column::figure("errors", 1),
            Column::figure("total ms", 0),
            Column::text("share of time", 4),
            Column::figure("last ms", 3),
            Column::text("last (UTC)", 2),
            Column::text("module", 5),
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    Cell::Service(row.service.clone()),
                    text(&row.operation),
                    count(row.calls),
                    errors(row.errors),
                    ms(row.total_ms),
                    Cell::Share(figures::share(row.total_ms, total)),
                    ms(row.last_ms),
                    time(row.last_time),
                    optional(&row.module),
                ]
            })
            .collect(),
        total: None,
        unit: "operation",
    }
}

/// Attribute keys.
pub fn attribute_keys(rows: &[AttributeKeyRow]) -> Table {
    Table {
        columns: vec![
            Column::text("key", 0),
            Column::figure("spans", 0),
            Column::text("types", 1),
            Column::figure("longest", 2),
            Column::text("example", 0),
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    text(&row.key),
                    count(row.spans),
                    text(&row.types.join(" ")),
                    count(row.longest),
                    optional(&row.example),
                ]
            })
            .collect(),
        total: None,
        unit: "key",
    }
}

/// Values of one attribute.
pub fn attribute_values(rows: &[AttributeValueRow]) -> Table {
    let most = rows.iter().map(|row| row.spans).max().unwrap_or(0);
    Table {
        columns: vec![
            Column::text("value", 0),
            Column::figure("spans", 0),
            Column::text("", 1),
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    text(&row.value),
                    count(row.spans),
                    Cell::Share(figures::share(row.spans as f64, most as f64)),
                ]
            })
            .collect(),
        total: None,
        unit: "value",
    }
}

/// What a store holds: a row a figure.
pub fn statistics(row: &StatisticsRow) -> Table {
    let times = [
        ("oldest span (UTC)", row.oldest_time),
        ("newest span (UTC)", row.newest_time),
    ];
    let mut rows: Vec<Vec<Cell>> = [
        ("spans", count(row.spans)),
        ("traces", count(row.traces)),
        ("services", count(row.services)),
        ("operations", count(row.operations)),
        ("agents", count(row.agents)),
        ("errors", errors(row.errors)),
        ("spans with a repair", count(row.repaired)),
    ]
    .into_iter()
    .map(|(name, cell)| vec![text(name), cell])
    .collect();
    rows.extend(times.map(|(name, at)| vec![text(name), at.map_or(Cell::Empty, time)]));
    Table {
        columns: vec![Column::text("", 0), Column::figure("", 0)],
        rows,
        total: None,
        unit: "figure",
    }
}

/// The answer of a SQL query: values as text, `None` for NULL. `total` says how many rows there were, where `rows` are
/// only the first of them. A column whose values all read as numbers stands at the right.
pub fn answer(columns: &[String], rows: &[Vec<Option<String>>], total: Option<u64>) -> Table {
    let is_number = |column: usize| {
        let mut values = rows.iter().filter_map(|row| row.get(column)?.as_deref()).peekable();
        values.peek().is_some() && values.all(|value| value.parse::<f64>().is_ok())
    };
    let numbers: Vec<bool> = (0..columns.len()).map(is_number).collect();
    Table {
        columns: columns
            .iter()
            .zip(&numbers)
            .enumerate()
            .map(|(place, (title, &right))| Column {
                title: title.clone(),
                right,
                // The first columns of a query matter most.
                rank: place.min(255) as u8,
                least: 12,
            })
            .collect(),
        rows: rows
            .iter()
            .map(|row| {
                (0..columns.len())
                    .map(|column| match row.get(column) {
                        Some(Some(value)) if numbers[column] => Cell::Figure(value.clone()),
                        Some(Some(value)) => text(value),
                        Some(None) => Cell::Null,
                        None => Cell::Empty,
                    })
                    .collect()
            })
            .collect(),
        total,
        unit: "row",
    }
}
