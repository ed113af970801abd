-- Rate, errors and durations of groups of spans.
--
-- Percentiles are exact, by linear interpolation (DuckDB's quantile_cont). The rate is taken over the window from
-- `since` to `until`; a bound that is not given is the start of the first or the end of the last span found. With
-- `step` each group has one row for each bucket in which it was called, and the rate is taken over the bucket.
-- Spans that carry no value for the group's key (an agent, a module, …) are left out of the answer.
--
-- Parameters:
--   group_by VARCHAR: operation (default), service, agent, module, environment or version
--   since BIGINT: spans that start at or after this, ns since the epoch; default: all
--   until BIGINT: spans that start before this, ns since the epoch; default: all
--   step BIGINT: width of a time bucket in ns; default: no time series
--
-- Columns:
--   bucket_time BIGINT: start of the bucket, ns since the epoch; NULL without step
--   service VARCHAR: by operation and by service, else NULL
--   operation VARCHAR: by operation, else NULL
--   agent VARCHAR: by agent, else NULL
--   module VARCHAR: by module, else NULL
--   environment VARCHAR: by environment, else NULL
--   version VARCHAR: by version, else NULL
--   calls BIGINT: number of spans
--   errors BIGINT: spans with status ERROR
--   error_rate DOUBLE: errors / calls, 0 to 1
--   rate_per_s DOUBLE: calls a second
--   avg_ms DOUBLE: mean duration
--   p50_ms DOUBLE: median duration
--   p90_ms DOUBLE: 90th percentile
--   p95_ms DOUBLE: 95th percentile
--   p99_ms DOUBLE: 99th percentile
--   max_ms DOUBLE: longest duration
--   total_ms DOUBLE: sum of durations
CREATE OR REPLACE MACRO red(group_by := 'operation', since := NULL, until := NULL, step := NULL) AS TABLE
WITH grouped AS (
  SELECT CASE group_by
           WHEN 'operation' THEN service
           WHEN 'service' THEN service
           WHEN 'agent' THEN agent
           WHEN 'module' THEN module
           WHEN 'environment' THEN deployment_environment
           WHEN 'version' THEN service_version
           ELSE error('red: group_by must be operation, service, agent, module, environment or version, not ''' || group_by || '''')
         END AS first_key,
         CASE group_by WHEN 'operation' THEN operation END AS second_key,
         start_time // step::BIGINT * step::BIGINT AS bucket_time,
         count(*) AS calls,
         count(*) FILTER (status_code = 'ERROR') AS errors,
         avg(duration_ms) AS avg_ms,
         quantile_cont(duration_ms, [0.5, 0.9, 0.95, 0.99]) AS percentiles,
         max(duration_ms) AS max_ms,
         sum(duration_ms) AS total_ms
  FROM spans
  WHERE start_time >= coalesce(since::BIGINT, -9223372036854775808)
    AND start_time < coalesce(until::BIGINT, 9223372036854775807)
  GROUP BY first_key, second_key, bucket_time
),
-- Beside the groups and not in them: that is a fifth faster.
extent AS (
  SELECT min(start_time) AS first_start, max(end_time) AS last_end
  FROM spans
  WHERE start_time >= coalesce(since::BIGINT, -9223372036854775808)
    AND start_time < coalesce(until::BIGINT, 9223372036854775807)
),
windowed AS (
  SELECT grouped.*,
         -- In 128 bits: a window may be wider than 64 bits hold.
         coalesce(step::BIGINT, coalesce(until::HUGEINT, last_end) - coalesce(since::HUGEINT, first_start)) / 1e9
           AS seconds
  FROM grouped, extent
)
SELECT bucket_time,
       CASE WHEN group_by IN ('operation', 'service') THEN first_key END AS service,
       second_key AS operation,
       CASE WHEN group_by = 'agent' THEN first_key END AS agent,
       CASE WHEN group_by = 'module' THEN first_key END AS module,
       CASE WHEN group_by = 'environment' THEN first_key END AS environment,
       CASE WHEN group_by = 'version' THEN first_key END AS version,
       calls, errors,
       errors / calls AS error_rate,
       CASE WHEN seconds > 0 THEN calls / seconds ELSE 0 END AS rate_per_s,
       avg_ms,
       percentiles[1] AS p50_ms,
       percentiles[2] AS p90_ms,
       percentiles[3] AS p95_ms,
       percentiles[4] AS p99_ms,
       max_ms, total_ms
FROM windowed
WHERE first_key IS NOT NULL
ORDER BY bucket_time, total_ms DESC, service, operation, agent, module, environment, version;
