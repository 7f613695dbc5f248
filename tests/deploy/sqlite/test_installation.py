"""C{kernelnet.deploy.sqlite.install}: a Python program's own SQLite decides by a component."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters.folder import exportTo
from kernelnet.exporters.sqlite import LIBRARY, exporter
from kernelnet.workbench.file_system import workbench


@skipUnless(not exporter.missing(), "; ".join(exporter.missing()) or "-")
class InstallTests(SynchronousTestCase):
    def test_install(self) -> None:
        """A Python program installs it before it imports sqlite3; a mistake is told in one sentence."""
        folder = Path(self.mktemp()).absolute()
        wasm = workbench.baselineModule("lru")
        export = folder / "export"
        exportTo(export, exporter, wasm, workbench.abiOf(wasm), {})
        python = (
            "import sys\n"
            "from kernelnet.deploy.sqlite import DeployError, install\n"
            "try:\n    install(sys.argv[1])\nexcept DeployError as error:\n    sys.exit(str(error))\n"
            "import sqlite3\n"
            "one = sqlite3.connect(sys.argv[2])\n"
            "one.execute('CREATE TABLE a (b)')\none.commit()\n"
        )
        report = folder / "report"
        for before, given, words in (
            ("", export, ""),
            ("import sqlite3\n", export, "sqlite3 is imported already"),
            ("", folder, f"has no {LIBRARY}"),
        ):
            done = subprocess.run(
                [sys.executable, "-c", before + python, str(given), str(folder / "x.db")],
                capture_output=True,
                text=True,
                env={**os.environ, "KERNELNET_REPORT": str(report)},
                check=False,
            )
            self.assertEqual(done.returncode, 1 if words else 0, done.stderr)
            self.assertIn(words, done.stderr)
        self.assertGreater(json.loads(report.read_text())["requests"], 0)
