//! Progress bars on stderr, for work that takes more than a second.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use flockscope_client::Progress;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar that appears when the work takes longer, and goes away when it is dropped.
pub(crate) struct Bar {
    what: &'static str,
    bar: Option<ProgressBar>,
    wanted: bool,
    started: Instant,
}

impl Bar {
    /// A bar for work named in words such as `reading traces`. Without a terminal nothing is ever shown.
    pub(crate) fn new(what: &'static str, quiet: bool) -> Self {
        Self {
            what,
            bar: None,
            wanted: !quiet && stderr().is_terminal(),
            started: Instant::now(),
        }
    }

    /// Shows how far a reading of spans is.
    pub(crate) fn show(&mut self, progress: Progress) {
        let per_second = progress.spans as f64 / self.started.elapsed().as_secs_f64();
        let Some(bar) = self.visible() else { return };
        bar.set_message(format!(
            "{} spans, {} a second",
            HumanCount(progress.spans),
            HumanCount(per_second as u64)
        ));
        match progress.done_of {
            Some((done, of)) => {
                bar.set_style(style("{prefix} {wide_bar} {percent} % · {msg}"));
                bar.set_length(of);
                bar.set_position(done);
            }
            None => {
                bar.set_style(style("{prefix} {spinner} {msg}"));
                bar.tick();
            }
        }
    }

    /// Shows how far a work of several steps is.
    pub(crate) fn show_step(&mut self, progress: flockscope_store::Progress) {
        let Some(bar) = self.visible() else { return };
        bar.set_style(style("{prefix} {wide_bar} {percent} % · {msg}"));
        bar.set_message(progress.what);
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    }

    fn visible(&mut self) -> Option<&ProgressBar> {
        if !self.wanted || self.started.elapsed() < PATIENCE {
            return None;
        }
        Some(self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_prefix(self.what);
            bar
        }))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Turns while something takes longer whose progress nobody knows, and goes away when it is dropped.
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    /// For work named in words. Without a terminal nothing is ever shown.
    pub(crate) fn new(what: &'static str, quiet: bool) -> Self {
        let is_wanted = !quiet && stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            None,
            if is_wanted {
                ProgressDrawTarget::stderr()
            } else {
                ProgressDrawTarget::hidden()
            },
        );
        bar.set_style(style("{spinner} {msg} ({elapsed})"));
        bar.set_message(what);
        if is_wanted {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
