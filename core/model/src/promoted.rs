//! The columns that are taken out of a span's JSON once, when it is stored, so that no analysis parses JSON.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Span;

/// Typed columns of one span, each `None` where the span does not carry it.
///
/// Where OpenTelemetry renamed an attribute, the present name wins over the older one. Texts `""`, `None` and `null`
/// count as absent: Flock writes Python's `None` as text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Promoted {
    /// Resource `service.name`.
    pub service_name: Option<String>,
    /// Resource `service.version`.
    pub service_version: Option<String>,
    /// Resource `deployment.environment.name`, before `deployment.environment`.
    pub deployment_environment: Option<String>,
    /// The agent that the span worked for. Flock names it in several places: see the function `agent` of this file.
    pub agent: Option<String>,
    /// `correlation_id`.
    pub correlation_id: Option<String>,
    /// `task_id`.
    pub task_id: Option<String>,
    /// `workflow.name`.
    pub workflow_name: Option<String>,
    /// `module`: where the function is defined (Flock).
    pub module: Option<String>,
    /// `class`: the runtime class (Flock).
    pub class: Option<String>,
    /// `function` (Flock).
    pub function: Option<String>,
    /// `code.file.path`, before `code.filepath`.
    pub code_file_path: Option<String>,
    /// `code.function.name`, before `code.namespace` + `code.function`.
    pub code_function_name: Option<String>,
    /// `code.line.number`, before `code.lineno`.
    pub code_line_number: Option<i32>,
    /// `exception.type` of the first exception event.
    pub exception_type: Option<String>,
    /// `exception.message` of the first exception event.
    pub exception_message: Option<String>,
    /// Number of events.
    pub event_count: i32,
    /// `gen_ai.provider.name`, before `gen_ai.system`.
    pub gen_ai_provider: Option<String>,
    /// `gen_ai.response.model`, before `gen_ai.request.model`.
    pub gen_ai_model: Option<String>,
    /// `gen_ai.operation.name`.
    pub gen_ai_operation: Option<String>,
    /// `gen_ai.usage.input_tokens`, before `gen_ai.usage.prompt_tokens`.
    pub gen_ai_input_tokens: Option<i64>,
    /// `gen_ai.usage.output_tokens`, before `gen_ai.usage.completion_tokens`.
    pub gen_ai_output_tokens: Option<i64>,
    /// `gen_ai.usage.cost`, in the currency that the program used.
    pub gen_ai_cost: Option<f64>,
}

type Object<'a> = HashMap<Key<'a>, &'a RawValue>;

/// A JSON key, borrowed where it holds no escape.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::borrow::Borrow<str> for Key<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    attributes: Option<Object<'a>>,
}

impl Promoted {
    /// Takes the columns out of a span's attributes, resource and events.
    pub fn of(span: &Span) -> Self {
        let attributes = object(&span.attributes);
        let resource = object(&span.resource);
        let text = |keys: &[&str]| keys.iter().find_map(|key| text(&attributes, key));
        let integer = |keys: &[&str]| keys.iter().find_map(|key| number(&attributes, key)).map(|n| n as i64);
        let resource_text = |keys: &[&str]| keys.iter().find_map(|key| self::text(&resource, key));
        let (exception, event_count) = events(&span.events);
        let (exception_type, exception_message) = exception.unwrap_or_default();
        Self {
            service_name: resource_text(&["service.name"]),
            service_version: resource_text(&["service.version"]),
            deployment_environment: resource_text(&["deployment.environment.name", "deployment.environment"]),
            agent: agent(span, &attributes),
            correlation_id: text(&["correlation_id"]),
            task_id: text(&["task_id"]),
            workflow_name: text(&["workflow.name"]),
            module: text(&["module"]),
            class: text(&["class"]),
            function: text(&["function"]),
            code_file_path: text(&["code.file.path", "code.filepath"]),
            code_function_name: text(&["code.function.name"]).or_else(|| {
                let function = text(&["code.function"])?;
                Some(match text(&["code.namespace"]) {
                    Some(namespace) => format!("{namespace}.{function}"),
                    None => function,
                })
            }),
            code_line_number: integer(&["code.line.number", "code.lineno"]).and_then(|line| line.try_into().ok()),
            exception_type,
            exception_message,
            event_count,
            gen_ai_provider: text(&["gen_ai.provider.name", "gen_ai.system"]),
            gen_ai_model: text(&["gen_ai.response.model", "gen_ai.request.model"]),
            gen_ai_operation: text(&["gen_ai.operation.name"]),
            gen_ai_input_tokens: integer(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]),
            gen_ai_output_tokens: integer(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]),
            gen_ai_cost: number(&attributes, "gen_ai.usage.cost"),
        }
    }
}

/// The agent that a span worked for.
///
/// Flock writes `agent.name` on every traced object, but it names the agent only on spans of `flock.agent`; on a
/// component it is the component's own name, on an engine the text `None`. There the agent is inside `input.agent`.
/// Spans of other programs: `gen_ai.agent.name`, else `agent.name` where no Flock class is named.
fn agent(span: &Span, attributes: &Object<'_>) -> Option<String> {
    let is_flock_object = attributes.contains_key("class");
    if span.service == "Agent" || !is_flock_object {
        return text(attributes, "gen_ai.agent.name").or_else(|| text(attributes, "agent.name"));
    }
    let input = text(attributes, "input.agent");
    input
        .and_then(|input| text(&serde_json::from_str(&input).unwrap_or_default(), "name"))
        .or_else(|| text(attributes, "gen_ai.agent.name"))
}

fn object(json: &str) -> Object<'_> {
    serde_json::from_str(json).unwrap_or_default()
}

fn text(object: &Object<'_>, key: &str) -> Option<String> {
    let raw = object.get(key)?.get();
    let text = if raw.starts_with('"') {
        serde_json::from_str::<String>(raw).ok()?
    } else {
        raw.to_owned()
    };
    (!matches!(text.as_str(), "" | "None" | "null")).then_some(text)
}

/// A JSON number, or one written as text; not a text that only Rust takes for a number, and none beyond its type.
fn number(object: &Object<'_>, key: &str) -> Option<f64> {
    let number: f64 = object.get(key)?.get().trim_matches('"').parse().ok()?;
    number.is_finite().then_some(number)
}

type Exception = (Option<String>, Option<String>);

/// Type and message of the first exception, and the number of events.
fn events(json: &str) -> (Option<Exception>, i32) {
    if json.len() <= 2 {
        return (None, 0);
    }
    let events: Vec<Event<'_>> = serde_json::from_str(json).unwrap_or_default();
    let exception = events.iter().find(|event| event.name == "exception").map(|event| {
        let none = Object::new();
        let attributes = event.attributes.as_ref().unwrap_or(&none);
        (
            text(attributes, "exception.type"),
            text(attributes, "exception.message"),
        )
    });
    (exception, events.len().try_into().unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewSpan;

    fn promoted(name: &str, attributes: &str) -> Promoted {
        promoted_of(NewSpan {
            name: name.into(),
            attributes: attributes.into(),
            ..NewSpan::default()
        })
    }

    fn promoted_of(found: NewSpan) -> Promoted {
        let found = NewSpan {
            trace_id: "1".into(),
            span_id: "2".into(),
            start_time: 1,
            end_time: 1,
            ..found
        };
        Promoted::of(&Span::new(found, |_| {}).expect("a span that can be placed"))
    }

    #[test]
    fn the_agent_of_an_agent_is_its_name() {
        let columns = promoted(
            "Agent.execute",
            r#"{"class":"Agent","agent.name":"intake","module":"flock.agent"}"#,
        );
        assert_eq!(columns.agent.as_deref(), Some("intake"));
        assert_eq!(columns.module.as_deref(), Some("flock.agent"));
    }

    #[test]
    fn the_agent_of_a_component_is_the_one_it_was_called_for() {
        let columns = promoted(
            "AuditUtility.on_initialize",
            r#"{"class":"AuditUtility","agent.name":"audit","input.agent":"{\"__class__\": \"Agent\", \"name\": \"risk\"}"}"#,
        );
        assert_eq!(columns.agent.as_deref(), Some("risk"));
        let engine = promoted("RiskEngine.score", r#"{"class":"RiskEngine","agent.name":"None"}"#);
        assert_eq!(engine.agent, None);
    }

    #[test]
    fn other_programs_name_agents_as_the_conventions_say() {
        assert_eq!(
            promoted("chat", r#"{"gen_ai.agent.name":"writer"}"#).agent.as_deref(),
            Some("writer")
        );
        assert_eq!(
            promoted("chat", r#"{"agent.name":"reader"}"#).agent.as_deref(),
            Some("reader")
        );
    }

    #[test]
    fn both_spellings_of_code_attributes_are_read_and_the_present_one_wins() {
        let old = promoted(
            "f",
            r#"{"code.function":"f","code.namespace":"m","code.filepath":"a.py","code.lineno":"7"}"#,
        );
        assert_eq!(old.code_function_name.as_deref(), Some("m.f"));
        assert_eq!(
            (old.code_file_path.as_deref(), old.code_line_number),
            (Some("a.py"), Some(7))
        );
        let both = promoted(
            "f",
            r#"{"code.function":"old","code.function.name":"m.new","code.filepath":"old.py","code.file.path":"new.py","code.lineno":1,"code.line.number":2}"#,
        );
        assert_eq!(both.code_function_name.as_deref(), Some("m.new"));
        assert_eq!(
            (both.code_file_path.as_deref(), both.code_line_number),
            (Some("new.py"), Some(2))
        );
    }

    #[test]
    fn tokens_and_cost_are_numbers() {
        let columns = promoted(
            "chat",
            r#"{"gen_ai.system":"openai","gen_ai.request.model":"a","gen_ai.response.model":"b","gen_ai.usage.input_tokens":12,"gen_ai.usage.completion_tokens":"5","gen_ai.usage.cost":0.25}"#,
        );
        assert_eq!(columns.gen_ai_provider.as_deref(), Some("openai"));
        assert_eq!(columns.gen_ai_model.as_deref(), Some("b"));
        assert_eq!(
            (columns.gen_ai_input_tokens, columns.gen_ai_output_tokens),
            (Some(12), Some(5))
        );
        assert_eq!(columns.gen_ai_cost, Some(0.25));
    }

    #[test]
    fn what_is_no_finite_number_is_none() {
        for odd in [r#""NaN""#, r#""inf""#, r#""-Infinity""#, "1e999", "null", r#""many""#] {
            let columns = promoted(
                "chat",
                &format!(r#"{{"gen_ai.usage.input_tokens":{odd},"gen_ai.usage.cost":{odd}}}"#),
            );
            assert_eq!(
                (columns.gen_ai_input_tokens, columns.gen_ai_cost),
                (None, None),
                "{odd}"
            );
        }
        let huge = promoted("chat", r#"{"gen_ai.usage.input_tokens":1e30}"#);
        assert_eq!(huge.gen_ai_input_tokens, Some(i64::MAX));
    }

    #[test]
    fn the_first_exception_is_the_one_and_every_event_counts() {
        let columns = promoted_of(NewSpan {
            name: "f".into(),
            events: r#"[{"name":"log"},{"name":"exception","timestamp":1,"attributes":{"exception.type":"KeyError","exception.message":"'toaster'"}},{"name":"exception","attributes":{"exception.type":"Other"}}]"#.into(),
            resource: r#"{"service.name":"desk","service.version":"1.1","deployment.environment":"old"}"#.into(),
            ..NewSpan::default()
        });
        assert_eq!(columns.exception_type.as_deref(), Some("KeyError"));
        assert_eq!(columns.exception_message.as_deref(), Some("'toaster'"));
        assert_eq!(columns.event_count, 3);
        assert_eq!(columns.service_version.as_deref(), Some("1.1"));
        assert_eq!(columns.deployment_environment.as_deref(), Some("old"));
    }
}
