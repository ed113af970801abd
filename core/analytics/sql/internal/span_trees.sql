-- The spans of one or many traces with their place in the tree and on the critical path. `timeline` and
-- `critical_path` are built on it; `timeline` says what the words mean.
--
-- Parameters:
--   trace VARCHAR: one trace; NULL: all of the window
--   since BIGINT: traces that start at or after this, ns since the epoch; NULL: all
--   until BIGINT: traces that start before this, ns since the epoch; NULL: all
--
-- Columns: those of spans, and
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
  SELECT trace_id, first_start, last_start FROM trace_bounds(NULL, NULL)
  WHERE (trace IS NULL OR trace_id = trace)
    AND first_start >= coalesce(since::BIGINT, -9223372036854775808)
    AND first_start < coalesce(until::BIGINT, 9223372036854775807)
),
numbered AS MATERIALIZED (
  SELECT s.*,
         row_number() OVER (ORDER BY s.start_time, s.span_id, s.trace_id)::INTEGER AS n,
         dense_rank() OVER (ORDER BY s.trace_id)::INTEGER AS trace_number
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
  SELECT n, parent, start_time, end_time, 0 AS depth, [n] AS path FROM linked WHERE parent < 0
  UNION ALL
  SELECT l.n, l.parent, l.start_time, l.end_time, w.depth + 1, list_append(w.path, l.n)
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
-- rank orders a family by effective end: the last one is where its critical chain begins.
family AS MATERIALIZED (
  SELECT w.n, w.parent, w.start_time, w.end_time, t.effective_end, t.descendants,
         row_number() OVER (PARTITION BY w.parent ORDER BY t.effective_end, w.start_time, w.n)::INTEGER AS rank,
         count(*) OVER (PARTITION BY w.parent)::INTEGER AS siblings
  FROM walked w JOIN subtree t USING (n)
),
-- How many siblings had ended when this one started: starts and ends of a family in one order, ends first.
moments AS (
  SELECT parent, n, start_time AS moment, 1 AS is_start, rank FROM family WHERE siblings > 1
  UNION ALL
  SELECT parent, n, effective_end, 0, rank FROM family WHERE siblings > 1
),
ended AS (
  SELECT parent, n, rank, is_start,
         count(*) FILTER (is_start = 0) OVER (PARTITION BY parent ORDER BY moment, is_start) AS ended_before
  FROM moments
),
-- Each span's predecessor in a chain: the sibling with the highest rank that had ended, never the span itself.
step AS MATERIALIZED (
  SELECT c.n, q.n AS previous, c.rank = c.siblings AS taken
  FROM (SELECT e.n, e.parent, e.rank, f.siblings, least(e.ended_before, e.rank - 1) AS previous_rank
        FROM ended e JOIN family f USING (n) WHERE e.is_start = 1) c
  LEFT JOIN family q ON q.parent = c.parent AND q.rank = c.previous_rank
),
-- Follows all chains at once, twice as far in each round: after round k the first 2^k of every chain are taken.
chain AS (
  SELECT n, previous, taken, 0 AS round, (SELECT ceil(log2(max(siblings) + 1)) FROM family) AS rounds FROM step
  UNION ALL
  SELECT a.n, b.previous, a.taken OR c.n IS NOT NULL, a.round + 1, a.rounds
  FROM chain a
  LEFT JOIN chain b ON b.n = a.previous
  LEFT JOIN chain c ON c.previous = a.n AND c.taken
  WHERE a.round < a.rounds
),
off_chain AS (
  SELECT n FROM chain WHERE round = rounds AND NOT taken
),
critical AS (
  SELECT n FROM walked
  EXCEPT
  SELECT n FROM lineage WHERE ancestor IN (SELECT n FROM off_chain)
),
chain_time AS (
  SELECT c.parent AS n,
         sum(greatest(least(c.effective_end, p.end_time) - greatest(c.start_time, p.start_time), 0)) AS ns
  FROM family c JOIN family p ON p.n = c.parent
  WHERE c.n NOT IN (SELECT n FROM off_chain)
  GROUP BY c.parent
),
deepest AS (
  SELECT max(depth) AS depth FROM walked
),
placed AS (
  SELECT n, parent, depth, path, NULL::VARCHAR AS fault FROM walked
  UNION ALL
  SELECT n, parent, 0, [2147483647, n], CASE WHEN deepest.depth = 999 THEN 'too deep' ELSE 'cycle' END
  FROM unreached, deepest
)
SELECT s.*, p.parent, p.depth, p.path,
       coalesce(f.descendants, 0) AS descendants,
       critical.n IS NOT NULL AS critical,
       CASE WHEN critical.n IS NULL THEN 0
            ELSE (s.end_time - s.start_time - coalesce(chain_time.ns, 0)) / 1e6 END AS critical_ms,
       nullif(concat_ws('; ', p.fault, CASE WHEN l.parent_missing THEN 'parent missing' END, s.repair), '') AS fault
FROM numbered s
JOIN placed p ON p.n = s.n
JOIN linked l ON l.n = s.n
LEFT JOIN family f ON f.n = s.n
LEFT JOIN critical ON critical.n = s.n
LEFT JOIN chain_time ON chain_time.n = s.n;
