//! What an event says of spans that were stored.

use std::collections::{BTreeMap, BTreeSet};

use flockscope_model::{Span, StatusCode};
use flockscope_protocol::{ChangedOperation, Event};

/// The event for spans that can be queried now. Names are given for the first [`Event::MOST_NAMES`] traces and
/// operations, in the order of their names.
pub fn stored_event(spans: &[Span]) -> Event {
    let mut traces = BTreeSet::new();
    let mut operations: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for span in spans {
        traces.insert(span.trace_id.as_str());
        let (calls, errors) = operations.entry((&span.service, &span.operation)).or_default();
        *calls += 1;
        *errors += u64::from(span.status_code == StatusCode::Error);
    }
    Event::SpansStored {
        spans: spans.len() as u64,
        more: traces.len() > Event::MOST_NAMES || operations.len() > Event::MOST_NAMES,
        traces: traces.into_iter().take(Event::MOST_NAMES).map(str::to_owned).collect(),
        operations: operations
            .into_iter()
            .take(Event::MOST_NAMES)
            .map(|((service, operation), (calls, errors))| ChangedOperation {
                service: service.to_owned(),
                operation: operation.to_owned(),
                calls,
                errors,
            })
            .collect(),
        earliest_end: spans.iter().map(|span| span.end_time).min().unwrap_or_default(),
        latest_end: spans.iter().map(|span| span.end_time).max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use flockscope_model::NewSpan;

    use super::*;

    fn span(trace: usize, name: &str, status: StatusCode, end_time: i64) -> Span {
        let found = NewSpan {
            trace_id: format!("t{trace:04}"),
            span_id: format!("{:x}", trace + 1),
            name: name.into(),
            start_time: 1,
            end_time,
            status_code: status,
            ..NewSpan::default()
        };
        Span::new(found, |_| {}).expect("a sound span")
    }

    #[test]
    fn calls_and_errors_are_counted_by_operation() {
        let spans = [
            span(2, "Agent.execute", StatusCode::Ok, 5),
            span(1, "Agent.execute", StatusCode::Error, 9),
            span(1, "Flock.run", StatusCode::Unset, 7),
        ];
        let changed = |service: &str, operation: &str, calls, errors| ChangedOperation {
            service: service.into(),
            operation: operation.into(),
            calls,
            errors,
        };
        assert_eq!(
            stored_event(&spans),
            Event::SpansStored {
                spans: 3,
                traces: vec!["t0001".into(), "t0002".into()],
                operations: vec![changed("Agent", "execute", 2, 1), changed("Flock", "run", 1, 0)],
                more: false,
                earliest_end: 5,
                latest_end: 9,
            }
        );
    }

    #[test]
    fn an_event_of_many_traces_names_some_and_says_that_there_are_more() {
        let spans: Vec<Span> = (0..Event::MOST_NAMES + 1)
            .map(|trace| span(trace, "a.b", StatusCode::Ok, 2))
            .collect();
        let Event::SpansStored {
            spans, traces, more, ..
        } = stored_event(&spans)
        else {
            panic!("not an event of stored spans");
        };
        assert_eq!((spans, traces.len(), more), (201, Event::MOST_NAMES, true));
    }
}
