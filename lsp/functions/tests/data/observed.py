"""Writes observed.json: the distinct operations of the sample's traces, and whose they are as Python itself sees it.

It knows nothing of the crate: it imports the program and the real package, walks `__mro__`, and takes the definition whose
function object says that it is from the span's module. To be run in the folder that holds `helpdesk`, in an environment
with flock-core 0.5.7, with the unpacked traces and the folder of the result as arguments:

    FLOCK_AUTO_TRACE=true python observed.py traces.duckdb .
"""
import importlib
import inspect
import json
import pkgutil
import sys
from pathlib import Path

import duckdb
import flock

for found in pkgutil.walk_packages(flock.__path__, "flock."):
    if "frontend" not in found.name:
        try:
            importlib.import_module(found.name)
        except Exception as error:
            print(f"not imported: {found.name}: {error}", file=sys.stderr)
sys.path.insert(0, ".")
importlib.import_module("flock.utility.output_utility_component")  # In a folder without __init__.py.
for name in ("helpdesk.app", "helpdesk.engines", "helpdesk.models"):
    importlib.import_module(name)

# The program was run as `python -m helpdesk.app`.
MAIN = "helpdesk.app"


def relative(function) -> str:
    path = Path(inspect.getsourcefile(function)).as_posix()
    return path[max(path.rfind("/helpdesk/"), path.rfind("/flock/")) + 1:]


def classes_named(name: str) -> list[type]:
    modules = [module for key, module in list(sys.modules.items()) if key.split(".")[0] in ("flock", "helpdesk")]
    found = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    return [value for value in found if value.__name__ == name and value.__module__ != "builtins"]


def owners(module: str, klass: str, name: str) -> set[tuple[str, str]]:
    module = MAIN if module == "__main__" else module
    found = set()
    for candidate in classes_named(klass):
        for base in candidate.__mro__:
            value = vars(base).get(name)
            function = inspect.unwrap(value) if callable(value) else None
            if function is not None and function.__module__ == module:
                found.add((relative(function), function.__qualname__))
                break
    plain = vars(sys.modules[module]).get(name)
    if not found and plain is not None:
        function = inspect.unwrap(plain)
        found.add((relative(function), function.__qualname__))
    return found


traces, folder = sys.argv[1:]
database = duckdb.connect(traces, read_only=True)
rows = database.sql(
    """SELECT name, service, operation, attributes->>'module', attributes->>'class', attributes->>'function', count(*)
    FROM spans GROUP BY ALL ORDER BY ALL"""
).fetchall()
ids = {(row[0], row[3], row[4], row[5]): index for index, row in enumerate(rows)}
parents: dict[int, list] = {}
for *child_and_parent, calls in database.sql(
    """SELECT s.name, s.attributes->>'module', s.attributes->>'class', s.attributes->>'function',
    p.name, p.attributes->>'module', p.attributes->>'class', p.attributes->>'function', count(*)
    FROM spans s JOIN spans p ON p.span_id = s.parent_id AND p.trace_id = s.trace_id GROUP BY ALL ORDER BY ALL"""
).fetchall():
    parents.setdefault(ids[tuple(child_and_parent[:4])], []).append([ids[tuple(child_and_parent[4:])], calls])

operations = []
for index, (name, service, operation, module, klass, function, calls) in enumerate(rows):
    expected = sorted(owners(module, klass, function)) if module else []
    operations.append({
        "id": index, "name": name, "service": service, "operation": operation, "module": module, "class": klass,
        "function": function, "parents": parents.get(index, []), "calls": calls,
        "expected": [{"path": path, "function": owner} for path, owner in expected],
    })

traced = set()
for module in ("helpdesk.app", "helpdesk.engines", "helpdesk.models"):
    namespace = vars(sys.modules[module])
    holders = [value for value in namespace.values() if inspect.isclass(value) and value.__module__ == module]
    for value in [item for holder in holders for item in vars(holder).values()] + list(namespace.values()):
        if not inspect.isfunction(value) or value.__module__ != module:
            continue
        # Only the wrapper of Flock has a tracer among its globals.
        layers = [value]
        while hasattr(layers[-1], "__wrapped__"):
            layers.append(layers[-1].__wrapped__)
        if any(layer.__code__.co_filename.endswith("trace_and_logged.py") for layer in layers):
            traced.add((relative(layers[-1]), layers[-1].__qualname__))

result = {"operations": operations, "traced": [{"path": path, "function": name} for path, name in sorted(traced)]}
Path(folder, "observed.json").write_text(json.dumps(result, indent=1) + "\n")
