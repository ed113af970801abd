"""Makes flock-api.json: what Flock's own code answers about the bundled sample.

    pip download --no-deps flock-core==0.5.7 && unzip flock_core-0.5.7-*.whl -d flock-core
    pip install 'duckdb>=2' fastapi
    python flock_api.py flock-core ../../../../tests/data/traces.duckdb.gz > flock-api.json

The functions are taken out of flock/dashboard/service.py and run without the rest of Flock.
"""

import ast
import asyncio
import datetime
import gzip
import json
import os
import pathlib
import sys
import tempfile

from fastapi.encoders import jsonable_encoder

FUNCTIONS = {"get_traces", "get_trace_services", "execute_trace_query", "get_trace_stats"}

QUERIES = [
    "SELECT * FROM spans WHERE status_code = 'ERROR' ORDER BY start_time, span_id LIMIT 3",
    "SELECT service, COUNT(*) as count FROM spans GROUP BY service ORDER BY count DESC, service",
    "SELECT name, duration_ms, parent_id, start_time FROM spans ORDER BY start_time DESC, span_id LIMIT 5",
    "SELECT 1 AS a, 2 AS a, NULL AS n, true AS b, 1.5 AS d, 'x' AS t, 2.0::DOUBLE AS f, "
    "123456789012345678901234567890::HUGEINT AS h",
    "SELECT [1, 2] AS l, {'a': 1, 'b': 'x'} AS s, DATE '2026-01-02' AS day, "
    "TIMESTAMP '2026-01-02 03:04:05.678901' AS ts, TIMESTAMP '2026-01-02 03:04:05' AS whole",
    "SELECT * FROM spans WHERE false",
    "SELECT nosuch FROM spans",
    "",
    "DELETE FROM spans",
]


class Silent:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def flock_functions(wheel):
    names = {"Any": object, "timezone": datetime.timezone, "logger": Silent()}
    tree = ast.parse((wheel / "flock/dashboard/service.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef) and node.name in FUNCTIONS:
            node.decorator_list = []
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            exec(compile(ast.Module([node], []), "service.py", "exec"), names)
    return names


def main(wheel, sample):
    functions = flock_functions(pathlib.Path(wheel).resolve())
    packed = gzip.open(sample).read()
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.mkdir(".flock")
    pathlib.Path(".flock/traces.duckdb").write_bytes(packed)

    def answer(name, *args):
        return json.loads(json.dumps(jsonable_encoder(asyncio.run(functions[name](*args)))))

    spans = answer("get_traces")
    errors = [span for span in spans if span["status"]["status_code"] == "ERROR"]
    roots = [span for span in spans if "parent_id" not in span]
    found = {
        "spans": {"count": len(spans), "first": spans[:3], "errors": errors[:2], "roots": roots[:2]},
        "services": answer("get_trace_services"),
        "stats": answer("get_trace_stats"),
        "queries": [
            {"query": query, "answer": answer("execute_trace_query", {"query": query})} for query in QUERIES
        ],
    }
    json.dump(found, sys.stdout, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
