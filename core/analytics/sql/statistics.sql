-- What the store holds, in one row.
--
-- Columns:
--   spans BIGINT: number of spans
--   traces BIGINT: number of traces
--   services BIGINT: distinct services
--   operations BIGINT: distinct pairs of service and operation
--   agents BIGINT: distinct agents
--   errors BIGINT: spans with status ERROR
--   repaired BIGINT: spans on which something was mended
--   oldest_time BIGINT: earliest start, ns since the epoch; NULL for an empty store
--   newest_time BIGINT: latest start, ns since the epoch; NULL for an empty store
CREATE OR REPLACE MACRO statistics() AS TABLE
WITH operations AS (
  SELECT service, operation, count(*) AS spans, count(*) FILTER (status_code = 'ERROR') AS errors, count(repair) AS repaired,
         min(start_time) AS oldest, max(start_time) AS newest
  FROM spans GROUP BY service, operation
)
SELECT coalesce(sum(spans), 0)::BIGINT AS spans,
       (SELECT count(DISTINCT trace_id) FROM trace_bounds()) AS traces,
       count(DISTINCT service) AS services,
       count(*) AS operations,
       (SELECT count(DISTINCT agent) FROM spans) AS agents,
       coalesce(sum(errors), 0)::BIGINT AS errors,
       coalesce(sum(repaired), 0)::BIGINT AS repaired,
       min(oldest) AS oldest_time,
       max(newest) AS newest_time
FROM operations;
