//! Following a live Flock file, as `flockscope watch` does it: how long after it was committed a span can be asked for.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cpu_time::ProcessTime;
use flockscope_model::ReadReport;
use flockscope_sources::FlockFollower;
use flockscope_store::{Limits, Settings, Store};

use crate::child;
use crate::flock_writer::{Filled, Written, now_in_nanoseconds};
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::{percentile, timed};
use crate::work_folder::{WorkFolder, clear};

/// The pause of `flockscope watch` between two looks, while the last span is no more than ten seconds old: the shortest
/// it takes, and so the dearest.
const PAUSE: Duration = Duration::from_millis(50);
const QUIET: Duration = Duration::from_secs(10);
/// Spans that are written while the file is followed, and the writer's pause between two.
const SPANS: u64 = 100;
const WRITERS_PAUSE: Duration = Duration::from_millis(150);
/// So long after the writer has ended the last span must have come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A store that is kept up to date with a file.
struct Watch {
    follower: FlockFollower,
    store: Store,
    /// When each span could be asked for, by span id, in nanoseconds since the epoch.
    seen: HashMap<String, i64>,
}

impl Watch {
    /// Stores the new spans. Returns how many there were.
    fn look(&mut self) -> Result<usize> {
        let mut report = ReadReport::default();
        let spans = self.follower.poll(&mut report)?;
        ensure!(
            report.skipped_total() == 0,
            "{} spans could not be read",
            report.skipped_total()
        );
        self.store.ingest(&spans)?;
        Ok(spans.len())
    }

    fn catch_up(&mut self) -> Result<usize> {
        let mut found = self.look()?;
        while self.follower.has_more() {
            found += self.look()?;
        }
        Ok(found)
    }

    /// Stores the new spans, asks the store for them, and notes the time.
    fn look_and_note(&mut self) -> Result<()> {
        let spans = self.follower.poll(&mut ReadReport::default())?;
        if spans.is_empty() {
            return Ok(());
        }
        self.store.ingest(&spans)?;
        let ids: Vec<String> = spans.iter().map(|span| format!("'{}'", span.span_id)).collect();
        let earliest = spans.iter().map(|span| span.start_time).min().unwrap_or_default();
        let sql = format!(
            "SELECT span_id FROM spans WHERE start_time >= {earliest} AND span_id IN ({})",
            ids.join(", ")
        );
        let visible = self.store.sql(&sql, &Limits::default())?.row_count();
        ensure!(
            visible == spans.len(),
            "{visible} of {} new spans can be asked for",
            spans.len()
        );
        let now = now_in_nanoseconds()?;
        for span in spans {
            ensure!(
                self.seen.insert(span.span_id.clone(), now).is_none(),
                "span {} came twice",
                span.span_id
            );
        }
        Ok(())
    }
}

/// Follows a file of so many bytes while nothing happens, and while a program writes to it.
pub(crate) fn measure(bytes: u64, work: &WorkFolder, report: &mut Report) -> Result<()> {
    eprintln!("follow: a Flock file of {} MB", bytes >> 20);
    let folder = work.folder("follow")?;
    let (live, mirrors) = (folder.join("live"), folder.join("mirrors"));
    for folder in [&live, &mirrors] {
        std::fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let file = live.join("traces.duckdb");
    let filled: Filled = child::ask(child::command()?.arg("fill-flock").arg(&file).arg(bytes.to_string()))?;
    let mut watch = Watch {
        follower: FlockFollower::new(file.clone(), mirrors)?,
        store: Store::open(&folder.join("store.duckdb"), Settings::default())?,
        seen: HashMap::new(),
    };
    let (found, time) = timed(|| watch.catch_up())?;
    ensure!(
        found as u64 == filled.spans,
        "{found} of {} spans were found",
        filled.spans
    );
    report.add(Line::new(
        format!("follow: first reading of {found} spans in {} MB", filled.bytes >> 20),
        Figure::Time(time),
    ));

    let idle = share_of_a_core(|| {
        let start = Instant::now();
        while start.elapsed() < QUIET {
            ensure!(watch.look()? == 0, "spans came while nothing was written");
            thread::sleep(PAUSE);
        }
        Ok(())
    })?;
    let most = Limit::Below(Figure::Share(0.05));
    report.add(Line::new("follow: share of a core while nothing changes", Figure::Share(idle)).limit(most));

    let mut written = Vec::new();
    let growing = share_of_a_core(|| {
        written = follow_writer(&mut watch, &file)?;
        Ok(())
    })?;
    ensure!(
        written.len() as u64 == SPANS,
        "the writer wrote {} of {SPANS} spans",
        written.len()
    );
    let lost = written
        .iter()
        .filter(|span| !watch.seen.contains_key(&span.span_id))
        .count();
    let latencies: Vec<Duration> = written
        .iter()
        .filter_map(|span| {
            Some(Duration::from_nanos(
                (watch.seen.get(&span.span_id)? - span.at).max(0).cast_unsigned(),
            ))
        })
        .collect();
    let limit = Limit::Below(Figure::Time(Duration::from_millis(500)));
    for (name, share) in [
        ("half of the spans", 0.5),
        ("95 % of the spans", 0.95),
        ("all spans", 1.0),
    ] {
        let latency = percentile(latencies.clone(), share);
        report.add(Line::new(format!("follow: {name} seen within"), Figure::Time(latency)).limit(limit));
    }
    report.add(Line::new("follow: spans lost", Figure::Count(lost as u64)).limit(Limit::Below(Figure::Count(1))));
    report.add(Line::new(
        "follow: time the writer itself takes for a span, median",
        Figure::Time(percentile(written.iter().map(|span| span.took).collect(), 0.5)),
    ));
    report.add(Line::new(
        "follow: share of a core while it grows",
        Figure::Share(growing),
    ));
    drop(watch);
    clear(work, &folder);
    Ok(())
}

/// Starts a program that writes, and follows until all that it wrote was seen or its time is over.
fn follow_writer(watch: &mut Watch, file: &Path) -> Result<Vec<Written>> {
    let mut writer = child::command()?
        .arg("write-flock")
        .arg(file)
        .arg(SPANS.to_string())
        .arg(WRITERS_PAUSE.as_millis().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start this program again")?;
    let lines = BufReader::new(writer.stdout.take().context("the writer has no output")?).lines();
    let (sender, said) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // Nobody listens any more only after an error, which is reported there.
            let _ = sender.send(line);
        }
    });
    let outcome = follow_until_seen(watch, &said);
    if outcome.is_err() {
        // It may have ended by itself already.
        let _ = writer.kill();
    }
    let status = writer.wait().context("the writer")?;
    // The reader ends with the writer's output, and has nothing to panic about.
    let _ = reader.join();
    let written = outcome?;
    ensure!(status.success(), "the writer ended with {status}");
    Ok(written)
}

fn follow_until_seen(watch: &mut Watch, said: &Receiver<String>) -> Result<Vec<Written>> {
    let mut written: Vec<Written> = Vec::new();
    let mut ended: Option<Instant> = None;
    loop {
        watch.look_and_note()?;
        loop {
            match said.try_recv() {
                Ok(line) => written.push(serde_json::from_str(&line).context("the writer's words")?),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    ended.get_or_insert_with(Instant::now);
                    break;
                }
            }
        }
        if let Some(ended) = ended
            && (written.iter().all(|span| watch.seen.contains_key(&span.span_id)) || ended.elapsed() > PATIENCE)
        {
            return Ok(written);
        }
        if !watch.follower.has_more() {
            thread::sleep(PAUSE);
        }
    }
}

/// Processor time of this process by time passed: 1 is one core.
fn share_of_a_core(act: impl FnOnce() -> Result<()>) -> Result<f64> {
    let (used, start) = (ProcessTime::try_now().context("processor time")?, Instant::now());
    act()?;
    let used = used.try_elapsed().context("processor time")?;
    Ok(used.as_secs_f64() / start.elapsed().as_secs_f64())
}
