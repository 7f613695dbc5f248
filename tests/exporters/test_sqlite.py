"""The exporter C{sqlite}: SQLite's own count of misses is the simulator's, and its content right whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters.folder import exportTo
from kernelnet.exporters.sqlite import LIBRARY, exporter
from kernelnet.expressions.syntax import parse
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import workbench

HERE = Path(__file__).parent
CAPACITY = 60

FORGETFUL = """#include "kn_file_system.h"
static u32 slots, at, count;
void kn_init(u32 capacity) { slots = capacity; }
void kn_hit(u32 slot) { %s }
u32 kn_victim(u64 key) { if (count < slots) __builtin_trap(); return at++ %% slots; }
void kn_insert(u32 slot, u64 key) { if (++count > slots) count = slots; }
KN_EXPORT("kn_forget") void kn_forget(u32 slot) { if (!count--) __builtin_trap(); }
"""
"""FIFO that is told of what is removed, and breaks if it is asked for a victim while a slot is free."""

PLAIN = """#include "kn_file_system.h"
static u32 slots, at, count;
void kn_init(u32 capacity) { slots = capacity; %s }
void kn_hit(u32 slot) { if (++count > 500) { %s } }
u32 kn_victim(u64 key) { return at++ %% slots; }
void kn_insert(u32 slot, u64 key) {}
"""

BROKEN = {
    "unreachable": ("", "__builtin_trap();"),
    "out of fuel": ("", "for (volatile u32 i = 0;;) i++;"),
    "a slot that does not exist": ("", "at = 0x80000000; slots = 0xffffffff;"),
    "out of bounds": ("", "*(volatile u32 *)0xfffffff0 = 1;"),
    "it takes more memory than the cache itself": ("kn_alloc(40 << 20);", ""),
}


def module(source: str) -> bytes:
    return compileC(source, workbench.headerPath, trusted=True)


@skipUnless(not exporter.missing(), "; ".join(exporter.missing()) or "-")
class SqliteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.count = 0

    def exported(self, wasm: bytes) -> Path:
        self.count += 1
        out = self.folder / f"export{self.count}"
        exportTo(out, exporter, wasm, workbench.abiOf(wasm), {})
        return out

    def run_(
        self, program: str, arguments: tuple[str, ...], export: Path | None
    ) -> tuple[str, dict[str, object], Path]:
        """Output, report and traces of a program under an export."""
        self.count += 1
        traces, report = self.folder / f"traces{self.count}", self.folder / f"report{self.count}"
        traces.mkdir()
        environment = dict(os.environ)
        if export is not None:
            environment["LD_PRELOAD"] = str(export / LIBRARY)
            environment["KERNELNET_TRACE"], environment["KERNELNET_REPORT"] = str(traces), str(report)
        place = str(self.folder / f"data{self.count}")
        done = subprocess.run(
            [sys.executable, str(HERE / program), place, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, json.loads(report.read_text()) if export is not None else {}, traces

    def test_misses(self) -> None:
        """SQLite counts the misses that the simulator counts on the requests that it made, within 0.1 %."""
        ranked = workbench.abis[1]
        builtIn = int(self.run_("sqlite_program.py", (str(CAPACITY),), None)[0].split()[1])
        for name, wasm, tolerance in (
            ("lru", workbench.baselineModule("lru"), 0.001),
            ("s3fifo", workbench.baselineModule("s3fifo"), 0.001),
            ("arc", workbench.baselineModule("arc"), 0.001),
            # the sixteen blocks that are looked at are drawn by another seed
            ("rank", toWasm(parse("aq(freq + hist, age)", ranked.features), ranked), 0.02),
        ):
            said, report, traces = self.run_("sqlite_program.py", (str(CAPACITY),), self.exported(wasm))
            counted = int(said.split()[1])
            trace = max(traces.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            scenario = workbench.scenario(trace, {"capacity": CAPACITY})
            simulated = sum(split.score for split in scenario.measure(wasm).splits.values())
            self.assertGreater(counted, 4000)
            self.assertLess(abs(counted - simulated), tolerance * simulated, f"{name}: {counted} and {simulated}")
            self.assertEqual(report["failures"], 0)
            if name == "lru":
                self.assertLess(abs(counted - builtIn), 0.01 * builtIn, f"{counted}, built-in {builtIn}")

    def test_torture(self) -> None:
        """Rollbacks, savepoints, VACUUM, tiny caches, connections and threads: the same content as without it."""
        right, _, _ = self.run_("sqlite_torture.py", (), None)
        self.assertEqual(right.count(" ok "), 17)
        ranked = workbench.abis[1]
        for wasm in (
            workbench.baselineModule("lru"),
            workbench.baselineModule("arc"),
            toWasm(parse("-age", ranked.features), ranked),
            module(FORGETFUL % ""),
        ):
            said, report, _ = self.run_("sqlite_torture.py", (), self.exported(wasm))
            self.assertEqual(said, right)
            self.assertEqual(report["failures"], 0, report)

    @skipUnless(shutil.which("nm"), "needs nm, of binutils")
    def test_names(self) -> None:
        """A program's own functions are never mistaken for ours, nor ours for its: two names are seen outside."""
        library = self.exported(workbench.baselineModule("lru")) / LIBRARY
        listed = subprocess.run(
            ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True
        )
        names = {line.split()[-1] for line in listed.stdout.splitlines()}
        self.assertEqual(names, {"kernelnet_sqlite_started", "kernelnet_sqlite_status"})

    def test_broken(self) -> None:
        """A component that breaks, or takes too much memory, is asked no more; the content is right, and it is told."""
        right, _, _ = self.run_("sqlite_torture.py", (), None)
        sources = {why: PLAIN % code for why, code in BROKEN.items()}
        sources["integer divide by zero"] = (
            FORGETFUL.replace("if (!count--)", "volatile u32 zero = 0; count = 7u / zero; if (0)") % ""
        )
        grows = "static int once; if (!once++) kn_alloc(40 << 20);"
        for why, source in [*sources.items(), ("it takes more memory than the cache itself", PLAIN % ("", grows))]:
            said, report, _ = self.run_("sqlite_torture.py", (), self.exported(module(source)))
            self.assertEqual(said, right, why)
            self.assertEqual(report["failure"], why)
