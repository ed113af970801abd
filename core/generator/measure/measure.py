"""Measures the sample of real traces and writes what the generator is shaped by.

    python core/generator/measure/measure.py tests/data/traces.duckdb.gz core/generator/data

Needs Python 3.11 and `duckdb`, which only reads the rows. Writes `figures.json` (counts and durations, which the test
compares with what the generator makes), `templates.json` (attributes of one typical span of each operation and agent,
with placeholders where the values differ from span to span) and `exceptions.json` (the same for exception events).
"""
import collections
import gzip
import json
import math
import re
import sys
import tempfile
from pathlib import Path

import duckdb

COLUMNS = ["trace_id", "span_id", "parent_id", "name", "start_time", "end_time", "status_code", "status_description",
           "attributes", "events"]
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def read(path):
    """All spans as dicts, in a fixed order."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / "traces.duckdb"
        unpacked.write_bytes(gzip.decompress(Path(path).read_bytes()))
        connection = duckdb.connect(str(unpacked), read_only=True)
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM spans ORDER BY start_time, span_id").fetchall()
        connection.close()
    return [dict(zip(COLUMNS, row)) for row in rows]


def agent_of(span):
    attributes = json.loads(span["attributes"])
    if span["name"].startswith("Agent."):
        return attributes.get("agent.name")
    try:
        return json.loads(attributes["input.agent"]).get("name")
    except (KeyError, ValueError, AttributeError):
        return None


def with_placeholders(text, attributes):
    """Puts a placeholder wherever two spans of one operation differ."""
    for key, placeholder in (("correlation_id", "${correlation}"), ("task_id", "${task}")):
        if re.fullmatch(UUID, attributes.get(key, "")):
            text = text.replace(attributes[key], placeholder)
    # An artifact's id belongs to its type: {"id": "…", "type": "helpdesk.models.Ticket"}, quotes escaped once or more.
    text = re.sub(UUID + r'(\\*", \\*"type\\*": \\*"helpdesk\.models\.(\w+))', r"${artifact.\2}\1", text)
    text = re.sub(UUID, "${artifact.Ticket}", text)
    text = re.sub(r"T-\d{4}", "T-${ticket}", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", "${time}", text)
    text = re.sub(r"\b0\.\d{3,}", "${fraction}", text)
    return re.sub(r"number \d+", "number ${ticket}", text)


def typical(spans, size):
    """The span whose size is nearest to the mean of all."""
    mean = sum(size(span) for span in spans) / len(spans)
    return min(spans, key=lambda span: (abs(size(span) - mean), span["span_id"]))


def templates(spans):
    groups = collections.defaultdict(list)
    for span in spans:
        groups[span["name"], agent_of(span) or "", span["status_code"] == "ERROR"].append(span)
    values, places, found = [], {}, []
    for (name, agent, error), group in sorted(groups.items()):
        attributes = json.loads(typical(group, lambda span: len(span["attributes"]))["attributes"])
        template = []
        for key, value in attributes.items():
            text = with_placeholders(json.dumps(value, ensure_ascii=False), attributes)
            if text not in places:
                places[text] = len(values)
                values.append(text)
            template.append([key, places[text]])
        found.append({"name": name, "agent": agent, "error": error, "spans": len(group), "attributes": template})
    return {"values": values, "templates": found}


def exceptions(spans):
    groups = collections.defaultdict(list)
    for span in spans:
        if span["status_code"] == "ERROR" and json.loads(span["events"]):
            kind = json.loads(span["events"])[0]["attributes"]["exception.type"]
            groups[span["name"], kind].append(span)
    found = []
    for (name, kind), group in sorted(groups.items()):
        span = typical(group, lambda span: len(span["events"]))
        events = json.loads(span["events"])
        found.append({
            "name": name, "type": kind, "spans": len(group),
            "description": with_placeholders(span["status_description"] or "", {}),
            "events": [with_placeholders(json.dumps(event["attributes"], ensure_ascii=False), {}) for event in events],
        })
    return found


def pauses_between_hooks(spans):
    """Nanoseconds from the end of each hook to the start of the next one, where both are under the same parent and
    nothing else of the trace started in between: other agents would have taken the time."""
    traces = collections.defaultdict(list)
    for span in spans:
        traces[span["trace_id"]].append(span)
    return [after["start_time"] - before["end_time"] for trace in traces.values()
            for before, after in zip(trace, trace[1:])
            if ".on_" in before["name"] and ".on_" in after["name"] and before["parent_id"] == after["parent_id"]
            and after["start_time"] > before["end_time"]]


def figures(spans):
    names = collections.defaultdict(list)
    traces = collections.defaultdict(list)
    for span in spans:
        names[span["name"]].append(span)
        traces[span["trace_id"]].append(span)
    operations = []
    for name, group in sorted(names.items(), key=lambda item: (-len(item[1]), item[0])):
        logs = [math.log(max(span["end_time"] - span["start_time"], 1)) for span in group]
        mean = sum(logs) / len(logs)
        deviation = math.sqrt(sum((log - mean) ** 2 for log in logs) / len(logs))
        operations.append({
            "name": name,
            "spans": len(group),
            "errors": sum(span["status_code"] == "ERROR" for span in group),
            "attribute_bytes": round(sum(len(span["attributes"].encode()) for span in group) / len(group), 1),
            "log_mean": round(mean, 4),
            "log_deviation": round(deviation, 4),
            "least_ns": min(span["end_time"] - span["start_time"] for span in group),
            "most_ns": max(span["end_time"] - span["start_time"] for span in group),
        })
    roots = collections.defaultdict(list)
    for group in traces.values():
        root = next(span for span in group if span["parent_id"] is None)
        roots[root["name"]].append(len(group))
    errors = [span for span in spans if span["status_code"] == "ERROR"]
    pauses = [math.log(pause) for pause in pauses_between_hooks(spans)]
    pause_mean = sum(pauses) / len(pauses)
    return {
        "how": "measured by measure/measure.py over every span of tests/data/traces.duckdb.gz; sizes are bytes of UTF-8 "
               "JSON text; log_mean and log_deviation are of the natural logarithm of the duration in ns; pauses are "
               "from the end of a hook (on_*) to the start of the next one under the same parent with nothing else of the "
               "trace started in between, in ns",
        "spans": len(spans),
        "traces": len(traces),
        "spans_per_trace": round(len(spans) / len(traces), 3),
        "attribute_bytes": round(sum(len(span["attributes"].encode()) for span in spans) / len(spans), 1),
        "error_event_bytes": round(sum(len(span["events"].encode()) for span in errors) / len(errors), 1),
        "error_share": round(len(errors) / len(spans), 6),
        "pause_log_mean": round(pause_mean, 4),
        "pause_log_deviation": round(math.sqrt(sum((log - pause_mean) ** 2 for log in pauses) / len(pauses)), 4),
        "unset": sum(span["status_code"] == "UNSET" for span in spans),
        "roots": [{"name": name, "traces": len(sizes), "spans": sum(sizes)}
                  for name, sizes in sorted(roots.items(), key=lambda item: (-len(item[1]), item[0]))],
        "operations": operations,
    }


def lines(rows):
    """JSON with one row a line, so that a change reads well."""
    return "[\n" + ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"


def main():
    spans = read(sys.argv[1])
    folder = Path(sys.argv[2])
    measured = figures(spans)
    parts = [f'"{key}": {lines(value) if isinstance(value, list) else json.dumps(value)}'
             for key, value in measured.items()]
    (folder / "figures.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")
    made = templates(spans)
    (folder / "templates.json").write_text(
        '{"values": ' + lines(made["values"]) + ',\n"templates": ' + lines(made["templates"]) + "}\n")
    (folder / "exceptions.json").write_text(lines(exceptions(spans)) + "\n")


if __name__ == "__main__":
    main()
