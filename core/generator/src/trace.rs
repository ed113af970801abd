//! One trace while it is being played: its steps, before they become spans.

use crate::agents::Agent;
use crate::measured::{Measured, Operation};
use crate::random::Random;
use crate::tickets::{Task, Ticket};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    /// Cancelled.
    Unset,
    /// With an exception of this class.
    Error(&'static str),
}

/// A span to be: parents come before their children. Times are ns since the start of the trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) parent: Option<usize>,
    pub(crate) operation: Operation,
    pub(crate) agent: Agent,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) outcome: Outcome,
    pub(crate) ticket: usize,
    pub(crate) task: usize,
}

/// The steps of one trace, and what they work on.
pub(crate) struct Trace<'a> {
    pub(crate) steps: Vec<Step>,
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) tasks: Vec<Task>,
    /// Whether the hooks of components and utilities are traced; Flock can be told to leave them out.
    pub(crate) hooks: bool,
    /// Whether agents fail as in the sample.
    pub(crate) failures: bool,
    /// When the last agent was done, but for those that waited for a batch to time out.
    pub(crate) busy_until: i64,
    pub(crate) random: &'a mut Random,
    pub(crate) measured: &'static Measured,
}

/// Where the next step goes: under which step, and for whom it works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) parent: Option<usize>,
    pub(crate) agent: Agent,
    pub(crate) ticket: usize,
    pub(crate) task: usize,
}

impl Place {
    /// The same place under another step.
    pub(crate) fn under(self, step: usize) -> Self {
        Self {
            parent: Some(step),
            ..self
        }
    }

    /// The same place for another agent.
    pub(crate) fn of(self, agent: Agent) -> Self {
        Self { agent, ..self }
    }
}

impl Trace<'_> {
    /// A step that takes as long as its operation usually does. Answers with its number.
    pub(crate) fn step(&mut self, place: Place, operation: Operation, start: i64) -> usize {
        let duration = self.random.duration(&self.measured.duration(operation));
        self.steps.push(Step {
            parent: place.parent,
            operation,
            agent: place.agent,
            start,
            end: start + duration,
            outcome: Outcome::Ok,
            ticket: place.ticket,
            task: place.task,
        });
        self.steps.len() - 1
    }

    /// A step at the clock, which goes on to the step's end and a pause.
    pub(crate) fn hook(&mut self, place: Place, operation: Operation, clock: &mut i64) -> usize {
        let step = self.step(place, operation, *clock);
        *clock = self.steps[step].end + self.pause();
        step
    }

    /// A step of a component or utility, where those are traced.
    pub(crate) fn optional_hook(&mut self, place: Place, operation: Operation, clock: &mut i64) -> Option<usize> {
        self.hooks.then(|| self.hook(place, operation, clock))
    }

    /// Nanoseconds between two hooks.
    pub(crate) fn pause(&mut self) -> i64 {
        self.random.duration(&self.measured.pause)
    }

    /// Lets a step end at this time.
    pub(crate) fn end(&mut self, step: usize, time: i64, outcome: Outcome) {
        self.steps[step].end = time.max(self.steps[step].start + 1);
        self.steps[step].outcome = outcome;
    }

    /// Where and for whom this step worked, for steps below it.
    pub(crate) fn below(&self, step: usize) -> Place {
        let at = &self.steps[step];
        Place {
            parent: Some(step),
            agent: at.agent,
            ticket: at.ticket,
            task: at.task,
        }
    }
}
