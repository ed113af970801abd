"""Follows a real Flock program with `flockscope watch` while it runs, and proves that nothing is lost.

    python follow_flock.py --flockscope PATH [--tickets N]

Compared are what the program ended (noted inside it, see traced_program.py), what Flock wrote to its file, what `watch`
showed, and what the store then holds. Run it with the Python of an environment made from requirements.txt; `cargo xtask live`
does all of it. POSIX only: the program is interrupted as a person would, by SIGINT.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = "helpdesk.app"
PROGRAM_FOLDER = HERE.parent / "data"

# Limits of the promise in the README, and how long a hung run may take.
MEDIAN_DELAY_MS = 500
IDLE_CPU_SHARE = 0.05
PROGRAM_SECONDS = 900
LAST_SPANS_SECONDS = 20
IDLE_SECONDS = 4
END_SECONDS = 10

# What a span shown by `watch` must have in common with its row in Flock's file.
COMPARED = ("trace_id", "parent_id", "name", "service", "operation", "start_time", "end_time", "status_code")


# The core process takes any free ports: another one may run on this machine.
ANY_PORTS = {
    name: "127.0.0.1:0"
    for name in ("FLOCKSCOPE_API_ADDRESS", "FLOCKSCOPE_OTLP_GRPC_ADDRESS", "FLOCKSCOPE_OTLP_HTTP_ADDRESS")
}


class Watch:
    """A running `flockscope watch --format json`, the core process that it has started, and the lines that it has printed
    so far."""

    def __init__(self, flockscope: str, file: pathlib.Path, log: pathlib.Path) -> None:
        self.log = log
        self.record = file.parent.parent / ".flockscope" / "store.duckdb.d" / "serve.json"
        self.lines: list[tuple[int, str]] = []
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                [flockscope, "watch", "--db", str(file), "--format", "json"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8",
                env=os.environ | ANY_PORTS,
            )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append((time.time_ns(), line))

    def cpu_seconds(self) -> float | None:
        """User and system time of both processes so far; None where the system does not tell."""
        seconds = 0.0
        for pid in (self.process.pid, json.loads(self.record.read_text())["pid"]):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                return None
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return seconds

    def wait_for(self, spans: int) -> None:
        """Waits until that many lines were printed, or no longer than the last spans may take."""
        deadline = time.monotonic() + LAST_SPANS_SECONDS
        while len(self.lines) < spans and time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.05)

    def interrupt(self) -> int | None:
        """Ends it as Ctrl-C does. The exit code, or None if it had to be killed."""
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        return code


class Run:
    """One run of the program with `watch` beside it, and everything that was noted of it."""

    def __init__(self, flockscope: str, tickets: int, project: pathlib.Path) -> None:
        file = project / ".flock" / "traces.duckdb"
        # Started first: the file does not exist yet, and every state of it from its birth on is seen.
        watch = Watch(flockscope, file, project / "watch.log")
        self.alive_at_start = watch.process.poll() is None
        try:
            self.program_code, self.program_output = self._run_program(tickets, project)
            # span id -> (end, moment from which the file has it), in nanoseconds.
            self.ended: dict[str, tuple[int, int]] = {}
            for line in (project / "ended.txt").read_text().splitlines():
                span_id, end, written = line.split()
                self.ended[span_id] = (int(end), int(written))
            watch.wait_for(len(self.ended))
            before = watch.cpu_seconds()
            time.sleep(IDLE_SECONDS)
            after = watch.cpu_seconds()
            self.idle_share = None if before is None or after is None else (after - before) / IDLE_SECONDS
            self.cpu_seconds = after
        finally:
            self.watch_code = watch.interrupt()
        self.watch_errors = watch.log.read_text(errors="replace")
        self.shown = [(seen, json.loads(line)) for seen, line in watch.lines]
        self.rows = self._rows(file, project)
        self.stored = self._stored(flockscope, file)
        self.stop_code = subprocess.run([flockscope, "stop", "--db", str(file)], check=False).returncode

    @staticmethod
    def _stored(flockscope: str, file: pathlib.Path) -> list[str]:
        """Span ids in the store that `watch` kept up to date."""
        answer = subprocess.run(
            [flockscope, "sql", "--db", str(file), "--format", "json", "SELECT span_id FROM spans"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", check=False,
        )
        if answer.returncode != 0:
            raise RuntimeError(f"flockscope sql ended with {answer.returncode}: {answer.stderr}")
        return [row["span_id"] for row in json.loads(answer.stdout)]

    @staticmethod
    def _run_program(tickets: int, project: pathlib.Path) -> tuple[int, str]:
        environment = os.environ | {
            "FLOCK_AUTO_TRACE": "true",
            "FLOCK_TRACE_FILE": "true",
            "PYTHONPATH": str(PROGRAM_FOLDER),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        # These would send the spans elsewhere, filter them or delete them.
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "FLOCK_TRACE_SERVICES", "FLOCK_TRACE_IGNORE",
                     "FLOCK_TRACE_TTL_DAYS"):
            environment.pop(name, None)
        log = project / "program.log"
        with open(log, "wb") as output:
            ended = subprocess.run(
                [sys.executable, str(HERE / "traced_program.py"), str(project / "ended.txt"), PROGRAM,
                 "--tickets", str(tickets), "--mode", "mixed"],
                cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                timeout=PROGRAM_SECONDS, check=False,
            )
        return ended.returncode, log.read_text(errors="replace")

    @staticmethod
    def _rows(file: pathlib.Path, project: pathlib.Path) -> dict[str, dict]:
        """Flock's file at the end, by span id, read from a copy."""
        copy = project / "copy.duckdb"
        shutil.copyfile(file, copy)
        wal = file.with_name(file.name + ".wal")
        if wal.exists():
            shutil.copyfile(wal, copy.with_name(copy.name + ".wal"))
        with duckdb.connect(str(copy), read_only=True) as connection:
            found = connection.execute(f"SELECT span_id, {', '.join(COMPARED)} FROM spans").fetchall()
        return {span_id: dict(zip(COMPARED, values)) for span_id, *values in found}


class FollowFlock(unittest.TestCase):
    """What must hold after the run. The run itself is made once, before the first test."""

    flockscope = ""
    tickets = 0
    run_made: Run

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="flockscope-live-")
        cls.addClassCleanup(folder.cleanup)
        cls.run_made = Run(cls.flockscope, cls.tickets, pathlib.Path(folder.name))
        report(cls.run_made)

    def assert_same(self, ended: set[str], found: set[str], where: str, said: str = "") -> None:
        """Fails with how many are lost and a few of them: the whole list would fill the screen."""
        lost, unknown = sorted(ended - found), sorted(found - ended)
        self.assertEqual(len(lost), 0, f"{len(lost)} of {len(ended)} spans are not {where}, such as {lost[:3]}\n{said}")
        self.assertEqual(len(unknown), 0, f"{len(unknown)} spans {where} never ended, such as {unknown[:3]}\n{said}")

    def test_the_program_ran_to_its_end_undisturbed(self) -> None:
        run = self.run_made
        self.assertEqual(run.program_code, 0, run.program_output[-4000:])
        # What Flock's exporter prints when its file is locked; it then drops the span.
        self.assertNotIn("Error exporting spans", run.program_output)

    def test_the_program_made_traces_worth_following(self) -> None:
        # About 150 spans a ticket: far fewer would mean that the other tests compare next to nothing.
        self.assertGreater(len(self.run_made.ended), 50 * self.tickets)

    def test_flock_wrote_every_span_that_ended(self) -> None:
        run = self.run_made
        self.assert_same(set(run.ended), set(run.rows), "in Flock's file")

    def test_watch_showed_every_span_that_ended_exactly_once(self) -> None:
        run = self.run_made
        times = collections.Counter(span["span_id"] for _, span in run.shown)
        self.assert_same(set(run.ended), set(times), "shown by watch", run.watch_errors[-4000:])
        self.assertEqual({span_id: n for span_id, n in times.items() if n > 1}, {})

    def test_watch_showed_what_the_file_holds(self) -> None:
        run = self.run_made
        self.assertGreater(len(run.shown), 0)
        for _, span in run.shown:
            shown = {column: span.get(column) for column in COMPARED}
            self.assertEqual(shown, run.rows.get(span["span_id"]), span)

    def test_the_store_holds_every_span_that_ended_once(self) -> None:
        run = self.run_made
        self.assert_same(set(run.ended), set(run.stored), "in the store")
        self.assertEqual(len(run.stored), len(run.ended))

    def test_a_span_is_shown_soon_after_it_was_written(self) -> None:
        delays = shown_after_ms(self.run_made)
        self.assertGreater(len(delays), 0)
        self.assertLess(statistics.median(delays), MEDIAN_DELAY_MS)

    def test_watch_costs_little_while_nothing_changes(self) -> None:
        share = self.run_made.idle_share
        if share is None:
            self.skipTest("this system does not tell a process's CPU time by /proc")
        self.assertLess(share, IDLE_CPU_SHARE)

    def test_watch_was_there_from_start_to_end_and_obeyed_the_interrupt(self) -> None:
        run = self.run_made
        self.assertTrue(run.alive_at_start, run.watch_errors)
        self.assertIn(run.watch_code, (0, 130), run.watch_errors[-4000:])

    def test_the_core_process_was_found_and_ended(self) -> None:
        self.assertIn("keeps the traces from now on", self.run_made.watch_errors)
        self.assertEqual(self.run_made.stop_code, 0)


def shown_after_ms(run: Run) -> list[float]:
    """From the moment a span could be read from the file until `watch` had printed it. Never negative: a span may be
    seen before the exporter has come back."""
    return [
        max(0, seen - run.ended[span["span_id"]][1]) / 1e6 for seen, span in run.shown if span["span_id"] in run.ended
    ]


def report(run: Run) -> None:
    """The figures of the run, for a person."""
    print(f"DuckDB {duckdb.__version__}: {len(run.ended)} spans ended, {len(run.rows)} in Flock's file, "
          f"{len(run.shown)} shown by watch")
    figures = {
        "from a span's end until it is in the file": [(written - end) / 1e6 for end, written in run.ended.values()],
        "from then until watch has shown it": shown_after_ms(run),
    }
    for what, values in figures.items():
        if values:
            values.sort()
            print(f"{what}: median {statistics.median(values):.0f} ms, "
                  f"95 % within {values[int(0.95 * (len(values) - 1))]:.0f} ms, longest {values[-1]:.0f} ms")
    if run.idle_share is not None:
        print(f"watch and the core process used {run.cpu_seconds:.1f} s of CPU, and {100 * run.idle_share:.1f} % of a core when idle")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="Follow a real Flock program with flockscope watch.")
    parser.add_argument("--flockscope", required=True, help="the program to test")
    parser.add_argument("--tickets", type=int, default=3, help="how much the Flock program does (150 spans each)")
    arguments = parser.parse_args()
    FollowFlock.flockscope = arguments.flockscope
    FollowFlock.tickets = arguments.tickets
    unittest.main(argv=[sys.argv[0]], verbosity=2)


if __name__ == "__main__":
    main()
