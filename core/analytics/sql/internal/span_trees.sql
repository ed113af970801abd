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
--   position BIGINT: place in the trees read from top to bottom, from 1
--   depth INTEGER: distance to the root, which has 0
--   first_start BIGINT: earliest start of all the spans
--   self_ms DOUBLE: the part of the duration that no child covers
--   critical BOOLEAN: whether it is on the critical path
--   critical_ms DOUBLE: the part of the duration that the critical path spends in the span itself
--   children BIGINT: number of direct children
--   descendants BIGINT: number of spans below, at any depth
--   fault VARCHAR: what is unsound about its place, in words
--
-- What this costs for a small trace is the number of its joins, windows and aggregations, each of which DuckDB has to
-- plan and to set up, rather than the rows. So it is one narrow chain of them, and the spans' own columns join at the
-- end.
CREATE OR REPLACE MACRO span_trees(trace, since, until) AS TABLE
WITH RECURSIVE
-- A number in no particular order tells the traces apart: no sort is needed for it.
chosen AS (
  SELECT trace_id, first_start, last_start, row_number() OVER ()::INTEGER AS trace_number
  FROM trace_bounds()
  WHERE (trace IS NULL OR trace_id = trace)
    AND first_start >= coalesce(since::BIGINT, -9223372036854775808)
    AND first_start < coalesce(until::BIGINT, 9223372036854775807)
),
-- n numbers the spans by their start; everything below joins on these small numbers.
-- Named one by one: a column that nobody asks for costs time to plan.
numbered AS MATERIALIZED (
  SELECT s.trace_id, s.span_id, s.parent_id, s.name, s.service, s.operation, s.agent, s.start_time, s.end_time,
         s.duration_ms, s.status_code, s.status_description, s.event_count, s.exception_type, s.exception_message,
         s.repair, b.trace_number,
         row_number() OVER (ORDER BY s.start_time, s.span_id, s.trace_id)::INTEGER AS n
  FROM spans s
  JOIN chosen b ON s.trace_id = b.trace_id AND s.start_time BETWEEN b.first_start AND b.last_start
),
-- parent is the parent's n; the roots of one trace are one family, under the negative number of their trace. A child
-- counts only as far as it lies within its parent: inner_start and inner_end.
linked AS MATERIALIZED (
  SELECT c.n, coalesce(p.n, -c.trace_number) AS parent, c.start_time, c.end_time, p.end_time AS parent_end,
         greatest(c.start_time, p.start_time) AS inner_start, least(c.end_time, p.end_time) AS inner_end
  FROM numbered c LEFT JOIN numbered p ON p.trace_number = c.trace_number AND p.span_id = c.parent_id
),
-- path is the n of all ancestors from the root on, and the span's own.
walked AS (
  SELECT n, end_time, 0 AS depth, [n] AS path FROM linked WHERE parent < 0
  UNION ALL
  SELECT l.n, l.end_time, w.depth + 1, list_append(w.path, l.n)
  FROM walked w JOIN linked l ON l.parent = w.n
  WHERE w.depth < 999
),
-- One row for a span and each of its ancestors, and one for the span itself, by ancestor. Of all spans below a span
-- and itself, it has the first place in the tree and the smallest depth.
subtree AS (
  SELECT ancestor AS n, min(place) AS place, min(depth) AS depth, max(end_time) AS effective_end,
         count(*) - 1 AS descendants
  FROM (
    SELECT end_time, depth, place, unnest(path) AS ancestor
    FROM (SELECT end_time, depth, path, row_number() OVER (ORDER BY path) AS place FROM walked)
  )
  GROUP BY ancestor
),
-- Spans that no root leads to have neither place nor depth, and their own end. Such spans are whole families.
--
-- A time plus family is a number that orders all families one after the other, and within each by time: family is
-- 2^64 times the parent, so that no time reaches the next. One order of such numbers for all families is cheaper than
-- a window for each.
related AS (
  SELECT l.n, l.parent, l.start_time, l.inner_start, l.inner_end, t.place, t.depth, t.descendants,
         CASE WHEN t.n IS NULL THEN 0
              ELSE greatest(least(t.effective_end, l.parent_end) - l.inner_start, 0) END AS chain_ns,
         l.parent * 18446744073709551616::HUGEINT AS family,
         family + coalesce(t.effective_end, l.end_time) AS ended
  FROM linked l LEFT JOIN subtree t ON t.n = l.n
),
-- rank orders a family by effective end. The last of a family is where its critical chain begins.
ordered AS (
  SELECT *, row_number() OVER by_end AS rank,
         min(family + start_time) OVER (by_end ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS later_start
  FROM related
  WINDOW by_end AS (ORDER BY ended, start_time, n)
),
-- The starts and ends of all families in one order, ends first. It says how many spans stand, by rank, up to the last
-- sibling that had ended when a span started, and how far the siblings that started before had covered the parent.
moments AS (
  SELECT *, count(is_end) OVER (ORDER BY moment, is_end NULLS LAST ROWS UNBOUNDED PRECEDING) AS ended_before,
         max(CASE WHEN is_end IS NULL THEN family + inner_end END) OVER (
           ORDER BY moment, is_end NULLS LAST ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered_until
  FROM (SELECT *, unnest([family + start_time, ended]) AS moment, unnest([NULL, 1]) AS is_end FROM ordered)
),
-- Each span's predecessor in a chain, by rank: the last sibling that had ended, never the span itself. A span without
-- such a sibling gets the last span of the family before, which is taken in any case: so the chains of all families
-- are one.
-- Certainly taken is a span after whose effective end all siblings of a higher rank started: none of them has a
-- predecessor before it, so that the chain can't leave it out. The last of a family is such a span too.
step AS MATERIALIZED (
  SELECT n, parent, start_time, place, depth, descendants, chain_ns, rank,
         least(ended_before, rank - 1) AS previous,
         coalesce(later_start >= ended, true) AS certain,
         greatest(inner_end - greatest(inner_start, covered_until - family), 0) AS covered_ns
  FROM moments WHERE is_end IS NULL
),
-- Follows the chain from all certain spans at once, twice as far in each round: after round k the first 2^k spans from
-- each on are taken, namely those that some taken row of this names as previous. A row that leads to a taken span
-- ends, because the chain goes on from there. So there are few rounds unless many siblings ran side by side.
chain AS (
  SELECT rank, previous, certain AS taken FROM step
  UNION ALL
  SELECT a.rank, b.previous, a.taken OR c.rank IS NOT NULL
  FROM chain a
  JOIN chain b ON b.rank = a.previous AND NOT b.taken
  LEFT JOIN chain c ON c.previous = a.rank AND c.taken
),
marked AS MATERIALIZED (
  SELECT n, parent, start_time, place, depth, descendants, chain_ns, covered_ns,
         certain OR rank IN (SELECT previous FROM chain WHERE taken) AS taken
  FROM step
),
families AS (
  SELECT parent AS n, count(*) AS children, sum(covered_ns) AS covered_ns, sum(chain_ns) FILTER (taken) AS chain_ns
  FROM marked GROUP BY parent
),
-- The spans below a span that was not taken have the places that follow its own: what lies behind the last of them, for
-- all such spans so far, is critical.
placed AS (
  SELECT n, parent, depth, descendants,
         row_number() OVER tree AS position,
         place > coalesce(max(CASE WHEN NOT taken THEN place + descendants END) OVER (tree ROWS UNBOUNDED PRECEDING), 0)
           AS critical,
         min(start_time) OVER (tree ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS first_start,
         max(depth) OVER (tree ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS deepest
  FROM marked
  WINDOW tree AS (ORDER BY place NULLS LAST, n)
)
SELECT s.trace_id, s.span_id, s.parent_id, s.name, s.service, s.operation, s.agent, s.start_time, s.end_time,
       s.duration_ms, s.status_code, s.status_description, s.event_count, s.exception_type, s.exception_message,
       p.position, coalesce(p.depth, 0) AS depth, p.first_start,
       (s.end_time - s.start_time - coalesce(f.covered_ns, 0)) / 1e6 AS self_ms,
       coalesce(p.critical, false) AS critical,
       CASE WHEN p.critical THEN (s.end_time - s.start_time - coalesce(f.chain_ns, 0)) / 1e6 ELSE 0 END AS critical_ms,
       coalesce(f.children, 0) AS children,
       coalesce(p.descendants, 0) AS descendants,
       nullif(concat_ws('; ', CASE WHEN p.depth IS NULL AND p.deepest = 999 THEN 'too deep'
                                   WHEN p.depth IS NULL THEN 'cycle'
                                   WHEN p.parent < 0 AND s.parent_id IS NOT NULL THEN 'parent missing' END,
                        s.repair), '') AS fault
FROM numbered s
JOIN placed p ON p.n = s.n
LEFT JOIN families f ON f.n = s.n;
