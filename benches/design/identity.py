"""Question: how is a span that comes twice replaced? By a key, by an index, or by deleting before appending?"""

from __future__ import annotations

import statistics
import time

import duckdb

import spans
from bench import Bench, Table, connect, megabytes, memory

BATCH = 100_000
SMALL = 100
SMALL_BATCHES = 20
LOOKUPS = 30

# Name of the variant → (constraint in the table, index on it, index on the side table)
VARIANTS = {
    "no key": ("", "", ""),
    "no key, ART on trace_times": ("", "", "CREATE INDEX times_trace ON trace_times (trace_id)"),
    "ART on trace_id": ("", "CREATE INDEX spans_trace ON spans (trace_id)", ""),
    "ART on span_id": ("", "CREATE INDEX spans_span ON spans (span_id)", ""),
    "PRIMARY KEY (trace_id, span_id)": (", PRIMARY KEY (trace_id, span_id)", "", ""),
}

LOOKUP_BY_TIMES = """
    SELECT s.* FROM spans s JOIN trace_times t ON s.trace_id = t.trace_id AND s.start_time BETWEEN t.min_start AND t.max_start
    WHERE t.trace_id = '{}'"""
LOOKUP_PLAIN = "SELECT * FROM spans WHERE trace_id = '{}'"


def append(con: duckdb.DuckDBPyConnection, keyed: bool) -> float:
    """Stores the rows of the table `batch`, replacing spans that are there. Seconds from begin to commit."""
    started = time.perf_counter()
    con.execute("BEGIN")
    if keyed:
        con.execute("INSERT OR REPLACE INTO spans FROM batch")
    else:
        traces = [row[0] for row in con.execute("SELECT DISTINCT trace_id FROM batch LIMIT 65").fetchall()]
        # A short list can use an index of the side table; a long one is better joined.
        known = f"trace_id IN ({str(traces)[1:-1]})" if len(traces) < 65 else "trace_id IN (SELECT trace_id FROM batch)"
        low, high = con.execute(f"SELECT min(min_start), max(max_start) FROM trace_times WHERE {known}").fetchone()
        if low is not None:
            con.execute(
                f"""DELETE FROM spans USING batch WHERE spans.start_time BETWEEN {low} AND {high}
                AND spans.trace_id = batch.trace_id AND spans.span_id = batch.span_id"""
            )
    con.execute(
        "INSERT INTO trace_times SELECT trace_id, min(start_time), max(start_time) FROM batch GROUP BY trace_id"
    )
    if not keyed:
        con.execute("INSERT INTO spans FROM batch")
    con.execute("COMMIT")
    return time.perf_counter() - started


def make(path: str, rows: int) -> None:
    """All rows once, and those of the small batches: making them costs more than storing them."""
    con = connect(path)
    con.execute(f"CREATE TABLE made ({spans.COLUMNS})")
    last = rows + SMALL_BATCHES * SMALL
    for first in range(0, last, BATCH):
        con.execute(f"INSERT INTO made {spans.lean(first, min(first + BATCH, last), rows)}")


def batch(con: duckdb.DuckDBPyConnection, first: int, last: int) -> None:
    """Fills the table `batch` from those made; not part of any time measured."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE batch AS FROM source.made WHERE rowid >= {first} AND rowid < {last}")


def load(path: str, source: str, variant: str, rows: int) -> dict:
    """Loads a new file by batches of 100,000."""
    constraint, index, side_index = VARIANTS[variant]
    con = connect(path, "2GB")
    con.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
    con.execute(f"CREATE TABLE spans ({spans.COLUMNS}{constraint})")
    con.execute("CREATE TABLE trace_times (trace_id VARCHAR, min_start BIGINT, max_start BIGINT)")
    for statement in filter(None, (index, side_index)):
        con.execute(statement)
    taken = []
    for first in range(0, rows, BATCH):
        batch(con, first, min(first + BATCH, rows))
        taken.append(append(con, bool(constraint)))
    started = time.perf_counter()
    con.execute("CHECKPOINT")
    checkpoint = time.perf_counter() - started
    after = memory()
    con.close()
    return {"rate": rows / (sum(taken) + checkpoint), "worst": max(taken), "mb": megabytes(path), "after": after}


def use(path: str, source: str, variant: str, rows: int) -> dict:
    """Opens a loaded file, looks traces up, and appends small batches: new spans, and spans that it has."""
    keyed = bool(VARIANTS[variant][0])
    before = memory()
    con = connect(path, "1GB")
    con.execute("SELECT count(*) FROM duckdb_tables()").fetchall()
    opened = memory() - before
    lookup = LOOKUP_PLAIN if variant == "ART on trace_id" else LOOKUP_BY_TIMES
    traces = rows // spans.SPANS_A_TRACE
    ids = con.execute(f"SELECT md5((i * {traces // LOOKUPS})::VARCHAR) FROM range({LOOKUPS}) r(i)").fetchall()
    looked = []
    for (trace,) in ids:
        started = time.perf_counter()
        assert len(con.execute(lookup.format(trace)).fetchall()) == spans.SPANS_A_TRACE
        looked.append((time.perf_counter() - started) * 1000)
    new, again = [], []
    con.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
    for nth in range(SMALL_BATCHES):
        batch(con, rows + nth * SMALL, rows + (nth + 1) * SMALL)
        new.append(append(con, keyed) * 1000)
        batch(con, rows // 2 + nth * SMALL, rows // 2 + (nth + 1) * SMALL)
        again.append(append(con, keyed) * 1000)
    (count,) = con.execute("SELECT count(*) FROM spans").fetchone()
    assert count == rows + SMALL_BATCHES * SMALL, f"{variant}: {count} rows, so spans were doubled or lost"
    return {
        "opened": opened,
        "rss": memory(),
        "lookup": statistics.median(looked),
        "new": statistics.median(new),
        "again": statistics.median(again),
        "worst": max(new + again),
    }


def measure(bench: Bench) -> list[Table]:
    """All variants; leaves the file of the first as `lean.duckdb` for the questions after this."""
    table = Table(
        f"Identity and replacement: {bench.rows:,} lean rows by batches of {BATCH:,}; small batches of {SMALL}",
        ["variant", "rows/s", "worst batch s", "file MB", "RSS after load MiB", "RSS of opening MiB", "RSS after use MiB",
         "lookup p50 ms", "small new p50 ms", "small replace p50 ms", "small worst ms"],
    )  # fmt: skip
    source = _made(bench)
    for variant in VARIANTS:
        path = bench.file("lean.duckdb" if variant == "no key" else "variant.duckdb")
        loaded = bench.alone(load, path, source, variant, bench.rows)
        used = bench.alone(use, path, source, variant, bench.rows)
        table.rows.append(
            [variant, loaded["rate"], loaded["worst"], loaded["mb"], loaded["after"], used["opened"], used["rss"],
             used["lookup"], used["new"], used["again"], used["worst"]]
        )  # fmt: skip
    bench.file("variant.duckdb")
    bench.file("made.duckdb")
    return [table]


def _made(bench: Bench) -> str:
    path = bench.file("made.duckdb")
    bench.alone(make, path, bench.rows)
    return path


def ensure(bench: Bench) -> str:
    """The loaded file without keys, made where this run has not measured it."""
    path = bench.scratch / "lean.duckdb"
    if not path.exists():
        bench.alone(load, str(path), _made(bench), "no key", bench.rows)
        bench.file("made.duckdb")
    return str(path)
