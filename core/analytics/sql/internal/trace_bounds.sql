-- When each trace began: the earliest and the latest start of its spans. With a window, only traces that reach into it.
--
-- Joining spans to this by trace and `start_time BETWEEN first_start AND last_start` lets DuckDB read only the row
-- groups of that time (docs/storage-design.md).
--
-- Parameters:
--   since BIGINT: traces with a span that starts at or after this, ns since the epoch; NULL: all
--   until BIGINT: traces with a span that starts before this, ns since the epoch; NULL: all
--
-- Columns:
--   trace_id VARCHAR: the trace
--   first_start BIGINT: earliest start, ns since the epoch
--   last_start BIGINT: latest start, ns since the epoch
CREATE OR REPLACE MACRO trace_bounds(since, until) AS TABLE
SELECT *
FROM (
  SELECT trace_id, min(min_start) AS first_start, max(max_start) AS last_start FROM trace_times GROUP BY trace_id
)
WHERE last_start >= coalesce(since::BIGINT, -9223372036854775808)
  AND first_start < coalesce(until::BIGINT, 9223372036854775807);
