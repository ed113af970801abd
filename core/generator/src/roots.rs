//! What traces begin with: setting up, tickets in the several ways that the program takes them, and its end.

use crate::agents::Agent;
use crate::measured::Operation;
use crate::tickets::Ticket;
use crate::trace::{Outcome, Place, Trace};

/// What the program does next.
pub(crate) struct Desk<'a> {
    /// Nanoseconds since the epoch: when the trace starts.
    pub(crate) start_time: i64,
    /// Number of the next ticket.
    pub(crate) ticket: &'a mut u32,
}

/// What a trace begins with, and how many of the sample's 191 traces do. `UnhandledException` and `Flock.invoke` are
/// among them once each.
const ROOTS: [(Root, u32); 15] = [
    (Root::Single(("int", "make_ticket")), 49),
    (Root::NewAgent, 35),
    (Root::Single(("Flock", "add_component")), 21),
    (Root::Single(("Flock", "traced_run")), 21),
    (Root::Idle, 13),
    (Root::Bulk, 10),
    (Root::Publish, 10),
    (Root::Single(("Agent", "set_max_concurrency")), 7),
    (Root::Shutdown, 7),
    (Root::Workflow(1), 5),
    (Root::Arun, 5),
    (Root::Workflow(2), 4),
    (Root::Workflow(3), 2),
    (Root::Timeout, 1),
    (Root::Crash, 1),
];

#[derive(Clone, Copy)]
enum Root {
    /// One span.
    Single(Operation),
    NewAgent,
    Idle,
    Bulk,
    Publish,
    Shutdown,
    Workflow(u32),
    Arun,
    Timeout,
    Crash,
}

const TOP: Place = Place {
    parent: None,
    agent: Agent::None,
    ticket: 0,
    task: 0,
};

impl Desk<'_> {
    /// Adds a ticket. Answers with its place in the trace.
    fn new_ticket(&mut self, trace: &mut Trace<'_>) -> usize {
        trace
            .tickets
            .push(Ticket::new(trace.random, *self.ticket, self.start_time));
        *self.ticket = self.ticket.wrapping_add(1);
        trace.tickets.len() - 1
    }

    /// One trace as the sample has them.
    pub(crate) fn any(&mut self, trace: &mut Trace<'_>) {
        self.new_ticket(trace);
        let mut drawn = trace.random.below(ROOTS.iter().map(|(_, traces)| traces).sum());
        for (root, traces) in ROOTS {
            if drawn < traces {
                return self.play(trace, root);
            }
            drawn -= traces;
        }
    }

    fn play(&mut self, trace: &mut Trace<'_>, root: Root) {
        match root {
            Root::Single(operation) => {
                trace.step(TOP, operation, 0);
            }
            Root::NewAgent => {
                let agent = trace.random.one_of(&Agent::ALL);
                let new = trace.step(TOP, ("Flock", "agent"), 0);
                let register = trace.step(TOP.under(new).of(agent), ("Flock", "register_agent"), 100_000);
                let end = trace.steps[new].end.max(trace.steps[register].end + 10_000);
                trace.end(new, end, Outcome::Ok);
            }
            Root::Idle => {
                trace.run_until_idle(TOP, 0);
            }
            Root::Bulk => {
                let tickets = 1 + trace.random.below(3);
                self.bulk(trace, tickets);
            }
            Root::Publish => {
                trace.publish(None, 0, 0);
            }
            Root::Shutdown => {
                let shutdown = trace.step(TOP, ("Flock", "shutdown"), 0);
                let mut clock = 100_000;
                trace.components(TOP.under(shutdown), "on_shutdown", &mut clock);
                let end = trace.steps[shutdown].end.max(clock);
                trace.end(shutdown, end, Outcome::Ok);
            }
            Root::Workflow(tickets) => self.workflow(trace, tickets),
            Root::Arun => {
                // Two of the five in the sample worked on two tickets or more.
                let tickets = if trace.random.chance(0.6) { 2 } else { 1 };
                for _ in 1..tickets {
                    self.new_ticket(trace);
                }
                trace.arun(TOP, 0..tickets);
            }
            Root::Timeout => trace.invoke_in_vain(TOP),
            Root::Crash => {
                let crash = trace.step(TOP, ("UnhandledException", ""), 0);
                if trace.failures {
                    trace.steps[crash].outcome = Outcome::Error("SystemError");
                }
            }
        }
    }

    /// Tickets that are published in one call.
    fn bulk(&mut self, trace: &mut Trace<'_>, tickets: u32) {
        let root = trace.step(TOP, ("bulk_workflow", ""), 0);
        let many = trace.step(TOP.under(root), ("Flock", "publish_many"), 100_000);
        let mut clock = 200_000;
        for number in 0..tickets {
            let ticket = if number == 0 { 0 } else { self.new_ticket(trace) };
            clock = trace.publish(Some(many), ticket, clock) + 100_000;
        }
        trace.end(many, clock, Outcome::Ok);
        self.finish(trace, root, clock);
    }

    /// Tickets that are published one after another.
    fn workflow(&mut self, trace: &mut Trace<'_>, tickets: u32) {
        let root = trace.step(TOP, workflow_of(tickets), 0);
        let mut clock = 100_000;
        for number in 0..tickets {
            let ticket = if number == 0 { 0 } else { self.new_ticket(trace) };
            clock = trace.publish(Some(root), ticket, clock) + trace.pause();
        }
        self.finish(trace, root, clock);
    }

    /// A workflow with as many tickets as it takes to reach exactly so many spans.
    pub(crate) fn workflow_of_size(&mut self, trace: &mut Trace<'_>, spans: usize) {
        let root = trace.step(TOP, workflow_of(if spans < 250 { 1 } else { 3 }), 0);
        let mut clock = 100_000;
        // The last span is the wait for the agents.
        while trace.steps.len() + 1 < spans || trace.steps.len() == 1 {
            let ticket = self.new_ticket(trace);
            clock = trace.publish(Some(root), ticket, clock) + trace.pause();
        }
        trace.steps.truncate(spans.saturating_sub(1).max(1));
        self.finish(trace, root, clock);
        trace.steps.truncate(spans);
    }

    fn finish(&mut self, trace: &mut Trace<'_>, root: usize, clock: i64) {
        let idle = trace.run_until_idle(TOP.under(root), clock);
        let end = trace.steps[idle].end + 100_000;
        trace.end(root, end, Outcome::Ok);
    }
}

/// The root of a workflow that handles this number of tickets one by one.
fn workflow_of(tickets: u32) -> Operation {
    match tickets {
        1 => ("ticket_workflow_1", ""),
        2 => ("ticket_workflow_2", ""),
        _ => ("ticket_workflow_3", ""),
    }
}
