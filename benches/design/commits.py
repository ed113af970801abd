"""Question: how large may the write-ahead log grow, and how many rows should a row group have?"""

from __future__ import annotations

import threading
import time

import duckdb

import attributes
import spans
from bench import Bench, Table, connect, megabytes, memory, milliseconds

BATCH = 10_000


def _checkpoints(
    con: duckdb.DuckDBPyConnection, due: threading.Event, stop: threading.Event, refused: list[str]
) -> None:
    while not stop.is_set():
        if due.wait(0.05):
            due.clear()
            try:
                con.execute("CHECKPOINT store")
            except duckdb.Error as error:
                refused.append(str(error))


def load(path: str, rows: int, checkpoint: str, attach: str, beside: bool = False) -> list:
    """Loads by batches of 10,000: rate, worst commit, last checkpoint, size, and what two reads cost.

    `beside`: a second connection checkpoints after every 250,000 rows while this one goes on.
    """
    con = connect()
    con.execute(f"ATTACH '{path}' AS store ({attach})" if attach else f"ATTACH '{path}' AS store")
    con.execute("USE store")
    con.execute(f"SET wal_autocheckpoint = '{checkpoint}'")
    con.execute(f"CREATE TABLE spans ({spans.COLUMNS})")
    taken = []
    due, stop, refused = threading.Event(), threading.Event(), []
    other = threading.Thread(target=_checkpoints, args=(con.cursor(), due, stop, refused))
    if beside:
        other.start()
    for first in range(0, rows, BATCH):
        if first % 100_000 == 0:
            # Made in hundreds of thousands and cut: making is not part of the time, and dearer than the rest.
            con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {spans.lean(first, min(first + 100_000, rows), rows)}")
        offset = first % 100_000
        started = time.perf_counter()
        con.execute(f"INSERT INTO spans FROM made WHERE rowid >= {offset} AND rowid < {offset + BATCH}")
        taken.append(time.perf_counter() - started)
        if beside and (first + BATCH) % 250_000 == 0:
            due.set()
    stop.set()
    if beside:
        other.join()
    started = time.perf_counter()
    con.execute("CHECKPOINT store")
    last = time.perf_counter() - started
    trace, low, high = con.execute(
        "SELECT trace_id, min(start_time), max(start_time) FROM spans WHERE trace_id = md5('777') GROUP BY trace_id"
    ).fetchone()
    lookup = f"SELECT * FROM spans WHERE trace_id = '{trace}' AND start_time BETWEEN {low} AND {high}"
    red = "SELECT operation_id, count(*), avg(duration_ms) FROM spans GROUP BY ALL"
    return [
        rows / (sum(taken) + last),
        max(taken) * 1000,
        len(refused),
        last,
        megabytes(path),
        memory("VmHWM"),
        milliseconds(con, lookup),
        milliseconds(con, red),
    ]


FULL_BATCH = 2_000


def load_full(path: str, source: str, rows: int, threshold: str, megabytes_each: int, limit: str) -> list:
    """Loads full rows into a zstd column; with `megabytes_each` a second connection checkpoints after so much text."""
    con = connect(memory_limit=limit)
    con.execute(f"ATTACH '{path}' AS store; ATTACH '{source}' AS source (READ_ONLY); USE store")
    con.execute(f"SET wal_autocheckpoint = '{threshold}'")
    con.execute(
        "CREATE TABLE spans (trace_id VARCHAR, name VARCHAR, start_time BIGINT, attributes JSON USING COMPRESSION zstd)"
    )
    due, stop, refused = threading.Event(), threading.Event(), []
    other = threading.Thread(target=_checkpoints, args=(con.cursor(), due, stop, refused))
    if megabytes_each:
        other.start()
    taken, text = [], 0
    for first in range(0, rows, FULL_BATCH):
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE batch AS FROM source.full_spans WHERE rowid >= {first} AND rowid < {first + FULL_BATCH}"
        )
        started = time.perf_counter()
        con.execute("INSERT INTO spans FROM batch")
        taken.append(time.perf_counter() - started)
        text += con.execute("SELECT sum(strlen(attributes)) FROM batch").fetchone()[0]
        if megabytes_each and text > megabytes_each * 1_000_000:
            text = 0
            due.set()
    stop.set()
    if megabytes_each:
        other.join()
    started = time.perf_counter()
    con.execute("CHECKPOINT store")
    last = time.perf_counter() - started
    return [rows / (sum(taken) + last), max(taken) * 1000, len(refused), last, megabytes(path), memory("VmHWM")]


def measure(bench: Bench) -> list[Table]:
    """Checkpoint thresholds, then row group sizes, over at most 2 million rows."""
    rows = min(bench.rows, 2_000_000)
    columns = [
        "rows/s",
        "worst commit ms",
        "checkpoints refused",
        "last checkpoint s",
        "file MB",
        "highest RSS MiB",
        "trace ms",
        "all by id ms",
    ]
    thresholds = Table(f"`wal_autocheckpoint`: {rows:,} lean rows by batches of {BATCH:,}", ["threshold", *columns])
    for threshold in ("16MB", "64MB", "256MB", "1GB"):
        thresholds.rows.append([threshold, *bench.alone(load, bench.file("commits.duckdb"), rows, threshold, "")])
    figures = bench.alone(load, bench.file("commits.duckdb"), rows, "4GB", "", True)
    thresholds.rows.append(["never; a second connection every 250,000 rows", *figures])
    groups = Table("`ROW_GROUP_SIZE` of ATTACH, threshold 256 MB", ["rows in a group", *columns])
    for size in (20_480, 61_440, 122_880, 491_520):
        figures = bench.alone(load, bench.file("commits.duckdb"), rows, "256MB", f"ROW_GROUP_SIZE {size}")
        groups.rows.append([size, *figures])
    return [thresholds, groups, _full(bench)]


def _full(bench: Bench) -> Table:
    rows = min(bench.full_rows, 200_000)
    source = bench.file("full.duckdb")
    bench.alone(attributes.make, source, spans.real(bench.sample, bench.scratch), rows)
    table = Table(
        f"{rows:,} full rows by batches of {FULL_BATCH:,} into a zstd column",
        [
            "threshold",
            "memory_limit",
            "rows/s",
            "worst commit ms",
            "checkpoints refused",
            "last checkpoint s",
            "file MB",
            "highest RSS MiB",
        ],
    )
    for threshold, each, limit in (
        ("16MB", 0, "512MB"),
        ("64MB", 0, "512MB"),
        ("256MB", 0, "512MB"),
        ("256MB", 0, "1GB"),
        ("4GB", 32, "512MB"),
        ("4GB", 128, "512MB"),
    ):
        figures = bench.alone(load_full, bench.file("commits.duckdb"), source, rows, threshold, each, limit)
        name = f"second connection, every {each} MB of text" if each else threshold
        table.rows.append([name, limit, *figures])
    bench.file("commits.duckdb")
    bench.file("full.duckdb")
    return table
