//! A large trace as an HTML page.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flockscope_generator::large_trace;
use flockscope_render::{TimelineOptions, html};
use flockscope_store::{Limits, Settings, Store};

use crate::data;
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::{median, timed};
use crate::work_folder::{WorkFolder, clear};

const RUNS: u32 = 5;

/// Makes the page several times, from the store to the finished text.
pub(crate) fn measure(spans: usize, work: &WorkFolder, report: &mut Report) -> Result<()> {
    eprintln!("html: a trace of {spans} spans");
    let folder = work.folder("page")?;
    let store = Store::open(&folder.join("store.duckdb"), Settings::default())?;
    let trace = large_trace(spans, 1);
    let trace_id = trace
        .first()
        .context("a page needs a trace of at least one span")?
        .trace_id
        .clone();
    for batch in trace.chunks(data::BATCH) {
        store.ingest(batch)?;
    }
    drop(trace);
    let (mut querying, mut in_batches, mut drawing, mut both) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let no_limits = Limits {
        rows: usize::MAX,
        bytes: usize::MAX,
        ..Limits::default()
    };
    let mut size = 0;
    for _ in 0..RUNS {
        let (rows, query) = timed(|| Ok(store.timeline(&trace_id)?))?;
        ensure!(rows.len() == spans, "the timeline has {} of {spans} spans", rows.len());
        let (page, draw) = timed(|| {
            Ok(html::page(
                &trace_id,
                &html::timeline(&rows, &TimelineOptions::default()),
            ))
        })?;
        size = page.len() as u64;
        let sql = format!("FROM timeline('{trace_id}')");
        in_batches.push(timed(|| Ok(store.sql(&sql, &no_limits)?))?.1);
        querying.push(query);
        drawing.push(draw);
        both.push(query + draw);
    }
    let second = Limit::Below(Figure::Time(Duration::from_secs(1)));
    report.add(Line::new(format!("page of a trace of {spans} spans"), Figure::Time(median(both))).limit(second));
    report.add(Line::new(
        "page: asking the store for the timeline",
        Figure::Time(median(querying)),
    ));
    report.add(Line::new(
        "page: the same as SQL, left in DuckDB's batches",
        Figure::Time(median(in_batches)),
    ));
    report.add(Line::new("page: drawing", Figure::Time(median(drawing))));
    report.add(Line::new("page: size", Figure::Bytes(size)).limit(Limit::Below(Figure::Bytes(10_000_000))));
    drop(store);
    clear(work, &folder);
    Ok(())
}
