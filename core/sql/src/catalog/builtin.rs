//! What is known without a store.

use super::{Column, Contents, Parameter, Relation, TableMacro};

// A copy of `SPAN_COLUMNS` of core/store, which this crate can't depend on; a test of core/store holds the two together.
const SPANS: &[(&str, &str, &str)] = &[
    ("trace_id", "VARCHAR", "the trace that the span belongs to"),
    ("span_id", "VARCHAR", "the span; unique within its trace"),
    ("parent_id", "VARCHAR", "the span that called it; NULL on roots"),
    ("name", "VARCHAR", "span name: `Class.method` on Flock's spans"),
    (
        "service",
        "VARCHAR",
        "the part of the name before its first dot (Flock: the class), or `service.name`",
    ),
    (
        "operation",
        "VARCHAR",
        "the part of the name after its first dot (Flock: the method), or the span name",
    ),
    (
        "kind",
        "VARCHAR",
        "INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER; always INTERNAL on Flock's spans",
    ),
    (
        "start_time",
        "BIGINT",
        "start, ns since the epoch: `make_timestamp_ns(start_time)` is it as a UTC time",
    ),
    ("end_time", "BIGINT", "end, ns since the epoch"),
    ("duration_ms", "DOUBLE", "end minus start, in milliseconds"),
    (
        "status_code",
        "VARCHAR",
        "OK, ERROR or UNSET; a cancelled Flock span is UNSET",
    ),
    (
        "status_description",
        "VARCHAR",
        "text of the status: `Type: message` on Flock's errors, else NULL",
    ),
    (
        "attributes",
        "JSON",
        "what was recorded about the call; keys contain dots and are read as `attributes->>'agent.name'`",
    ),
    (
        "events",
        "JSON",
        "list of events, each with name, timestamp and attributes; exceptions are events",
    ),
    (
        "links",
        "JSON",
        "list of links to other spans; always empty on Flock's spans",
    ),
    ("resource", "JSON", "who recorded the span: `resource->>'service.name'`"),
    (
        "created_at",
        "TIMESTAMP",
        "when Flock wrote the span, in **local time** of its process; never compare it with UTC: use start_time",
    ),
    (
        "scope_name",
        "VARCHAR",
        "name of the instrumentation that made the span",
    ),
    ("scope_version", "VARCHAR", "its version"),
    ("service_name", "VARCHAR", "resource `service.name`"),
    ("service_version", "VARCHAR", "resource `service.version`"),
    (
        "deployment_environment",
        "VARCHAR",
        "resource `deployment.environment.name`",
    ),
    (
        "agent",
        "VARCHAR",
        "the agent that the span worked for, wherever Flock says so",
    ),
    (
        "correlation_id",
        "VARCHAR",
        "attribute `correlation_id`: what belongs to one workflow",
    ),
    (
        "task_id",
        "VARCHAR",
        "attribute `task_id`: what belongs to one run of an agent",
    ),
    ("workflow_name", "VARCHAR", "attribute `workflow.name`"),
    ("module", "VARCHAR", "the module that defines the function (Flock)"),
    ("class", "VARCHAR", "the runtime class (Flock)"),
    ("function", "VARCHAR", "the function (Flock)"),
    ("code_file_path", "VARCHAR", "attribute `code.file.path`"),
    ("code_function_name", "VARCHAR", "attribute `code.function.name`"),
    ("code_line_number", "INTEGER", "attribute `code.line.number`"),
    (
        "exception_type",
        "VARCHAR",
        "`exception.type` of the first exception event",
    ),
    (
        "exception_message",
        "VARCHAR",
        "`exception.message` of the first exception event",
    ),
    ("event_count", "INTEGER", "number of events"),
    ("gen_ai_provider", "VARCHAR", "attribute `gen_ai.provider.name`"),
    (
        "gen_ai_model",
        "VARCHAR",
        "attribute `gen_ai.response.model`, else `gen_ai.request.model`",
    ),
    ("gen_ai_operation", "VARCHAR", "attribute `gen_ai.operation.name`"),
    ("gen_ai_input_tokens", "BIGINT", "attribute `gen_ai.usage.input_tokens`"),
    (
        "gen_ai_output_tokens",
        "BIGINT",
        "attribute `gen_ai.usage.output_tokens`",
    ),
    (
        "gen_ai_cost",
        "DOUBLE",
        "attribute `gen_ai.usage.cost`, in the currency that the program used",
    ),
    (
        "repair",
        "VARCHAR",
        "what was mended on the span when it was stored, in words; NULL on sound ones",
    ),
];

const TRACE_TIMES: &[(&str, &str, &str)] = &[
    ("trace_id", "VARCHAR", "the trace"),
    ("min_start", "BIGINT", "earliest start in one batch, ns since the epoch"),
    ("max_start", "BIGINT", "latest start in one batch, ns since the epoch"),
];

pub(super) fn contents() -> Contents {
    Contents {
        relations: vec![
            relation("spans", "One row a span: every call of a traced function.", SPANS),
            relation(
                "trace_times",
                "For every batch and trace the earliest and the latest start.",
                TRACE_TIMES,
            ),
        ],
        macros: flockscope_analytics::all().iter().map(table_macro).collect(),
        ..Contents::default()
    }
}

fn relation(name: &str, doc: &str, columns: &[(&str, &str, &str)]) -> Relation {
    let columns = columns.iter().map(|(name, data_type, doc)| Column {
        name: (*name).into(),
        data_type: (*data_type).into(),
        doc: (*doc).into(),
        profile: None,
    });
    Relation {
        name: name.into(),
        doc: doc.into(),
        columns: columns.collect(),
    }
}

fn table_macro(analysis: &flockscope_analytics::Analysis) -> TableMacro {
    let header = header(analysis);
    let parameters: Vec<Parameter> = analysis
        .parameters
        .iter()
        .map(|parameter| Parameter {
            name: parameter.name.clone(),
            data_type: parameter.data_type.clone(),
            doc: parameter.meaning.clone(),
            words: words(&parameter.meaning),
            required: !header.contains(&format!("{} :=", parameter.name)),
        })
        .collect();
    TableMacro {
        name: analysis.name.into(),
        summary: analysis.summary.clone(),
        details: analysis.details.clone(),
        example: example(analysis.name, &parameters),
        parameters,
        columns: analysis
            .columns
            .iter()
            .map(|column| Column {
                name: column.name.clone(),
                data_type: column.data_type.clone(),
                doc: column.meaning.clone(),
                profile: None,
            })
            .collect(),
    }
}

/// The parameters as the definition declares them: those with `:=` have a default.
fn header(analysis: &flockscope_analytics::Analysis) -> &'static str {
    let declared = format!("MACRO {}(", analysis.name);
    analysis
        .definition
        .split_once(&declared)
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(parameters, _)| parameters)
}

/// The words of a meaning such as `operation (default), service or agent`. A meaning in prose has none.
fn words(meaning: &str) -> Vec<String> {
    if !meaning.contains("(default)") {
        return Vec::new();
    }
    let words: Vec<String> = meaning
        .replace(" or ", ", ")
        .replace(" (default)", "")
        .split(", ")
        .map(str::to_owned)
        .collect();
    let plain = |word: &String| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if words.iter().all(plain) { words } else { Vec::new() }
}

fn example(name: &str, parameters: &[Parameter]) -> String {
    let arguments: Vec<String> = parameters
        .iter()
        .filter_map(|parameter| match (parameter.required, parameter.words.get(1)) {
            (true, _) if parameter.name == "key" => Some("'agent.name'".into()),
            (true, _) => Some(format!("'{}'", parameter.name)),
            (false, Some(word)) => Some(format!("{} := '{word}'", parameter.name)),
            (false, None) => None,
        })
        .collect();
    format!("FROM {name}({})", arguments.join(", "))
}

#[cfg(test)]
mod tests {
    use crate::Catalog;

    #[test]
    fn the_analyses_know_their_words_and_what_must_be_given() {
        let catalog = Catalog::builtin();
        let red = catalog.table_macro("RED").expect("red");
        assert_eq!(
            red.parameters[0].words,
            ["operation", "service", "agent", "module", "environment", "version"]
        );
        assert!(red.parameters.iter().all(|parameter| !parameter.required));
        assert!(red.parameters[1].words.is_empty());
        let level = &catalog.table_macro("dependencies").expect("dependencies").parameters[0];
        assert_eq!(level.words, ["agent", "service", "operation"]);
        let timeline = catalog.table_macro("timeline").expect("timeline");
        assert!(timeline.parameters[0].required);
        assert_eq!(red.example, "FROM red(group_by := 'service')");
        assert_eq!(catalog.macros.len(), flockscope_analytics::all().len());
    }

    #[test]
    fn a_catalog_survives_being_sent() {
        let sent = serde_json::to_string(&Catalog::builtin()).expect("JSON");
        let received: Catalog = serde_json::from_str(&sent).expect("a catalog");
        assert_eq!(*received, *Catalog::builtin());
    }
}
