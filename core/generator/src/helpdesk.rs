//! The help desk that the sample was recorded from: five agents on one blackboard.
//!
//! A ticket is published; *intake* classifies it; *researcher* and *risk* work on the result side by side; *responder*
//! joins what they found; *archivist* digests the replies. An agent that is triggered becomes a child of the span that
//! triggered it, and outlives it. Chances and counts in this file are those of the sample (`data/figures.json`).

use crate::agents::Agent;
use crate::tickets::Task;
use crate::trace::{Outcome, Place, Trace};

/// The orchestrator's components, in the order in which their hooks run.
const COMPONENTS: [&str; 3] = [
    "CircuitBreakerComponent",
    "DeduplicationComponent",
    "BuiltinCollectionComponent",
];

const MILLISECOND: i64 = 1_000_000;

const BACKEND: &str = "BackendUnavailable";
const DIVISION: &str = "ZeroDivisionError";

/// A run of an agent: its step, and its work to hand over.
struct Run {
    step: usize,
    /// Under which step and when the next agent starts.
    hand_over: Option<usize>,
    succeeded: bool,
}

impl Trace<'_> {
    /// A ticket is published under `parent`, and all that comes of it. Answers when the publishing ended.
    pub(crate) fn publish(&mut self, parent: Option<usize>, ticket: usize, start: i64) -> i64 {
        let place = Place {
            parent,
            agent: Agent::None,
            ticket,
            task: 0,
        };
        let publish = self.step(place, ("Flock", "publish"), start);
        let mut clock = start + self.pause() / 2;
        if self.random.chance(6.0 / 50.0) {
            self.components(place.under(publish), "on_initialize", &mut clock);
        }
        self.announce(place.under(publish), &[(Agent::Intake, true)], &mut clock);
        let end = if self.hooks {
            clock
        } else {
            self.steps[publish].end.min(start + 30 * MILLISECOND)
        };
        self.end(publish, end, Outcome::Ok);
        let triggered = end + self.pause();
        self.handle(place.under(publish), triggered);
        end
    }

    /// All agents work on one ticket, from intake on.
    pub(crate) fn handle(&mut self, place: Place, start: i64) {
        let is_researched = self.random.chance(49.0 / 51.0);
        let next: &[(Agent, bool)] = if is_researched {
            &[(Agent::Researcher, true), (Agent::Risk, true)]
        } else {
            &[(Agent::Risk, true)]
        };
        let intake = self.run(place.of(Agent::Intake), next, start);
        if !intake.succeeded {
            return;
        }
        let after_intake = self.steps[intake.step].end + self.pause();
        let below = place.under(intake.step);
        // Whether the risk report completes the join is known only after both ran; research nearly always takes longer.
        let is_joined = self.random.chance(41.0 / 47.0);
        let research = is_researched.then(|| {
            self.run(
                below.of(Agent::Researcher),
                &[(Agent::Responder, is_joined)],
                after_intake,
            )
        });
        let start = after_intake + 4 * self.pause();
        let risk = self.run(below.of(Agent::Risk), &[(Agent::Responder, false)], start);
        let Some(research) = research else { return };
        if !(research.succeeded && risk.succeeded && is_joined) {
            return;
        }
        let last = if self.steps[research.step].end >= self.steps[risk.step].end || self.random.chance(0.8) {
            research.step
        } else {
            risk.step
        };
        let start = self.steps[research.step].end.max(self.steps[risk.step].end) + self.pause();
        let below = place.under(last);
        let response = self.run(below.of(Agent::Responder), &[(Agent::Archivist, false)], start);
        // Replies are digested in batches: of three replies one run comes under the last of them, or after a timeout.
        if response.succeeded && self.random.chance(30.0 / 41.0) {
            let by_timeout = self.random.chance(23.0 / 30.0);
            let trigger = response.hand_over.filter(|_| by_timeout).unwrap_or(response.step);
            let waits = if by_timeout { self.pause() * 50 } else { self.pause() };
            let start = self.steps[response.step].end + waits;
            self.run(place.under(trigger).of(Agent::Archivist), &[], start);
        }
    }

    /// One run of an agent, which then announces its result to `next`: who is to work on it, and whether at once.
    fn run(&mut self, place: Place, next: &[(Agent, bool)], start: i64) -> Run {
        let agent = place.agent;
        let task = Task::new(self.random);
        self.tasks.push(task);
        let place = Place {
            task: self.tasks.len() - 1,
            ..place
        };
        let step = self.step(place, ("Agent", "execute"), start);
        let below = place.under(step);
        let mut clock = start + MILLISECOND / 2;
        self.utilities(below, "on_initialize", &mut clock);
        self.engines(below, "on_initialize", &mut clock);
        self.utilities(below, "on_pre_consume", &mut clock);
        self.utilities(below, "on_pre_evaluate", &mut clock);
        let failure = self.evaluations(below, &mut clock);
        let mut hand_over = None;
        if failure.is_some() {
            self.engines(below, "on_error", &mut clock);
            self.utilities(below, "on_error", &mut clock);
        } else {
            self.utilities(below, "on_post_evaluate", &mut clock);
            hand_over = self.announce(below, next, &mut clock);
            self.utilities(below, "on_post_publish", &mut clock);
        }
        self.utilities(below, "on_terminate", &mut clock);
        self.engines(below, "on_terminate", &mut clock);
        let outcome = match failure {
            // Two runs of the engine failed at once.
            Some(DIVISION) => Outcome::Error("ExceptionGroup"),
            Some(class) => Outcome::Error(class),
            None => Outcome::Ok,
        };
        self.end(step, clock, outcome);
        if agent != Agent::Archivist {
            self.busy_until = self.busy_until.max(clock);
        }
        Run {
            step,
            hand_over,
            succeeded: failure.is_none(),
        }
    }

    /// What an artifact sets off before the next agents run. Answers with the last step that collected artifacts.
    fn announce(&mut self, place: Place, next: &[(Agent, bool)], clock: &mut i64) -> Option<usize> {
        self.components(place.of(Agent::None), "on_artifact_published", clock);
        let mut collected = None;
        for (agent, at_once) in next {
            let place = place.of(*agent);
            self.components(place, "on_before_schedule", clock);
            for component in COMPONENTS {
                // The breaker leaves some out.
                if component != COMPONENTS[0] || self.random.chance(192.0 / 227.0) {
                    collected = self
                        .optional_hook(place, (component, "on_collect_artifacts"), clock)
                        .or(collected);
                }
            }
            if *at_once {
                self.components(place, "on_before_agent_schedule", clock);
                self.components(place, "on_agent_scheduled", clock);
            }
        }
        collected
    }

    /// The engines of an agent one after another; *risk* runs its engine twice side by side. Answers with the class of
    /// the exception, if one ended it.
    fn evaluations(&mut self, place: Place, clock: &mut i64) -> Option<&'static str> {
        let mut failure = None;
        let runs = if place.agent == Agent::Risk { 2 } else { 1 };
        let start = *clock;
        for run in 0..runs {
            let mut clock_of_run = start + run * self.pause();
            for engine in place.agent.engines() {
                self.hook(place, (engine, "on_pre_evaluate"), &mut clock_of_run);
                let failed = self.evaluate(place, engine, &mut clock_of_run);
                if failed.is_some() {
                    failure = failed;
                    break;
                }
                self.hook(place, (engine, "on_post_evaluate"), &mut clock_of_run);
            }
            *clock = clock_of_run.max(*clock);
        }
        failure
    }

    /// One call of an engine, with what it calls itself.
    fn evaluate(&mut self, place: Place, engine: &'static str, clock: &mut i64) -> Option<&'static str> {
        let method = if engine == "DigestEngine" {
            "evaluate_batch"
        } else {
            "evaluate"
        };
        let start = *clock;
        let step = self.step(place, (engine, method), start);
        let mut usual_end = self.steps[step].end;
        let below = place.under(step).of(Agent::None);
        let mut inner = start + MILLISECOND / 5;
        let mut failure = None;
        match engine {
            "IntakeEngine" => {
                if self.failures && self.random.chance(9.0 / 61.0) {
                    failure = Some(if self.random.chance(5.0 / 9.0) {
                        "ValueError"
                    } else {
                        "UnknownProductError"
                    });
                } else {
                    inner = start + (usual_end - start) / 10 * 9;
                    self.hook(below, (engine, "normalise"), &mut inner);
                }
            }
            "ResearchEngine" => {
                self.hook(below, (engine, "fetch_conversation_context"), &mut inner);
                failure = self.research(below, &mut inner);
                // What it took in the sample includes the searches; what is left of it is spent on its notes.
                usual_end = inner + (usual_end - start) / 4;
            }
            "RiskEngine" => {
                inner = start + (usual_end - start) / 10 * 9;
                let score = self.hook(below, (engine, "score"), &mut inner);
                if self.failures && self.tickets[place.ticket].is_without_baseline {
                    failure = Some(DIVISION);
                    self.steps[score].outcome = Outcome::Error(DIVISION);
                }
            }
            "DraftEngine" => {
                inner = start + (usual_end - start) / 3;
                let latest = self.step(below, (engine, "get_latest_artifact_of_type"), inner);
                let context = self.step(
                    below.under(latest),
                    (engine, "fetch_conversation_context"),
                    inner + 10_000,
                );
                let end = self.steps[latest].end.max(self.steps[context].end + 10_000);
                self.end(latest, end, Outcome::Ok);
                inner = end + self.pause();
            }
            _ => {}
        }
        let outcome = failure.map_or(Outcome::Ok, Outcome::Error);
        self.end(step, usual_end.max(inner), outcome);
        *clock = self.steps[step].end + self.pause();
        failure
    }

    /// Up to three searches: the knowledge base fails now and then.
    fn research(&mut self, place: Place, clock: &mut i64) -> Option<&'static str> {
        let chance = if self.tickets[place.ticket].is_camera {
            0.6
        } else {
            0.02
        };
        for _ in 0..3 {
            let search = self.step(place, ("ResearchEngine", "search"), *clock);
            if self.failures && self.random.chance(chance) {
                self.steps[search].outcome = Outcome::Error(BACKEND);
                *clock = self.steps[search].end + MILLISECOND;
                continue;
            }
            let (start, end) = (self.steps[search].start, self.steps[search].end);
            let lookup = self.step(
                place.under(search),
                ("ResearchEngine", "lookup"),
                start + (end - start) / 2,
            );
            let end = end.max(self.steps[lookup].end + MILLISECOND);
            self.end(search, end, Outcome::Ok);
            *clock = end + self.pause();
            return None;
        }
        Some(BACKEND)
    }

    fn utilities(&mut self, place: Place, method: &'static str, clock: &mut i64) {
        for utility in place.agent.utilities() {
            let Some(step) = self.optional_hook(place, (utility, method), clock) else {
                return;
            };
            // The audit records what was published, and errors; that is a traced method too.
            if *utility == "AuditUtility" && matches!(method, "on_post_publish" | "on_error") {
                let start = self.steps[step].start + 100_000;
                let record = self.step(place.under(step).of(Agent::None), (utility, "record"), start);
                let end = self.steps[step].end.max(self.steps[record].end + 10_000);
                self.end(step, end, Outcome::Ok);
                *clock = end + self.pause();
            }
        }
    }

    fn engines(&mut self, place: Place, method: &'static str, clock: &mut i64) {
        for engine in place.agent.engines() {
            self.hook(place, (engine, method), clock);
        }
    }

    pub(crate) fn components(&mut self, place: Place, method: &'static str, clock: &mut i64) {
        for component in COMPONENTS {
            self.optional_hook(place, (component, method), clock);
        }
    }

    /// A call that was given up: everything that still runs is cancelled.
    pub(crate) fn invoke_in_vain(&mut self, place: Place) {
        let invoke = self.step(place, ("Flock", "invoke"), 0);
        let agent = self.step(place.under(invoke).of(Agent::Intake), ("Agent", "execute"), MILLISECOND);
        let below = self.below(agent);
        let mut clock = 2 * MILLISECOND;
        self.utilities(below, "on_initialize", &mut clock);
        self.engines(below, "on_initialize", &mut clock);
        self.utilities(below, "on_pre_consume", &mut clock);
        self.utilities(below, "on_pre_evaluate", &mut clock);
        self.engines(below, "on_pre_evaluate", &mut clock);
        let evaluate = self.step(below, ("IntakeEngine", "evaluate"), clock);
        let cancelled = self.steps[evaluate].end;
        self.end(evaluate, cancelled, Outcome::Unset);
        let mut clock = cancelled + self.pause();
        self.utilities(below, "on_terminate", &mut clock);
        self.engines(below, "on_terminate", &mut clock);
        self.end(agent, clock, Outcome::Unset);
        let outcome = if self.failures {
            Outcome::Error("TimeoutError")
        } else {
            Outcome::Ok
        };
        let given_up = clock + self.pause();
        self.end(invoke, given_up, outcome);
    }

    /// A call of an agent that skips the blackboard: one or more tickets at once.
    pub(crate) fn arun(&mut self, place: Place, tickets: std::ops::Range<usize>) {
        let arun = self.step(place, ("Flock", "arun"), 0);
        let direct = self.step(
            place.under(arun).of(Agent::Intake),
            ("Flock", "direct_invoke"),
            MILLISECOND,
        );
        let mut clock = 2 * MILLISECOND;
        for ticket in tickets {
            let below = Place {
                ticket,
                ..self.below(direct)
            };
            if self.random.chance(0.2) {
                self.announce(below, &[(Agent::Intake, true)], &mut clock);
            }
            self.handle(below, clock);
            clock += 2 * self.pause();
        }
        let end = self.steps[direct].end.max(clock);
        self.end(direct, end, Outcome::Ok);
        let idle = self.run_until_idle(place.under(arun), end);
        let end = self.steps[idle].end + MILLISECOND;
        self.end(arun, end, Outcome::Ok);
    }

    /// The orchestrator waits for all agents; now and then the program ends here. Answers with the step.
    pub(crate) fn run_until_idle(&mut self, place: Place, start: i64) -> usize {
        let place = place.of(Agent::None);
        let idle = self.step(place, ("Flock", "run_until_idle"), start);
        if place.parent.is_some() {
            let end = self.busy_until.max(start) + MILLISECOND;
            self.end(idle, end, Outcome::Ok);
        }
        if self
            .random
            .chance(if place.parent.is_some() { 2.0 / 26.0 } else { 6.0 / 13.0 })
        {
            let mut clock = start + (self.steps[idle].end - start) / 10 * 9;
            self.components(place.under(idle), "on_orchestrator_idle", &mut clock);
            let shutdown = self.hook(place.under(idle), ("Flock", "shutdown"), &mut clock);
            let end = self.steps[idle].end.max(self.steps[shutdown].end + MILLISECOND);
            self.end(idle, end, Outcome::Ok);
        }
        idle
    }
}
