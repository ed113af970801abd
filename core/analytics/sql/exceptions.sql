-- What went wrong: one row for each type of exception at each operation, latest first.
--
-- A span counts when it recorded an exception event or ended with status ERROR; it counts once, however often Flock
-- recorded the event. The type is that of its first exception event, else the status text up to its first colon.
--
-- Parameters:
--   since BIGINT: spans that start at or after this, ns since the epoch; default: all
--   until BIGINT: spans that start before this, ns since the epoch; default: all
--
-- Columns:
--   exception_type VARCHAR: type of the exception, or unknown
--   message VARCHAR: message of the latest occurrence
--   service VARCHAR: service
--   operation VARCHAR: operation
--   occurrences BIGINT: spans that recorded it
--   traces BIGINT: traces in which it occurred
--   first_time BIGINT: start of the first span that recorded it, ns since the epoch
--   last_time BIGINT: start of the latest span that recorded it, ns since the epoch
--   last_trace_id VARCHAR: trace of the latest occurrence
--   last_span_id VARCHAR: span of the latest occurrence
--   stacktrace VARCHAR: stack trace of the latest occurrence
CREATE OR REPLACE MACRO exceptions(since := NULL, until := NULL) AS TABLE
WITH failed AS (
  SELECT coalesce(exception_type, nullif(split_part(coalesce(status_description, ''), ': ', 1), ''), 'unknown') AS exception_type,
         CASE WHEN exception_type IS NULL AND exception_message IS NULL THEN status_description ELSE exception_message END AS message,
         service, operation, trace_id, span_id, start_time, events
  FROM spans
  WHERE start_time >= coalesce(since::BIGINT, -9223372036854775808)
    AND start_time < coalesce(until::BIGINT, 9223372036854775807)
    AND (status_code = 'ERROR' OR exception_type IS NOT NULL OR exception_message IS NOT NULL)
),
grouped AS (
  SELECT exception_type, service, operation,
         count(*) AS occurrences,
         count(DISTINCT trace_id) AS traces,
         min(start_time) AS first_time,
         max(start_time) AS last_time,
         arg_max({'message': message, 'trace_id': trace_id, 'span_id': span_id, 'events': events},
                 {'start_time': start_time, 'span_id': span_id}) AS last
  FROM failed
  GROUP BY exception_type, service, operation
)
SELECT exception_type, last.message AS message, service, operation, occurrences, traces, first_time, last_time,
       last.trace_id AS last_trace_id, last.span_id AS last_span_id,
       list_filter(last.events->>'$[*].attributes."exception.stacktrace"', lambda s : s IS NOT NULL)[1] AS stacktrace
FROM grouped
ORDER BY last_time DESC, exception_type, service, operation;
