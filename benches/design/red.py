"""Question: what does `red` cost, by what should it group, and does it stay within 512 MB?"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import duckdb

import identity
import spans
from bench import Bench, Table, connect, memory, milliseconds

ERRORS = "count(*) AS calls, count(*) FILTER (status_code = 'ERROR') AS errors, avg(duration_ms), max(duration_ms)"
FIGURES = ERRORS + ", quantile_cont(duration_ms, [0.5, 0.9, 0.95, 0.99])"
FOUR = ERRORS + "".join(f", quantile_cont(duration_ms, {q})" for q in (0.5, 0.9, 0.95, 0.99))
# What a macro with a parameter for its grouping becomes once the parameter is a constant.
CHOICE = """CASE 'operation' WHEN 'operation' THEN service WHEN 'service' THEN service END AS service,
    CASE 'operation' WHEN 'operation' THEN operation END AS operation, CASE 'operation' WHEN 'agent' THEN kind END AS agent,
    CASE 'operation' WHEN 'module' THEN trace_id END AS module, CASE 'operation' WHEN 'version' THEN span_id END AS version"""
QUERIES = {
    "service, operation": f"SELECT service, operation, {FIGURES} FROM {{t}} GROUP BY ALL",
    "name": f"SELECT name, {FIGURES} FROM {{t}} GROUP BY ALL",
    "small integer id": f"SELECT operation_id, {FIGURES} FROM {{t}} GROUP BY ALL",
    "CASE of constants, three keys NULL": f"SELECT {CHOICE}, {FIGURES} FROM {{t}} GROUP BY ALL",
    "id, no percentiles": f"SELECT operation_id, {ERRORS} FROM {{t}} GROUP BY ALL",
    "service, operation, no percentiles": f"SELECT service, operation, {ERRORS} FROM {{t}} GROUP BY ALL",
    "id, four quantile_cont": f"SELECT operation_id, {FOUR} FROM {{t}} GROUP BY ALL",
    "id, percentiles of ns (BIGINT)": "SELECT operation_id, quantile_cont(end_time - start_time, [0.5, 0.9, 0.95, 0.99]) FROM {t} GROUP BY ALL",
    "id, percentiles of FLOAT": "SELECT operation_id, quantile_cont(duration_ms::FLOAT, [0.5, 0.9, 0.95, 0.99]) FROM {t} GROUP BY ALL",
    "id, approx_quantile": "SELECT operation_id, approx_quantile(duration_ms, [0.5, 0.9, 0.95, 0.99]) FROM {t} GROUP BY ALL",
    "one group": f"SELECT {FIGURES} FROM {{t}}",
    "service, operation, 60 steps of time": f"SELECT service, operation, start_time // {{step}} AS step, {FIGURES} FROM {{t}} GROUP BY ALL",
    "60 steps of time": f"SELECT start_time // {{step}} AS step, {FIGURES} FROM {{t}} GROUP BY ALL",
}


def _spilled(folder: Path, stop: threading.Event, peak: list[int]) -> None:
    while not stop.wait(0.02):
        try:
            peak[0] = max(peak[0], sum(entry.stat().st_size for entry in os.scandir(folder)))
        except OSError:
            pass  # Not there yet, or a file that went while it was looked at.


def window(path: str, name: str, hours: int, limit: str, temporary: str) -> list:
    """One query over the last hours: time, spilled MB and the highest memory of the process."""
    con = connect(path, limit, read_only=True)
    con.execute(f"SET temp_directory = '{temporary}'")
    before = memory()
    (last,) = con.execute("SELECT max(start_time) FROM spans").fetchone()
    step = max(1, hours * spans.HOUR // 60)
    source = "spans" if hours == 48 else f"(FROM spans WHERE start_time >= {last - hours * spans.HOUR})"
    stop, peak = threading.Event(), [0]
    watcher = threading.Thread(target=_spilled, args=(Path(temporary), stop, peak))
    watcher.start()
    try:
        took = milliseconds(con, QUERIES[name].format(t=source, step=step), 5)
        return [took, peak[0] / 1e6, memory("VmHWM") - before]
    except duckdb.OutOfMemoryException:
        return ["out of memory", peak[0] / 1e6, memory("VmHWM") - before]
    finally:
        stop.set()
        watcher.join()


def measure(bench: Bench) -> list[Table]:
    """Every query over 48 hours and over the last hour at 512 MB, and the plain one at other limits."""
    path = identity.ensure(bench)
    temporary = str(bench.scratch / "spill")
    table = Table(
        f"`red` of {bench.rows:,} rows, 512 MB: calls, errors, average, max and four exact percentiles",
        ["group by", "all ms", "all spilled MB", "all memory MiB", "last hour ms"],
    )
    for name in QUERIES:
        everything = bench.alone(window, path, name, 48, "512MB", temporary)
        hour = bench.alone(window, path, name, 1, "512MB", temporary)
        table.rows.append([name, *everything, hour[0]])
    limits = Table(
        "The same by `service, operation` at other memory limits", ["limit", "all ms", "spilled MB", "memory MiB"]
    )
    for limit in ("128MB", "256MB", "512MB", "1GB"):
        limits.rows.append([limit, *bench.alone(window, path, "service, operation", 48, limit, temporary)])
    return [table, limits]
