"""Writes catalog.json: what the store of the sample program knows, as a part of a catalog's contents.

    gunzip -k tests/data/traces.duckdb.gz       (of the project's root)
    python catalog.py traces.duckdb > catalog.json
"""

import json
import sys
from collections import Counter, defaultdict

import duckdb

MOST_VALUES = 25
LONGEST_VALUE = 60
MOST_TRACES = 12
COLUMNS = ["service", "operation", "name", "kind", "status_code", "status_description", "trace_id", "parent_id"]


def json_type(value):
    for kind, name in ((bool, "BOOLEAN"), (int, "BIGINT"), (float, "DOUBLE"), (str, "VARCHAR"), (list, "ARRAY")):
        if isinstance(value, kind):
            return name
    return "OBJECT"


def values(counter):
    short = {text: count for text, count in counter.items() if len(text) <= LONGEST_VALUE}
    ordered = sorted(short.items(), key=lambda item: (-item[1], item[0]))
    return [{"text": text, "count": count} for text, count in ordered[:MOST_VALUES]]


def main():
    connection = duckdb.connect(sys.argv[1], read_only=True)
    rows = connection.execute("SELECT service, operation, name, attributes, resource, events FROM spans").fetchall()
    found = defaultdict(lambda: [Counter(), Counter(), Counter()])
    for service, operation, _, attributes, resource, events in rows:
        pairs = [("attributes", key, value) for key, value in json.loads(attributes).items()]
        pairs += [("resource", key, value) for key, value in json.loads(resource).items()]
        once = {}
        for event in json.loads(events):
            once.update(event.get("attributes", {}))
        pairs += [("events", key, value) for key, value in once.items()]
        for column, key, value in pairs:
            types, carriers, counts = found[column, key]
            types[json_type(value)] += 1
            carriers[service, operation] += 1
            counts[value if isinstance(value, str) else json.dumps(value)] += 1
    keys = [
        {
            "key": key,
            "column": column,
            "json_type": types.most_common(1)[0][0],
            "spans": sum(types.values()),
            "share": round(sum(types.values()) / len(rows), 5),
            "carriers": [{"service": s, "operation": o, "spans": n} for (s, o), n in sorted(carriers.items())],
            "values": values(counts),
        }
        for (column, key), (types, carriers, counts) in sorted(found.items())
    ]
    operations = Counter((service, operation, name) for service, operation, name, *_ in rows)
    traces = connection.execute("""
        SELECT trace_id, arg_min(name, start_time), min(start_time), (max(end_time) - min(start_time)) / 1e6
        FROM spans GROUP BY trace_id ORDER BY 3 DESC, 1 LIMIT ?
    """, [MOST_TRACES]).fetchall()
    profiles = {}
    for column in COLUMNS:
        counts = Counter(row[0] for row in connection.execute(f"SELECT {column} FROM spans").fetchall())
        nulls = counts.pop(None, 0)
        profiles[column] = {
            "rows": len(rows),
            "null_share": round(nulls / len(rows), 5),
            "distinct": len(counts),
            "values": values(counts) if not column.endswith("_id") else [],
            "min": min(counts, default=None),
            "max": max(counts, default=None),
        }
    json.dump(
        {
            "attribute_keys": keys,
            "operations": [
                {"service": s, "operation": o, "name": n, "spans": count} for (s, o, n), count in sorted(operations.items())
            ],
            "traces": [
                {"trace_id": t, "root_name": r, "start_time": s, "duration_ms": round(d, 3)} for t, r, s, d in traces
            ],
            "profiles": profiles,
        },
        sys.stdout,
        ensure_ascii=False,
        indent=1,
    )
    print()


main()
