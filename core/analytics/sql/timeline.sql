-- The spans of one trace as a tree, with self time and the critical path.
--
-- Self time is the part of a span that none of its children covers; a child counts only as far as it lies within its
-- parent, because a triggered Flock agent outlives the span that triggered it. For the same reason a trace ends with
-- its last span, and a span's *effective end* is the latest end of itself and everything below it.
--
-- The critical path is the chain of spans that decided when the trace ended. In each family (the children of one
-- span; all roots are one family) it takes the child with the latest effective end, then the latest sibling that had
-- ended, with all below it, when that one started, and so on. A span is critical when it and all its ancestors were
-- taken. Source: the last-finishing-child rule of CRISP (Zhang et al., USENIX ATC 2022), on effective ends.
--
-- A span whose parent is not in the trace becomes a root ('parent missing'). Spans that no root leads to stand at the
-- end as roots ('cycle', or 'too deep' from 1,000 levels on).
--
-- Parameters:
--   trace VARCHAR: the trace id, whole
--
-- Columns:
--   position BIGINT: place in the tree read from top to bottom, from 1
--   depth BIGINT: distance to the root, which has 0
--   trace_id VARCHAR: the trace
--   span_id VARCHAR: the span
--   parent_id VARCHAR: the parent as recorded, even where it is missing
--   name VARCHAR: span name
--   service VARCHAR: part of the name before its first dot (Flock), or service.name
--   operation VARCHAR: part of the name after its first dot (Flock), or the span name
--   agent VARCHAR: the agent that the span worked for, where it says so
--   status_code VARCHAR: OK, ERROR or UNSET
--   status_description VARCHAR: text of the status
--   start_time BIGINT: ns since the epoch
--   end_time BIGINT: ns since the epoch
--   offset_ms DOUBLE: start, counted from the start of the trace
--   duration_ms DOUBLE: end minus start
--   self_ms DOUBLE: the part of the duration that no child covers
--   critical BOOLEAN: whether the span is on the critical path
--   critical_ms DOUBLE: the part of the duration that the critical path spends in the span itself
--   children BIGINT: number of direct children
--   descendants BIGINT: number of spans below, at any depth
--   event_count BIGINT: number of events
--   exception_type VARCHAR: type of the first recorded exception
--   exception_message VARCHAR: its message
--   repair VARCHAR: what is unsound about the span, in words
CREATE OR REPLACE MACRO timeline(trace) AS TABLE
SELECT position, depth::BIGINT AS depth, trace_id, span_id, parent_id, name, service, operation, agent,
       status_code, status_description, start_time, end_time,
       (start_time - first_start) / 1e6 AS offset_ms,
       duration_ms, self_ms, critical, critical_ms, children, descendants,
       event_count::BIGINT AS event_count,
       exception_type, exception_message,
       fault AS repair
FROM span_trees(trace, NULL, NULL)
ORDER BY position;
