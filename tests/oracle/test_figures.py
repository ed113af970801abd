"""figures.py against numbers worked out by hand.

    python -m unittest discover tests/oracle
"""
import unittest

import figures

MS = 1_000_000


def span(span_id, parent_id, start, end, name="Desk.work", trace_id="t", **more):
    service, _, operation = name.partition(".")
    return {"trace_id": trace_id, "span_id": span_id, "parent_id": parent_id, "name": name, "service": service,
            "operation": operation or service, "start_time": start * MS, "end_time": end * MS, "status_code": "OK",
            "status_description": None, "attributes": {}, "events": [], **more}


def agent(span_id, parent_id, start, end, name, **more):
    return span(span_id, parent_id, start, end, "Agent.execute", attributes={"class": "Agent", "agent.name": name}, **more)


# A publish of 10 ms sets off an agent; the agent searches, then sets off two more, of which the slower decides.
#
#   publish     0 ══════ 10
#   └ intake         8 ════════════ 40
#     ├ search         10 ═══ 20
#     ├ search           15 ════ 30
#     ├ researcher                    45 ══════════════ 100
#     └ risk                           50 ════════ 80
DESK = [
    span("p", None, 0, 10, "Flock.publish"),
    agent("i", "p", 8, 40, "intake"),
    span("s", "i", 10, 20, "Engine.search"),
    span("t", "i", 15, 30, "Engine.search"),
    agent("r", "i", 45, 100, "researcher"),
    agent("k", "i", 50, 80, "risk", status_code="ERROR", status_description="KeyError: 'lamp'"),
]


def column(rows, name):
    return {row["span_id"]: row[name] for row in rows}


class TheTimeline(unittest.TestCase):
    def setUp(self):
        self.rows = figures.timeline(DESK)

    def test_is_in_the_order_of_the_tree(self):
        self.assertEqual([(row["span_id"], row["depth"]) for row in self.rows],
                         [("p", 0), ("i", 1), ("s", 2), ("t", 2), ("r", 2), ("k", 2)])

    def test_self_time_is_what_no_child_covers(self):
        # publish: 8 to 10 belongs to intake. intake: the searches cover 10 to 30 of its 8 to 40; what comes after 40
        # is outside.
        self.assertEqual(column(self.rows, "self_ms"), {"p": 8, "i": 12, "s": 10, "t": 15, "r": 55, "k": 30})

    def test_counts_what_is_below(self):
        self.assertEqual(column(self.rows, "children"), {"p": 1, "i": 4, "s": 0, "t": 0, "r": 0, "k": 0})
        self.assertEqual(column(self.rows, "descendants"), {"p": 5, "i": 4, "s": 0, "t": 0, "r": 0, "k": 0})

    def test_the_critical_path_goes_back_from_the_last_end(self):
        # Under intake: researcher ends last, at 100. Before its start at 45 the second search ended last, at 30.
        # Before that one's start at 15 nothing had ended. Risk ended at 80, after 45.
        self.assertEqual(column(self.rows, "critical"),
                         {"p": True, "i": True, "s": False, "t": True, "r": True, "k": False})
        # publish: 0 to 8, then intake with all below it. intake: 8 to 15 and 30 to 40.
        self.assertEqual(column(self.rows, "critical_ms"), {"p": 8, "i": 17, "s": 0, "t": 15, "r": 55, "k": 0})

    def test_spans_without_a_way_to_a_root_come_last(self):
        rows = figures.timeline([span("a", "b", 0, 10), span("b", "a", 2, 8), span("c", "a", 3, 4), span("d", "gone", 5, 6)])
        self.assertEqual([(row["span_id"], row["depth"], row["repair"], row["children"]) for row in rows],
                         [("d", 0, "parent missing", 0), ("a", 0, "cycle", 2), ("b", 0, "cycle", 1), ("c", 0, "cycle", 0)])
        # a: 2 to 8 belongs to b, and c lies within.
        self.assertEqual(column(rows, "self_ms"), {"d": 1, "a": 4, "b": 0, "c": 1})

    def test_spans_of_no_length_at_one_time_are_a_chain_and_not_a_loop(self):
        rows = figures.timeline([span("a", None, 0, 4), span("b", "a", 2, 2), span("c", "a", 2, 2), span("d", "a", 2, 4)])
        self.assertTrue(all(row["critical"] for row in rows))
        self.assertEqual(column(rows, "critical_ms"), {"a": 2, "b": 0, "c": 0, "d": 2})


class TheTables(unittest.TestCase):
    def test_a_trace_ends_with_its_last_span(self):
        self.assertEqual(figures.traces(DESK), [{
            "trace_id": "t", "root_name": "Flock.publish", "start_time": 0, "end_time": 100 * MS, "duration_ms": 100,
            "spans": 6, "errors": 1, "services": ["Agent", "Engine", "Flock"],
            "agents": ["intake", "researcher", "risk"]}])

    def test_red_of_the_agents(self):
        rows = figures.red_by_all(DESK)["operation"]
        execute = next(row for row in rows if row["service"] == "Agent")
        # Durations 30, 32 and 55 ms, in a store that spans 0.1 s.
        expected = {"calls": 3, "errors": 1, "error_rate": 1 / 3, "avg_ms": 39, "p50_ms": 32, "p90_ms": 50.4,
                    "p95_ms": 52.7, "p99_ms": 54.54, "max_ms": 55, "total_ms": 117, "rate_per_s": 30}
        for name, value in expected.items():
            self.assertAlmostEqual(execute[name], value, 9, name)

    def test_spans_without_an_agent_are_left_out_of_red_by_agent(self):
        self.assertEqual([row["agent"] for row in figures.red_by_all(DESK)["agent"]], ["intake", "researcher", "risk"])

    def test_dependencies_take_exactly_the_calls_of_an_edge(self):
        found = figures.dependencies(DESK)
        pairs = [(row["from"], row["to"], row["calls"], row["errors"], row["avg_ms"]) for row in found["service"]]
        self.assertEqual(pairs, [("Agent", "Agent", 2, 1, 42.5), ("Agent", "Engine", 2, 0, 12.5), ("Flock", "Agent", 1, 0, 32)])
        pairs = [(row["from"], row["to"], row["max_ms"]) for row in found["agent"]]
        self.assertEqual(pairs, [("intake", "researcher", 55), ("intake", "risk", 30)])

    def test_an_agent_calls_through_any_number_of_spans(self):
        spans = [agent("a", None, 0, 9, "one"), span("b", "a", 1, 8), span("c", "b", 2, 7), agent("d", "c", 3, 6, "two")]
        pairs = [(row["from"], row["to"]) for row in figures.dependencies(spans)["agent"]]
        self.assertEqual(pairs, [("one", "two")])

    def test_the_critical_path_over_traces(self):
        two = DESK + [span("p", None, 1000, 1025, "Flock.publish", trace_id="u")]
        rows = {row["operation"]: row for row in figures.critical_path(two)}
        # 8 ms in one trace and 25 ms in the other, of 125 ms of traces.
        self.assertEqual((rows["publish"]["traces"], rows["publish"]["spans"]), (2, 2))
        self.assertAlmostEqual(rows["publish"]["critical_ms"], 33)
        self.assertAlmostEqual(rows["publish"]["share"], 33 / 125)

    def test_an_exception_is_named_by_its_first_event_or_by_the_status(self):
        event = {"name": "exception", "attributes": {"exception.type": "E1", "exception.message": "m1"}}
        later = {"name": "exception", "attributes": {"exception.type": "E2"}}
        spans = DESK + [span("x", "p", 200, 210, "Desk.x", events=[{"name": "log"}, event, later])]
        found = [(row["exception_type"], row["operation"], row["message"], row["last_time"]) for row in figures.exceptions(spans)]
        self.assertEqual(found, [("E1", "x", "m1", 200 * MS), ("KeyError", "execute", "KeyError: 'lamp'", 50 * MS)])

    def test_percentiles_interpolate(self):
        self.assertEqual(figures.percentile([4, 1, 3, 2], 0.5), 2.5)
        self.assertAlmostEqual(figures.percentile([10, 20], 0.9), 19)
        self.assertEqual(figures.percentile([7], 0.99), 7)

    def test_the_agent_of_a_component_is_inside_its_input(self):
        attributes = {"class": "Audit", "agent.name": "audit", "input.agent": '{"name": "risk"}'}
        self.assertEqual(figures.agent_of(span("a", None, 0, 1, attributes=attributes)), "risk")
        attributes = {"class": "Engine", "agent.name": "None", "input.agent": "not JSON"}
        self.assertIsNone(figures.agent_of(span("a", None, 0, 1, attributes=attributes)))


class TheWrittenFigures(unittest.TestCase):
    def test_are_those_of_the_awkward_traces(self):
        spans = figures.read_lines(figures.HERE / "awkward.jsonl")
        found = figures.awkward_figures(spans)
        self.assertEqual((figures.DATA / "expected" / "awkward.json").read_text(encoding="utf-8"), figures.written(found))


if __name__ == "__main__":
    unittest.main()
