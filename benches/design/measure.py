"""Measures the physical design of the span store: which keys, indexes, types and settings pay.

    python -m pip install duckdb==2.0.0
    python benches/design/measure.py --rows 1000000 --out figures.md

Each variant runs in a process of its own, so that one's memory and caches don't help or hurt the next.
The answers, and what was chosen by them, are in docs/storage-design.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import duckdb

import archive
import attributes
import commits
import identity
import lookup
import recursion
import red
import space
from bench import Bench

# In this order, because the later ones read the file that `identity` leaves.
QUESTIONS = {
    "identity": identity.measure,
    "lookup": lookup.measure,
    "red": red.measure,
    "attributes": attributes.measure,
    "commits": commits.measure,
    "space": space.measure,
    "archive": archive.measure,
    "recursion": recursion.measure,
}

# Measured: the largest file of a lean row with all indexes, of a full row, and as many again for copies.
BYTES_A_LEAN_ROW = 1_200
BYTES_A_FULL_ROW = 9_000


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="lean rows (300 bytes of attributes)")
    parser.add_argument("--full-rows", type=int, help="rows with the sample's attributes (default: a tenth of --rows)")
    parser.add_argument("--out", type=Path, help="write the tables here too, as Markdown")
    parser.add_argument(
        "--sample", type=Path, help="Flock file with real spans, .duckdb or .duckdb.gz (default: tests/data)"
    )
    parser.add_argument("--scratch", type=Path, help="folder for the files measured; emptied at the end")
    parser.add_argument("--only", default=",".join(QUESTIONS), help="questions, with commas: " + ",".join(QUESTIONS))
    parser.add_argument("--minutes", type=float, default=60, help="stop after so long (default 60)")
    options = parser.parse_args()
    options.full_rows = options.full_rows or options.rows // 10
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(QUESTIONS):
        parser.error(f"--only: {', '.join(sorted(unknown))} is no question; choose from {', '.join(QUESTIONS)}")
    if options.rows < 100_000:
        parser.error(f"--rows: {options.rows} is too few to show anything; at least 100000")
    if not options.sample:
        options.sample = next(iter(sorted(Path(__file__).parents[2].glob("tests/data/**/traces.duckdb*"))), None)
    if {"attributes", "commits"} & set(options.only) and not (options.sample and options.sample.exists()):
        parser.error("--sample: name a Flock file for the questions `attributes` and `commits`")
    return options


def main() -> None:
    """Asks each question and writes its tables."""
    options = arguments()
    scratch = Path(tempfile.mkdtemp(prefix="design-", dir=options.scratch))
    needed = options.rows * BYTES_A_LEAN_ROW + options.full_rows * BYTES_A_FULL_ROW
    if (free := shutil.disk_usage(scratch).free) < needed:
        sys.exit(f"{scratch} has {free >> 20} MiB free; {needed >> 20} MiB are needed: use --scratch or fewer --rows")
    bench = Bench(options.rows, options.full_rows, options.sample, scratch, time.monotonic() + options.minutes * 60)
    parts = [
        f"DuckDB {duckdb.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{options.rows:,} lean rows, {options.full_rows:,} full rows"
    ]
    print(parts[0], flush=True)
    try:
        for name in options.only:
            started, load = time.monotonic(), os.getloadavg()[0]
            tables = QUESTIONS[name](bench)
            took = f"`{name}` took {time.monotonic() - started:.0f} s; load of the machine {load:.1f} before, {os.getloadavg()[0]:.1f} after"
            for text in [f"## {name}", *[table.markdown() for table in tables], took]:
                parts.append(text)
                print("\n" + text, flush=True)
            if options.out:
                options.out.write_text("\n\n".join(parts) + "\n")
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
