use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{Write, stdout};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use clap::Args;
use flockscope_client::{ClientError, Following, Located, Progress, Retention, locate_flock_file};
use flockscope_model::{Promoted, ReadReport, Span};
use flockscope_render::{Style, text};
use flockscope_store::{Settings, Store, StoreError};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::context::{Context, redactor};
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};
use crate::progress::Bar;

/// Pauses between two looks at the file: while something happens, soon after, and when nothing has for a while.
const PAUSES: [(Duration, Duration); 2] = [
    (Duration::from_secs(10), Duration::from_millis(50)),
    (Duration::from_secs(120), Duration::from_millis(100)),
];
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// How often what is too old is removed.
const CARE_INTERVAL: Duration = Duration::from_secs(3600);
/// Spans that are remembered as shown, so that none is shown twice when the file is read again.
const MOST_REMEMBERED: usize = 4_000_000;

/// Show new spans as a running Flock program writes them, and keep the store up to date
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope watch
  flockscope watch --format json | jq 'select(.status_code == \"ERROR\")'

The program is never held up: its file is copied, not opened. It need not have been started yet. Ctrl-C ends it.")]
pub(crate) struct Watch {
    /// Show also the spans that the file holds already
    #[arg(long)]
    from_start: bool,
    #[command(flatten)]
    output: FactsOutput,
}

impl Watch {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let stop = stop_signal()?;
        let located = locate_flock_file(&Context::working_directory()?, context.given())?;
        let Located::Flock {
            file,
            store: path,
            keeps_history,
        } = &located
        else {
            return Err(Failure::Failed(format!(
                "{}: not a Flock file",
                located.path().display()
            )));
        };
        let retention = match keeps_history {
            true => Retention::of_project(located.project_folder())?,
            false => Retention::default(),
        };
        let store = open_store(context, path)?;
        let mut following = match &store {
            Some(store) if !self.from_start => Following::resume(store, file)?,
            _ => Following::from_the_start(file)?,
        }
        .redacting(redactor(&located)?);
        if !self.from_start {
            let so_far = pass_over(context, &mut following, store.as_ref())?;
            context.note(&format!("note: {so_far}"));
        }
        let waiting = if file.exists() { "" } else { ", which is not there yet" };
        context.note(&format!("note: watching {}{waiting}", file.display()));
        let view = View {
            format: Output::from(self.output).format,
            style: context.style(),
        };
        let mut shown = Shown::default();
        let mut trouble = None;
        let mut last_news = Instant::now();
        let mut last_care = None;
        loop {
            if let Some(store) = &store
                && last_care.is_none_or(|last: Instant| last.elapsed() > CARE_INTERVAL)
            {
                context.tell_of_removed(&retention.keep_to(store)?);
                last_care = Some(Instant::now());
            }
            let stopping = match stop.try_recv() {
                Err(mpsc::TryRecvError::Empty) => false,
                Ok(()) | Err(mpsc::TryRecvError::Disconnected) => true,
            };
            match look(&mut following, store.as_ref(), context) {
                Ok(spans) => {
                    trouble = None;
                    if !spans.is_empty() {
                        last_news = Instant::now();
                        view.show(&shown.only_new(&spans))?;
                    }
                }
                Err(error) if stopping => return Err(error.into()),
                // The next look may go well; it begins where the last good one ended.
                Err(error) => {
                    let message = error.to_string();
                    if trouble.as_ref() != Some(&message) {
                        context.note(&format!("note: {message}; trying on"));
                    }
                    trouble = Some(message);
                }
            }
            if following.has_more() {
                continue;
            }
            if stopping {
                return Ok(());
            }
            // The signal ends the pause, and one more look is taken after it.
            if let Ok(()) | Err(RecvTimeoutError::Disconnected) = stop.recv_timeout(pause(last_news.elapsed())) {
                view.show(&shown.only_new(&last_look(&mut following, store.as_ref(), context)?))?;
                return Ok(());
            }
        }
    }
}

fn pause(quiet_for: Duration) -> Duration {
    PAUSES
        .iter()
        .find(|(within, _)| quiet_for < *within)
        .map_or(LONGEST_PAUSE, |(_, pause)| *pause)
}

/// Ctrl-C and SIGTERM, as a message.
fn stop_signal() -> Result<Receiver<()>, Failure> {
    let (sender, receiver) = mpsc::channel();
    ctrlc::set_handler(move || {
        // Nobody listens any more: the program is ending.
        let _ = sender.send(());
    })
    .map_err(|error| Failure::Failed(format!("the interrupt can't be caught: {error}")))?;
    Ok(receiver)
}

/// The store, or none where another process keeps it up to date.
fn open_store(context: &Context, path: &Path) -> Result<Option<Store>, Failure> {
    match Store::open(path, Settings::default()) {
        Err(StoreError::InUse { holder, .. }) => {
            let holder = holder.map_or_else(String::new, |holder| format!(", {holder},"));
            context.note(&format!(
                "note: another process{holder} keeps the store up to date; spans are only shown here"
            ));
            Ok(None)
        }
        store => Ok(Some(store?)),
    }
}

/// Goes to the end of what is written, without showing it. Says in words what that was.
fn pass_over(context: &Context, following: &mut Following, store: Option<&Store>) -> Result<String, Failure> {
    let mut bar = Bar::new("reading traces", context.quiet());
    let (report, spans) = match store {
        Some(store) => {
            let loaded = following.catch_up(store, &mut |progress: Progress| bar.show(progress))?;
            (loaded.report, loaded.ingested.stored)
        }
        None => {
            let mut report = ReadReport::default();
            let mut spans = 0;
            loop {
                spans += following.poll(&mut report)?.len() as u64;
                if !following.has_more() {
                    break (report, spans);
                }
            }
        }
    };
    drop(bar);
    context.tell_of_skipped(&report);
    Ok(format!(
        "{} earlier spans are not shown (--from-start shows them)",
        indicatif::HumanCount(spans)
    ))
}

/// The next spans of the file. They are stored when this returns.
fn look(following: &mut Following, store: Option<&Store>, context: &Context) -> Result<Vec<Span>, ClientError> {
    let mut report = ReadReport::default();
    let spans = following.poll(&mut report)?;
    if let Some(store) = store
        && report.read > 0
    {
        store.ingest(&spans)?;
        following.keep_position(store)?;
    }
    context.tell_of_skipped(&report);
    Ok(spans)
}

/// All that is still unread.
fn last_look(following: &mut Following, store: Option<&Store>, context: &Context) -> Result<Vec<Span>, ClientError> {
    let mut all = look(following, store, context)?;
    while following.has_more() {
        all.extend(look(following, store, context)?);
    }
    Ok(all)
}

/// Which spans were shown, as hashes of their ids.
#[derive(Default)]
struct Shown {
    hasher: RandomState,
    spans: HashSet<u64>,
}

impl Shown {
    fn only_new<'a>(&mut self, spans: &'a [Span]) -> Vec<&'a Span> {
        if self.spans.len() > MOST_REMEMBERED {
            self.spans.clear();
        }
        let mut is_new = |span: &&Span| self.spans.insert(self.hasher.hash_one((&span.trace_id, &span.span_id)));
        spans.iter().filter(|span| is_new(span)).collect()
    }
}

struct View {
    format: Format,
    style: Style,
}

impl View {
    fn show(&self, spans: &[&Span]) -> Result<(), Failure> {
        let mut stdout = stdout().lock();
        for span in spans {
            let line = match self.format {
                Format::Json => json(span).map_err(|error| Failure::Failed(error.to_string()))? + "\n",
                _ => text::finished(span, Promoted::of(span).agent.as_deref(), &self.style),
            };
            stdout.write_all(line.as_bytes()).map_err(Failure::writing)?;
        }
        stdout.flush().map_err(Failure::writing)
    }
}

/// A span as `watch --format json` writes it: the contract.
#[derive(Serialize)]
struct LiveSpan<'a> {
    trace_id: &'a str,
    span_id: &'a str,
    parent_id: Option<&'a str>,
    name: &'a str,
    service: &'a str,
    operation: &'a str,
    agent: Option<&'a str>,
    kind: &'a str,
    start_time: i64,
    end_time: i64,
    duration_ms: f64,
    status_code: &'a str,
    status_description: Option<&'a str>,
    attributes: Box<RawValue>,
    events: Box<RawValue>,
    links: Box<RawValue>,
    resource: Box<RawValue>,
    repair: Option<&'a str>,
}

fn json(span: &Span) -> serde_json::Result<String> {
    serde_json::to_string(&LiveSpan {
        trace_id: &span.trace_id,
        span_id: &span.span_id,
        parent_id: span.parent_id.as_deref(),
        name: &span.name,
        service: &span.service,
        operation: &span.operation,
        agent: Promoted::of(span).agent.as_deref(),
        kind: &span.kind,
        start_time: span.start_time,
        end_time: span.end_time,
        duration_ms: span.duration_ms(),
        status_code: span.status_code.as_str(),
        status_description: span.status_description.as_deref(),
        attributes: on_one_line(&span.attributes)?,
        events: on_one_line(&span.events)?,
        links: on_one_line(&span.links)?,
        resource: on_one_line(&span.resource)?,
        repair: span.repair.as_deref(),
    })
}

/// JSON text as it is, unless its layout would break the line. Within strings, JSON has no line breaks.
fn on_one_line(json: &str) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(json.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flockscope_model::NewSpan;

    fn span(id: &str, attributes: &str) -> Span {
        let found = NewSpan {
            trace_id: "1".into(),
            span_id: id.into(),
            name: "Agent.execute".into(),
            start_time: 1,
            end_time: 3,
            attributes: attributes.into(),
            ..NewSpan::default()
        };
        Span::new(found, |_| {}).expect("a sound span")
    }

    #[test]
    fn a_span_is_one_line_however_its_json_is_laid_out() {
        let line = json(&span("a", "{\r\n  \"text\": \"one\\ntwo\"\n}")).expect("JSON");
        assert!(!line.contains(['\n', '\r']), "{line}");
        let back: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(back["attributes"]["text"], "one\ntwo");
        assert_eq!(back["duration_ms"], 2e-6);
    }

    #[test]
    fn a_span_that_is_read_again_is_not_shown_again() {
        let mut shown = Shown::default();
        let (one, two) = (span("a", ""), span("b", ""));
        assert_eq!(shown.only_new(std::slice::from_ref(&one)).len(), 1);
        let again = [one, two];
        let new = shown.only_new(&again);
        assert_eq!(new.iter().map(|span| span.span_id.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn the_pause_is_short_while_something_happens() {
        assert_eq!(pause(Duration::ZERO), Duration::from_millis(50));
        assert_eq!(pause(Duration::from_secs(11)), Duration::from_millis(100));
        assert_eq!(pause(Duration::from_secs(3600)), LONGEST_PAUSE);
    }
}
