"""What every question needs: a process for each variant, a clock, memory of the process, and tables."""

from __future__ import annotations

import multiprocessing
import os
import re
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import duckdb


@dataclass
class Table:
    """One table of figures."""

    title: str
    columns: list[str]
    rows: list[list[Any]] = field(default_factory=list)

    def markdown(self) -> str:
        """The table as Markdown, its title above it."""
        lines = [self.title, "", "| " + " | ".join(self.columns) + " |", "|" + "---|" * len(self.columns)]
        lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in self.rows]
        return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|")


def _child(function: Callable, args: tuple, pipe) -> None:
    try:
        pipe.send((function(*args), None))
    except Exception as error:  # The parent raises it with its text; an exception itself may not cross processes.
        pipe.send((None, f"{function.__module__}.{function.__name__}: {type(error).__name__}: {error}"))


@dataclass
class Bench:
    """The size of the run, where its files are, and when it has to end."""

    rows: int
    full_rows: int
    sample: Path | None
    scratch: Path
    deadline: float

    def alone(self, function: Callable, *args: Any) -> Any:
        """Runs a function in a new process and returns what it returned."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(function, args, theirs))
        process.start()
        theirs.close()
        try:
            if not ours.poll(max(1.0, self.deadline - time.monotonic())):
                raise TimeoutError(f"{function.__name__} ran past the end of --minutes")
            answer, error = ours.recv()
        finally:
            if process.is_alive():
                process.join(5)
                process.terminate()
            process.join()
        if error:
            raise RuntimeError(error)
        return answer

    def file(self, name: str) -> str:
        """A path in the scratch folder; what was there is removed."""
        path = self.scratch / name
        for suffix in ("", ".wal"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        return str(path)


def connect(path: str = ":memory:", memory_limit: str = "1GB", read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Two threads and a memory limit, as the store itself runs; checkpoints only when the WAL is large."""
    config = {"threads": 2, "memory_limit": memory_limit, "wal_autocheckpoint": "1GB"}
    con = duckdb.connect(path, read_only=read_only, config=config)
    con.execute("SET enable_progress_bar = false")
    return con


def milliseconds(con: duckdb.DuckDBPyConnection, sql: str, times: int = 5) -> float:
    """Median time of a query, its rows fetched."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        con.execute(sql).fetchall()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def seconds(con: duckdb.DuckDBPyConnection, *statements: str) -> float:
    """Time of the statements, run once."""
    started = time.perf_counter()
    for sql in statements:
        con.execute(sql).fetchall()
    return time.perf_counter() - started


def row_groups(con: duckdb.DuckDBPyConnection, sql: str, table: str) -> str:
    """How many row groups the plan's scan of `table` read, as `1 / 82`; `index` where it used one."""
    plan = con.execute("EXPLAIN ANALYZE " + sql).fetchall()[0][1]
    # A box of the plan runs over several lines, and boxes stand side by side: take each figure in reading order.
    tables = re.findall(r"Table: +(\S+)|Function: +(READ_PARQUET)", plan)
    kinds = re.findall(r"Type: +(Sequential Scan|Index Scan)", plan)
    groups = re.findall(r"Row Groups Scanned: +(\d+ / \d+)", plan)
    names = [a.rpartition(".")[2] or b for a, b in tables]
    if table in names and names.index(table) < len(kinds) and kinds[names.index(table)] == "Index Scan":
        return "index"
    if table == "READ_PARQUET" and "READ_PARQUET" not in plan:
        return "no file"
    biggest = max(groups, key=lambda text: int(text.split("/")[1]), default="none")
    return biggest


def memory(which: str = "VmRSS") -> float:
    """MiB of this process: `VmRSS` now, `VmHWM` at its highest."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(which)


def megabytes(path: str) -> float:
    """Size of a file in MB (10^6 bytes)."""
    return os.path.getsize(path) / 1e6
