//! Loading, against plain DuckDB appending the same Arrow batches.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use flockscope_model::Span;
use flockscope_store::{Settings, Store, record_batch};
use serde::{Deserialize, Serialize};

use crate::child::{self, Memory};
use crate::data;
use crate::plain;
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::timed;
use crate::work_folder::{WorkFolder, clear, size_of};

/// 1 GiB.
const MEMORY: Limit = Limit::Below(Figure::Memory(1 << 30));

/// What a filling took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Filled {
    /// Time in the store, closing included, without making the spans.
    pub(crate) time: Duration,
    pub(crate) memory: Memory,
    /// Start of the last span, in nanoseconds since the epoch.
    pub(crate) latest_start: i64,
}

#[derive(Default)]
struct Times {
    total: Duration,
    worst: Duration,
}

impl Times {
    fn add(&mut self, time: Duration) {
        self.total += time;
        self.worst = self.worst.max(time);
    }
}

/// Loads the full set by turns into a store and into a bare table.
pub(crate) fn measure(spans: u64, work: &WorkFolder, report: &mut Report) -> Result<()> {
    eprintln!("load: {spans} full spans");
    let folder = work.folder("load")?;
    let (store_file, plain_file) = (folder.join("store.duckdb"), folder.join("plain.duckdb"));
    let store = Store::open(&store_file, Settings::default())?;
    let bare = plain::create(&plain_file)?;
    let mut generator = data::full(spans)?;
    let (mut ours, mut plainly, mut converting) = (Times::default(), Times::default(), Times::default());
    let mut loaded = 0;
    let mut ours_first = false;
    while let Some(batch) = generator.next_batch(data::BATCH) {
        let (arrow, time) = timed(|| Ok(record_batch(&batch, 0)))?;
        converting.add(time);
        // By turns, so that what else the machine does meets both.
        if ours_first {
            ours.add(ingest(&store, &batch)?);
            plainly.add(timed(|| plain::append(&bare, arrow))?.1);
        } else {
            plainly.add(timed(|| plain::append(&bare, arrow))?.1);
            ours.add(ingest(&store, &batch)?);
        }
        ours_first = !ours_first;
        loaded += batch.len();
        if loaded.is_multiple_of(10 * data::BATCH) {
            eprintln!("  {loaded} spans");
        }
    }
    let closing = timed(|| {
        drop(store);
        Ok(())
    })?;
    ours.total += closing.1;
    plainly.total += timed(|| plain::close(bare))?.1;

    let rate = |times: &Times| Figure::RowsASecond(loaded as f64 / times.total.as_secs_f64());
    report.add(
        Line::new(format!("load, {loaded} full spans"), rate(&ours))
            .limit(Limit::AtLeastTimes(0.5))
            .beside(rate(&plainly)),
    );
    report.add(Line::new(
        "load: turning spans into Arrow, which plain DuckDB is spared",
        Figure::Time(converting.total),
    ));
    report.add(Line::new("load: slowest batch", Figure::Time(ours.worst)).beside(Figure::Time(plainly.worst)));
    report.add(
        Line::new("load: size of the file", Figure::Bytes(size_of(&store_file)))
            .beside(Figure::Bytes(size_of(&plain_file))),
    );
    clear(work, &folder);

    let folder = work.folder("load-memory")?;
    let alone: Filled = child::ask(
        child::command()?
            .arg("load")
            .arg(folder.join("store.duckdb"))
            .arg(spans.to_string()),
    )?;
    report.add(Line::new(
        "load without plain DuckDB beside it",
        Figure::RowsASecond(loaded as f64 / alone.time.as_secs_f64()),
    ));
    report_memory(report, "load of full spans", alone.memory);
    clear(work, &folder);
    Ok(())
}

fn ingest(store: &Store, batch: &[Span]) -> Result<Duration> {
    let (ingested, time) = timed(|| Ok(store.ingest(batch)?))?;
    ensure!(
        ingested.replaced == 0,
        "the generator made {} ids twice",
        ingested.replaced
    );
    Ok(time)
}

/// Fills a store, with full spans or with lean ones and the trace to look up in the middle of them.
pub(crate) fn fill(path: &Path, spans: u64, hours: Option<u64>) -> Result<Filled> {
    let store = Store::open(path, Settings::default())?;
    let (mut generator, mut looked_up) = match hours {
        Some(hours) => (data::lean(spans, hours)?, Some(data::looked_up(hours)?)),
        None => (data::full(spans)?, None),
    };
    let (mut time, mut latest_start, mut loaded) = (Duration::ZERO, i64::MIN, 0);
    while let Some(batch) = generator.next_batch(data::BATCH) {
        let at = batch[0].start_time;
        if let Some(trace) = looked_up.take_if(|trace| trace[0].start_time <= at) {
            time += ingest(&store, &trace)?;
        }
        time += ingest(&store, &batch)?;
        latest_start = batch.iter().map(|span| span.start_time).fold(latest_start, i64::max);
        loaded += batch.len() as u64;
        if loaded % 1_000_000 < data::BATCH as u64 {
            eprintln!("  {loaded} spans");
        }
    }
    if let Some(trace) = looked_up {
        time += ingest(&store, &trace)?;
    }
    let memory = Memory::of_this_process();
    let ((), closing) = timed(|| {
        drop(store);
        Ok(())
    })?;
    Ok(Filled {
        time: time + closing,
        memory: Memory {
            peak: Memory::of_this_process().peak,
            ..memory
        },
        latest_start,
    })
}

/// Two lines on the memory of a process, if the system says what it was.
pub(crate) fn report_memory(report: &mut Report, what: &str, memory: Memory) {
    for (when, bytes) in [("at the end", memory.now), ("at most", memory.peak)] {
        match bytes {
            Some(bytes) => {
                report.add(Line::new(format!("{what}: resident memory {when}"), Figure::Memory(bytes)).limit(MEMORY));
            }
            None => eprintln!("  {what}: this system does not say what memory a process has {when}"),
        }
    }
}
