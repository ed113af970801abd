"""Question: how is one trace of ten million rows found, and does it matter in what order the rows came?"""

from __future__ import annotations

import duckdb

import identity
import spans
from bench import Bench, Table, connect, megabytes, milliseconds, row_groups, seconds

BY_TRACE = "SELECT * FROM {t} WHERE trace_id = '{trace}'"
WAYS = {
    "trace_id alone": BY_TRACE,
    "with constant bounds": BY_TRACE + " AND start_time BETWEEN {low} AND {high}",
    "side table alone": "SELECT min_start, max_start FROM {times} WHERE trace_id = '{trace}'",
    "bounds by two scalar subqueries": BY_TRACE
    + " AND start_time >= (SELECT min(min_start) FROM {times} WHERE trace_id = '{trace}')"
    + " AND start_time <= (SELECT max(max_start) FROM {times} WHERE trace_id = '{trace}')",
    "bounds by join": "SELECT s.* FROM {t} s JOIN {times} x ON s.trace_id = x.trace_id"
    " AND s.start_time BETWEEN x.min_start AND x.max_start WHERE x.trace_id = '{trace}'",
    "bounds by join with an aggregate": "SELECT s.* FROM {t} s JOIN (SELECT min(min_start) AS low, max(max_start) AS high"
    " FROM {times} WHERE trace_id = '{trace}') ON s.start_time BETWEEN low AND high WHERE s.trace_id = '{trace}'",
    "the aggregate join in a table macro": "FROM one_trace('{trace}')",
}
ORDERS = {
    "order of arrival": (False, ""),
    "traces at random": (True, ""),
    "at random, each batch sorted": (True, "ORDER BY start_time"),
}


def ways(path: str) -> list[list]:
    """Each way of finding one trace in the loaded file, without and with an index on the side table."""
    con = connect(path, read_only=True)
    con.execute("CREATE TEMP TABLE indexed AS FROM trace_times")
    con.execute("CREATE INDEX indexed_trace ON indexed (trace_id)")
    trace, low, high = con.execute(
        "SELECT * FROM trace_times OFFSET (SELECT count(*) * 3 // 5 FROM trace_times) LIMIT 1"
    ).fetchone()
    rows = []
    for times in ("trace_times", "indexed"):
        con.execute(
            "CREATE OR REPLACE TEMP MACRO one_trace(wanted) AS TABLE "
            + WAYS["bounds by join with an aggregate"].format(t="spans", times=times, trace="").replace("''", "wanted")
        )
        for way, text in WAYS.items():
            sql = text.format(t="spans", times=times, trace=trace, low=low, high=high)
            if times == "indexed" and times not in sql and "macro" not in way:
                continue
            name = way + (", side table with ART" if times == "indexed" else "")
            rows.append([name, milliseconds(con, sql, 9), row_groups(con, sql, "spans")])
    return rows


def order(path: str, name: str, rows: int) -> list[list]:
    """Loads rows in one order and looks a trace up; the random ones again after clustering by time."""
    shuffled, by = ORDERS[name]
    con = connect(path)
    con.execute(f"CREATE TABLE spans ({spans.COLUMNS})")
    took = 0.0
    for first in range(0, rows, identity.BATCH):
        last = min(first + identity.BATCH, rows)
        con.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {spans.lean(first, last, rows, shuffled)}")
        took += seconds(con, f"INSERT INTO spans FROM batch {by}")
    took += seconds(con, "CHECKPOINT")
    found = [[name, took, megabytes(path), *_figures(con)]]
    if shuffled and by:
        # The clustered table is written where the old one's blocks can't be yet: the file grows, see `space`.
        # Sorting the whole rows would spill them all; a few slices of time keep the sort in memory.
        again = seconds(con, "CREATE TABLE clustered AS FROM spans LIMIT 0")
        slices = max(1, rows // 500_000)
        for nth in range(slices):
            low = spans.FIRST_TIME + nth * spans.WINDOW // slices
            high = spans.FIRST_TIME + (nth + 1) * spans.WINDOW // slices if nth + 1 < slices else 2**62
            again += seconds(
                con,
                f"INSERT INTO clustered FROM spans WHERE start_time >= {low} AND start_time < {high} ORDER BY start_time",
            )
        again += seconds(con, "DROP TABLE spans", "ALTER TABLE clustered RENAME TO spans", "CHECKPOINT")
        found.append(["at random, then clustered", again, megabytes(path), *_figures(con)])
    return found


def _figures(con: duckdb.DuckDBPyConnection) -> list:
    trace, low, high = con.execute(
        "SELECT trace_id, min(start_time), max(start_time) FROM spans WHERE trace_id = md5('777') GROUP BY trace_id"
    ).fetchone()
    lookup = WAYS["with constant bounds"].format(t="spans", trace=trace, low=low, high=high)
    hour = f"SELECT operation_id, count(*) FROM spans WHERE start_time >= {spans.FIRST_TIME + spans.WINDOW - spans.HOUR} GROUP BY ALL"
    return [
        milliseconds(con, lookup),
        row_groups(con, lookup, "spans"),
        milliseconds(con, hour),
        row_groups(con, hour, "spans"),
    ]


def measure(bench: Bench) -> list[Table]:
    """Ways over the large file; orders over a fifth of the rows."""
    path = identity.ensure(bench)
    found = Table(f"One trace of {bench.rows:,} rows", ["way", "p50 ms", "row groups read"], bench.alone(ways, path))
    rows = bench.rows // 5
    orders = Table(
        f"Order of {rows:,} rows in the table",
        ["order", "written in s", "file MB", "trace with bounds ms", "row groups", "last hour ms", "row groups"],
    )
    for name in ORDERS:
        orders.rows += bench.alone(order, bench.file("order.duckdb"), name, rows)
    bench.file("order.duckdb")
    return [found, orders]
