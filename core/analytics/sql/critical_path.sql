-- Where the critical paths of many traces spend their time: the operations to make faster first.
--
-- See `timeline` for what the critical path of a trace is. A trace belongs to a window by its first span's start.
--
-- Parameters:
--   since BIGINT: traces that start at or after this, ns since the epoch; default: all
--   until BIGINT: traces that start before this, ns since the epoch; default: all
--
-- Columns:
--   service VARCHAR: service
--   operation VARCHAR: operation
--   traces BIGINT: traces in which it was on the critical path
--   spans BIGINT: spans on the critical path
--   critical_ms DOUBLE: time that the critical paths spent in it, children excluded
--   share DOUBLE: critical_ms over the duration of all traces together, 0 to 1
CREATE OR REPLACE MACRO critical_path(since := NULL, until := NULL) AS TABLE
WITH placed AS MATERIALIZED (
  SELECT * FROM span_trees(NULL, since, until)
),
whole AS (
  SELECT sum(last_end - first_start) / 1e6 AS ms
  FROM (SELECT min(start_time) AS first_start, max(end_time) AS last_end FROM placed GROUP BY trace_id)
)
SELECT service, operation,
       count(DISTINCT trace_id) AS traces,
       count(*) AS spans,
       sum(critical_ms) AS critical_ms,
       CASE WHEN whole.ms > 0 THEN sum(critical_ms) / whole.ms ELSE 0 END AS share
FROM placed, whole
WHERE critical
GROUP BY service, operation, whole.ms
ORDER BY critical_ms DESC, service, operation;
