-- What an editor shows at every traced function: one row for each way in which spans say where they come from.
--
-- Spans of one operation that name different modules, classes or places in the code are told apart: two classes may
-- share a method's name. Percentiles are exact, by linear interpolation (DuckDB's quantile_cont). Tokens and cost are
-- those of the OpenTelemetry attributes for generative AI, 0 where no span carries them.
--
-- Parameters:
--   since BIGINT: spans that start at or after this, ns since the epoch; default: all
--   until BIGINT: spans that start before this, ns since the epoch; default: all
--
-- Columns:
--   service VARCHAR: service
--   operation VARCHAR: operation
--   name VARCHAR: span name
--   module VARCHAR: module in which the function is defined, where spans say so
--   class VARCHAR: runtime class
--   function VARCHAR: function
--   code_file_path VARCHAR: file of the function
--   code_function_name VARCHAR: qualified name of the function
--   code_line_number INTEGER: line of the function, from 1
--   calls BIGINT: number of spans
--   errors BIGINT: spans with status ERROR
--   p50_ms DOUBLE: median duration
--   p95_ms DOUBLE: 95th percentile
--   p99_ms DOUBLE: 99th percentile
--   total_ms DOUBLE: sum of durations
--   last_time BIGINT: start of the latest span, ns since the epoch
--   last_ms DOUBLE: duration of the latest span
--   last_trace_id VARCHAR: trace of the latest span
--   last_span_id VARCHAR: the latest span
--   slowest_ms DOUBLE: longest duration
--   slowest_trace_id VARCHAR: trace of the span that took longest; of several the latest
--   last_error_time BIGINT: start of the latest span with status ERROR, ns since the epoch; NULL without one
--   last_error_trace_id VARCHAR: its trace
--   last_error_type VARCHAR: type of the exception that it recorded
--   last_error_message VARCHAR: message of that exception, else the text of its status
--   input_tokens BIGINT: sum of the tokens that went into models
--   output_tokens BIGINT: sum of the tokens that came out
--   cost DOUBLE: sum of what spans say that they cost
CREATE OR REPLACE MACRO functions(since := NULL, until := NULL) AS TABLE
WITH grouped AS (
  SELECT service, operation, name, module, class, function, code_file_path, code_function_name, code_line_number,
         count(*) AS calls,
         count(*) FILTER (status_code = 'ERROR') AS errors,
         quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS percentiles,
         sum(duration_ms) AS total_ms,
         arg_max({'start_time': start_time, 'ms': duration_ms, 'trace_id': trace_id, 'span_id': span_id},
                 {'start_time': start_time, 'span_id': span_id}) AS last,
         arg_max({'ms': duration_ms, 'trace_id': trace_id},
                 {'ms': duration_ms, 'start_time': start_time, 'span_id': span_id}) AS slowest,
         arg_max({'start_time': start_time, 'trace_id': trace_id, 'type': exception_type,
                  'message': coalesce(exception_message, status_description)},
                 {'start_time': start_time, 'span_id': span_id}) FILTER (status_code = 'ERROR') AS last_error,
         sum(gen_ai_input_tokens) AS input_tokens,
         sum(gen_ai_output_tokens) AS output_tokens,
         sum(gen_ai_cost) AS cost
  FROM spans
  WHERE start_time >= coalesce(since::BIGINT, -9223372036854775808)
    AND start_time < coalesce(until::BIGINT, 9223372036854775807)
  GROUP BY ALL
)
SELECT service, operation, name, module, class, function, code_file_path, code_function_name, code_line_number,
       calls, errors,
       percentiles[1] AS p50_ms,
       percentiles[2] AS p95_ms,
       percentiles[3] AS p99_ms,
       total_ms,
       last.start_time AS last_time,
       last.ms AS last_ms,
       last.trace_id AS last_trace_id,
       last.span_id AS last_span_id,
       slowest.ms AS slowest_ms,
       slowest.trace_id AS slowest_trace_id,
       last_error.start_time AS last_error_time,
       last_error.trace_id AS last_error_trace_id,
       last_error.type AS last_error_type,
       last_error.message AS last_error_message,
       -- What spans say of themselves may be anything: a sum beyond its type must not fail the whole answer.
       least(greatest(coalesce(input_tokens, 0), -9223372036854775808), 9223372036854775807)::BIGINT AS input_tokens,
       least(greatest(coalesce(output_tokens, 0), -9223372036854775808), 9223372036854775807)::BIGINT AS output_tokens,
       CASE WHEN isfinite(cost) THEN cost ELSE 0 END AS cost
FROM grouped
ORDER BY service, operation, name, module, class, function, code_file_path, code_function_name, code_line_number;
