//! A span as the log holds it: its fields in a fixed order, in postcard (<https://postcard.jamesmunns.com/wire-format>).
//!
//! The order belongs to the version in the head of a segment, not to the order in which [`Span`] happens to be written
//! down: a log must be readable by the next version of the program.

use flockscope_model::{Span, StatusCode};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    trace_id: &'a str,
    span_id: &'a str,
    parent_id: Option<&'a str>,
    name: &'a str,
    service: &'a str,
    operation: &'a str,
    kind: &'a str,
    start_time: i64,
    end_time: i64,
    /// 0 unset, 1 ok, 2 error: OTLP's numbers.
    status_code: u8,
    status_description: Option<&'a str>,
    attributes: &'a str,
    events: &'a str,
    links: &'a str,
    resource: &'a str,
    scope_name: Option<&'a str>,
    scope_version: Option<&'a str>,
    created_at: Option<i64>,
    repair: Option<&'a str>,
}

impl<'a> From<&'a Span> for Record<'a> {
    fn from(span: &'a Span) -> Self {
        Self {
            trace_id: &span.trace_id,
            span_id: &span.span_id,
            parent_id: span.parent_id.as_deref(),
            name: &span.name,
            service: &span.service,
            operation: &span.operation,
            kind: &span.kind,
            start_time: span.start_time,
            end_time: span.end_time,
            status_code: match span.status_code {
                StatusCode::Unset => 0,
                StatusCode::Ok => 1,
                StatusCode::Error => 2,
            },
            status_description: span.status_description.as_deref(),
            attributes: &span.attributes,
            events: &span.events,
            links: &span.links,
            resource: &span.resource,
            scope_name: span.scope_name.as_deref(),
            scope_version: span.scope_version.as_deref(),
            created_at: span.created_at,
            repair: span.repair.as_deref(),
        }
    }
}

impl From<Record<'_>> for Span {
    fn from(record: Record<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            trace_id: record.trace_id.to_owned(),
            span_id: record.span_id.to_owned(),
            parent_id: owned(record.parent_id),
            name: record.name.to_owned(),
            service: record.service.to_owned(),
            operation: record.operation.to_owned(),
            kind: record.kind.to_owned(),
            start_time: record.start_time,
            end_time: record.end_time,
            status_code: match record.status_code {
                1 => StatusCode::Ok,
                2 => StatusCode::Error,
                _ => StatusCode::Unset,
            },
            status_description: owned(record.status_description),
            attributes: record.attributes.to_owned(),
            events: record.events.to_owned(),
            links: record.links.to_owned(),
            resource: record.resource.to_owned(),
            scope_name: owned(record.scope_name),
            scope_version: owned(record.scope_version),
            created_at: record.created_at,
            repair: owned(record.repair),
        }
    }
}

/// Spans as a sequence of records.
struct Records<'a>(&'a [Span]);

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Record::from))
    }
}

/// Appends the spans to a buffer. Fails only where memory does.
pub(crate) fn encode(spans: &[Span], buffer: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(&Records(spans), buffer)
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(payload: &[u8]) -> Result<Vec<Span>, postcard::Error> {
    let records: Vec<Record<'_>> = postcard::from_bytes(payload)?;
    Ok(records.into_iter().map(Span::from).collect())
}

/// How many spans [`encode`] wrote: a sequence begins with its length.
pub(crate) fn count(payload: &[u8]) -> Result<u64, postcard::Error> {
    postcard::take_from_bytes(payload).map(|(count, _)| count)
}

/// Bytes that a span takes in memory.
pub(crate) fn held_bytes(span: &Span) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    size_of::<Span>()
        + span.trace_id.len()
        + span.span_id.len()
        + span.name.len()
        + span.service.len()
        + span.operation.len()
        + span.kind.len()
        + span.attributes.len()
        + span.events.len()
        + span.links.len()
        + span.resource.len()
        + optional(&span.parent_id)
        + optional(&span.status_description)
        + optional(&span.scope_name)
        + optional(&span.scope_version)
        + optional(&span.repair)
}

#[cfg(test)]
pub(crate) mod tests {
    use flockscope_model::NewSpan;

    use super::*;

    /// A span with every field set, none of them like another.
    pub(crate) fn full_span(number: usize) -> Span {
        let found = NewSpan {
            trace_id: format!("{:032x}", number + 1),
            span_id: format!("{:016x}", number + 1),
            parent_id: Some("eee19b7ec3c1b174".into()),
            name: "Agent.execute".into(),
            kind: "SERVER".into(),
            start_time: 1_700_000_000_000_000_000 + number as i64,
            end_time: 5,
            status_code: StatusCode::Error,
            status_description: Some("KeyError: 'toaster'".into()),
            attributes: r#"{"class":"Agent","größe":"0"}"#.into(),
            events: r#"[{"name":"exception"}]"#.into(),
            links: r#"[{"trace_id":"7"}]"#.into(),
            resource: r#"{"service.name":"desk"}"#.into(),
            scope_name: Some("flock.logging".into()),
            scope_version: Some("1.2".into()),
            created_at: Some(-7),
            ..NewSpan::default()
        };
        Span::new(found, |_| {}).expect("a span that can be placed")
    }

    #[test]
    fn a_span_comes_back_as_it_was() {
        let spans: Vec<Span> = (1..4).map(full_span).collect();
        assert!(spans[0].repair.is_some(), "the end was before the start");
        let payload = encode(&spans, Vec::new()).expect("encoded");
        assert_eq!(decode(&payload).expect("decoded"), spans);
        assert_eq!(count(&payload).expect("a length"), 3);
    }

    #[test]
    fn a_payload_that_is_cut_is_an_error() {
        let payload = encode(&[full_span(1)], Vec::new()).expect("encoded");
        for end in 0..payload.len() {
            assert!(decode(&payload[..end]).is_err(), "{end} bytes");
        }
    }
}
