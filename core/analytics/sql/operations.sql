-- Every traced function that was seen: a service and an operation.
--
-- Parameters:
--   since BIGINT: spans that start at or after this, ns since the epoch; default: all
--   until BIGINT: spans that start before this, ns since the epoch; default: all
--
-- Columns:
--   service VARCHAR: service
--   operation VARCHAR: operation
--   name VARCHAR: span name of the latest span
--   module VARCHAR: module of the latest span's function, where it says so
--   class VARCHAR: runtime class of the latest span
--   function VARCHAR: function of the latest span
--   calls BIGINT: number of spans
--   errors BIGINT: spans with status ERROR
--   total_ms DOUBLE: sum of durations
--   first_time BIGINT: start of the first span, ns since the epoch
--   last_time BIGINT: start of the latest span, ns since the epoch
--   last_ms DOUBLE: duration of the latest span
CREATE OR REPLACE MACRO operations(since := NULL, until := NULL) AS TABLE
SELECT service, operation,
       arg_max(name, start_time) AS name,
       arg_max(module, start_time) AS module,
       arg_max(class, start_time) AS class,
       arg_max(function, start_time) AS function,
       count(*) AS calls,
       count(*) FILTER (status_code = 'ERROR') AS errors,
       sum(duration_ms) AS total_ms,
       min(start_time) AS first_time,
       max(start_time) AS last_time,
       arg_max(duration_ms, start_time) AS last_ms
FROM spans
WHERE start_time >= coalesce(since::BIGINT, -9223372036854775808)
  AND start_time < coalesce(until::BIGINT, 9223372036854775807)
GROUP BY service, operation
ORDER BY service, operation;
