"""Question: when old days are deleted, how does the disk get its space back?"""

from __future__ import annotations

import shutil

import duckdb

import identity
import spans
from bench import Bench, Table, connect, megabytes, seconds

HALF = spans.FIRST_TIME + spans.WINDOW // 2
OLD = f"DELETE FROM spans WHERE start_time < {HALF}"
TWO_THIRDS = f"DELETE FROM spans WHERE start_time < {spans.FIRST_TIME + spans.WINDOW * 2 // 3}"
SCATTERED = "DELETE FROM spans WHERE hash(trace_id) % 2 = 0"


def steps(path: str, ways: list[tuple[str, list[str]]]) -> list[list]:
    """Runs groups of statements one after another; time and size of the file after each."""
    con = connect(path)
    found = [["as loaded", 0.0, megabytes(path), _free(con)]]
    for name, statements in ways:
        try:
            found.append([name, seconds(con, *statements), megabytes(path), _free(con)])
        except duckdb.Error as error:
            found.append(
                [name, f"{type(error).__name__}: {error}"[:120].replace("\n", " "), megabytes(path), _free(con)]
            )
    return found


def _free(con: duckdb.DuckDBPyConnection) -> float:
    """MB inside the file that no row uses."""
    return con.execute("SELECT free_blocks * block_size / 1e6 FROM pragma_database_size()").fetchone()[0]


def copy(path: str, into: str) -> list[list]:
    """Deletes the older half and copies the rest into a new file."""
    con = connect(path)
    con.execute(OLD)
    con.execute(f"ATTACH '{into}' AS fresh")
    (name,) = con.execute("SELECT current_database()").fetchone()
    took = seconds(con, f"COPY FROM DATABASE {name} TO fresh", "CHECKPOINT fresh")
    return [["COPY FROM DATABASE into a new file", took, megabytes(into), 0.0]]


def by_day(path: str, source: str) -> list[list]:
    """Two tables instead of one, the old one dropped: space without deletes."""
    con = connect(path)
    con.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
    con.execute(f"CREATE TABLE old_days AS FROM source.spans WHERE start_time < {HALF}")
    con.execute(f"CREATE TABLE new_days AS FROM source.spans WHERE start_time >= {HALF}")
    con.execute("CHECKPOINT")
    rows = [["a table for each half, as loaded", 0.0, megabytes(path), 0.0]]
    rows.append(
        ["DROP TABLE of the older, CHECKPOINT", seconds(con, "DROP TABLE old_days", "CHECKPOINT"), megabytes(path), 0.0]
    )
    return rows


RENAMED = ["DROP TABLE spans", "ALTER TABLE rewritten RENAME TO spans", "CHECKPOINT"]
COPIED = "CREATE TABLE rewritten AS FROM spans"
SLICES = 8
# A small table whose blocks lie at the end of the file keeps it long: it has to move too.
SIDE_TABLE = [
    "CREATE TABLE times_rewritten AS FROM trace_times",
    "CHECKPOINT",
    "DROP TABLE trace_times",
    "ALTER TABLE times_rewritten RENAME TO trace_times",
    "CHECKPOINT",
]


def moved_by_slices() -> list[str]:
    """The table moved an eighth of the time at a time: each slice fits into what the one before it freed."""
    statements = ["CREATE TABLE rewritten AS FROM spans LIMIT 0"]
    for nth in range(SLICES):
        low, high = (spans.FIRST_TIME + spans.WINDOW * part // SLICES for part in (nth, nth + 1))
        rows = f"start_time >= {low} AND start_time < {high if nth + 1 < SLICES else 2**62}"
        statements += [
            "BEGIN",
            f"INSERT INTO rewritten FROM spans WHERE {rows}",
            f"DELETE FROM spans WHERE {rows}",
            "COMMIT",
            "CHECKPOINT",
        ]
    return [*statements, *RENAMED]


def measure(bench: Bench) -> list[Table]:
    """Deletes in front and scattered ones, then ways to shrink."""
    source = identity.ensure(bench)
    columns = ["step", "s", "file MB", "free in it MB"]
    found = []
    for title, delete in (
        ("The older half deleted", OLD),
        ("The older two thirds deleted", TWO_THIRDS),
        ("Every second trace deleted", SCATTERED),
    ):
        path = bench.file("space.duckdb")
        shutil.copyfile(source, path)
        ways = [
            ("DELETE", [delete]),
            ("CHECKPOINT", ["CHECKPOINT"]),
            ("VACUUM", ["VACUUM"]),
            ("table copied, dropped, CHECKPOINT", [COPIED, *RENAMED]),
            ("copied, CHECKPOINT, dropped, CHECKPOINT", [COPIED, "CHECKPOINT", *RENAMED]),
            ("the side table too", SIDE_TABLE),
            (f"moved by {SLICES} slices of time, CHECKPOINT after each", moved_by_slices()),
            ("the side table too", SIDE_TABLE),
        ]
        found.append(Table(title + ", in one file, one step after another", columns, bench.alone(steps, path, ways)))
    path = bench.file("space.duckdb")
    shutil.copyfile(source, path)
    ways = []
    for nth in range(4):
        eighth = spans.WINDOW // 8
        low = spans.FIRST_TIME + nth * eighth
        ways.append(
            (
                f"{nth + 1}: as much appended as the oldest eighth, that deleted, CHECKPOINT",
                [
                    f"INSERT INTO spans SELECT * REPLACE (start_time + {spans.WINDOW} AS start_time) FROM spans WHERE start_time < {low + eighth}",
                    f"DELETE FROM spans WHERE start_time < {low + eighth}",
                    "CHECKPOINT",
                ],
            )
        )
    steady = Table("Steady state: does the freed space serve the next rows?", columns, bench.alone(steps, path, ways))
    path = bench.file("space.duckdb")
    shutil.copyfile(source, path)
    other = Table("Other ways", columns, bench.alone(copy, path, bench.file("fresh.duckdb")))
    bench.file("fresh.duckdb")
    other.rows += bench.alone(by_day, bench.file("space.duckdb"), source)
    bench.file("space.duckdb")
    return [*found, steady, other]
