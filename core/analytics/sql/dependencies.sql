-- Who called whom, with the figures of exactly those calls.
--
-- At the levels service and operation an edge leads from a span's parent to the span; edges within one service are
-- kept. At the level agent it leads from the nearest `Agent.execute` above an `Agent.execute` to that one, through
-- any number of spans between them: the hand-over of work from agent to agent. An agent that was started from
-- outside has no edge.
--
-- Parameters:
--   level VARCHAR: agent (default), service or operation
--   since BIGINT: called spans that start at or after this, ns since the epoch; default: all
--   until BIGINT: called spans that start before this, ns since the epoch; default: all
--
-- Columns:
--   "from" VARCHAR: the caller: an agent, a service, or the full name of an operation
--   "to" VARCHAR: the called
--   calls BIGINT: number of calls along this edge
--   errors BIGINT: calls that ended with status ERROR
--   error_rate DOUBLE: errors / calls, 0 to 1
--   avg_ms DOUBLE: mean duration of the called spans
--   p50_ms DOUBLE: median, by linear interpolation
--   p95_ms DOUBLE: 95th percentile
--   p99_ms DOUBLE: 99th percentile
--   max_ms DOUBLE: longest
CREATE OR REPLACE MACRO dependencies(level := 'agent', since := NULL, until := NULL) AS TABLE
WITH RECURSIVE
called AS (
  SELECT trace_id, parent_id, service, name, operation, agent, status_code, duration_ms
  FROM spans
  WHERE start_time >= coalesce(since::BIGINT, -9223372036854775808)
    AND start_time < coalesce(until::BIGINT, 9223372036854775807)
    AND parent_id IS NOT NULL
    AND CASE level
          WHEN 'agent' THEN service = 'Agent' AND operation = 'execute' AND agent IS NOT NULL
          WHEN 'service' THEN true
          WHEN 'operation' THEN true
          ELSE error('dependencies: level must be agent, service or operation, not ''' || level || '''')
        END
),
callers AS MATERIALIZED (
  SELECT s.trace_id, s.span_id, s.parent_id, s.service, s.operation, s.name, s.agent
  FROM spans s
  JOIN traces_reaching(since, until) b ON s.trace_id = b.trace_id AND s.start_time BETWEEN b.first_start AND b.last_start
),
-- Climbs from each agent's span until it stands on another agent's.
climb AS (
  SELECT trace_id, parent_id AS at, agent AS "to", status_code, duration_ms, NULL::VARCHAR AS "from", 0 AS steps
  FROM called
  WHERE level = 'agent'
  UNION ALL
  SELECT c.trace_id, p.parent_id, c."to", c.status_code, c.duration_ms,
         CASE WHEN p.service = 'Agent' AND p.operation = 'execute' THEN coalesce(p.agent, '(unnamed agent)') END,
         c.steps + 1
  FROM climb c
  JOIN (SELECT * FROM callers WHERE level = 'agent') p ON p.trace_id = c.trace_id AND p.span_id = c.at
  WHERE c."from" IS NULL AND c.steps < 1000
),
calls AS (
  SELECT "from", "to", status_code, duration_ms FROM climb WHERE "from" IS NOT NULL
  UNION ALL
  SELECT CASE level WHEN 'service' THEN p.service ELSE p.name END,
         CASE level WHEN 'service' THEN c.service ELSE c.name END,
         c.status_code, c.duration_ms
  FROM called c
  JOIN (SELECT * FROM callers WHERE level <> 'agent') p ON p.trace_id = c.trace_id AND p.span_id = c.parent_id
),
edges AS (
  SELECT "from", "to",
         count(*) AS calls,
         count(*) FILTER (status_code = 'ERROR') AS errors,
         avg(duration_ms) AS avg_ms,
         quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS percentiles,
         max(duration_ms) AS max_ms
  FROM calls
  GROUP BY "from", "to"
)
SELECT "from", "to", calls, errors, errors / calls AS error_rate, avg_ms,
       percentiles[1] AS p50_ms, percentiles[2] AS p95_ms, percentiles[3] AS p99_ms, max_ms
FROM edges
ORDER BY calls DESC, "from", "to";
