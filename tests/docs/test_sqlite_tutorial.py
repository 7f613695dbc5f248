"""Every command of the tutorial about SQLite, in its order; what the page promises must come out."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters.sqlite import exporter
from tests.docs.console import File, Shell, environment, read
from tests.docs.test_tutorial import ELSEWHERE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial" / "from-your-database-to-a-faster-one.rst"

INSTEAD = {"--seconds 60": "--evaluations 150 --seed 1", "--beside lru,s3fifo": "--beside lru,s3fifo --runs 1"}
"""What is run in place of what the page says: it takes less time, and finds the same everywhere."""

SECONDS = 240.0
"""Wall clock for one command."""


@skipUnless(not exporter.missing(), "; ".join(exporter.missing()) or "-")
class SqliteTutorialTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """From a program that uses SQLite to the same with fewer misses, by SQLite's own count."""
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        self.addCleanup(shutil.rmtree, home)
        shell = Shell(home, {**environment(home, Path(sys.executable).parent), "COLUMNS": "120"})
        self.addCleanup(shell.close)
        for block in read(PAGE):
            if isinstance(block, File):
                (shell.environment()[0] / block.name).write_text(block.text)
                continue
            for command in block:
                if command.text in ELSEWHERE:
                    continue
                text = command.text
                for words, instead in INSTEAD.items():
                    text = text.replace(words, instead)
                code, output = shell.run(text, SECONDS)
                self.assertEqual(code, 0, f"$ {text}\n{output}")
                # what is measured once is said otherwise
                output = output.replace("; one run; ", "; medians of 1 runs; ")
                promise = "\n".join(command.promise)
                self.assertTrue(re.fullmatch(command.pattern, output), f"$ {text}\n{output}\nand not\n{promise}")
        report = json.loads((shell.environment()[0] / "report.json").read_text())
        self.assertGreater(report["requests"], 100_000)
        self.assertEqual((report["failures"], report["slots"]), (0, 400))
