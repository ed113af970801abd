-- One row a trace, newest first.
--
-- A trace belongs to a window by its first span's start, and is then taken whole. Its root is the earliest span whose
-- parent is not in the trace; in a trace that is one cycle, its earliest span.
--
-- Parameters:
--   since BIGINT: traces that start at or after this, ns since the epoch; default: all
--   until BIGINT: traces that start before this, ns since the epoch; default: all
--   most BIGINT: so many of the newest traces at the most; default: all
--
-- Columns:
--   trace_id VARCHAR: the trace
--   root_name VARCHAR: name of the root span
--   start_time BIGINT: earliest start, ns since the epoch
--   end_time BIGINT: latest end of any span, ns since the epoch
--   duration_ms DOUBLE: from the earliest start to the latest end
--   spans BIGINT: number of spans
--   errors BIGINT: spans with status ERROR
--   services VARCHAR[]: services that took part, sorted
--   agents VARCHAR[]: agents that took part, sorted
CREATE OR REPLACE MACRO traces(since := NULL, until := NULL, most := NULL) AS TABLE
WITH chosen AS MATERIALIZED (
  SELECT trace_id FROM trace_bounds()
  WHERE first_start >= coalesce(since::BIGINT, -9223372036854775808)
    AND first_start < coalesce(until::BIGINT, 9223372036854775807)
  ORDER BY first_start DESC, trace_id
  LIMIT coalesce(most::BIGINT, 9223372036854775807)
),
members AS MATERIALIZED (
  SELECT s.trace_id, s.span_id, s.parent_id, s.name, s.service, s.agent, s.status_code, s.start_time, s.end_time
  FROM spans s JOIN chosen USING (trace_id)
),
roots AS (
  SELECT m.trace_id, arg_min(m.name, {'start_time': m.start_time, 'span_id': m.span_id}) AS root_name
  FROM members m
  WHERE NOT EXISTS (FROM members p WHERE p.trace_id = m.trace_id AND p.span_id = m.parent_id)
  GROUP BY m.trace_id
)
SELECT m.trace_id,
       coalesce(any_value(r.root_name), arg_min(m.name, {'start_time': m.start_time, 'span_id': m.span_id})) AS root_name,
       min(m.start_time) AS start_time,
       max(m.end_time) AS end_time,
       (max(m.end_time) - min(m.start_time)) / 1e6 AS duration_ms,
       count(*) AS spans,
       count(*) FILTER (m.status_code = 'ERROR') AS errors,
       list_sort(list(DISTINCT m.service)) AS services,
       coalesce(list_sort(list(DISTINCT m.agent) FILTER (m.agent IS NOT NULL)), []) AS agents
FROM members m LEFT JOIN roots r USING (trace_id)
GROUP BY m.trace_id
ORDER BY start_time DESC, m.trace_id;
