//! A span as one line of JSON: what `flockscope watch --format json` writes, and `POST /api/v1/spans` reads.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{NewSpan, Promoted, ReadReport, Span, StatusCode};

#[derive(Serialize)]
struct Written<'a> {
    trace_id: &'a str,
    span_id: &'a str,
    parent_id: Option<&'a str>,
    name: &'a str,
    service: &'a str,
    operation: &'a str,
    agent: Option<&'a str>,
    kind: &'a str,
    start_time: i64,
    end_time: i64,
    duration_ms: f64,
    status_code: &'a str,
    status_description: Option<&'a str>,
    attributes: Box<RawValue>,
    events: Box<RawValue>,
    links: Box<RawValue>,
    resource: Box<RawValue>,
    scope_name: Option<&'a str>,
    scope_version: Option<&'a str>,
    created_at: Option<i64>,
    repair: Option<&'a str>,
}

/// All but what follows from the rest: `agent` and `duration_ms` are not read.
#[derive(Deserialize)]
struct Read {
    trace_id: String,
    span_id: String,
    #[serde(default)]
    parent_id: Option<String>,
    name: String,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    start_time: i64,
    end_time: i64,
    #[serde(default)]
    status_code: StatusCode,
    #[serde(default)]
    status_description: Option<String>,
    #[serde(default)]
    attributes: Option<Box<RawValue>>,
    #[serde(default)]
    events: Option<Box<RawValue>>,
    #[serde(default)]
    links: Option<Box<RawValue>>,
    #[serde(default)]
    resource: Option<Box<RawValue>>,
    #[serde(default)]
    scope_name: Option<String>,
    #[serde(default)]
    scope_version: Option<String>,
    #[serde(default)]
    created_at: Option<i64>,
    #[serde(default)]
    repair: Option<String>,
}

impl Span {
    /// The span as one line of JSON, without the line break. Times are nanoseconds since the epoch, `created_at`
    /// microseconds.
    pub fn to_line(&self) -> serde_json::Result<String> {
        let promoted = Promoted::of(self);
        serde_json::to_string(&Written {
            trace_id: &self.trace_id,
            span_id: &self.span_id,
            parent_id: self.parent_id.as_deref(),
            name: &self.name,
            service: &self.service,
            operation: &self.operation,
            agent: promoted.agent.as_deref(),
            kind: &self.kind,
            start_time: self.start_time,
            end_time: self.end_time,
            duration_ms: self.duration_ms(),
            status_code: self.status_code.as_str(),
            status_description: self.status_description.as_deref(),
            attributes: on_one_line(&self.attributes)?,
            events: on_one_line(&self.events)?,
            links: on_one_line(&self.links)?,
            resource: on_one_line(&self.resource)?,
            scope_name: self.scope_name.as_deref(),
            scope_version: self.scope_version.as_deref(),
            created_at: self.created_at,
            repair: self.repair.as_deref(),
        })
    }

    /// Reads such a line. `None`: the span can't be placed, and `report` says why; `place` names the line for it.
    pub fn from_line(
        line: &[u8],
        report: &mut ReadReport,
        place: impl std::fmt::Display,
    ) -> serde_json::Result<Option<Self>> {
        let read: Read = serde_json::from_slice(line)?;
        let text = |json: Option<Box<RawValue>>| json.map_or_else(String::new, |json| json.get().to_owned());
        let found = NewSpan {
            trace_id: read.trace_id,
            span_id: read.span_id,
            parent_id: read.parent_id,
            name: read.name,
            service: read.service,
            operation: read.operation,
            kind: read.kind.unwrap_or_default(),
            start_time: read.start_time,
            end_time: read.end_time,
            status_code: read.status_code,
            status_description: read.status_description,
            attributes: text(read.attributes),
            events: text(read.events),
            links: text(read.links),
            resource: text(read.resource),
            scope_name: read.scope_name,
            scope_version: read.scope_version,
            created_at: read.created_at,
        };
        report.read += 1;
        match Self::new(found, |repair| report.repair(repair)) {
            Ok(mut span) => {
                let repairs = [read.repair, span.repair.take()];
                let repairs: Vec<String> = repairs.into_iter().flatten().collect();
                span.repair = (!repairs.is_empty()).then(|| repairs.join("; "));
                Ok(Some(span))
            }
            Err(reason) => {
                report.skip(reason, place);
                Ok(None)
            }
        }
    }
}

/// JSON text as it is, unless its layout would break the line. Within strings, JSON has no line breaks.
fn on_one_line(json: &str) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(json.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(attributes: &str) -> Span {
        let found = NewSpan {
            trace_id: "1".into(),
            span_id: "a".into(),
            name: "Agent.execute".into(),
            start_time: 1,
            end_time: 3,
            attributes: attributes.into(),
            ..NewSpan::default()
        };
        Span::new(found, |_| {}).expect("a sound span")
    }

    #[test]
    fn a_span_is_one_line_however_its_json_is_laid_out() {
        let line = span("{\r\n  \"text\": \"one\\ntwo\"\n}").to_line().expect("JSON");
        assert!(!line.contains(['\n', '\r']), "{line}");
        let back: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(back["attributes"]["text"], "one\ntwo");
        assert_eq!(back["duration_ms"], 2e-6);
    }

    #[test]
    fn a_span_comes_back_as_it_was() {
        let whole = Span {
            parent_id: Some("b".into()),
            // Not what follows from the name.
            service: "billing".into(),
            operation: "pay".into(),
            kind: "SERVER".into(),
            status_code: StatusCode::Error,
            status_description: Some("ValueError: no".into()),
            events: r#"[{"name": "exception"}]"#.into(),
            links: r#"[{"trace_id": "2"}]"#.into(),
            resource: r#"{"service.name": "x"}"#.into(),
            scope_name: Some("scope".into()),
            scope_version: Some("1".into()),
            created_at: Some(7),
            repair: Some("no name".into()),
            // Numbers that a float would change.
            ..span(r#"{"n": 12345678901234567890, "x": 0.1e-7}"#)
        };
        for span in [whole, span("{}")] {
            let mut report = ReadReport::default();
            let line = span.to_line().expect("JSON");
            let back = Span::from_line(line.as_bytes(), &mut report, "line 1").expect("JSON");
            assert_eq!(back.as_ref(), Some(&span));
            assert_eq!((report.read, report.skipped_total()), (1, 0));
        }
    }

    #[test]
    fn what_can_not_be_placed_is_counted_and_what_is_wrong_is_mended() {
        let mut report = ReadReport::default();
        let line = r#"{"trace_id":"","span_id":"a","name":"x","start_time":1,"end_time":2}"#;
        assert_eq!(
            Span::from_line(line.as_bytes(), &mut report, "line 1").expect("JSON"),
            None
        );
        let line =
            r#"{"trace_id":"1","span_id":"a","name":"x","start_time":5,"end_time":2,"attributes":[1],"repair":"r"}"#;
        let span = Span::from_line(line.as_bytes(), &mut report, "line 2").expect("JSON");
        let span = span.expect("a span");
        assert_eq!(span.end_time, 5);
        assert_eq!(span.attributes, r#"{"flockscope.invalid_json":"[1]"}"#);
        assert_eq!(
            span.repair.as_deref(),
            Some("r; negative duration: end_time was 2; attributes were not a JSON object")
        );
        assert_eq!((report.read, report.skipped_total()), (2, 1));
        assert!(Span::from_line(b"{", &mut report, "line 3").is_err());
        assert!(Span::from_line(br#"{"trace_id":"1"}"#, &mut report, "line 4").is_err());
    }
}
