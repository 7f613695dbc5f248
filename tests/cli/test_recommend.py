"""C{kernelnet recommend}: what to use on a trace."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli import main
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from tests.learning.test_known_settings import sqlite


class RecommendTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.trace = str(sqlite(self.folder))

    def run_(self, *arguments: str) -> Result:
        environment = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder / "data")}
        return CliRunner().invoke(main, ["recommend", "--seconds", "600", *arguments], env=environment)

    def test_verdict(self) -> None:
        """Without a hub, and without the workbench's name: the last line says what to use, by how much, how sure."""
        out = self.folder / "found.c"
        result = self.run_("--trace", self.trace, "--capacity", "30", "--alone", "--out", str(out))
        self.assertEqual(result.exit_code, 0, result.output)
        verdict = result.stdout.splitlines()[-1]
        self.assertRegex(verdict, r"^use found\.c \(a setting that ships\): 0\.\d+ .* of the way from lru to belady")
        self.assertRegex(verdict, r"more than \w+, the best hand-made policy in hindsight")
        self.assertIn("kn_file_system.h", out.read_text())
        self.assertIn("tried", result.stdout)
        refused = self.run_("--trace", self.trace, "--alone", "--out", str(out))
        self.assertNotEqual(refused.exit_code, 0)
        self.assertIn("--force", refused.stderr)

    def test_shared(self) -> None:
        """C files of others are tried beside what ships; as JSON all that the verdict says."""
        for template in (REUSE_INTERVAL, TWO_QUEUES):
            (self.folder / f"{template.name}.c").write_text(template.bake(template.known[1]))
        result = self.run_(
            "file_system", "--trace", self.trace, "--capacity", "30", "--from", str(self.folder), "--json"
        )
        self.assertEqual(result.exit_code, 0, result.output)
        (told,) = json.loads(result.stdout)
        self.assertEqual((told["shared"], told["failed"]), (2, 0))
        self.assertEqual(told["settings"], {"capacity": 30})
        self.assertEqual(told["gain"] > 0, told["kind"] != "hand-made")

    def test_mistakes(self) -> None:
        """One line for each."""
        (self.folder / "odd.txt").write_text("hello\n")
        (self.folder / "trainer.db").write_text("no database at all, whatever it is called")
        for arguments, words in (
            ([], "give --trace FILE, or a WORKBENCH"),
            (["--trace", str(self.folder / "odd.txt")], "no workbench reads"),
            (["--trace", self.trace, "--alone", "--from", "x"], "either --from or --alone"),
            (["file_system", "--trace", self.trace, "--from", "nowhere"], "--from nowhere: no such file"),
            (["file_system", "--trace", self.trace, "--from", str(self.folder)], "can't read"),
            (["nothing", "--trace", self.trace], "nothing"),
            (
                ["file_system", "--trace", self.trace, "--trace", self.trace, "--out", str(self.folder / "x.c")],
                "--out takes one",
            ),
        ):
            result = self.run_(*arguments)
            self.assertNotEqual(result.exit_code, 0, arguments)
            self.assertIn(words, result.stderr)
            self.assertNotIn("Traceback", result.output)
