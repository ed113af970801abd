//! Watching without another process: the file is read and stored here.

use std::path::Path;
use std::time::{Duration, Instant};

use flockscope_client::{ClientError, Following, Options, Progress};
use flockscope_model::{ReadReport, Span};
use flockscope_store::{Settings, Store, StoreError};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::timeout;

use super::view::{Shown, View};
use crate::context::Context;
use crate::failure::Failure;
use crate::progress::Bar;

/// Pauses between two looks at the file: while something happens, soon after, and when nothing has for a while.
const PAUSES: [(Duration, Duration); 2] = [
    (Duration::from_secs(10), Duration::from_millis(50)),
    (Duration::from_secs(120), Duration::from_millis(100)),
];
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// How often what is too old is removed.
const CARE_INTERVAL: Duration = Duration::from_secs(3600);

/// What is watched.
pub(super) struct Watched<'a> {
    /// Flock's file.
    pub(super) file: &'a Path,
    /// The store that follows it.
    pub(super) store: &'a Path,
    /// What the store keeps, and what is made unreadable.
    pub(super) options: Options,
    /// Whether also the spans are shown that the file holds already.
    pub(super) from_start: bool,
}

/// Watches until it is told to stop.
pub(super) fn watch(
    watched: &Watched<'_>,
    view: &View,
    mut stop: UnboundedReceiver<()>,
    context: &Context,
) -> Result<(), Failure> {
    let runtime = crate::traces::runtime()?;
    let file = watched.file;
    let store = open_store(context, watched.store)?;
    let mut following = match &store {
        Some(store) if !watched.from_start => Following::resume(store, file)?,
        _ => Following::from_the_start(file)?,
    }
    .redacting(watched.options.redactor.clone());
    if !watched.from_start {
        let so_far = pass_over(context, &mut following, store.as_ref())?;
        context.note(&format!("note: {so_far}"));
    }
    let waiting = if file.exists() { "" } else { ", which is not there yet" };
    context.note(&format!("note: watching {}{waiting}", file.display()));
    let mut shown = Shown::default();
    let mut trouble = None;
    let mut last_news = Instant::now();
    let mut last_care = None;
    loop {
        if let Some(store) = &store
            && last_care.is_none_or(|last: Instant| last.elapsed() > CARE_INTERVAL)
        {
            context.tell_of_removed(&watched.options.retention.keep_to(store)?);
            last_care = Some(Instant::now());
        }
        let stopping = match stop.try_recv() {
            Err(TryRecvError::Empty) => false,
            Ok(()) | Err(TryRecvError::Disconnected) => true,
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
        let told = runtime.block_on(async { timeout(pause(last_news.elapsed()), stop.recv()).await });
        if told.is_ok() {
            view.show(&shown.only_new(&last_look(&mut following, store.as_ref(), context)?))?;
            return Ok(());
        }
    }
}

fn pause(quiet_for: Duration) -> Duration {
    PAUSES
        .iter()
        .find(|(within, _)| quiet_for < *within)
        .map_or(LONGEST_PAUSE, |(_, pause)| *pause)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_short_while_something_happens() {
        assert_eq!(pause(Duration::ZERO), Duration::from_millis(50));
        assert_eq!(pause(Duration::from_secs(11)), Duration::from_millis(100));
        assert_eq!(pause(Duration::from_secs(3600)), LONGEST_PAUSE);
    }
}
