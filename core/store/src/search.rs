//! The search for traces: filters, newest first, page by page.

use flockscope_model::StatusCode;
use flockscope_model::rows::TraceRow;
use serde::Deserialize;

use crate::calls::quoted;
use crate::{Bounds, Store, StoreError, Window};

/// Which traces are looked for.
///
/// A trace is found when one of its spans meets all that is asked of a span (text, service, operation, agent, status,
/// attributes), and the trace itself meets the rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceSearch {
    /// The trace starts in this window.
    pub window: Window,
    /// The trace lasts so many milliseconds at least, from its earliest start to its latest end.
    pub min_ms: Option<f64>,
    /// The trace lasts so many milliseconds at the most.
    pub max_ms: Option<f64>,
    /// This text is, in any case of letters, a part of the span's trace id, name or status text, of one of its
    /// attributes' keys, or of one of their values; of a value that is a list or an object, a part of its JSON.
    pub text: Option<String>,
    /// The span's service.
    pub service: Option<String>,
    /// The span's operation, or its whole name.
    pub operation: Option<String>,
    /// The span's agent.
    pub agent: Option<String>,
    /// The span's status.
    pub status: Option<StatusCode>,
    /// The span has all of these attributes.
    pub attributes: Vec<AttributeFilter>,
    /// The traces behind this place in the order.
    pub after: Option<After>,
}

/// An attribute that a span must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeFilter {
    /// Its key, with its dots.
    pub key: String,
    /// Its value as text; `None`: any.
    pub value: Option<String>,
}

/// A place in the order of traces: newest first, those that started at once by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// Earliest start of the trace before this place, in nanoseconds since the epoch.
    pub start_time: i64,
    /// Its id.
    pub trace_id: String,
}

/// Some of the traces that a search found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundTraces {
    /// The traces, newest first.
    pub rows: Vec<TraceRow>,
    /// Where the next ones begin, if there are more.
    pub next: Option<After>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(flatten)]
    row: TraceRow,
    first_start: i64,
    found: i64,
}

impl Store {
    /// Looks for traces; at most `bounds.rows` of them at a time.
    pub fn search(&self, search: &TraceSearch, bounds: &Bounds) -> Result<FoundTraces, StoreError> {
        let most = bounds.rows;
        let found: Vec<Found> = self.rows_within(&search.sql(most), bounds)?.rows;
        let more = found.first().is_some_and(|first| first.found > most as i64);
        let next = found.last().filter(|_| more).map(|last| After {
            start_time: last.first_start,
            trace_id: last.row.trace_id.clone(),
        });
        Ok(FoundTraces {
            rows: found.into_iter().map(|found| found.row).collect(),
            next,
        })
    }
}

impl TraceSearch {
    /// One more than `most` are looked for, to know whether there are more. The rows are made as those of `traces()`.
    fn sql(&self, most: usize) -> String {
        let mut joins = String::new();
        let spans = self.of_span();
        if !spans.is_empty() {
            joins.push_str(&format!(
                " SEMI JOIN (SELECT trace_id FROM spans WHERE {}) hit USING (trace_id)",
                spans.join(" AND ")
            ));
        }
        if self.min_ms.is_some() || self.max_ms.is_some() {
            joins.push_str(
                " JOIN (SELECT trace_id, (max(end_time) - min(start_time)) / 1e6 AS ms FROM spans GROUP BY trace_id) whole \
                 USING (trace_id)",
            );
        }
        let most = i64::try_from(most).unwrap_or(i64::MAX - 1);
        format!(
            "WITH bounds AS (SELECT trace_id, first_start FROM trace_bounds()),
             chosen AS MATERIALIZED (
               SELECT bounds.trace_id, bounds.first_start FROM bounds{joins}
               WHERE {conditions} ORDER BY bounds.first_start DESC, bounds.trace_id LIMIT {limit}
             ),
             kept AS (FROM chosen ORDER BY first_start DESC, trace_id LIMIT {most}),
             members AS MATERIALIZED (
               SELECT s.trace_id, s.span_id, s.parent_id, s.name, s.service, s.agent, s.status_code, s.start_time,
                      s.end_time, kept.first_start
               FROM spans s JOIN kept USING (trace_id)
             ),
             roots AS (
               SELECT m.trace_id, arg_min(m.name, {{'start_time': m.start_time, 'span_id': m.span_id}}) AS root_name
               FROM members m
               WHERE NOT EXISTS (FROM members p WHERE p.trace_id = m.trace_id AND p.span_id = m.parent_id)
               GROUP BY m.trace_id
             )
             SELECT m.trace_id,
                    coalesce(any_value(r.root_name),
                             arg_min(m.name, {{'start_time': m.start_time, 'span_id': m.span_id}})) AS root_name,
                    min(m.start_time) AS start_time,
                    max(m.end_time) AS end_time,
                    (max(m.end_time) - min(m.start_time)) / 1e6 AS duration_ms,
                    count(*) AS spans,
                    count(*) FILTER (m.status_code = 'ERROR') AS errors,
                    list_sort(list(DISTINCT m.service)) AS services,
                    coalesce(list_sort(list(DISTINCT m.agent) FILTER (m.agent IS NOT NULL)), []) AS agents,
                    any_value(m.first_start) AS first_start,
                    (SELECT count(*) FROM chosen) AS found
             FROM members m LEFT JOIN roots r USING (trace_id)
             GROUP BY m.trace_id
             ORDER BY first_start DESC, m.trace_id",
            conditions = self.of_trace().join(" AND "),
            limit = most.saturating_add(1),
        )
    }

    /// What is asked of a trace.
    fn of_trace(&self) -> Vec<String> {
        let mut conditions = vec!["true".to_owned()];
        if let Some(since) = self.window.since {
            conditions.push(format!("bounds.first_start >= {since}"));
        }
        if let Some(until) = self.window.until {
            conditions.push(format!("bounds.first_start < {until}"));
        }
        if let Some(After { start_time, trace_id }) = &self.after {
            conditions.push(format!(
                "(bounds.first_start < {start_time} OR bounds.first_start = {start_time} AND bounds.trace_id > {})",
                quoted(trace_id)
            ));
        }
        // `{:?}` writes a number of 64 bits so that it reads back as the same one.
        if let Some(least) = self.min_ms {
            conditions.push(format!("whole.ms >= {least:?}::DOUBLE"));
        }
        if let Some(most) = self.max_ms {
            conditions.push(format!("whole.ms <= {most:?}::DOUBLE"));
        }
        conditions
    }

    /// What is asked of a span.
    fn of_span(&self) -> Vec<String> {
        let mut conditions = Vec::new();
        let mut equal = |column: &str, value: &Option<String>| {
            if let Some(value) = value {
                conditions.push(format!("{column} = {}", quoted(value)));
            }
        };
        equal("service", &self.service);
        equal("agent", &self.agent);
        equal("status_code", &self.status.map(|status| status.as_str().to_owned()));
        if let Some(operation) = &self.operation {
            let operation = quoted(operation);
            conditions.push(format!("(operation = {operation} OR name = {operation})"));
        }
        conditions.extend(self.attributes.iter().map(AttributeFilter::condition));
        conditions.extend(self.text.as_deref().map(has_text));
        // A span is not older than its trace.
        if let (false, Some(since)) = (conditions.is_empty(), self.window.since) {
            conditions.push(format!("start_time >= {since}"));
        }
        conditions
    }
}

impl AttributeFilter {
    fn condition(&self) -> String {
        // A JSON pointer (RFC 6901): any key can be named in it.
        let pointer = quoted(&format!("/{}", self.key.replace('~', "~0").replace('/', "~1")));
        match &self.value {
            Some(value) => format!("attributes ->> {pointer} = {}", quoted(value)),
            None => format!("json_exists(attributes, {pointer})"),
        }
    }
}

/// Whether a span has this text somewhere.
fn has_text(text: &str) -> String {
    let wanted = format!("lower({})", quoted(text));
    let attributes = format!(
        "len(list_filter(list_concat(json_keys(attributes), attributes ->> '$.*'), lambda v: contains(lower(v), {wanted}))) > 0"
    );
    // Taking the values out of the JSON costs much more than looking through its text. A text that JSON never writes in
    // another way must be in there if it is in a value.
    let attributes = if text.chars().all(is_plain) {
        format!("CASE WHEN contains(lower(attributes::VARCHAR), {wanted}) THEN {attributes} ELSE false END")
    } else {
        attributes
    };
    format!(
        "(contains(lower(trace_id), {wanted}) OR contains(lower(name), {wanted}) \
         OR contains(lower(coalesce(status_description, '')), {wanted}) OR {attributes})"
    )
}

/// Characters that no writer of JSON escapes.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || " _-.,:;@#$%()[]{}*+?!|~^".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        let hostile = "'; DROP TABLE stored_spans; --";
        let search = TraceSearch {
            text: Some(hostile.into()),
            service: Some(hostile.into()),
            attributes: vec![AttributeFilter {
                key: hostile.into(),
                value: None,
            }],
            after: Some(After {
                start_time: 1,
                trace_id: hostile.into(),
            }),
            ..TraceSearch::default()
        };
        let sql = search.sql(5);
        assert_eq!(sql.matches("DROP TABLE").count(), 7);
        // Two quotes within a text are one; between texts stands what DuckDB runs.
        let outside: String = sql.replace("''", "").split('\'').step_by(2).collect();
        assert!(outside.contains("SELECT") && !outside.contains("DROP"), "{outside}");
    }
}
