"""Reads lenses and hovers of the sample program in a real Neovim, completes a query, runs the test that an action writes,
and lets a real run of the program move a lens.

    python neovim_flock.py --flockscope PATH --neovim PATH

It needs flock-core, as the program does, and pytest; see requirements.txt.
"""
import argparse
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent / "data"
WAIT_SECONDS = 180

# The core process takes any free ports: another one may run on this machine.
ENVIRONMENT = {
    name: "127.0.0.1:0"
    for name in ("FLOCKSCOPE_API_ADDRESS", "FLOCKSCOPE_OTLP_GRPC_ADDRESS", "FLOCKSCOPE_OTLP_HTTP_ADDRESS")
}


class Run:
    """One session in Neovim, with a run of the program in the middle of it."""

    def __init__(self, flockscope: str, neovim: str, project: pathlib.Path) -> None:
        self.flockscope, self.project = flockscope, project
        shutil.copytree(DATA / "helpdesk", project / "helpdesk")
        (project / ".flock").mkdir()
        with gzip.open(DATA / "traces.duckdb.gz") as packed:
            (project / ".flock" / "traces.duckdb").write_bytes(packed.read())
        self.lines = (project / "helpdesk" / "engines.py").read_text().splitlines()
        self.intake = self.method("IntakeEngine", "evaluate")
        out = project / "neovim.json"
        environment = os.environ | ENVIRONMENT | {
            "FLOCKSCOPE": flockscope, "PROJECT": str(project), "OUT": str(out), "MOVED_LINE": str(self.intake),
            "XDG_CACHE_HOME": str(project / "cache"), "XDG_STATE_HOME": str(project / "state"),
        }
        editor = subprocess.Popen(
            [neovim, "--headless", "-u", "NONE", "-n", "-c", f"luafile {HERE / 'neovim.lua'}"],
            cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )
        try:
            self._wait_for(pathlib.Path(f"{out}.ready"), out, editor)
            # The same process answers this query.
            self.counted = self.query(
                "SELECT class, function, count(*) AS calls FROM spans WHERE module = 'helpdesk.engines' GROUP BY ALL"
            )
            if not out.exists():
                self.program_code = self._run_program(environment)
                self._wait_for(out, out, editor)
        finally:
            editor.kill()
            self.editor_errors = editor.communicate()[1]
            subprocess.run([flockscope, "stop"], cwd=project, env=environment, check=False)
        self.found = json.loads(out.read_text())
        self.written_test = self.found.get("test", "")

    def _wait_for(self, file: pathlib.Path, other: pathlib.Path, editor: subprocess.Popen) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (file.exists() or other.exists()):
            if time.monotonic() > deadline or editor.poll() is not None:
                raise RuntimeError(f"{file.name} was not written; Neovim said: {editor.stderr.read()[-4000:]}")
            time.sleep(0.05)
        # Written in one go, but not in one moment.
        time.sleep(0.2)

    def _run_program(self, environment: dict[str, str]) -> int:
        return subprocess.run(
            [sys.executable, "-m", "helpdesk.app", "--tickets", "1", "--mode", "mixed"], cwd=self.project,
            env=environment | {"FLOCK_AUTO_TRACE": "true", "FLOCK_TRACE_FILE": "true", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=WAIT_SECONDS,
            check=False,
        ).returncode

    def query(self, sql: str) -> list[dict]:
        answer = subprocess.run([self.flockscope, "sql", sql, "--format", "json"], cwd=self.project,
                                env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)

    def method(self, class_name: str, function: str) -> int:
        """The line of a method, from 0; -1 if the class does not define it itself."""
        inside = False
        for number, line in enumerate(self.lines):
            if re.match(r"class \w", line):
                inside = line.startswith(f"class {class_name}(")
            elif inside and re.match(rf"    (async )?def {function}\(", line):
                return number
        return -1


class Neovim(unittest.TestCase):
    """What must hold after the session. It is made once, before the first test."""

    flockscope = neovim = ""
    run_made: Run

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="flockscope-neovim-", ignore_cleanup_errors=True)
        cls.addClassCleanup(folder.cleanup)
        project = pathlib.Path(folder.name) / "project"
        project.mkdir()
        cls.run_made = Run(cls.flockscope, cls.neovim, project)

    def test_nothing_went_wrong_in_neovim(self) -> None:
        self.assertIsNone(self.run_made.found.get("error"), self.run_made.editor_errors)

    def test_every_traced_method_shows_the_calls_that_a_query_counts(self) -> None:
        run, checked = self.run_made, 0
        for row in run.counted:
            line = run.method(row["class"], row["function"])
            if line < 0:
                continue
            text = run.found["before"].get(str(line), "")
            self.assertRegex(text, rf"\b{row['calls']:,} calls?\b", row)
            checked += 1
        self.assertGreater(checked, 10)

    def test_hovers_on_definition_and_call_say_the_same(self) -> None:
        found = self.run_made.found
        self.assertTrue(any("exact" in line for line in found["on_definition"]), found["on_definition"])
        table = [line for line in found["on_definition"] if line.startswith("| duration")]
        self.assertEqual(len(table), 1)
        self.assertIn(table[0], found["on_call"])

    def test_a_query_is_completed_with_keys_and_values_of_the_store(self) -> None:
        found = self.run_made.found
        self.assertTrue(any("agent.name" in label for label in found["keys"]), found["keys"])
        self.assertTrue(any("IntakeEngine" in label for label in found["values"]), found["values"])

    def test_the_test_that_an_action_wrote_fails_as_the_program_did(self) -> None:
        run = self.run_made
        # The call is made with real Flock, and raises what the span recorded.
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", run.written_test], cwd=run.project,
            env=os.environ | {"PYTHONPATH": str(run.project), "FLOCK_AUTO_TRACE": "false"}, capture_output=True,
            text=True, timeout=WAIT_SECONDS, check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-4000:])
        self.assertIn("1 passed", done.stdout)
        self.assertIn('"ZeroDivisionError"', pathlib.Path(run.written_test).read_text())

    def test_a_running_program_moved_the_lens(self) -> None:
        run = self.run_made
        self.assertEqual(run.program_code, 0)
        line = str(run.intake)
        self.assertNotEqual(run.found["before"][line], run.found["after"][line])
        print(f"before: {run.found['before'][line]}\nafter:  {run.found['after'][line]}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Lenses and hovers in a real Neovim.")
    parser.add_argument("--flockscope", required=True, help="the program to test")
    parser.add_argument("--neovim", required=True, help="the editor")
    arguments, rest = parser.parse_known_args()
    Neovim.flockscope, Neovim.neovim = arguments.flockscope, arguments.neovim
    unittest.main(argv=[sys.argv[0], "-v", *rest])


if __name__ == "__main__":
    main()
