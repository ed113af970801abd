//! Queries of the lean set through the store, against hand-written ones on the bare table.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::Int64Type;
use flockscope_store::{GroupBy, Level, Limits, Settings, Store, Window};

use crate::child::{self, Memory};
use crate::data;
use crate::handwritten;
use crate::load::{Filled, report_memory};
use crate::plain;
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::{median, timed};
use crate::work_folder::{WorkFolder, clear, size_of};

const NEWEST: u64 = 50;
/// Rounds of all queries after which the memory is looked at.
const ROUNDS: u32 = 3;

/// How much an answer holds; two right answers to one question hold the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    /// Sum of the column `calls`, for answers that have one.
    pub(crate) calls: i64,
}

/// What the queries ask for.
struct Wanted {
    /// Start of the last hour, in nanoseconds since the epoch.
    since: i64,
    trace: String,
}

struct Query {
    what: &'static str,
    most_ms: Option<u64>,
    ask: fn(&Store, &Wanted) -> Result<Size>,
    by_hand: fn(&Wanted) -> String,
}

const QUERIES: &[Query] = &[
    Query {
        what: "red by operation, last hour",
        most_ms: Some(50),
        ask: |store, wanted| red(store, last_hour(wanted)),
        by_hand: |wanted| handwritten::red(Some(wanted.since)),
    },
    Query {
        what: "red by operation, everything",
        most_ms: Some(500),
        ask: |store, _| red(store, Window::default()),
        by_hand: |_| handwritten::red(None),
    },
    Query {
        what: "timeline of a trace of 1,000 spans",
        most_ms: Some(30),
        ask: |store, wanted| {
            Ok(Size {
                rows: store.timeline(&wanted.trace)?.len(),
                calls: 0,
            })
        },
        by_hand: |wanted| handwritten::timeline(&wanted.trace),
    },
    Query {
        what: "dependencies of agents, last hour",
        most_ms: Some(150),
        ask: |store, wanted| dependencies(store, Level::Agent, wanted),
        by_hand: |wanted| handwritten::agent_dependencies(wanted.since),
    },
    Query {
        what: "dependencies of services, last hour",
        most_ms: Some(150),
        ask: |store, wanted| dependencies(store, Level::Service, wanted),
        by_hand: |wanted| handwritten::service_dependencies(wanted.since),
    },
    Query {
        what: "the 50 newest traces",
        most_ms: None,
        ask: |store, _| {
            let rows = store.traces(Window::default(), Some(NEWEST))?;
            Ok(Size {
                rows: rows.len(),
                calls: rows.iter().map(|row| row.spans).sum(),
            })
        },
        by_hand: |_| handwritten::newest_traces(NEWEST),
    },
    Query {
        what: "sql: SELECT count(*)",
        most_ms: None,
        ask: |store, _| count(store),
        by_hand: |_| handwritten::count(),
    },
];

/// Fills a store with the lean set, and runs each query by turns through the store and by hand.
pub(crate) fn measure(spans: u64, hours: u64, runs: u32, work: &WorkFolder, report: &mut Report) -> Result<()> {
    eprintln!("queries: {spans} lean spans over {hours} hours");
    let folder = work.folder("queries")?;
    let file = folder.join("store.duckdb");
    let filled: Filled = child::ask(
        child::command()?
            .arg("load")
            .arg(&file)
            .arg(spans.to_string())
            .args(["--hours", &hours.to_string()]),
    )?;
    let spans = spans + data::LOOKED_UP_SPANS;
    report.add(Line::new(
        format!("load, {spans} lean spans"),
        Figure::RowsASecond(spans as f64 / filled.time.as_secs_f64()),
    ));
    report.add(Line::new("lean spans: size of the file", Figure::Bytes(size_of(&file))));
    report_memory(report, "load of lean spans", filled.memory);

    let wanted = Wanted {
        since: filled.latest_start - 3_600_000_000_000,
        trace: data::looked_up(hours)?[0].trace_id.clone(),
    };
    let copy = folder.join("bare.duckdb");
    std::fs::copy(&file, &copy).with_context(|| format!("cannot copy the store to {}", copy.display()))?;
    let store = Store::open(&file, Settings::default())?;
    let bare = plain::open_copy(&copy)?;
    for query in QUERIES {
        let by_hand = (query.by_hand)(&wanted);
        let (mut ours, mut plainly) = (Vec::new(), Vec::new());
        for run in 0..=runs {
            let (size, time) = timed(|| (query.ask)(&store, &wanted))?;
            let (plain_size, plain_time) = timed(|| plain::ask(&bare, &by_hand))?;
            ensure!(
                size == plain_size,
                "{}: the store answers {size:?}, the hand-written query {plain_size:?}",
                query.what
            );
            // The first one warms up.
            if run > 0 {
                ours.push(time);
                plainly.push(plain_time);
            }
        }
        let line = Line::new(query.what, Figure::Time(median(ours))).beside(Figure::Time(median(plainly)));
        report.add(match query.most_ms {
            Some(most) => line.limit(Limit::Below(Figure::Time(Duration::from_millis(most)))),
            None => line,
        });
    }
    drop((store, bare));

    let memory: Memory = child::ask(
        child::command()?
            .arg("query")
            .arg(&file)
            .arg(wanted.since.to_string())
            .arg(&wanted.trace),
    )?;
    report_memory(report, "queries", memory);
    clear(work, &folder);
    Ok(())
}

/// What memory a process has that opens a store and runs all queries.
pub(crate) fn memory(path: &Path, since: i64, trace: String) -> Result<Memory> {
    let store = Store::open(path, Settings::default())?;
    let wanted = Wanted { since, trace };
    for _ in 0..ROUNDS {
        for query in QUERIES {
            (query.ask)(&store, &wanted)?;
        }
    }
    Ok(Memory::of_this_process())
}

fn last_hour(wanted: &Wanted) -> Window {
    Window {
        since: Some(wanted.since),
        until: None,
    }
}

fn red(store: &Store, window: Window) -> Result<Size> {
    let rows = store.red(GroupBy::Operation, window, None)?;
    Ok(Size {
        rows: rows.len(),
        calls: rows.iter().map(|row| row.calls).sum(),
    })
}

fn dependencies(store: &Store, level: Level, wanted: &Wanted) -> Result<Size> {
    let rows = store.dependencies(level, last_hour(wanted))?;
    Ok(Size {
        rows: rows.len(),
        calls: rows.iter().map(|row| row.calls).sum(),
    })
}

fn count(store: &Store) -> Result<Size> {
    let answer = store.sql("SELECT count(*) FROM spans", &Limits::default())?;
    let Some(batch) = answer.batches.first() else {
        bail!("count(*) answered nothing");
    };
    Ok(Size {
        rows: answer.row_count(),
        calls: batch.column(0).as_primitive::<Int64Type>().value(0),
    })
}
