"""C{kernelnet workbenches}."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import directlyProvides, implementer

from kernelnet import plugins
from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from tests.cli.support import CliTestCase


@implementer(IPlugin, IWorkbench)
class Stranger(FileSystemWorkbench):
    """A third party's, from no package that pip knows."""

    name = "[red]elevator"
    description = "[bold]moves"
    headerPath = workbench.headerPath
    __module__ = "no_such_package.elevator"


def _small(*traces: Path) -> FileSystemWorkbench:
    """The page cache, with other traces, and with the default settings alone."""
    bench = FileSystemWorkbench()
    bench.traces = lambda: list(traces)  # type: ignore[method-assign]
    bench.tasks = lambda path: [{}]  # type: ignore[method-assign]
    return bench


class WorkbenchesTests(CliTestCase):
    def test_json(self) -> None:
        """As JSON each workbench has all that a component is made for and measured against."""
        found: dict[str, dict[str, Any]] = {w["name"]: w for w in json.loads(self.succeed("workbenches", "--json"))}
        bench = found["file_system"]
        self.assertEqual(bench["description"], workbench.description)
        self.assertEqual((bench["reference"], bench["optimum"], bench["unit"]), ("lru", "belady", "misses"))
        self.assertEqual(bench["baselines"], list(workbench.baselineNames))
        self.assertIn("file_system/full/2", bench["abis"])
        self.assertEqual(bench["tuned"], [])
        self.assertIn("nlms_tuned", found["audio"]["tuned"])
        self.assertEqual(bench["traces"], ["compiler.txt.xz", "sqlite.txt.xz"])
        self.assertEqual(bench["formats"], workbench.formats)
        self.assertRegex(bench["package"], r"^kernelnet \d")

    def test_table(self) -> None:
        """Each workbench is a line of the list; by its name one sees all of it."""
        listed = self.succeed("workbenches")
        for bench in plugins.available(IWorkbench):
            (row,) = (line for line in listed.splitlines() if line.startswith(bench.name))
            self.assertIn(bench.optimumName, row)
            text = self.succeed("workbenches", bench.name)
            for word in (bench.description, bench.reference, bench.optimumName, *bench.baselineNames, bench.formats):
                self.assertIn(word, text)
            for abi in bench.abis:
                assert isinstance(abi, Abi)
                self.assertIn(abi.identifier, text)

    def test_objective(self) -> None:
        """The objective that has no bench of its own is told of beside them, and in full by its name."""
        self.assertIn("and performance, on each of them: ", self.succeed("workbenches"))
        text = self.succeed("workbenches", "performance")
        self.assertIn("the same decisions", text)
        for option in ("--room", "--json"):
            self.refused(2, "performance is an objective, no workbench", "workbenches", "performance", option)

    def test_room(self) -> None:
        """The best hand-made policy in hindsight beside the optimum, as they are when they are measured otherwise."""
        bench = _small(self.trace)
        self.patch(plugins, "getPlugins", lambda interface: [bench])
        (found,) = json.loads(self.succeed("workbenches", "--room", "--json"))
        (room,) = found["room"]
        scenario = bench.scenario(self.trace, {})
        scores = {name: report.splits["held_out"].score for name, report in scenario.baselines().items()}
        best = min(sorted(scores), key=scores.__getitem__)
        optimum = scenario.optimum()["held_out"]
        self.assertEqual((room["best_in_hindsight"], room["best_score"]), (best, scores[best]))
        self.assertEqual((room["reference_score"], room["optimum_score"]), (scores["lru"], optimum))
        self.assertAlmostEqual(room["room"], 1 - optimum / scores[best], 5)
        self.assertAlmostEqual(room["level"], (scores["lru"] - scores[best]) / (scores["lru"] - optimum), 5)
        text = self.succeed("workbenches", "file_system", "--room")
        for words in ("file_system: miss ratio, from lru to belady", f"{best} {scores[best] / room['events']:.4f}"):
            self.assertIn(words, text)

    def test_noRoom(self) -> None:
        """A bench that no trace ships with has nothing to measure."""
        self.patch(plugins, "getPlugins", lambda interface: [_small()])
        self.assertIn("file_system: no trace ships with it", self.succeed("workbenches", "--room"))

    def test_strangers(self) -> None:
        """A third party's is listed with where it comes from, and what looks like markup is none."""
        self.patch(plugins, "getPlugins", lambda interface: [Stranger(), workbench])
        text = self.succeed("workbenches")
        for word in ("[red]elevator", "[bold]moves"):
            self.assertIn(word, text)
        self.assertIn("package   no_such_package", self.succeed("workbenches", "[red]elevator"))
        self.refused(
            2,
            "unknown workbench 'elevator'; there are: [red]elevator, file_system, performance",
            "workbenches",
            "elevator",
        )

    def test_incomplete(self) -> None:
        """One that lacks something, such as what a newer kernelnet asks for, is left out, and can't be used; why."""

        class Old:
            name = "old"
            description = "lacks nearly all"

        directlyProvides(Old, IPlugin, IWorkbench)
        self.patch(plugins, "getPlugins", lambda interface: [Old, workbench])
        result = self.call("workbenches")
        self.assertEqual(result.exit_code, 0)
        self.assertRegex(result.stderr, r"left out: old of .*: .*attribute.*\n")
        self.assertIn("file_system", result.stdout)
        self.refused(1, "the workbench old can't be used: ", "bench", "run", "old")

    def test_light(self) -> None:
        """Listing them needs nothing of the trainer's extra."""
        code = (
            "import contextlib, sys\n"
            "for name in ('numpy', 'wasmtime', 'ziglang', 'matplotlib'): sys.modules[name] = None\n"
            "from kernelnet.cli import main\n\n"
            "with contextlib.suppress(SystemExit): main(['workbenches'])\n"
            "main(['workbenches', '--room'])"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stderr, r"^Error: \w+ is missing; pip install 'kernelnet\[trainer\]' brings it\n$")
        self.assertIn("file_system", ran.stdout)
