//! The queries that somebody would write by hand over the bare table, with constants in them and nothing but what the
//! question needs. Each counts under the name `calls`, so that the answers can be compared.

/// An hour in nanoseconds. Who writes by hand knows that no trace of the set takes longer.
const LONGEST_TRACE: i64 = 3_600_000_000_000;

pub(crate) fn red(since: Option<i64>) -> String {
    let filter = since.map_or_else(String::new, |since| format!("WHERE start_time >= {since}"));
    format!(
        "SELECT service, operation, count(*) AS calls, count(*) FILTER (status_code = 'ERROR') AS errors,
                avg(duration_ms), quantile_cont(duration_ms, [0.5, 0.9, 0.95, 0.99]), max(duration_ms),
                sum(duration_ms) AS total_ms
         FROM stored_spans {filter} GROUP BY service, operation ORDER BY total_ms DESC"
    )
}

pub(crate) fn timeline(trace: &str) -> String {
    format!(
        "SELECT trace_id, span_id, parent_id, name, service, operation, agent, status_code, status_description, start_time,
                end_time, duration_ms, event_count, exception_type, exception_message, repair
         FROM stored_spans WHERE trace_id = '{trace}' ORDER BY start_time"
    )
}

pub(crate) fn agent_dependencies(since: i64) -> String {
    let earliest = since - LONGEST_TRACE;
    format!(
        "WITH RECURSIVE lately AS MATERIALIZED (
             SELECT trace_id, span_id, parent_id, start_time, status_code, duration_ms,
                    CASE WHEN service = 'Agent' AND operation = 'execute' THEN agent END AS agent
             FROM stored_spans WHERE start_time >= {earliest}),
         climb AS (
             SELECT trace_id, parent_id, agent AS called, NULL::VARCHAR AS caller, status_code, duration_ms
             FROM lately WHERE start_time >= {since} AND agent IS NOT NULL
             UNION ALL
             SELECT c.trace_id, p.parent_id, c.called, p.agent, c.status_code, c.duration_ms
             FROM climb c JOIN lately p ON p.trace_id = c.trace_id AND p.span_id = c.parent_id
             WHERE c.caller IS NULL)
         SELECT caller, called, count(*) AS calls, count(*) FILTER (status_code = 'ERROR'), avg(duration_ms),
                quantile_cont(duration_ms, [0.5, 0.95, 0.99]), max(duration_ms)
         FROM climb WHERE caller IS NOT NULL GROUP BY caller, called ORDER BY calls DESC"
    )
}

pub(crate) fn service_dependencies(since: i64) -> String {
    let earliest = since - LONGEST_TRACE;
    format!(
        "SELECT p.service AS caller, c.service AS called, count(*) AS calls,
                count(*) FILTER (c.status_code = 'ERROR'), avg(c.duration_ms),
                quantile_cont(c.duration_ms, [0.5, 0.95, 0.99]), max(c.duration_ms)
         FROM stored_spans c JOIN stored_spans p ON p.trace_id = c.trace_id AND p.span_id = c.parent_id
         WHERE c.start_time >= {since} AND p.start_time >= {earliest}
         GROUP BY p.service, c.service ORDER BY calls DESC"
    )
}

pub(crate) fn newest_traces(most: u64) -> String {
    format!(
        "SELECT trace_id, arg_min(name, start_time), min(start_time) AS first_start, max(end_time), count(*) AS calls,
                count(*) FILTER (status_code = 'ERROR'), list(DISTINCT service), list(DISTINCT agent)
         FROM stored_spans GROUP BY trace_id ORDER BY first_start DESC, trace_id LIMIT {most}"
    )
}

pub(crate) fn count() -> String {
    "SELECT count(*) AS calls FROM stored_spans".into()
}
