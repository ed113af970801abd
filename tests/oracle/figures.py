"""The expected figures of every analysis, computed in plain Python by definition.

    python tests/oracle/figures.py

reads `tests/data/traces.duckdb.gz` and `tests/oracle/awkward.jsonl` and writes `tests/data/expected/*.json`. DuckDB only
reads the rows; nothing is computed in SQL. `README.md` has the definitions.
"""
import collections
import gzip
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
COLUMNS = ["trace_id", "span_id", "parent_id", "name", "service", "operation", "start_time", "end_time", "status_code",
           "status_description", "attributes", "events"]
NS_PER_MS = 1_000_000


# ---------------------------------------------------------------- reading

def read_store(path):
    """All spans of a packed Flock file."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / "traces.duckdb"
        unpacked.write_bytes(gzip.decompress(path.read_bytes()))
        connection = duckdb.connect(str(unpacked), read_only=True)
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM spans").fetchall()
        connection.close()
    spans = [dict(zip(COLUMNS, row)) for row in rows]
    for span in spans:
        span["attributes"] = json.loads(span["attributes"])
        span["events"] = json.loads(span["events"])
    return spans


def read_lines(path):
    """All spans of a file with one JSON object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


# ---------------------------------------------------------------- what a span says

def text(attributes, key):
    """The attribute as text; None where it is absent, empty, or Python's or JSON's word for nothing."""
    if key not in attributes:
        return None
    value = attributes[key]
    if not isinstance(value, str):
        value = json.dumps(value)
    return None if value in ("", "None", "null") else value


def agent_of(span):
    """The agent that a span worked for. On Flock objects other than agents it is inside `input.agent`."""
    attributes = span["attributes"]
    if span["service"] == "Agent" or "class" not in attributes:
        return text(attributes, "gen_ai.agent.name") or text(attributes, "agent.name")
    given = text(attributes, "input.agent")
    if given is not None:
        try:
            given = json.loads(given)
        except ValueError:
            given = None
    name = text(given, "name") if isinstance(given, dict) else None
    return name or text(attributes, "gen_ai.agent.name")


def first_exception(span):
    """Attributes of the first exception event, None where there is no such event."""
    for event in span["events"]:
        if event.get("name") == "exception":
            return event.get("attributes") or {}
    return None


def is_error(span):
    return span["status_code"] == "ERROR"


def duration(span):
    return span["end_time"] - span["start_time"]


def by_start(span):
    return (span["start_time"], span["span_id"])


# ---------------------------------------------------------------- arithmetic

def ms(nanoseconds):
    return nanoseconds / NS_PER_MS


def percentile(values, share):
    """Linear interpolation between the two nearest of the sorted values (type 7 of Hyndman and Fan 1996)."""
    values = sorted(values)
    place = (len(values) - 1) * share
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def covered(intervals, start, end):
    """Length of the union of the intervals within start to end."""
    total, reached = 0, start
    for low, high in sorted(intervals):
        low, high = max(low, reached), min(high, end)
        if high > low:
            total += high - low
            reached = high
    return total


def grouped(rows, key):
    """Rows by key, keys sorted; a row whose key is None, or has a None in it, is left out."""
    groups = collections.defaultdict(list)
    for row in rows:
        found = key(row)
        if found is not None and not (isinstance(found, tuple) and None in found):
            groups[found].append(row)
    return sorted(groups.items())


# ---------------------------------------------------------------- one trace

def timeline(spans):
    """The rows of one trace in the order of its tree."""
    by_id = {span["span_id"]: span for span in spans}
    children = collections.defaultdict(list)
    roots = []
    for span in sorted(spans, key=by_start):
        if span["parent_id"] is None or span["parent_id"] not in by_id:
            roots.append(span)
        else:
            children[span["parent_id"]].append(span)

    order, depth = [], {}
    waiting = [(root, 0) for root in reversed(roots)]
    while waiting:
        span, level = waiting.pop()
        order.append(span)
        depth[span["span_id"]] = level
        waiting.extend((child, level + 1) for child in reversed(children[span["span_id"]]))
    lost = [span for span in sorted(spans, key=by_start) if span["span_id"] not in depth]

    # From the leaves up: every span comes after its parent in `order`.
    below, effective_end = {}, {}
    for span in reversed(order):
        own = children[span["span_id"]]
        below[span["span_id"]] = sum(1 + below[child["span_id"]] for child in own)
        effective_end[span["span_id"]] = max([span["end_time"]] + [effective_end[child["span_id"]] for child in own])

    critical, chains = set(), {}
    families = [(None, roots)]
    while families:
        parent, family = families.pop()
        chains[parent] = chain(family, effective_end)
        for span in chains[parent]:
            critical.add(span["span_id"])
            families.append((span["span_id"], children[span["span_id"]]))

    trace_start = min(span["start_time"] for span in spans)
    rows = []
    for position, span in enumerate(order + lost, start=1):
        span_id = span["span_id"]
        is_lost = span_id not in depth
        start, end = span["start_time"], span["end_time"]
        spent = covered([(child["start_time"], child["end_time"]) for child in children[span_id]], start, end)
        critical_ns = 0
        if span_id in critical:
            steps = [(child["start_time"], effective_end[child["span_id"]]) for child in chains[span_id]]
            critical_ns = end - start - covered(steps, start, end)
        repair = None
        if is_lost:
            repair = "cycle"
        elif span["parent_id"] is not None and span["parent_id"] not in by_id:
            repair = "parent missing"
        rows.append({
            "position": position,
            "depth": depth.get(span_id, 0),
            "span_id": span_id,
            "offset_ms": ms(start - trace_start),
            "duration_ms": ms(end - start),
            "self_ms": ms(end - start - spent),
            "critical": span_id in critical,
            "critical_ms": ms(critical_ns),
            "children": len(children[span_id]),
            "descendants": below.get(span_id, 0),
            "repair": repair,
        })
    return rows


def chain(family, effective_end):
    """The members of a family of siblings that decided when it ended, the last one first."""
    def rank(span):
        return (effective_end[span["span_id"]], span["start_time"], span["span_id"])

    found = []
    candidates = family
    while candidates:
        last = max(candidates, key=rank)
        found.append(last)
        candidates = [span for span in family
                      if effective_end[span["span_id"]] <= last["start_time"] and rank(span) < rank(last)]
    return found


def trace_row(trace_id, spans):
    ids = {span["span_id"] for span in spans}
    roots = [span for span in spans if span["parent_id"] is None or span["parent_id"] not in ids]
    root = min(roots or spans, key=by_start)
    start, end = min(span["start_time"] for span in spans), max(span["end_time"] for span in spans)
    return {
        "trace_id": trace_id,
        "root_name": root["name"],
        "start_time": start,
        "end_time": end,
        "duration_ms": ms(end - start),
        "spans": len(spans),
        "errors": sum(map(is_error, spans)),
        "services": sorted({span["service"] for span in spans}),
        "agents": sorted({agent_of(span) for span in spans} - {None}),
    }


# ---------------------------------------------------------------- over all traces

def traces(spans):
    return [trace_row(trace_id, group) for trace_id, group in grouped(spans, lambda span: span["trace_id"])]


def timelines(spans):
    return {trace_id: timeline(group) for trace_id, group in grouped(spans, lambda span: span["trace_id"])}


def timeline_sums(spans):
    """One line for each trace, in which any wrong row of its timeline shows."""
    found = {}
    for trace_id, rows in timelines(spans).items():
        found[trace_id] = {
            "spans": len(rows),
            "critical": sum(row["critical"] for row in rows),
            "children": sum(row["children"] for row in rows),
            "descendants": sum(row["descendants"] for row in rows),
            "position_times_depth": sum(row["position"] * row["depth"] for row in rows),
            "position_times_offset_ms": sum(row["position"] * row["offset_ms"] for row in rows),
            "self_ms": sum(row["self_ms"] for row in rows),
            "critical_ms": sum(row["critical_ms"] for row in rows),
        }
    return found


def critical_path(spans):
    by_id = {(span["trace_id"], span["span_id"]): span for span in spans}
    total = sum(row["duration_ms"] for row in traces(spans))
    critical = [(by_id[trace_id, row["span_id"]], row)
                for trace_id, rows in timelines(spans).items() for row in rows if row["critical"]]
    found = []
    for (service, operation), group in grouped(critical, lambda pair: (pair[0]["service"], pair[0]["operation"])):
        spent = sum(row["critical_ms"] for _, row in group)
        found.append({
            "service": service,
            "operation": operation,
            "traces": len({span["trace_id"] for span, _ in group}),
            "spans": len(group),
            "critical_ms": spent,
            "share": spent / total if total else None,
        })
    return found


def durations(spans, shares):
    values = [ms(duration(span)) for span in spans]
    row = {"calls": len(spans), "errors": sum(map(is_error, spans))}
    row["error_rate"] = row["errors"] / row["calls"]
    row["avg_ms"] = sum(values) / len(values)
    for share in shares:
        row[f"p{share}_ms"] = percentile(values, share / 100)
    row["max_ms"] = max(values)
    return row


def red(spans, names, key):
    """Rate, errors and durations of each group; `names` are the columns that the key fills."""
    window = (max(span["end_time"] for span in spans) - min(span["start_time"] for span in spans)) / 1e9
    found = []
    for values, group in grouped(spans, key):
        row = dict(zip(names, values))
        row.update(durations(group, [50, 90, 95, 99]))
        row["total_ms"] = sum(ms(duration(span)) for span in group)
        row["rate_per_s"] = len(group) / window if window else None
        found.append(row)
    return found


def red_by_all(spans):
    return {
        "operation": red(spans, ["service", "operation"], lambda span: (span["service"], span["operation"])),
        "service": red(spans, ["service"], lambda span: (span["service"],)),
        "agent": red(spans, ["agent"], lambda span: (agent_of(span),)),
        "module": red(spans, ["module"], lambda span: (text(span["attributes"], "module"),)),
    }


def edges(calls):
    """Rows from (from, to, called span)."""
    found = []
    for (caller, called), group in grouped(calls, lambda call: (call[0], call[1])):
        row = {"from": caller, "to": called}
        row.update(durations([span for _, _, span in group], [50, 95, 99]))
        found.append(row)
    return found


def dependencies(spans):
    by_id = {(span["trace_id"], span["span_id"]): span for span in spans}

    def parent_of(span):
        return by_id.get((span["trace_id"], span["parent_id"]))

    def is_run(span):
        return span["service"] == "Agent" and span["operation"] == "execute"

    def calling_run(span):
        seen = {span["span_id"]}
        parent = parent_of(span)
        while parent is not None and parent["span_id"] not in seen:
            if is_run(parent):
                return parent
            seen.add(parent["span_id"])
            parent = parent_of(parent)
        return None

    called = [(parent_of(span), span) for span in spans if parent_of(span) is not None]
    runs = [(calling_run(span), span) for span in spans if is_run(span)]
    return {
        "service": edges([(parent["service"], span["service"], span) for parent, span in called]),
        "operation": edges([(parent["name"], span["name"], span) for parent, span in called]),
        "agent": edges([(agent_of(caller), agent_of(span), span) for caller, span in runs if caller is not None]),
    }


def exception_type(span):
    exception = first_exception(span)
    kind = text(exception, "exception.type") if exception is not None else None
    return kind or (span["status_description"] or "").split(": ")[0] or "unknown"


def exceptions(spans):
    failed = [span for span in spans if is_error(span) or first_exception(span) is not None]
    found = []
    for (kind, service, operation), group in grouped(
            failed, lambda span: (exception_type(span), span["service"], span["operation"])):
        last = max(group, key=by_start)
        exception = first_exception(last)
        found.append({
            "exception_type": kind,
            "service": service,
            "operation": operation,
            "occurrences": len(group),
            "traces": len({span["trace_id"] for span in group}),
            "first_time": min(span["start_time"] for span in group),
            "last_time": last["start_time"],
            "last_trace_id": last["trace_id"],
            "last_span_id": last["span_id"],
            "message": text(exception, "exception.message") if exception is not None else last["status_description"],
            "stacktrace": text(exception, "exception.stacktrace") if exception is not None else None,
        })
    return found


def operations(spans):
    found = []
    for (service, operation), group in grouped(spans, lambda span: (span["service"], span["operation"])):
        last = max(group, key=by_start)
        found.append({
            "service": service,
            "operation": operation,
            "name": last["name"],
            "module": text(last["attributes"], "module"),
            "class": text(last["attributes"], "class"),
            "function": text(last["attributes"], "function"),
            "calls": len(group),
            "errors": sum(map(is_error, group)),
            "total_ms": sum(ms(duration(span)) for span in group),
            "first_time": min(span["start_time"] for span in group),
            "last_time": last["start_time"],
            "last_ms": ms(duration(last)),
        })
    return found


def functions(spans):
    def key(span):
        attributes = span["attributes"]
        return (span["service"], span["operation"], span["name"], text(attributes, "module"), text(attributes, "class"),
                text(attributes, "function"))

    def number(group, name):
        return sum(int(span["attributes"].get(name) or 0) for span in group)

    names = ("service", "operation", "name", "module", "class", "function")
    together = collections.defaultdict(list)
    # Parts of the key may be missing, which `grouped` leaves out.
    for span in spans:
        together[key(span)].append(span)
    found = []
    for values, group in sorted(together.items(), key=lambda item: [part or "" for part in item[0]]):
        last = max(group, key=by_start)
        slowest = max(group, key=lambda span: (duration(span), *by_start(span)))
        failed = [span for span in group if is_error(span)]
        worst = max(failed, key=by_start) if failed else None
        exception = first_exception(worst) if failed else None
        row = dict(zip(names, values))
        row.update({
            "calls": len(group),
            "errors": len(failed),
            "total_ms": sum(ms(duration(span)) for span in group),
            "last_time": last["start_time"],
            "last_ms": ms(duration(last)),
            "last_trace_id": last["trace_id"],
            "last_span_id": last["span_id"],
            "slowest_ms": ms(duration(slowest)),
            "slowest_trace_id": slowest["trace_id"],
            "last_error_time": worst["start_time"] if failed else None,
            "last_error_trace_id": worst["trace_id"] if failed else None,
            "last_error_type": text(exception, "exception.type") if exception else None,
            "last_error_message": (text(exception, "exception.message") if exception else None)
            or (worst["status_description"] if failed else None),
            "input_tokens": number(group, "gen_ai.usage.input_tokens"),
            "output_tokens": number(group, "gen_ai.usage.output_tokens"),
        })
        for share in (50, 95, 99):
            row[f"p{share}_ms"] = percentile([ms(duration(span)) for span in group], share / 100)
        found.append(row)
    return found


JSON_TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN", dict: "OBJECT", list: "ARRAY",
              type(None): "NULL"}


def value_text(value):
    """A value as text, as `->>` of SQL gives it; None for JSON's null."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def attribute_keys(spans):
    pairs = [(key, value) for span in spans for key, value in span["attributes"].items()]
    found = []
    for key, group in grouped(pairs, lambda pair: pair[0]):
        found.append({
            "key": key,
            "spans": len(group),
            "types": sorted({JSON_TYPES[type(value)] for _, value in group}),
            "longest": max(len(value_text(value) or "") for _, value in group),
        })
    return found


def attribute_values(spans, key):
    counts = collections.Counter(value_text(span["attributes"][key]) for span in spans if key in span["attributes"])
    return [{"value": value, "spans": count}
            for value, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def statistics(spans):
    return {
        "spans": len(spans),
        "traces": len({span["trace_id"] for span in spans}),
        "services": len({span["service"] for span in spans}),
        "operations": len({(span["service"], span["operation"]) for span in spans}),
        "agents": len({agent_of(span) for span in spans} - {None}),
        "errors": sum(map(is_error, spans)),
        "repaired": 0,
        "oldest_time": min(span["start_time"] for span in spans),
        "newest_time": max(span["start_time"] for span in spans),
    }


# ---------------------------------------------------------------- writing

def varied_traces(spans):
    """A dozen traces: of each kind of root the one with most spans, but no more than 400, and no lone set-up spans."""
    kinds = collections.defaultdict(list)
    for row in traces(spans):
        if row["root_name"] not in ("int.make_ticket", "Flock.add_component", "Flock.traced_run") and row["spans"] <= 400:
            kinds[row["root_name"]].append((row["spans"], row["trace_id"]))
    return sorted(max(found)[1] for found in kinds.values())


def rounded(value):
    """Floats with nine decimals (picoseconds, where they are milliseconds), so that the files stay the same."""
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def as_table(rows):
    """Rows as one list of columns and one list a row: a quarter of the size."""
    columns = list(rows[0])
    return {"columns": columns, "rows": [[row[column] for column in columns] for row in rows]}


def compact(value):
    return json.dumps(rounded(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def written(value):
    """JSON with one entry of the outer list or object a line."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(compact, value)) + "\n]\n"
    return "{\n" + ",\n".join(f"{compact(key)}:{compact(value[key])}" for key in sorted(value)) + "\n}\n"


def everything(spans):
    return {
        "traces": traces(spans),
        "critical_path": critical_path(spans),
        "red": red_by_all(spans),
        "dependencies": dependencies(spans),
        "exceptions": exceptions(spans),
        "operations": operations(spans),
        "functions": functions(spans),
        "attribute_keys": attribute_keys(spans),
        "statistics": statistics(spans),
    }


def awkward_figures(spans):
    """Everything, with all timelines in full."""
    found = everything(spans)
    found["timelines"] = {trace_id: as_table(rows) for trace_id, rows in timelines(spans).items()}
    return found


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "expected"
    folder.mkdir(parents=True, exist_ok=True)
    sample = read_store(DATA / "traces.duckdb.gz")
    found = everything(sample)
    every = timelines(sample)
    found["timelines"] = {trace_id: as_table(every[trace_id]) for trace_id in varied_traces(sample)}
    found["timeline_sums"] = timeline_sums(sample)
    found["attribute_values"] = {key: attribute_values(sample, key)
                                 for key in ("agent.name", "output.type", "flock.workflow")}
    for name, value in found.items():
        (folder / f"{name}.json").write_text(written(value), encoding="utf-8")
    awkward = awkward_figures(read_lines(HERE / "awkward.jsonl"))
    (folder / "awkward.json").write_text(written(awkward), encoding="utf-8")


if __name__ == "__main__":
    main()
