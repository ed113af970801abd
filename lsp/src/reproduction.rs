//! A test for pytest that calls a function as a recorded span says that it was called.

use flockscope_analytics::calls::Call;
use flockscope_client::Connection;
use serde::Deserialize;

/// Attributes of one span at most; a recorded value is cut by the tracing itself.
const MOST_VALUES: usize = 100;

/// Which of the spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    Latest,
    /// The latest one that failed.
    Error,
}

/// The function that is called.
pub(crate) struct Subject {
    /// `Class.method`, or a function's name.
    pub(crate) name: String,
    /// What finds its spans, in SQL.
    pub(crate) conditions: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct SpanRow {
    trace_id: String,
    span_id: String,
    time: String,
    duration_ms: f64,
    module: Option<String>,
    class: Option<String>,
    function: Option<String>,
    operation: String,
    exception_type: Option<String>,
    names: Vec<String>,
    texts: Vec<String>,
    output: Option<String>,
}

/// Asks for the span and writes the test.
///
/// # Errors
/// In words: there is no such span any more, or it recorded nothing to call with.
pub(crate) async fn write(connection: &Connection, subject: &Subject, wanted: Recorded) -> Result<String, String> {
    let rows = connection
        .ask(&call(subject, wanted))
        .await
        .map_err(|error| error.to_string())?;
    match rows.first() {
        Some(row) => test(row, &subject.name),
        None => Err(format!("no such span of {} is there any more", subject.name)),
    }
}

fn call(subject: &Subject, wanted: Recorded) -> Call<SpanRow> {
    let failed = match wanted {
        Recorded::Latest => "",
        Recorded::Error => " AND status_code = 'ERROR'",
    };
    Call::own(format!(
        "WITH chosen AS (
           SELECT * FROM spans WHERE {}{failed} ORDER BY start_time DESC, span_id DESC LIMIT 1)
         SELECT trace_id, span_id, strftime(make_timestamp(start_time // 1000), '%Y-%m-%d %H:%M:%S UTC') AS time,
                duration_ms, module, class, function, operation, exception_type,
                [key for key in json_keys(attributes) if starts_with(key, 'input.')][1:{MOST_VALUES}] AS names,
                [attributes->>('$.\"' || replace(replace(key, '\\', '\\\\'), '\"', '\\\"') || '\"')
                 for key in json_keys(attributes) if starts_with(key, 'input.')][1:{MOST_VALUES}] AS texts,
                left(attributes->>'output.value', 500) AS output
         FROM chosen",
        subject.conditions
    ))
}

/// The text of the test. What was recorded stands in it as literals of Python alone: whatever it says, it is data.
fn test(row: &SpanRow, name: &str) -> Result<String, String> {
    let Some(module) = row.module.as_deref().filter(|module| is_dotted_name(module)) else {
        return Err(format!("the spans of {name} do not say in which module it is"));
    };
    let function = row.function.as_deref().unwrap_or(&row.operation);
    let function = function.rsplit('.').next().unwrap_or(function);
    if !is_name(function) {
        return Err(format!("`{function}` is no name that Python can call"));
    }
    // A plain function has the type of its first argument for a class; its qualified name has no dot.
    let class = name
        .contains('.')
        .then_some(row.class.as_deref())
        .flatten()
        .filter(|class| is_name(class));
    let mut out = format!(
        "\"\"\"Calls {} as it was recorded.\n\nTrace {}, span {}, {}; it took {:.3} ms.\n\"\"\"\n\n",
        class.map_or_else(|| function.to_owned(), |class| format!("{class}.{function}")),
        only_hex(&row.trace_id),
        only_hex(&row.span_id),
        row.time,
        row.duration_ms
    );
    out += "import asyncio\nimport importlib\nimport inspect\nimport json\nfrom types import SimpleNamespace\n\n";
    out += "import pytest\n\n\nRECORDED = {\n";
    for (key, text) in row.names.iter().zip(&row.texts) {
        if let Some(parameter) = key
            .strip_prefix("input.")
            .filter(|name| is_name(name) && *name != "self")
        {
            out += &format!("    {}: {},\n", literal(parameter), literal(text));
        }
    }
    out += "}\n\n\n";
    out += REBUILD;
    out += &format!("\n\ndef test_{}():\n", function.trim_start_matches('_'));
    out += &format!("    module = importlib.import_module({})\n", literal(module));
    match class {
        Some(class) => {
            out += "    # How the object was made is not recorded: give it here what it needs.\n";
            out += &format!("    owner = module.{class}()\n    call = owner.{function}\n");
        }
        None => out += &format!("    call = module.{function}\n"),
    }
    out += "    given = {name: rebuilt(text) for name, text in RECORDED.items()}\n";
    match &row.exception_type {
        Some(kind) => {
            out += "    with pytest.raises(Exception) as failed:\n        run(call, given)\n";
            let kind = literal(kind.rsplit('.').next().unwrap_or(kind));
            out += &format!("    assert type(failed.value).__name__ == {kind}\n");
        }
        None => {
            out += "    result = run(call, given)\n";
            if let Some(output) = &row.output {
                out += &format!("    # It gave, perhaps cut: {}\n", literal(output));
            }
            out += "    print(result)\n";
        }
    }
    Ok(out)
}

/// What makes objects of recorded values, and runs what may be asynchronous.
const REBUILD: &str = r#"def rebuilt(text):
    """What was recorded, as far as it can be made again: it is JSON, or text that was cut."""
    try:
        return made(json.loads(text))
    except json.JSONDecodeError:
        return text


def made(value):
    """An object of its class where its fields are enough for that, else a stand-in with the same fields."""
    if isinstance(value, list):
        return [made(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {name: made(item) for name, item in value.items() if name not in ("__class__", "__module__")}
    if "__class__" not in value:
        return fields
    try:
        return getattr(importlib.import_module(value["__module__"]), value["__class__"])(**fields)
    except Exception:
        return SimpleNamespace(**fields)


def run(call, given):
    result = call(**given)
    return asyncio.run(result) if inspect.iscoroutine(result) else result
"#;

/// A text as a literal of Python. JSON's escapes are Python's, but for characters beyond the basic plane, which stay as they
/// are here. <https://docs.python.org/3/reference/lexical_analysis.html#escape-sequences>
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            // Characters that steer the direction of writing could show other code than what runs.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out += &format!("\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(is_name)
}

fn only_hex(id: &str) -> String {
    id.chars().filter(char::is_ascii_hexdigit).take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(names: &[&str], texts: &[&str]) -> SpanRow {
        SpanRow {
            trace_id: "feed".into(),
            span_id: "beef".into(),
            time: "2026-01-02 03:04:05 UTC".into(),
            duration_ms: 1.5,
            module: Some("helpdesk.engines".into()),
            class: Some("RiskEngine".into()),
            function: Some("score".into()),
            operation: "score".into(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
            ..SpanRow::default()
        }
    }

    #[test]
    fn what_was_recorded_stays_data() {
        let hostile = "\"\"\"\n'); import os\u{202e}\\";
        let text = test(
            &row(&["input.category", "input.self", "input.a b"], &[hostile, "{}", "1"]),
            "RiskEngine.score",
        );
        let text = text.expect("it can be called");
        assert!(
            text.contains(r#""category": "\"\"\"\n'); import os\u202e\\","#),
            "{text}"
        );
        assert!(!text.contains("self\"") && !text.contains("a b"), "{text}");
        assert!(text.contains("owner = module.RiskEngine()"), "{text}");
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let mut wrong = row(&[], &[]);
        wrong.module = Some("os; import sys".into());
        assert!(test(&wrong, "A.b").is_err());
        wrong.module = Some("m".into());
        wrong.function = Some("f(); x".into());
        assert!(test(&wrong, "A.b").is_err());
    }

    #[test]
    fn a_call_that_failed_is_expected_to_fail() {
        let mut failed = row(&[], &[]);
        failed.exception_type = Some("pkg.ValueError".into());
        let text = test(&failed, "score").expect("it can be called");
        assert!(
            text.contains("assert type(failed.value).__name__ == \"ValueError\""),
            "{text}"
        );
        assert!(text.contains("call = module.score\n"), "{text}");
    }
}
