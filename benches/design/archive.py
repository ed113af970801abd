"""Question: can old days live in Parquet, still be read through `spans`, and the rest of the disk stay shut?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb

import identity
import spans
from bench import Bench, Table, connect, milliseconds, row_groups

DAYS = 100


def write(source: str, folder: str) -> list[list]:
    """Half a million rows as Parquet: time and size by compression level and row group size."""
    con = connect(source, read_only=True)
    rows, found = "SELECT * FROM spans LIMIT 500000", []
    for codec, level, group in (
        ("zstd", 1, 122_880),
        ("zstd", 3, 122_880),
        ("zstd", 9, 122_880),
        ("zstd", 3, 20_480),
        ("snappy", 0, 122_880),
    ):
        path = Path(folder) / "probe.parquet"
        extra = f", COMPRESSION_LEVEL {level}" if level else ""
        started = time.perf_counter()
        con.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION {codec}{extra}, ROW_GROUP_SIZE {group})")
        took = time.perf_counter() - started
        read = milliseconds(con, f"SELECT operation_id, count(*), avg(duration_ms) FROM '{path}' GROUP BY ALL")
        found.append([f"{codec} {level or ''}".strip(), group, took, path.stat().st_size / 1e6, read])
        path.unlink()
    return found


def fill(source: str, store: str, folder: str) -> None:
    """A store with 12 hot hours, and 100 archived days of a quarter of an hour's spans each."""
    con = connect(store)
    con.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
    middle = spans.FIRST_TIME + spans.WINDOW * 3 // 4
    con.execute(f"CREATE TABLE hot AS FROM source.spans WHERE start_time >= {middle}")
    con.execute("ALTER TABLE hot ADD COLUMN added_later INTEGER")
    for day in range(DAYS):
        low = spans.FIRST_TIME + day * spans.HOUR // 4
        path = Path(folder) / f"day={time.strftime('%Y-%m-%d', time.gmtime(1_780_000_000 + day * 86_400))}"
        path.mkdir()
        con.execute(
            f"COPY (FROM source.spans WHERE start_time >= {low} AND start_time < {low + spans.HOUR // 4} ORDER BY start_time)"
            f" TO '{path}/spans.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )
    con.execute(
        f"""CREATE VIEW spans AS FROM hot UNION ALL BY NAME
        SELECT * EXCLUDE (day) FROM read_parquet('{folder}/*/*.parquet', hive_partitioning = true, hive_types = {{'day': 'DATE'}}, union_by_name = true)"""
    )
    con.execute(
        f"""CREATE VIEW spans_by_day AS SELECT *, NULL::DATE AS day FROM hot UNION ALL BY NAME
        SELECT * FROM read_parquet('{folder}/*/*.parquet', hive_partitioning = true, hive_types = {{'day': 'DATE'}}, union_by_name = true)"""
    )


def read(store: str, cache: bool) -> list[list]:
    """Reads through the view: how much of the archive each filter opens."""
    con = connect(store, read_only=True)
    con.execute(f"SET parquet_metadata_cache = {str(cache).lower()}")
    low = spans.FIRST_TIME + 5 * spans.HOUR
    # The twentieth archived day holds the fifth hour.
    day = time.strftime("%Y-%m-%d", time.gmtime(1_780_000_000 + 20 * 86_400))
    trace, start, end = con.execute(
        f"SELECT trace_id, min(start_time), max(start_time) FROM spans WHERE start_time BETWEEN {low} AND {low + 10**12} GROUP BY 1 LIMIT 1"
    ).fetchone()
    last = f"start_time >= {spans.FIRST_TIME + spans.WINDOW - spans.HOUR}"
    queries = {
        "last hour in `hot` alone": f"SELECT operation_id, count(*) FROM hot WHERE {last} GROUP BY ALL",
        "last hour through the view": f"SELECT operation_id, count(*) FROM spans WHERE {last} GROUP BY ALL",
        "an archived hour": f"SELECT operation_id, count(*) FROM spans WHERE start_time BETWEEN {low} AND {low + spans.HOUR} GROUP BY ALL",
        "a trace by id alone": f"SELECT * FROM spans WHERE trace_id = '{trace}'",
        "a trace with bounds": f"SELECT * FROM spans WHERE trace_id = '{trace}' AND start_time BETWEEN {start} AND {end}",
        "a trace with bounds by join": f"SELECT s.* FROM spans s JOIN (VALUES ('{trace}', {start}, {end})) x(t, lo, hi)"
        " ON s.trace_id = x.t AND s.start_time BETWEEN lo AND hi",
        "an hour with its day named": f"SELECT count(*) FROM spans_by_day WHERE day = DATE '{day}' AND start_time BETWEEN {low} AND {low + spans.HOUR}",
    }
    return [[name, milliseconds(con, sql), row_groups(con, sql, "READ_PARQUET")] for name, sql in queries.items()]


def sandbox(store: str, folder: str, outside: str) -> list[list]:
    """What a connection may do that may read the archive and nothing else."""
    con = duckdb.connect(store)
    con.execute(f"SET allowed_directories = ['{folder}']")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    Path(outside, "t.csv").write_text("a,b\n1,2\n")
    Path(outside, "t.parquet").write_bytes(next(Path(folder).glob("*/*.parquet")).read_bytes())
    Path(folder, "link.csv").symlink_to(Path(outside, "t.csv"))
    con.execute("UPDATE hot SET added_later = 1 WHERE rowid = 0")  # So that there is a WAL.
    tried = [
        "SELECT count(*) FROM spans",
        "SELECT * FROM read_csv('/etc/passwd')",
        f"SELECT * FROM '{outside}/t.parquet'",
        f"SELECT * FROM read_csv('{folder}/../{Path(outside).name}/t.csv')",
        f"SELECT * FROM read_csv('{folder}/link.csv')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('/proc/self/environ')",
        f"SELECT octet_length(content) FROM read_blob('{store}')",
        f"SELECT octet_length(content) FROM read_blob('{store}.wal')",
        f"SELECT * FROM glob('{Path(store).parent}/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        f"SELECT count(*) FROM glob('{folder}/*/*')",
        f"SELECT size FROM read_blob('{folder}/*/*.parquet') LIMIT 1",
        f"SELECT count(*) FROM parquet_metadata('{folder}/*/*.parquet')",
        "SELECT getenv('HOME')",
        "SELECT * FROM 'https://example.org/x.parquet'",
        "SELECT * FROM duckdb_secrets()",
        "SELECT count(*) FROM duckdb_settings()",
        "SELECT path FROM duckdb_databases() LIMIT 1",
        "COPY hot FROM '/etc/passwd'",
        f"COPY (SELECT 1) TO '{outside}/x.csv'",
        f"COPY (SELECT 1) TO '{folder}/x.csv'",
        f"EXPORT DATABASE '{outside}/e'",
        f"EXPORT DATABASE '{folder}/e'",
        f"ATTACH '{outside}/y.duckdb' AS y1",
        f"ATTACH '{folder}/y.duckdb' AS y2",
        "ATTACH ':memory:' AS y3",
        f"COPY (SELECT 1) TO '{store}.wal'",
        f"COPY (SELECT 1) TO '{store}.wal' (FORMAT csv, USE_TMP_FILE false)",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET memory_limit = '9GB'",
        "SET temp_directory = '/tmp'",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "SET allowed_directories = ['/']",
        "SET enable_external_access = true",
        "SET VARIABLE x = 1",
        "PRAGMA enable_profiling",
        f"PRAGMA profiling_output = '{outside}/p.json'",
        f"CALL enable_logging(storage = 'file', storage_config = {{'path': '{outside}/log'}})",
        "SELECT * FROM checkpoint()",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query('DELETE FROM hot')",
        "SELECT json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
        "CREATE TEMP TABLE z AS SELECT 1",
        "DELETE FROM hot WHERE false",
        "DROP VIEW spans_by_day",
        "CHECKPOINT",
    ]
    found = []
    for sql in tried:
        shown = (
            sql.replace(folder, "ARCHIVE")
            .replace(outside, "OUTSIDE")
            .replace(store, "STORE")
            .replace(str(Path(store).parent), "FOLDER")
            .replace("/outside/", "/OUTSIDE/")
        )
        try:
            con.execute(sql).fetchall()
            found.append([f"`{shown}`", "**allowed**", ""])
        except (duckdb.Error, RuntimeError) as error:
            text = (
                str(error)
                .split("\n")[0]
                .replace(folder, "ARCHIVE")
                .replace(outside, "OUTSIDE")
                .replace(store, "STORE")
                .replace(str(Path(store).parent), "FOLDER")
                .replace(str(Path.home()), "~")
            )
            found.append([f"`{shown}`", "denied", text[:90]])
    return found


TRY_TO_OPEN = """
import duckdb, sys
try:
    duckdb.connect(sys.argv[1])
    print("yes: two processes may now write")
except duckdb.Error:
    print("no")
"""


def lock(store: str, folder: str) -> list[list]:
    """Whether another process may open the store for writing, before and after a query read its file."""
    con = duckdb.connect(store)
    con.execute(f"SET allowed_directories = ['{folder}']")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    found = []
    for name, sql in (
        ("before", "SELECT 1"),
        (
            "after `SELECT octet_length(content) FROM read_blob('STORE')`",
            f"SELECT octet_length(content) FROM read_blob('{store}')",
        ),
    ):
        con.execute(sql).fetchall()
        other = subprocess.run([sys.executable, "-c", TRY_TO_OPEN, store], capture_output=True, text=True, timeout=60)
        found.append([name, other.stdout.strip()])
    return found


def overwrite(store: str, folder: str) -> list[list]:
    """Whether COPY can overwrite the store that it runs in, on a connection that may only read. Destroys `store`."""
    found = []
    for read_only in (True, False):
        con = duckdb.connect(store, read_only=read_only)
        con.execute(f"SET allowed_directories = ['{folder}']")
        con.execute("SET enable_external_access = false")
        try:
            con.execute(f"COPY (SELECT 1) TO '{store}' (FORMAT csv, USE_TMP_FILE false)")
            con.close()
            try:
                duckdb.connect(store, read_only=True).close()
                found.append([f"read_only = {read_only}", "allowed; the store still opens"])
            except duckdb.Error:
                found.append([f"read_only = {read_only}", "**allowed; the store is destroyed**"])
                break
        except duckdb.Error as error:
            found.append([f"read_only = {read_only}", "denied: " + str(error).split(":")[0]])
    return found


def measure(bench: Bench) -> list[Table]:
    """Writing, reading, and what is shut."""
    source = identity.ensure(bench)
    folder, outside = bench.scratch / "archive", bench.scratch / "outside"
    for path in (folder, outside):
        path.mkdir()
    store = bench.file("store.duckdb")
    written = Table(
        "Parquet of 500,000 lean rows",
        ["codec", "row group", "written in s", "MB", "group by id ms"],
        bench.alone(write, source, str(folder)),
    )
    bench.alone(fill, source, store, str(folder))
    view = Table(
        f"`hot UNION ALL BY NAME read_parquet(…)`, {DAYS} files",
        ["read", "ms", "row groups of Parquet", "ms with metadata cache"],
    )
    for row, cached in zip(bench.alone(read, store, False), bench.alone(read, store, True), strict=True):
        view.rows.append([*row, cached[1]])
    shut = Table(
        "`allowed_directories = [ARCHIVE]`, `enable_external_access = false`, `lock_configuration = true`",
        ["statement", "", "error"],
        bench.alone(sandbox, store, str(folder), str(outside)),
    )
    locks = Table(
        "The store's lock", ["when", "another process may open it for writing"], bench.alone(lock, store, str(folder))
    )
    copies = Table(
        "`COPY (SELECT 1) TO 'STORE' (FORMAT csv, USE_TMP_FILE false)` in the same sandbox",
        ["connection", ""],
        bench.alone(overwrite, store, str(folder)),
    )
    for path in (folder, outside):
        shutil.rmtree(path)
    bench.file("store.duckdb")
    return [written, view, shut, locks, copies]
