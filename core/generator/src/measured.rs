//! What was measured on the sample, read from `data/` once.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::agents::Agent;
use crate::random::LogNormal;
use crate::template::Template;

/// Everything measured. `measure/measure.py` writes the files.
pub(crate) struct Measured {
    durations: HashMap<Operation, LogNormal>,
    kinds: HashMap<(Operation, Agent, bool), Kind>,
    exceptions: HashMap<Operation, Vec<Exception>>,
    /// From the end of one hook to the start of the next.
    pub(crate) pause: LogNormal,
}

/// Class and method of a traced function; the method is empty for a name without a dot.
pub(crate) type Operation = (&'static str, &'static str);

/// What all spans of one operation, agent and outcome share.
pub(crate) struct Kind {
    /// All attributes without the closing brace, so that more can follow.
    pub(crate) full: Template,
    /// The attributes that analyses read, without the closing brace.
    pub(crate) lean: Template,
}

/// An exception as Flock records it: the status text, and the attributes of one or two events.
pub(crate) struct Exception {
    pub(crate) class: &'static str,
    pub(crate) description: Template,
    pub(crate) events: Vec<Template>,
    spans: u32,
}

#[derive(Deserialize)]
struct Figures<'a> {
    pause_log_mean: f64,
    pause_log_deviation: f64,
    #[serde(borrow)]
    operations: Vec<OperationFigures<'a>>,
}

#[derive(Deserialize)]
struct OperationFigures<'a> {
    name: &'a str,
    log_mean: f64,
    log_deviation: f64,
    least_ns: i64,
    most_ns: i64,
}

#[derive(Deserialize)]
struct Templates<'a> {
    values: Vec<String>,
    #[serde(borrow)]
    templates: Vec<TemplateRow<'a>>,
}

#[derive(Deserialize)]
struct TemplateRow<'a> {
    name: &'a str,
    agent: &'a str,
    error: bool,
    #[serde(borrow)]
    attributes: Vec<(&'a str, usize)>,
}

#[derive(Deserialize)]
struct ExceptionRow<'a> {
    name: &'a str,
    r#type: &'a str,
    spans: u32,
    description: String,
    events: Vec<String>,
}

/// The keys that analyses read; the others are left out of lean spans.
const LEAN_KEYS: [&str; 8] = [
    "class",
    "function",
    "module",
    "agent.name",
    "correlation_id",
    "task_id",
    "output.type",
    "workflow.name",
];

/// The figures. The files are part of the program and read by every test, so a fault in them is a fault in the program.
pub(crate) fn measured() -> &'static Measured {
    static MEASURED: OnceLock<Measured> = OnceLock::new();
    MEASURED.get_or_init(|| Measured::read().expect("the files under data/ are what measure.py wrote"))
}

impl Measured {
    fn read() -> serde_json::Result<Self> {
        let figures: Figures<'static> = serde_json::from_str(include_str!("../data/figures.json"))?;
        let templates: Templates<'static> = serde_json::from_str(include_str!("../data/templates.json"))?;
        let exception_rows: Vec<ExceptionRow<'static>> = serde_json::from_str(include_str!("../data/exceptions.json"))?;
        let durations = figures.operations.iter().map(|row| {
            let duration = LogNormal {
                mean: row.log_mean,
                deviation: row.log_deviation,
                least: row.least_ns,
                most: row.most_ns,
            };
            (operation(row.name), duration)
        });
        let mut kinds = HashMap::new();
        for row in &templates.templates {
            let kind = Kind {
                full: object(
                    row.attributes
                        .iter()
                        .map(|(key, value)| (*key, templates.values[*value].as_str())),
                ),
                lean: lean(row, &templates.values),
            };
            kinds.insert((operation(row.name), Agent::named(row.agent), row.error), kind);
        }
        let mut exceptions: HashMap<Operation, Vec<Exception>> = HashMap::new();
        for row in &exception_rows {
            exceptions.entry(operation(row.name)).or_default().push(Exception {
                class: row.r#type.rsplit('.').next().unwrap_or(row.r#type),
                description: Template::parse(&row.description),
                events: row.events.iter().map(|event| Template::parse(event)).collect(),
                spans: row.spans,
            });
        }
        Ok(Self {
            durations: durations.collect(),
            kinds,
            exceptions,
            pause: LogNormal {
                mean: figures.pause_log_mean,
                deviation: figures.pause_log_deviation,
                least: 1,
                most: 10_000_000_000,
            },
        })
    }

    /// How long the operation takes; a millisecond where it was never seen.
    pub(crate) fn duration(&self, operation: Operation) -> LogNormal {
        self.durations.get(&operation).copied().unwrap_or(LogNormal {
            mean: 13.8,
            deviation: 0.5,
            least: 1,
            most: 1_000_000_000,
        })
    }

    /// What spans of the operation carry: as seen for this agent, else for no agent, else without an error.
    pub(crate) fn kind(&self, operation: Operation, agent: Agent, error: bool) -> Option<&Kind> {
        let seen = |agent, error| self.kinds.get(&(operation, agent, error));
        seen(agent, error)
            .or_else(|| seen(Agent::None, error))
            .or_else(|| seen(agent, !error))
            .or_else(|| seen(Agent::None, !error))
            .or_else(|| Agent::ALL.iter().find_map(|other| seen(*other, false)))
    }

    /// The exception of this class at the operation; `None` where it was never seen there.
    pub(crate) fn exception(&self, operation: Operation, class: &str) -> Option<&Exception> {
        self.exceptions
            .get(&operation)?
            .iter()
            .find(|exception| exception.class == class)
    }

    /// The class of the exception that was seen most often, for spans that fail by themselves.
    pub(crate) fn common_exception(&self) -> &Exception {
        self.exceptions
            .get(&("ResearchEngine", "search"))
            .into_iter()
            .flatten()
            .max_by_key(|exception| exception.spans)
            .expect("the sample has failed searches")
    }
}

fn operation(name: &'static str) -> Operation {
    name.split_once('.').unwrap_or((name, ""))
}

/// A JSON object without its closing brace, from keys and the JSON text of their values.
fn object<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Template {
    let mut text = String::from("{");
    for (key, value) in entries {
        if text.len() > 1 {
            text.push_str(", ");
        }
        text.push_str(&format!("\"{key}\": {value}"));
    }
    Template::parse(&text)
}

/// Only the keys that analyses read, and of the agent only its name.
fn lean(row: &TemplateRow<'_>, values: &[String]) -> Template {
    let agent = format!(
        r#""{{\"__class__\": \"Agent\", \"__module__\": \"flock.agent\", \"name\": \"{}\"}}""#,
        row.agent
    );
    let entries = row.attributes.iter().filter_map(|(key, value)| match *key {
        "input.agent" => Some((*key, agent.as_str())),
        key => LEAN_KEYS.contains(&key).then(|| (key, values[*value].as_str())),
    });
    object(entries)
}
