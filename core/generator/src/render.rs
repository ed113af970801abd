//! Turns the steps of a trace into spans.

use std::fmt::Write;

use flockscope_model::{Span, StatusCode};

use crate::measured::{Exception, Kind, Measured};
use crate::random::{Random, hexadecimal};
use crate::settings::{Settings, Shape};
use crate::template::Filling;
use crate::tickets::{Task, Ticket};
use crate::trace::{Outcome, Step};

/// The steps of one trace that are still to be handed out.
pub(crate) struct Renderer {
    steps: Vec<Step>,
    span_ids: Vec<String>,
    tickets: Vec<Ticket>,
    tasks: Vec<Task>,
    trace_id: String,
    /// Nanoseconds since the epoch.
    start_time: i64,
    deployment: &'static Deployment,
    next: usize,
}

/// A release of the program and where it runs.
struct Deployment {
    version: &'static str,
    environment: &'static str,
}

static DEPLOYMENTS: [[Deployment; 2]; 2] = [
    [
        Deployment {
            version: "1.0.0",
            environment: "production",
        },
        Deployment {
            version: "1.0.0",
            environment: "staging",
        },
    ],
    [
        Deployment {
            version: "1.1.0",
            environment: "production",
        },
        Deployment {
            version: "1.1.0",
            environment: "staging",
        },
    ],
];

/// Model, tokens a call needs at least, and price of a million tokens: invented, but of the usual size.
const MODELS: [(&str, &str, u32, u32); 3] = [
    ("openai", "gpt-4.1-mini", 300, 1),
    ("openai", "gpt-4.1", 800, 5),
    ("mistral_ai", "mistral-small-2503", 500, 1),
];

impl Renderer {
    /// Nothing to hand out.
    pub(crate) fn empty() -> Self {
        Self {
            steps: Vec::new(),
            span_ids: Vec::new(),
            tickets: Vec::new(),
            tasks: Vec::new(),
            trace_id: String::new(),
            start_time: 0,
            deployment: &DEPLOYMENTS[0][0],
            next: 0,
        }
    }

    /// A trace that starts at `start_time`; `progress` is the share of all spans that were made before.
    pub(crate) fn new(
        random: &mut Random,
        steps: Vec<Step>,
        tickets: Vec<Ticket>,
        tasks: Vec<Task>,
        start_time: i64,
        progress: f64,
    ) -> Self {
        let trace_id = (u128::from(random.word()) << 64) | u128::from(random.word()).max(1);
        // The second release comes out after half of the time; one trace in five is from staging.
        let deployment = &DEPLOYMENTS[usize::from(progress >= 0.5)][usize::from(random.chance(0.2))];
        Self {
            span_ids: steps
                .iter()
                .map(|_| hexadecimal(random.word().max(1).into(), 16))
                .collect(),
            steps,
            tickets,
            tasks,
            trace_id: hexadecimal(trace_id, 32),
            start_time,
            deployment,
            next: 0,
        }
    }

    /// The next span, `None` after the last.
    pub(crate) fn next(&mut self, settings: &Settings, measured: &Measured, random: &mut Random) -> Option<Span> {
        let number = self.next;
        let step = self.steps.get(number)?;
        self.next += 1;
        let (class, method) = step.operation;
        let outcome = match settings.error_rate {
            Some(rate) if random.chance(rate) => Outcome::Error(""),
            _ => step.outcome,
        };
        let filling = Filling {
            ticket: &self.tickets[step.ticket],
            task: &self.tasks[step.task],
            fraction: random.below(100_000),
        };
        let end_time = self.start_time + step.end;
        let (status_code, status_description, events) = match outcome {
            Outcome::Ok => (StatusCode::Ok, None, "[]".to_owned()),
            Outcome::Unset => (StatusCode::Unset, None, "[]".to_owned()),
            Outcome::Error(kind) => {
                let exception = measured
                    .exception(step.operation, kind)
                    .unwrap_or_else(|| measured.common_exception());
                let mut description = String::new();
                exception.description.render(&filling, &mut description);
                (
                    StatusCode::Error,
                    Some(description),
                    events(exception, &filling, end_time),
                )
            }
        };
        let is_error = status_code == StatusCode::Error;
        let kind = measured.kind(step.operation, step.agent, is_error);
        let mut attributes = attributes(kind, settings.shape, &filling);
        if settings.with_gen_ai && class.ends_with("Engine") && method.starts_with("evaluate") {
            add_gen_ai(&mut attributes, random);
        }
        attributes.push('}');
        Some(Span {
            trace_id: self.trace_id.clone(),
            span_id: self.span_ids[number].clone(),
            parent_id: step.parent.map(|parent| self.span_ids[parent].clone()),
            name: if method.is_empty() {
                class.to_owned()
            } else {
                [class, ".", method].concat()
            },
            service: class.to_owned(),
            operation: if method.is_empty() { class } else { method }.to_owned(),
            kind: "INTERNAL".to_owned(),
            start_time: self.start_time + step.start,
            end_time,
            status_code,
            status_description,
            attributes,
            events,
            links: "[]".to_owned(),
            resource: self.resource(settings.with_deployment),
            scope_name: None,
            scope_version: None,
            // Flock writes a span a few milliseconds after its end.
            created_at: Some(end_time / 1000 + 5_000),
            repair: None,
        })
    }

    fn resource(&self, with_deployment: bool) -> String {
        if !with_deployment {
            return r#"{"service.name": "flock-auto-trace"}"#.to_owned();
        }
        let Deployment { version, environment } = self.deployment;
        format!(
            r#"{{"service.name": "flock-auto-trace", "service.version": "{version}", "deployment.environment.name": "{environment}"}}"#
        )
    }
}

/// The attributes, without the closing brace.
fn attributes(kind: Option<&Kind>, shape: Shape, filling: &Filling<'_>) -> String {
    let Some(kind) = kind else {
        return "{".to_owned();
    };
    let (template, size) = match shape {
        Shape::Full => (&kind.full, 4096),
        Shape::Lean => (&kind.lean, 384),
    };
    let mut text = String::with_capacity(size);
    template.render(filling, &mut text);
    text
}

/// Flock records every exception twice, a moment before the span ends.
fn events(exception: &Exception, filling: &Filling<'_>, end_time: i64) -> String {
    let mut text = String::from("[");
    for (place, event) in exception.events.iter().enumerate() {
        if place > 0 {
            text.push_str(", ");
        }
        let timestamp = end_time - (exception.events.len() - place) as i64;
        let _ = write!(
            text,
            r#"{{"name": "exception", "timestamp": {timestamp}, "attributes": "#
        );
        event.render(filling, &mut text);
        text.push('}');
    }
    text.push(']');
    text
}

/// What an engine that calls a model would record, by the conventions for generative AI.
/// <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>
fn add_gen_ai(attributes: &mut String, random: &mut Random) {
    let (provider, model, least, price) = random.one_of(&MODELS);
    let input = least + random.below(2 * least);
    let output = 20 + random.below(400);
    // Tokens times dollars a million tokens is millionths of a dollar.
    let cost = u64::from(input + 4 * output) * u64::from(price);
    let separator = if attributes.len() > 1 { ", " } else { "" };
    let _ = write!(
        attributes,
        r#"{separator}"gen_ai.operation.name": "chat", "gen_ai.provider.name": "{provider}", "gen_ai.request.model": "{model}", "gen_ai.response.model": "{model}", "gen_ai.usage.input_tokens": {input}, "gen_ai.usage.output_tokens": {output}, "gen_ai.usage.cost": 0.{cost:06}"#
    );
}
