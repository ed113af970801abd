//! A method and that of its base in the same file look the same in spans, but one calls the other: figures of the outer
//! ones and of the nested ones apart. Only operations that call themselves are asked about; there are few.

use std::collections::HashMap;

use flockscope_analytics::calls::{Call, quoted};
use flockscope_client::{ClientError, Connection};
use flockscope_model::rows::{DependencyRow, FunctionRow};
use serde::Deserialize;

use crate::figures::{KEY, KEY_COLUMNS, Key};

/// Operations that are asked about at most, those that call themselves most often.
const MOST_NAMES: usize = 200;

/// The figures of rows that call themselves, as they were at one time.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Nestings(HashMap<Key, Nesting>);

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Nesting {
    /// Of spans whose parent is none of the same row.
    pub(crate) outer: Option<FunctionRow>,
    /// Of spans whose parent is one.
    pub(crate) nested: Option<FunctionRow>,
}

impl Nestings {
    pub(crate) fn of(&self, key: &Key) -> Option<&Nesting> {
        self.0.get(key)
    }
}

#[derive(Debug, Deserialize)]
struct NestingRow {
    key: Key,
    is_nested: bool,
    figures: FunctionRow,
}

/// Asks about the operations that the edges show to call themselves.
pub(crate) async fn read(connection: &Connection, edges: &[DependencyRow]) -> Result<Nestings, ClientError> {
    let mut own: Vec<&DependencyRow> = edges.iter().filter(|edge| edge.from == edge.to).collect();
    own.sort_by_key(|edge| std::cmp::Reverse(edge.calls));
    own.truncate(MOST_NAMES);
    let mut found: HashMap<Key, Nesting> = HashMap::new();
    if own.is_empty() {
        return Ok(Nestings(found));
    }
    let names: Vec<String> = own.iter().map(|edge| quoted(&edge.to)).collect();
    for row in connection.ask(&call(&names.join(", "))).await? {
        let nesting = found.entry(row.key).or_default();
        let part = if row.is_nested {
            &mut nesting.nested
        } else {
            &mut nesting.outer
        };
        *part = Some(row.figures);
    }
    found.retain(|_, nesting| nesting.nested.is_some());
    Ok(Nestings(found))
}

/// As the analysis `functions` (`core/analytics/sql/functions.sql`), for the outer and the nested spans of a row apart.
fn call(names: &str) -> Call<NestingRow> {
    Call::own(format!(
        "WITH own AS (
           SELECT {KEY_COLUMNS}, trace_id, span_id, parent_id, start_time, duration_ms, status_code, status_description,
                  exception_type, exception_message, gen_ai_cost, gen_ai_input_tokens, gen_ai_output_tokens
           FROM spans WHERE name IN ({names})),
         keyed AS (
           SELECT *, {KEY} AS key FROM own),
         told_apart AS (
           SELECT c.*, p.span_id IS NOT NULL AS is_nested
           FROM keyed c LEFT JOIN keyed p ON p.trace_id = c.trace_id AND p.span_id = c.parent_id AND p.key = c.key),
         grouped AS (
           SELECT key, is_nested, {KEY_COLUMNS},
                  count(*) AS calls, count(*) FILTER (status_code = 'ERROR') AS errors,
                  quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS percentiles, sum(duration_ms) AS total_ms,
                  arg_max({{'start_time': start_time, 'ms': duration_ms, 'trace_id': trace_id, 'span_id': span_id}},
                          {{'start_time': start_time, 'span_id': span_id}}) AS latest,
                  arg_max({{'ms': duration_ms, 'trace_id': trace_id}},
                          {{'ms': duration_ms, 'start_time': start_time, 'span_id': span_id}}) AS slowest,
                  arg_max({{'start_time': start_time, 'trace_id': trace_id, 'type': exception_type,
                            'message': coalesce(exception_message, status_description)}},
                          {{'start_time': start_time, 'span_id': span_id}}) FILTER (status_code = 'ERROR') AS failed,
                  coalesce(sum(gen_ai_cost), 0) AS cost,
                  least(coalesce(sum(gen_ai_input_tokens), 0), 9223372036854775807)::BIGINT AS input_tokens,
                  least(coalesce(sum(gen_ai_output_tokens), 0), 9223372036854775807)::BIGINT AS output_tokens
           FROM told_apart GROUP BY key, is_nested, {KEY_COLUMNS})
         SELECT key, is_nested, struct_concat(key, {{
                  'calls': calls, 'errors': errors, 'p50_ms': percentiles[1], 'p95_ms': percentiles[2],
                  'p99_ms': percentiles[3], 'total_ms': total_ms, 'last_time': latest.start_time,
                  'last_ms': latest.ms, 'last_trace_id': latest.trace_id, 'last_span_id': latest.span_id,
                  'slowest_ms': slowest.ms, 'slowest_trace_id': slowest.trace_id,
                  'last_error_time': failed.start_time, 'last_error_trace_id': failed.trace_id,
                  'last_error_type': failed.type, 'last_error_message': failed.message,
                  'input_tokens': input_tokens, 'output_tokens': output_tokens, 'cost': cost}}) AS figures
         FROM grouped"
    ))
}
