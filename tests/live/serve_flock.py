"""Runs a real Flock program that sends OTLP to `flockscope serve`, and reads its traces in every way there is.

    python serve_flock.py --flockscope PATH [--tickets N] [--browser PATH] [--pictures FOLDER]

One command is started; then the program sends its spans by Flock's own OTLP exporter (gRPC, one span a request), a
Python client reads a trace over REST and over Arrow, and Flock's own viewer (the one in the flock-core wheel) shows it
in a headless Chromium, all seven tabs. Counted against what the program ended, noted inside it (traced_program.py).
Run it with the Python of an environment made from requirements-serve.txt; `cargo xtask live --serve` does all of it.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import flock
import pyarrow.ipc

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = "helpdesk.app"
PROGRAM_FOLDER = HERE.parent / "data"
VIEWER = pathlib.Path(flock.__file__).parent / "dashboard" / "static_v2"

READY_SECONDS = 60
PROGRAM_SECONDS = 900
# The last span must be visible after 200 ms; this is how long the test waits before it gives up.
LAST_SPANS_SECONDS = 10
END_SECONDS = 20
BROWSER_SECONDS = 30

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Server:
    """A running `flockscope serve`."""

    def __init__(self, flockscope: str, project: pathlib.Path) -> None:
        self.log = project / "serve.log"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                [flockscope, "serve", "--address", "127.0.0.1:0", "--grpc-address", "127.0.0.1:0",
                 "--http-address", "127.0.0.1:0", "--viewer", str(VIEWER)],
                cwd=project, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )
        self.record = self._wait_until_ready(project / ".flockscope" / "store.duckdb.d" / "serve.json")
        self.url = f"http://{self.record['address']}"
        self.status = json.loads(self.get("/api/v1/status"))

    def _wait_until_ready(self, file: pathlib.Path) -> dict:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return json.loads(file.read_text())
            except FileNotFoundError:
                time.sleep(0.02)
        self.process.kill()
        raise RuntimeError(f"flockscope serve was not ready: {self.log.read_text(errors='replace')[-4000:]}")

    def get(self, path: str, body: dict | None = None, accept: str = "application/json") -> bytes:
        request = urllib.request.Request(
            self.url + path, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.record['token']}", "Accept": accept,
                     "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def json(self, path: str, body: dict | None = None):
        return json.loads(self.get(path, body))

    def sql(self, query: str):
        """Rows by Arrow, as a list of objects."""
        stream = self.get("/api/v1/sql", {"query": query}, accept="application/vnd.apache.arrow.stream")
        return pyarrow.ipc.open_stream(stream).read_all().to_pylist()

    def stop(self) -> int | None:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def environment(**more: str) -> dict[str, str]:
    """That of this process without what would send spans elsewhere, filter or delete them."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "FLOCK_TRACE", "FLOCKSCOPE_"))}
    return kept | more


class Run:
    """One run of the program beside the server, and what was noted of it."""

    def __init__(self, flockscope: str, tickets: int, project: pathlib.Path) -> None:
        self.server = Server(flockscope, project)
        log = project / "program.log"
        with open(log, "wb") as output:
            ended = subprocess.run(
                [sys.executable, str(HERE / "traced_program.py"), str(project / "ended.txt"), PROGRAM,
                 "--tickets", str(tickets), "--mode", "mixed"],
                cwd=project, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                timeout=PROGRAM_SECONDS, check=False,
                env=environment(
                    FLOCK_AUTO_TRACE="true", PYTHONPATH=str(PROGRAM_FOLDER), PYTHONDONTWRITEBYTECODE="1",
                    OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{self.server.status['otlp_grpc']['address']}",
                ),
            )
        self.program_code, self.program_output = ended.returncode, log.read_text(errors="replace")
        self.ended: dict[str, int] = {}
        for line in (project / "ended.txt").read_text().splitlines():
            span_id, end, _ = line.split()
            self.ended[span_id] = int(end)
        deadline = time.monotonic() + LAST_SPANS_SECONDS
        while True:
            self.stored = self.server.sql("SELECT * FROM spans")
            if len(self.stored) >= len(self.ended) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        print(f"{len(self.ended)} spans ended, {len(self.stored)} in the store")
        sys.stdout.flush()


class ServeFlock(unittest.TestCase):
    """What must hold after the run. The run itself is made once, before the first test."""

    flockscope = ""
    tickets = 0
    browser: str | None = None
    pictures: pathlib.Path | None = None
    run_made: Run

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="flockscope-serve-", ignore_cleanup_errors=True)
        cls.addClassCleanup(folder.cleanup)
        cls.run_made = Run(cls.flockscope, cls.tickets, pathlib.Path(folder.name))
        cls.addClassCleanup(cls.run_made.server.stop)

    @property
    def server(self) -> Server:
        return self.run_made.server

    def test_the_program_ran_to_its_end_and_its_exporter_had_no_complaints(self) -> None:
        run = self.run_made
        self.assertEqual(run.program_code, 0, run.program_output[-4000:])
        self.assertNotIn("Failed to export", run.program_output)
        self.assertNotIn("Transient error", run.program_output)

    def test_every_span_that_ended_is_stored_once(self) -> None:
        run = self.run_made
        self.assertGreater(len(run.ended), 50 * self.tickets)
        stored = [row["span_id"] for row in run.stored]
        self.assertEqual(sorted(stored), sorted(run.ended))
        self.assertEqual({row["span_id"]: row["end_time"] for row in run.stored}, run.ended)

    def test_what_flock_notes_of_a_call_is_there_by_name(self) -> None:
        executes = [row for row in self.run_made.stored if row["name"] == "Agent.execute"]
        self.assertGreater(len(executes), 0)
        for row in executes:
            self.assertEqual((row["service"], row["operation"]), ("Agent", "execute"))
            self.assertEqual(row["class"], "Agent")
            self.assertTrue(row["agent"], row)

    def test_rest_and_arrow_tell_the_same_of_a_trace(self) -> None:
        listed = self.server.json("/api/v1/traces?limit=500")["rows"]
        largest = max(listed, key=lambda trace: trace["spans"])
        trace_id = largest["trace_id"]
        by_rest = self.server.json(f"/api/v1/traces/{trace_id}")["spans"]
        by_arrow = self.server.sql(f"SELECT * FROM spans WHERE trace_id = '{trace_id}'")
        self.assertEqual(len(by_rest), largest["spans"])
        compared = ("span_id", "parent_id", "name", "service", "operation", "start_time", "end_time", "status_code")
        pick = lambda row: tuple(row[column] for column in compared)
        self.assertEqual(sorted(map(pick, by_rest), key=str), sorted(map(pick, by_arrow), key=str))
        timeline = self.server.json(f"/api/v1/traces/{trace_id}/timeline")["rows"]
        self.assertEqual({row["span_id"] for row in timeline}, {row["span_id"] for row in by_arrow})

    def test_flocks_own_route_gives_every_span(self) -> None:
        spans = self.server.json("/api/traces")
        self.assertEqual({span["context"]["span_id"] for span in spans}, set(self.run_made.ended))
        statistics = self.server.json("/api/traces/stats")
        self.assertEqual(statistics["total_spans"], len(self.run_made.ended))
        self.assertEqual(statistics["total_traces"], len({row["trace_id"] for row in self.run_made.stored}))

    def test_without_the_token_nothing_is_told(self) -> None:
        for path in ("/api/traces", "/api/v1/status", "/metrics", "/"):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(self.server.url + path, timeout=20)
            self.assertEqual(refused.exception.code, 401, path)

    def test_flocks_own_viewer_shows_the_traces_in_all_seven_tabs(self) -> None:
        if self.browser is None:
            self.skipTest("no Chromium was found")
        from playwright.sync_api import sync_playwright
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=self.browser, args=[
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync"])
            try:
                look_at_the_viewer(self, browser.new_page(viewport={"width": 1600, "height": 1000}))
            finally:
                browser.close()


def look_at_the_viewer(test: ServeFlock, page) -> None:
    """Opens each tab and looks for what only the right answer of the right route can show there."""
    run, server = test.run_made, test.server
    spans = len(run.stored)
    traces = len({row["trace_id"] for row in run.stored})
    of_service = collections.Counter(row["name"].split(".")[0] for row in run.stored)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(BROWSER_SECONDS * 1000)
    # The link that `serve` prints: the token becomes a cookie of this page.
    page.goto(f"{server.url}/?token={server.record['token']}")
    test.assertNotIn(server.record["token"], page.url)
    page.locator(".react-flow__pane").click(button="right", position={"x": 300, "y": 300})
    page.get_by_text("Add Module").hover()
    page.get_by_text("Trace Viewer").click()
    # The dashboard opens with a panel that lies over the window's buttons.
    page.get_by_role("button", name="Close publish panel").click()
    page.get_by_role("button", name="Maximize window").click()
    window = page.locator("body")

    def open_tab(name: str) -> None:
        page.get_by_role("button", name=name).click()

    def picture(name: str) -> None:
        if test.pictures is not None:
            test.pictures.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=test.pictures / f"flock-viewer-{name.lower().replace(' ', '-')}.png")

    def expect(text: str) -> None:
        try:
            page.get_by_text(text).first.wait_for()
        except Exception:
            picture("failed")
            raise

    expect(f"{traces} trace{'' if traces == 1 else 's'}")
    page.get_by_text("ticket_workflow_1").or_(page.get_by_text("►")).first.click()
    expect("Service & Operation")
    picture("Timeline")

    open_tab("Statistics")
    expect("Operation")
    picture("Statistics")

    open_tab("RED Metrics")
    expect("RED Metrics by Service")
    shown = window.inner_text()
    for service, count in of_service.items():
        card = shown[shown.index(f"\n{service}\n"):]
        test.assertEqual(int(card[card.index("Total Spans"):].split()[2]), count, service)
    picture("RED Metrics")

    open_tab("Dependencies")
    expect("Service Dependencies with Operation Drill-down")
    by_id = {row["span_id"]: row for row in run.stored}
    pairs = {(by_id[row["parent_id"]]["name"].split(".")[0], row["name"].split(".")[0])
             for row in run.stored if row["parent_id"] in by_id}
    pairs = {(caller, called) for caller, called in pairs if caller != called}
    test.assertGreater(len(pairs), 0)
    shown = " ".join(window.inner_text().split())
    for caller, called in pairs:
        test.assertIn(f"{caller} → {called}", shown)
    picture("Dependencies")

    open_tab("DuckDB SQL")
    page.locator("textarea").last.fill("SELECT count(*) AS answer, max(created_at) IS NOT NULL AS known FROM spans")
    page.get_by_role("button", name="Run").click()
    expect("Results (1 row, 2 columns)")
    test.assertEqual(page.locator("tbody tr td").first.inner_text().strip(), str(spans))
    picture("DuckDB SQL")
    page.locator("textarea").last.fill("SELECT 1; COPY spans TO 'stolen.csv'")
    page.get_by_role("button", name="Run").click()
    expect("2 statements")

    open_tab("Configuration")
    expect("Total Spans")
    page.get_by_text(f"{spans:,}", exact=True).or_(page.get_by_text(str(spans), exact=True)).first.wait_for()
    picture("Configuration")

    open_tab("Guide")
    expect("Quick Start Guide")
    picture("Guide")
    test.assertEqual(complaints, [])


def report_and_run() -> None:
    parser = argparse.ArgumentParser(description="A real Flock program that sends OTLP to flockscope serve.")
    parser.add_argument("--flockscope", required=True, help="the program to test")
    parser.add_argument("--tickets", type=int, default=3, help="how much the Flock program does (150 spans each)")
    parser.add_argument("--browser", help="a Chromium; without it the usual names are looked for")
    parser.add_argument("--pictures", type=pathlib.Path, help="folder for a picture of each tab")
    arguments = parser.parse_args()
    ServeFlock.flockscope, ServeFlock.tickets = arguments.flockscope, arguments.tickets
    ServeFlock.browser = arguments.browser or next(filter(None, map(shutil.which, BROWSERS)), None)
    ServeFlock.pictures = arguments.pictures
    unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    report_and_run()
