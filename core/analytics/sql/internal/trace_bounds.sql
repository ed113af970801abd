-- When each trace began: the earliest and the latest start of its spans.
--
-- Joining spans to this by trace and `start_time BETWEEN first_start AND last_start` lets DuckDB read only the row
-- groups of that time (docs/storage-design.md).
--
-- Columns:
--   trace_id VARCHAR: the trace
--   first_start BIGINT: earliest start, ns since the epoch
--   last_start BIGINT: latest start, ns since the epoch
CREATE OR REPLACE MACRO trace_bounds() AS TABLE
SELECT trace_id, min(min_start) AS first_start, max(max_start) AS last_start
FROM trace_times
GROUP BY trace_id;
