"""
What every bench that ships must do, whatever it is about.

A bench's own test module says in a few lines which bench it is, and tests beside that what no other bench has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kernelnet.artifacts import Report
from kernelnet.expressions.syntax import parse, toC
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.workbench.base import SPLITS, BaseScenario, BaseWorkbench
from kernelnet.workbench.compiler import LIBRARY, compileC
from kernelnet.workbench.errors import OutOfFuel, TraceError, Unmeasurable, WorkbenchError

__all__ = ["BenchContract", "FolderCase", "python"]

REPOSITORY = Path(__file__).resolve().parents[2]


def python(code: str, **environment: str) -> str:
    """What a process of its own prints.  @param environment: besides this process's."""
    command = [sys.executable, "-c", code]
    env = {**os.environ, **environment}
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY, env=env).stdout


class FolderCase(SynchronousTestCase):
    """With a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)


if TYPE_CHECKING:
    _Case = FolderCase
else:
    _Case = object


class BenchContract(_Case):
    """
    Mixed into a `FolderCase`.

    @cvar bench: the plugin.
    @cvar light: modules that may be imported with the base package alone.
    @cvar file: in the folder, the trace that C{small()} is on.
    @cvar sources: names of the files that the drivers are made of.
    @cvar shipped: names of the traces that ship, in all of at most C{shippedBytes}.
    @cvar apart: number of different scores, at least, that the hand-made policies have on each of these.
    """

    bench: ClassVar[BaseWorkbench[Any, Any]]
    light: ClassVar[tuple[str, ...]]
    file: ClassVar[str]
    sources: ClassVar[set[str]]
    shipped: ClassVar[list[str]]
    shippedBytes = 800_000
    apart: ClassVar[int]

    def small(self) -> BaseScenario:
        """The small scenario."""
        raise NotImplementedError

    def ranked(self, which: int = -1) -> bytes:
        """The module of one of the expressions that a search begins with."""
        (abi,) = (abi for abi in self.bench.abis if abi.function)
        source = toC(parse(abi.known[which], abi.features), abi, self.bench.headerPath.name)
        return compileC(source, self.bench.headerPath, trusted=True)

    # -- what it says of itself

    def test_interfaces(self) -> None:
        """Workbench and scenario provide what third parties are told they do."""
        self.assertTrue(verifyObject(IWorkbench, self.bench))
        self.assertTrue(verifyObject(IScenario, self.small()))

    def test_importsLittle(self) -> None:
        """The plugin can be listed with the base package only: neither numpy nor wasmtime is imported."""
        code = (
            f"import sys; import {', '.join(self.light)}; "
            "print([m for m in ('numpy', 'wasmtime', 'twisted.internet.reactor') if m in sys.modules])"
        )
        self.assertEqual(python(code), "[]\n")

    def test_digest(self) -> None:
        """All that decides a score is in the digest: rules, drivers and what they include, and header."""
        self.assertEqual({path.name for abi in self.bench.abis for path in abi.sources}, self.sources)
        for name, value in (("rules", "others"), ("header", "other"), ("abis", self.bench.abis[:0])):
            self.assertNotEqual(type("Other", (type(self.bench),), {name: value})().digest, self.bench.digest, name)

    def test_documented(self) -> None:
        """The header that generators are given is the file, and names every function and feature of the ABIs."""
        self.assertEqual(self.bench.header, self.bench.headerPath.read_text() + "\n" + LIBRARY.read_text())
        for abi in self.bench.abis:
            for name in (abi.identifier, *abi.required, *abi.optional, *abi.features):
                self.assertIn(name, self.bench.header)

    def test_begins(self) -> None:
        """What a search begins with are expressions over the features, and each compiles and runs."""
        scenario = self.small()
        (abi,) = (abi for abi in self.bench.abis if abi.function)
        for which in range(len(abi.known)):
            wasm = self.ranked(which)
            self.assertEqual(self.bench.abiOf(wasm), abi)
            self.assertEqual(set(scenario.measure(wasm).splits), set(SPLITS))

    # -- what ships

    def test_shipped(self) -> None:
        """Two traces ship, which are small, and on which the hand-made policies differ."""
        paths = self.bench.traces()
        self.assertEqual([path.name for path in paths], self.shipped)
        self.assertLess(sum(path.stat().st_size for path in paths), self.shippedBytes)
        for path in paths:
            baselines = self.bench.scenario(path).baselines()
            scores = {report.splits["held_out"].score for report in baselines.values()}
            self.assertGreaterEqual(len(scores), self.apart)

    def test_shippedPatterns(self) -> None:
        """The traces that ship have patterns of two kinds at least, with distinct ids; confidences are shares."""
        for path in self.bench.traces():
            patterns = self.bench.scenario(path).patterns()
            self.assertEqual(len({pattern.id for pattern in patterns}), len(patterns))
            self.assertGreaterEqual(len({pattern.type for pattern in patterns}), 2)
            for pattern in patterns:
                self.assertTrue(0 <= pattern.confidence <= 1)
                msgspec.json.encode(pattern)

    # -- traces and claims

    def test_missing(self) -> None:
        """A trace that is not there is a TraceError, and a setting that isn't one is an error."""
        self.small()
        self.assertRaises(TraceError, self.bench.scenario, self.folder / f"missing{self.file}", {})
        self.assertRaises(WorkbenchError, self.bench.scenario, self.folder / self.file, {"colour": 1})

    def test_scenarioFor(self) -> None:
        """A claim's scenario is found by the trace's digest, whatever its file is called; or it is unmeasurable."""
        scenario = self.small()
        bench = scenario.workbench
        report = scenario.measure(bench.baselineModule(bench.reference))
        copy = self.folder / f"other name {self.file}"
        shutil.copy(self.folder / self.file, copy)
        bad = self.folder / f"bad {self.file}"
        bad.write_text("nothing")
        self.assertIs(bench.scenarioFor(report, [self.folder / self.file]), scenario)
        found = bench.scenarioFor(report, [bad, self.folder / "missing.txt", copy])
        self.assertEqual((found.traceDigest, found.settings), (scenario.traceDigest, scenario.settings))
        replace = msgspec.structs.replace
        for claim, paths in (
            (report, []),
            (replace(report, trace_digest="0" * 64), [copy]),
            (replace(report, workbench_digest="0" * 64), [copy]),
            (replace(report, workbench="other"), [copy]),
            (replace(report, settings={**report.settings, "colour": 1}), [copy]),
        ):
            self.assertRaises(Unmeasurable, bench.scenarioFor, claim, paths)

    # -- measuring

    def test_report(self) -> None:
        """A report names everything on which its numbers depend, and its splits add up."""
        scenario = self.small()
        report = scenario.measure(self.bench.baselineModule(self.bench.reference))
        self.assertEqual((report.workbench, report.trace), (self.bench.name, "small"))
        self.assertEqual((report.workbench_digest, report.trace_digest), (self.bench.digest, scenario.traceDigest))
        self.assertEqual((report.settings, report.parts), (scenario.settings, []))
        self.assertRegex(report.engine, r"^wasmtime \d+\.\d+\.\d+, driver [0-9a-f]{12}$")
        self.assertEqual({name: split.events for name, split in report.splits.items()}, scenario.events)

    def test_upTo(self) -> None:
        """The first splits have the same numbers, whether the later ones are run or not."""
        scenario = self.small()
        for wasm in (self.bench.baselineModule(self.bench.baselineNames[-1]), self.ranked()):
            whole = scenario.measure(wasm).splits
            self.assertEqual(scenario.measure(wasm, upTo="train").splits, {"train": whole["train"]})
            some = scenario.measure(wasm, upTo="validation").splits
            self.assertEqual(some, {name: whole[name] for name in ("train", "validation")})
            self.assertRaises(ValueError, scenario.measure, wasm, upTo="everything")

    def test_fuel(self) -> None:
        """The fuel a run may use can be lowered: just enough is enough, half of it is not."""
        scenario = self.small()
        wasm = self.bench.baselineModule(self.bench.reference)
        used = sum(split.fuel for split in scenario.measure(wasm).splits.values())
        scenario.measure(wasm, fuel=used)
        self.assertRaises(OutOfFuel, scenario.measure, wasm, fuel=used // 2)

    def test_developmentLevel(self) -> None:
        """The reference has level 0, the optimum would have 1, and what is worse than the reference is below 0."""
        scenario = self.small()
        reports, best = scenario.baselines(), scenario.optimum()
        reference = reports[self.bench.reference]
        self.assertEqual(scenario.developmentLevel(reference), 0.0)
        for name, report in reports.items():
            for split, score in report.splits.items():
                distance = reference.splits[split].score - best[split]
                closed = reference.splits[split].score - score.score
                self.assertAlmostEqual(scenario.developmentLevel(report, split), closed / distance, msg=name)

    # -- the same everywhere

    def test_threads(self) -> None:
        """Eight threads at once measure what one does, to the unit."""
        scenario = self.small()
        modules = [*map(self.bench.baselineModule, self.bench.baselineNames), self.ranked()]
        alone = [scenario.measure(wasm) for wasm in modules]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(scenario.measure, modules * 4))
        self.assertEqual(together, alone * 4)

    def test_processes(self) -> None:
        """Other processes measure the same scores and the same fuel, and each compiles anew."""
        scenario = self.small()
        path, ranked = str((self.folder / self.file).absolute()), self.ranked()
        code = (
            "import msgspec\n"
            f"from {type(self.bench).__module__} import workbench\n"
            f"scenario = workbench.scenario({path!r}, {scenario.settings!r})\n"
            f"reports = {{**scenario.baselines(), 'rank': scenario.measure(bytes.fromhex({ranked.hex()!r}))}}\n"
            "print(msgspec.json.encode(reports).decode())"
        )
        results = {python(code, XDG_CACHE_HOME=str((self.folder / f"cache {at}").absolute())) for at in range(2)}
        self.assertEqual(len(results), 1)
        ours = {**scenario.baselines(), "rank": scenario.measure(ranked)}
        self.assertEqual(msgspec.json.decode(results.pop(), type=dict[str, Report]), ours)
