-- As trace_bounds, but only traces that may have spans in a window; the bounds are those of the whole trace.
--
-- Parameters:
--   since BIGINT: start of the window, ns since the epoch; NULL: all
--   until BIGINT: end of the window, ns since the epoch; NULL: all
--
-- Columns:
--   trace_id VARCHAR: the trace
--   first_start BIGINT: earliest start, ns since the epoch
--   last_start BIGINT: latest start, ns since the epoch
CREATE OR REPLACE MACRO traces_reaching(since, until) AS TABLE
SELECT trace_id, min(min_start) AS first_start, max(max_start) AS last_start
FROM trace_times
WHERE trace_id IN (SELECT t.trace_id FROM trace_times t
                   WHERE t.max_start >= coalesce(since::BIGINT, -9223372036854775808)
                     AND t.min_start < coalesce(until::BIGINT, 9223372036854775807))
GROUP BY trace_id;
