-- The values of one attribute, most frequent first.
--
-- Parameters:
--   key VARCHAR: the attribute's key, with its dots
--   since BIGINT: spans that start at or after this, ns since the epoch; default: all
--   until BIGINT: spans that start before this, ns since the epoch; default: all
--
-- Columns:
--   value VARCHAR: the value as text
--   spans BIGINT: spans that carry it
CREATE OR REPLACE MACRO attribute_values(key, since := NULL, until := NULL) AS TABLE
SELECT value, count(*) AS spans
FROM (
  -- A JSON pointer (RFC 6901): any key can be named in it.
  SELECT attributes ->> ('/' || replace(replace(key, '~', '~0'), '/', '~1')) AS value
  FROM spans
  WHERE start_time >= coalesce(since::BIGINT, -9223372036854775808)
    AND start_time < coalesce(until::BIGINT, 9223372036854775807)
)
WHERE value IS NOT NULL
GROUP BY value
ORDER BY spans DESC, value;
