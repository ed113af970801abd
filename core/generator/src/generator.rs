//! The generator: plays one trace after another and hands out their spans.

use std::time::Duration;

use flockscope_model::Span;

use crate::measured::{Measured, measured};
use crate::random::Random;
use crate::render::Renderer;
use crate::roots::Desk;
use crate::settings::{Settings, SettingsError, Shape};
use crate::tickets::Task;
use crate::trace::Trace;

/// Makes spans, trace after trace in the order of their starts; within a trace parents come before their children.
///
/// Holds one trace at a time, so that memory does not grow with the number of spans.
pub struct Generator {
    settings: Settings,
    random: Random,
    measured: &'static Measured,
    /// Spans handed out or waiting in `renderer`.
    planned: u64,
    /// Number of the next ticket.
    ticket: u32,
    renderer: Renderer,
}

impl Generator {
    /// Checks the settings; nothing is made yet.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self {
            random: Random::new(settings.seed),
            measured: measured(),
            planned: 0,
            ticket: 0,
            renderer: Renderer::empty(),
            settings,
        })
    }

    /// The next spans, at most so many; fewer only at the end. `None` when all were made, or for a batch of none.
    ///
    /// Which spans come does not depend on the size of the batches.
    pub fn next_batch(&mut self, most: usize) -> Option<Vec<Span>> {
        let mut spans = Vec::new();
        while spans.len() < most {
            match self.renderer.next(&self.settings, self.measured, &mut self.random) {
                Some(span) => spans.push(span),
                None if self.planned < self.settings.spans => self.next_trace(),
                None => break,
            }
        }
        (!spans.is_empty()).then_some(spans)
    }

    /// Plays the next trace.
    fn next_trace(&mut self) {
        let progress = self.planned as f64 / self.settings.spans as f64;
        let start_time = self.settings.start_time + share_of(self.settings.span_of_time, progress);
        let mut trace = Trace {
            steps: Vec::new(),
            tickets: Vec::new(),
            tasks: vec![Task::new(&mut self.random)],
            hooks: self.random.chance(HOOKS),
            busy_until: 0,
            failures: self.settings.error_rate.is_none(),
            random: &mut self.random,
            measured: self.measured,
        };
        let mut desk = Desk {
            start_time,
            ticket: &mut self.ticket,
        };
        let left = usize::try_from(self.settings.spans - self.planned).unwrap_or(usize::MAX);
        match self.settings.spans_per_trace {
            Some(spans) => desk.workflow_of_size(&mut trace, spans.min(left)),
            None => desk.any(&mut trace),
        }
        trace.steps.truncate(left);
        self.planned += trace.steps.len() as u64;
        let Trace {
            steps, tickets, tasks, ..
        } = trace;
        self.renderer = Renderer::new(&mut self.random, steps, tickets, tasks, start_time, progress);
    }
}

/// One trace of exactly so many spans, full shape, starting on 2026-11-23: a workflow that works on one ticket after
/// another. None for 0.
pub fn large_trace(spans: usize, seed: u64) -> Vec<Span> {
    let settings = Settings {
        spans: spans as u64,
        seed,
        shape: Shape::Full,
        spans_per_trace: Some(spans.max(1)),
        ..Settings::default()
    };
    let mut generator = Generator::new(settings).expect("only sizes were set, and not to 0");
    generator.next_batch(spans).unwrap_or_default()
}

/// Share of the traces in which the hooks of components and utilities are traced.
const HOOKS: f64 = 0.77;

/// Nanoseconds: this share of the time.
fn share_of(time: Duration, share: f64) -> i64 {
    (time.as_nanos() as f64 * share) as i64
}
