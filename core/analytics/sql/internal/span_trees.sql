-- The spans of one or many traces with their place in the tree and on the critical path. `timeline` and
-- `critical_path` are built on it; `timeline` says what the words mean.
--
-- Parameters:
--   trace VARCHAR: one trace; NULL: all of the window
--   since BIGINT: traces that start at or after this, ns since the epoch; NULL: all
--   until BIGINT: traces that start before this, ns since the epoch; NULL: all
--
-- Columns: trace_id, span_id, parent_id, name, service, operation, agent, start_time, end_time, duration_ms, status_code,
-- status_description, event_count, exception_type and exception_message of spans, and
--   n INTEGER: number of the span by start
--   parent INTEGER: n of its parent; negative for a root
--   depth INTEGER: distance to the root, which has 0
--   path INTEGER[]: n of its ancestors from the root on, and its own
--   descendants BIGINT: number of spans below, at any depth
--   critical BOOLEAN: whether it is on the critical path
--   critical_ms DOUBLE: the part of the duration that the critical path spends in the span itself
--   fault VARCHAR: what is unsound about its place, in words
CREATE OR REPLACE MACRO span_trees(trace, since, until) AS TABLE
WITH RECURSIVE
-- n numbers the spans by their start; everything below joins on these small numbers.
chosen AS (
  SELECT trace_id, first_start, last_start, row_number() OVER (ORDER BY first_start, trace_id)::INTEGER AS trace_number
  FROM trace_bounds()
  WHERE (trace IS NULL OR trace_id = trace)
    AND first_start >= coalesce(since::BIGINT, -9223372036854775808)
    AND first_start < coalesce(until::BIGINT, 9223372036854775807)
),
-- Named one by one: a column that nobody asks for costs time to plan.
numbered AS MATERIALIZED (
  SELECT s.trace_id, s.span_id, s.parent_id, s.name, s.service, s.operation, s.agent, s.start_time, s.end_time,
         s.duration_ms, s.status_code, s.status_description, s.event_count, s.exception_type, s.exception_message,
         s.repair, b.trace_number,
         row_number() OVER (ORDER BY s.start_time, s.span_id, s.trace_id)::INTEGER AS n
  FROM spans s
  JOIN chosen b ON s.trace_id = b.trace_id AND s.start_time BETWEEN b.first_start AND b.last_start
),
-- parent is the parent's n; the roots of one trace are one family, under the negative number of their trace.
linked AS MATERIALIZED (
  SELECT c.n, coalesce(p.n, -c.trace_number) AS parent, c.start_time, c.end_time,
         c.parent_id IS NOT NULL AND p.n IS NULL AS parent_missing
  FROM numbered c LEFT JOIN numbered p ON p.trace_number = c.trace_number AND p.span_id = c.parent_id
),
walked AS (
  SELECT n, parent, start_time, end_time, parent_missing, 0 AS depth, [n] AS path FROM linked WHERE parent < 0
  UNION ALL
  SELECT l.n, l.parent, l.start_time, l.end_time, false, w.depth + 1, list_append(w.path, l.n)
  FROM walked w JOIN linked l ON l.parent = w.n
  WHERE w.depth < 999
),
unreached AS (
  SELECT * FROM linked WHERE n NOT IN (SELECT n FROM walked)
),
-- One row for a span and each of its ancestors, and one for the span itself.
lineage AS MATERIALIZED (
  SELECT n, end_time, unnest(path) AS ancestor FROM walked
),
subtree AS (
  SELECT ancestor AS n, max(end_time) AS effective_end, count(*) - 1 AS descendants FROM lineage GROUP BY ancestor
),
-- One order of all families: by parent, within a family by effective end. The last of a family is where its critical
-- chain begins.
ordered AS MATERIALIZED (
  SELECT w.n, w.parent, w.start_time, w.end_time, t.effective_end, t.descendants,
         row_number() OVER (ORDER BY w.parent, t.effective_end, w.start_time, w.n) AS place
  FROM walked w JOIN subtree t USING (n)
),
-- How many spans stand, in that order, up to the last sibling that had ended when a span started: the starts and ends
-- of all families in one order, ends first. (One order for all is cheaper than a window for each family.)
moments AS (
  SELECT n, parent, place, start_time AS moment, 1 AS is_start FROM ordered
  UNION ALL
  SELECT n, parent, place, effective_end, 0 FROM ordered
),
ended AS (
  SELECT n, parent, place, is_start,
         sum(1 - is_start) OVER (ORDER BY parent, moment, is_start ROWS UNBOUNDED PRECEDING) AS ended_before
  FROM moments
),
-- Each span's predecessor in a chain: the last sibling in that order that had ended, never the span itself.
step AS MATERIALIZED (
  SELECT c.n, q.n AS previous, c.is_last AS taken
  FROM (SELECT n, parent, least(ended_before, place - 1)::BIGINT AS previous_place,
               lead(parent) OVER (ORDER BY place) IS DISTINCT FROM parent AS is_last
        FROM ended WHERE is_start = 1) c
  LEFT JOIN ordered q ON q.place = c.previous_place AND q.parent = c.parent
),
-- Follows all chains at once, twice as far in each round: after round k the first 2^k of every chain are taken.
-- It ends when no span has a predecessor left to jump to.
chain AS (
  SELECT n, previous, taken, 0 AS round FROM step
  UNION ALL
  SELECT a.n, b.previous, a.taken OR c.n IS NOT NULL, a.round + 1
  FROM chain a
  LEFT JOIN chain b ON b.n = a.previous
  LEFT JOIN chain c ON c.previous = a.n AND c.taken
  WHERE EXISTS (SELECT 1 FROM chain d WHERE d.previous IS NOT NULL)
),
off_chain AS MATERIALIZED (
  SELECT n FROM chain WHERE round = (SELECT max(round) FROM chain) AND NOT taken
),
critical AS (
  SELECT n, parent, effective_end, start_time, end_time FROM ordered
  WHERE n NOT IN (SELECT l.n FROM lineage l JOIN off_chain o ON o.n = l.ancestor)
),
chain_time AS (
  SELECT c.parent AS n,
         sum(greatest(least(c.effective_end, p.end_time) - greatest(c.start_time, p.start_time), 0)) AS ns
  FROM critical c JOIN ordered p ON p.n = c.parent
  GROUP BY c.parent
),
deepest AS (
  SELECT max(depth) AS depth FROM walked
),
placed AS (
  SELECT n, parent, depth, path, CASE WHEN parent_missing THEN 'parent missing' END AS fault FROM walked
  UNION ALL
  SELECT n, parent, 0, [2147483647, n], CASE WHEN deepest.depth = 999 THEN 'too deep' ELSE 'cycle' END
  FROM unreached, deepest
)
SELECT s.trace_id, s.span_id, s.parent_id, s.name, s.service, s.operation, s.agent, s.start_time, s.end_time,
       s.duration_ms, s.status_code, s.status_description, s.event_count, s.exception_type, s.exception_message,
       s.n, p.parent, p.depth, p.path,
       coalesce(f.descendants, 0) AS descendants,
       critical.n IS NOT NULL AS critical,
       CASE WHEN critical.n IS NULL THEN 0
            ELSE (s.end_time - s.start_time - coalesce(chain_time.ns, 0)) / 1e6 END AS critical_ms,
       nullif(concat_ws('; ', p.fault, s.repair), '') AS fault
FROM numbered s
JOIN placed p ON p.n = s.n
LEFT JOIN ordered f ON f.n = s.n
LEFT JOIN critical ON critical.n = s.n
LEFT JOIN chain_time ON chain_time.n = s.n;
