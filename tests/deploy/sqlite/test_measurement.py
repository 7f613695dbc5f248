"""C{kernelnet deploy measure} of an export for SQLite: misses by SQLite's own count, and when a run doesn't count."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import skipUnless

from kernelnet.deploy.sqlite.measurement import BUILT_IN, _Run, _spoiled
from kernelnet.exporters.folder import exportTo
from kernelnet.exporters.sqlite import LIBRARY, exporter
from kernelnet.observations import Environment
from kernelnet.trainer.storage.spool import Spool
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import workbench
from tests.cli.support import CliTestCase
from tests.exporters.test_sqlite import PLAIN


def makeDatabase(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, n REAL, t TEXT)")
    connection.execute('CREATE TABLE "odd ""name\'" (b BLOB PRIMARY KEY) WITHOUT ROWID')
    connection.executemany("INSERT INTO a VALUES (?, ?, ?)", ((n, n / 7, "x" * 300) for n in range(3000)))
    connection.commit()
    connection.close()


def statements() -> str:
    rng, lines = random.Random(5), []
    for number in range(2500):
        row = int(rng.paretovariate(0.3) * 3) % 3000
        if number % 10:
            lines.append(f"SELECT n, t FROM a WHERE id = {row};")
        else:
            lines.append(f"UPDATE a SET n = n + {number} WHERE id = {row}; -- one more")
    return "\n".join(["PRAGMA synchronous = OFF;", *lines, 'INSERT INTO "odd ""name\'" VALUES (x\'00ff\'); VACUUM;'])


@skipUnless(not exporter.missing(), "; ".join(exporter.missing()) or "-")
class MeasureTests(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.database, self.sql = self.folder / "my data.db", self.folder / "work.sql"
        makeDatabase(self.database)
        self.sql.write_text(statements())
        self.export = self.folder / "export"
        self.exported(workbench.baselineModule("arc"), self.export)

    def exported(self, wasm: bytes, folder: Path) -> None:
        exportTo(folder, exporter, wasm, workbench.abiOf(wasm), {})

    def command(self, *more: str | Path, export: Path | None = None) -> tuple[str | Path, ...]:
        chosen = ("--database", self.database, "--sql", self.sql, "--cache", "40", "--runs", "1")
        return ("deploy", "measure", export or self.export, *chosen, *more)

    def test_share(self) -> None:
        """What was measured is left for a trainer of this machine, with the component that the export names."""
        state = self.folder / "state"
        (state / "trainers" / "AI_1").mkdir(parents=True)
        manifest = json.loads((self.export / "manifest.json").read_text())
        (self.export / "manifest.json").write_text(json.dumps({**manifest, "component": "c", "digest": "7" * 64}))
        found = json.loads(self.succeed(*self.command("--json", "--share", "AI_1", "--state", state)))
        ((_, spooled),) = Spool(state / "trainers" / "AI_1" / "spool").waiting()
        seen = spooled.observation
        self.assertEqual((spooled.component, spooled.digest), ("c", "7" * 64))
        self.assertEqual((seen.environment, seen.target, seen.settings), (Environment.REAL, "sqlite", {"capacity": 40}))
        self.assertEqual(seen.component.score, found["component"]["real"])
        self.assertEqual([one.policy for one in seen.beside], [BUILT_IN])
        self.assertEqual((seen.system, seen.hardware), (found["system"], found["hardware"]))

    def test_shareRefused(self) -> None:
        """Before anything is measured it is said that there is no such trainer."""
        for aiId, word in (("AI_9", "there is no trainer AI_9"), ("../AI_1", "bad ai_id")):
            self.refused(1, word, *self.command("--share", aiId, "--state", self.folder / "state"))

    def test_measure(self) -> None:
        """SQLite's own count is near the simulator's; the database stays as it is, and DIR's own files aren't run."""
        before = hashlib.sha256(self.database.read_bytes()).hexdigest()
        (self.export / LIBRARY).write_bytes(b"not run")
        (self.export / "Makefile").write_text(f"{LIBRARY}:\n\ttouch {self.folder.absolute()}/run\n")
        for name in ("component.c", "eviction.c", "pcache.c", "native.h"):
            (self.export / name).write_text("#error not compiled\n")
        found = json.loads(self.succeed(*self.command("--beside", "lru, s3fifo", "--runs", "2", "--cold", "--json")))
        self.assertTrue(found["valid"])
        self.assertEqual((found["settings"], found["unit"]), ({"capacity": 40}, "misses"))
        rows = {each["name"]: each for each in [*found["beside"], found["component"]]}
        self.assertEqual(list(rows), [BUILT_IN, "lru", "s3fifo", "component"])
        for name, each in rows.items():
            # what SQLite's own cache does is not quite LRU
            tolerance = 0.02 if name == BUILT_IN else 0.005
            self.assertLess(abs(each["real"] - each["simulated"]), tolerance * each["simulated"], name)
            self.assertEqual(each["runs"], 2)
            self.assertGreaterEqual(each["figures"]["reads"], each["real"] * 0.9)
            self.assertGreater(each["figures"]["cpu_seconds"], 0)
        self.assertLess(rows["component"]["real"], rows["lru"]["real"])
        self.assertEqual(rows[BUILT_IN]["figures"]["component_kilobytes"], 0)
        self.assertGreater(rows["component"]["figures"]["component_kilobytes"], 1)
        self.assertEqual(hashlib.sha256(self.database.read_bytes()).hexdigest(), before)
        self.assertFalse((self.folder / "run").exists())

    def test_table(self) -> None:
        """For people: a row for each, the change beside SQLite's own cache, and that the run is valid."""
        said = self.call(*self.command(), columns=140)
        self.assertEqual(said.exit_code, 0, said.stderr)
        self.assertRegex(said.stdout, r"real, misses +simulated +difference")
        self.assertRegex(said.stdout, r"(?m)^ *built-in +[\d,]+ +[\d,]+ +[-+][\d.]+ % ")
        self.assertRegex(said.stdout, r"[\d.]+ % (fewer|more) misses than built-in; valid")
        self.assertIn("work.sql, capacity 40; one run; Linux ", said.stdout)

    def notValid(self, words: str, *command: str | Path) -> None:
        said = self.call(*command)
        self.assertEqual(said.exit_code, 1, said.output)
        self.assertIn(words, said.stderr)
        self.assertNotIn("than built-in; valid", said.stdout)

    def test_notValid(self) -> None:
        """A component that breaks, SQL that gives something else each time, and a cache that holds all, don't count."""
        broken = compileC(PLAIN % ("", "__builtin_trap();"), workbench.headerPath, trusted=True)
        self.exported(broken, self.folder / "broken")
        words = "component: it broke, and FIFO took over: unreachable"
        self.notValid(words, *self.command(export=self.folder / "broken"))
        self.notValid("holds all", *self.command("--cache", "3000"))
        self.sql.write_text("SELECT random();" + statements())
        self.notValid("should use neither random() nor time", *self.command("--runs", "2"))

    def test_anotherResult(self) -> None:
        """Another result, another content, or a database that is broken afterwards: each is told."""
        counted: dict[str, Any] = {"result": "1", "misses": 5}
        fine = _Run(counted, {"integrity": True, "content": "c"}, {"failures": 0})
        self.assertEqual(_spoiled({BUILT_IN: [fine, fine], "component": [fine]}, fine), [])
        for run, words in (
            (replace(fine, counted={**counted, "result": "2"}), "another result"),
            (replace(fine, content={"integrity": True, "content": "d"}), "another content"),
            (replace(fine, content={"integrity": False, "content": "c"}), "integrity_check"),
            (replace(fine, counted={**counted, "misses": 6}), "same number of misses"),
        ):
            (said,) = _spoiled({BUILT_IN: [fine, fine], "component": [fine]}, run)
            self.assertIn(words, said)

    def test_mistakes(self) -> None:
        """No database, SQL that isn't any or reaches elsewhere, and what isn't there to compare with: each is named."""
        (self.folder / "text.db").write_text("no database " * 999)
        self.refused(1, "text.db can't be copied", *self.command("--database", self.folder / "text.db"))
        self.refused(1, "there is no policy 'lfru'", *self.command("--beside", "lfru"))
        self.refused(2, "--database FILE and --sql FILE", "deploy", "measure", self.export)
        other = self.folder.absolute() / "other.db"
        for text, words in (
            ("SELECT 1;\n\nSELECT n FROM b;", "statement 2: no such table: b"),
            (f"ATTACH '{other}' AS o;", "statement 1: it reaches for another database"),
            (f"SELECT 1; VACUUM INTO '{other}';", "statement 2: it reaches for another database"),
            (".read x", "statement 1: near"),
            ("SELECT 1;\0", "a zero byte"),
        ):
            self.sql.write_text(text)
            self.refused(1, words, *self.command())
        self.assertFalse(other.exists())
        (self.export / "manifest.json").write_text(json.dumps({"exporter": "c"}))
        self.refused(1, "measured are exports for", *self.command())
