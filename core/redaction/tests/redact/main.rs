//! What is redacted, what is not, and what stays as it was.

mod any_text;
mod bytes_kept;
mod examples;
mod nested;
mod rules;

use flockscope_model::{NewSpan, Span};
use flockscope_redaction::{Redactor, Rules};

fn redactor() -> Redactor {
    Redactor::new(&Rules::default()).expect("rules")
}

fn span(attributes: &str) -> Span {
    let found = NewSpan {
        trace_id: "1".into(),
        span_id: "2".into(),
        name: "Agent.execute".into(),
        start_time: 1,
        end_time: 2,
        attributes: attributes.into(),
        ..NewSpan::default()
    };
    let span = Span::new(found, |_| {}).expect("a span that can be placed");
    assert_eq!(span.repair, None, "{attributes}");
    span
}

/// The attributes after redaction, and the number of values that were redacted.
fn redacted_with(redactor: &Redactor, attributes: &str) -> (String, u64) {
    let mut span = span(attributes);
    let values = redactor.redact(&mut span);
    assert!(
        serde_json::from_str::<serde_json::Value>(&span.attributes).is_ok(),
        "{}",
        span.attributes
    );
    (span.attributes, values)
}

fn redacted(attributes: &str) -> (String, u64) {
    redacted_with(&redactor(), attributes)
}
