"""Spans to measure with: lean ones made up by SQL, full ones from a file of real traces."""

from __future__ import annotations

import gzip
import random
import shutil
from pathlib import Path

import duckdb

SPANS_A_TRACE = 40
SERVICES, OPERATIONS = 20, 42
FIRST_TIME = 1_795_392_000_000_000_000  # 2026-11-23 00:00 UTC, in ns.
HOUR = 3_600_000_000_000
WINDOW = 48 * HOUR
STRIDE = 7_368_787  # A prime, so that multiples of it visit every trace once, in no order of time.

COLUMNS = """
    trace_id VARCHAR, span_id VARCHAR, parent_id VARCHAR, name VARCHAR, service VARCHAR, operation VARCHAR, kind VARCHAR,
    start_time BIGINT, end_time BIGINT, duration_ms DOUBLE, status_code VARCHAR, attributes JSON, operation_id USMALLINT"""


def lean(first: int, last: int, rows: int, shuffled: bool = False) -> str:
    """SQL of the rows `first` to `last` of `rows`: traces of 40 spans over 48 hours, 300 bytes of attributes each."""
    traces = max(1, rows // SPANS_A_TRACE)
    trace = f"(i // {SPANS_A_TRACE})" + (f" * {STRIDE} % {traces}" if shuffled else "")
    return f"""
    SELECT md5(trace::VARCHAR) AS trace_id,
        substr(md5('s' || trace || '.' || nth), 1, 16) AS span_id,
        CASE WHEN nth > 0 THEN substr(md5('s' || trace || '.' || (nth - 1) // 3), 1, 16) END AS parent_id,
        'Service' || service_id || '.op' || op_id AS name,
        'Service' || service_id AS service, 'op' || op_id AS operation, 'INTERNAL' AS kind,
        start_time, start_time + took AS end_time, took / 1e6 AS duration_ms,
        CASE WHEN hash(trace, nth, 3) % 50 = 0 THEN 'ERROR' ELSE 'OK' END AS status_code,
        ('{{"class": "Service' || service_id || '", "function": "op' || op_id || '", "module": "demo.services", "attempt": '
            || (took % 3) || ', "correlation_id": "' || md5('c' || trace // 10) || '", "task_id": "' || md5('t' || trace || '.' || nth)
            || '", "input.text": "' || md5('x' || trace || '.' || nth) || md5('y' || trace || '.' || nth) || '", "output.value": "done"}}'
        )::JSON AS attributes,
        (service_id * {OPERATIONS} + op_id)::USMALLINT AS operation_id
    FROM (SELECT trace, nth, (trace * {SPANS_A_TRACE} + nth) % {SERVICES} AS service_id,
            (trace * {SPANS_A_TRACE} + nth) % {OPERATIONS} AS op_id,
            {FIRST_TIME} + trace * {WINDOW // traces} + nth * 1000000 AS start_time,
            (hash(trace, nth, 1) % 1000000000)::BIGINT AS took
        FROM (SELECT {trace} AS trace, i % {SPANS_A_TRACE} AS nth FROM range({first}, {last}) r(i)))"""


def real(sample: Path, scratch: Path) -> str:
    """Path of the sample as a DuckDB file, unpacked where it is packed."""
    if sample.suffix != ".gz":
        return str(sample)
    unpacked = scratch / "sample.duckdb"
    with gzip.open(sample) as packed, open(unpacked, "wb") as plain:
        shutil.copyfileobj(packed, plain)
    return str(unpacked)


def make_full(con: duckdb.DuckDBPyConnection, sample: str, table: str, rows: int) -> None:
    """Makes `rows` full spans: the sample's, over and over, the digits 1 to 7 swapped anew in each copy.

    So ids, times and figures differ from copy to copy, while lengths, keys and types stay as in the sample. 0, 8 and 9
    stay: a number must not begin with 0, and `\\ud83d` must stay half of a pair.
    """
    con.execute(f"ATTACH '{sample}' AS sample (READ_ONLY)")
    count, first, last = con.execute("SELECT count(*), min(start_time), max(start_time) FROM sample.spans").fetchone()
    dice = random.Random(7)
    con.execute("CREATE TEMP TABLE copies (copy BIGINT, digits VARCHAR)")
    for copy in range(rows // count + 1):
        con.execute("INSERT INTO copies VALUES (?, ?)", [copy, "".join(dice.sample("1234567", 7))])
    con.execute(f"CREATE TABLE {table} (trace_id VARCHAR, name VARCHAR, start_time BIGINT, attributes JSON)")
    # A copy at a time, so that memory stays bounded.
    for copy in range(rows // count + 1):
        con.execute(
            f"""INSERT INTO {table}
            SELECT translate(trace_id, '1234567', digits), name, start_time + copy * {last - first},
                translate(attributes::VARCHAR, '1234567', digits)::JSON
            FROM sample.spans, copies WHERE copy = {copy} ORDER BY start_time LIMIT {min(count, rows - copy * count)}"""
        )
    con.execute("DETACH sample")
