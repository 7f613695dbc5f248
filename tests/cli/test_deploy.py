"""C{kernelnet deploy trace}: the requests of a program's own SQLite become a trace that the bench reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import skipUnless

from kernelnet.exporters.sqlite import LIBRARY, exporter
from kernelnet.workbench.file_system import workbench
from tests.cli.support import CliTestCase

PROGRAM = """
import sqlite3, sys
one = sqlite3.connect(sys.argv[1])
one.execute('PRAGMA cache_size = 20')
one.execute('CREATE TABLE a (i INTEGER PRIMARY KEY, t TEXT)')
one.executemany('INSERT INTO a VALUES (?, ?)', ((i, 'x' * 300) for i in range(2000)))
one.commit()
for i in range(3000):
    one.execute('SELECT t FROM a WHERE i = ?', (i * i % 2000,)).fetchone()
"""


@skipUnless(not exporter.missing(), "; ".join(exporter.missing()) or "-")
class DeployTests(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.export = self.folder / "export"
        source = workbench.folder / "baselines" / "s3fifo.c"
        self.succeed("components", "export", source, "--for", "sqlite", "--out", self.export)
        self.out = self.folder / "traces"
        self.program = self.folder / "program.py"
        self.program.write_text(PROGRAM)

    def command(self, *command: str | Path) -> tuple[str | Path, ...]:
        return ("deploy", "trace", self.export, "--out", self.out, "--", *command)

    def test_trace(self) -> None:
        """Each connection's requests are a file that the bench reads; a stranger's library in the export isn't run."""
        (self.export / LIBRARY).write_bytes(b"not run")
        said = self.call(*self.command(sys.executable, self.program, self.folder / "x.db"))
        self.assertEqual(said.exit_code, 0, said.output)
        (trace,) = self.out.iterdir()
        self.assertIn(trace.name, said.stderr)
        scenario = workbench.scenario(trace, {"capacity": 20})
        self.assertGreater(sum(scenario.events.values()), 5000)
        self.assertIn(f"kernelnet bench train file_system --trace {trace} --capacity 20 --out", said.stderr)

    def test_mistakes(self) -> None:
        """A command that isn't there or asks nothing, and a folder that is no export, are told; nothing is left."""
        self.refused(1, "can't run no-such-program", *self.command("no-such-program"))
        self.assertFalse(self.out.exists())
        self.refused(1, "asked SQLite for no page", *self.command("true"))
        self.assertFalse(self.out.exists())
        self.out.mkdir()
        self.refused(1, "is there already", *self.command("true"))
        (self.export / "manifest.json").write_text(json.dumps({"exporter": "c"}))
        self.refused(1, "is an export for something else", *self.command("true"))
        (self.export / "manifest.json").unlink()
        self.refused(1, "is no export", *self.command("true"))
