-- Every attribute key that was seen, with its types and an example.
--
-- Reads the JSON of every span in the window.
--
-- Parameters:
--   since BIGINT: spans that start at or after this, ns since the epoch; default: all
--   until BIGINT: spans that start before this, ns since the epoch; default: all
--
-- Columns:
--   key VARCHAR: the key, with its dots; read a value with attributes->>'key'
--   spans BIGINT: spans that carry it
--   types VARCHAR[]: JSON types of its values, sorted: ARRAY, BIGINT, BOOLEAN, DOUBLE, NULL, OBJECT, VARCHAR
--   longest BIGINT: length of its longest value as text, in characters
--   example VARCHAR: one of its values, cut at 200 characters
CREATE OR REPLACE MACRO attribute_keys(since := NULL, until := NULL) AS TABLE
WITH pairs AS (
  SELECT key, coalesce(json_type(value), 'NULL') AS type, value ->> '$' AS value
  FROM (
    SELECT unnest(map_entries(attributes::MAP(VARCHAR, JSON)), recursive := true)
    FROM spans
    WHERE start_time >= coalesce(since::BIGINT, -9223372036854775808)
      AND start_time < coalesce(until::BIGINT, 9223372036854775807)
  )
)
SELECT key, count(*) AS spans,
       list_sort(list(DISTINCT CASE type WHEN 'UBIGINT' THEN 'BIGINT' ELSE type END)) AS types,
       coalesce(max(length(value)), 0)::BIGINT AS longest,
       min(left(value, 200)) AS example
FROM pairs
GROUP BY key
ORDER BY key;
