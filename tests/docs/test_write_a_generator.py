"""The generator that docs/howto/write-a-generator.rst shows is found, and does what the page says."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.console import File, Shell, environment, read

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "write-a-generator.rst"


class ExampleTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """In an empty folder: what it finds is written down with both numbers built in."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        home = Path(folder.name)
        shell = Shell(home, environment(home, Path(sys.executable).parent))
        self.addCleanup(shell.close)
        for block in read(PAGE):
            if isinstance(block, File):
                (home / block.name).parent.mkdir(parents=True)
                (home / block.name).write_text(block.text, "utf-8")
                continue
            for command in block:
                code, output = shell.run(command.text, 120)
                self.assertIn(code, (0, 3) if "--keep-refused" in command.text else (0,), output)
                if command.promise:
                    self.assertRegex(output, command.pattern)
        found = (home / "found.c").read_text("utf-8")
        self.assertRegex(found, r"#define WORTH [0-9.]+\n#define WEIGHT [0-9.]+\n")
        self.assertRegex(found, r"twice as often used is worth [0-9.]+ in age, earlier uses count [0-9.]+")
