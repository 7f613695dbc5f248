"""The bench that docs/howto/write-a-workbench.rst shows is found, and something is learned for it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.console import File, Shell, environment, read

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "write-a-workbench.rst"


class ExampleTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """In an empty folder: the bench is listed, measures, and a search finds what the guard accepts."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        home = Path(folder.name)
        shell = Shell(home, environment(home, Path(sys.executable).parent))
        self.addCleanup(shell.close)
        for block in read(PAGE):
            if isinstance(block, File):
                (home / block.name).parent.mkdir(parents=True, exist_ok=True)
                (home / block.name).write_text(block.text, "utf-8")
                continue
            for command in block:
                code, output = shell.run(command.text, 120)
                self.assertEqual(code, 0, output)
                if command.promise:
                    self.assertRegex(output, command.pattern)
        self.assertIn("kn_wait", (home / "found.c").read_text("utf-8"))
        self.fails(shell)
        self.wrongs(shell)

    def fails(self, shell: Shell) -> None:
        """The limit that the page gives is the one that is told."""
        code, output = shell.run(
            "sed 's/return 6;/for (volatile int i = 0;; i++);/' spindown/baselines/fixed.c >slow.c\n"
            "kernelnet bench run spindown --component slow.c",
            120,
        )
        self.assertEqual(code, 1, output)
        self.assertRegex(output, r"used up its fuel, \d+ units for \d+ events: it loops forever")

    def wrongs(self, shell: Shell) -> None:
        """What a user gets wrong is told in one line: a setting, a line of a trace."""
        for command, words in (
            ("kernelnet bench run spindown --set wake=0", "wake is 0; it should be 1 to 1000000"),
            ("kernelnet bench run spindown --set speed=1", "spindown has no setting 'speed'; it has wake"),
            (
                "echo soon >bad.pauses; kernelnet bench run spindown --trace bad.pauses",
                "bad.pauses:1: 'soon' is no pause; each line should be a pause between two requests",
            ),
        ):
            code, output = shell.run(command, 120)
            self.assertNotEqual(code, 0)
            self.assertIn(words, " ".join(output.split()))
            self.assertNotIn("Traceback", output)
