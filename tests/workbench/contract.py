"""
What every bench that ships must do, whatever it is about.

A bench's own test module says in a few lines which bench it is, and tests beside that what no other bench has.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
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
from kernelnet.workbench.errors import (
    ComponentError,
    ForbiddenImport,
    InvalidModule,
    OutOfFuel,
    OutOfMemory,
    StackOverflow,
    TooLarge,
    TraceError,
    Trapped,
    Unmeasurable,
    WorkbenchError,
    WrongExport,
)
from tests.workbench.attacks import ATTACKS, Carrier
from tests.workbench.wasm import component

__all__ = ["BenchContract", "FolderCase", "python"]

FAILURES = (InvalidModule, ForbiddenImport, WrongExport, TooLarge, OutOfFuel, OutOfMemory, StackOverflow, Trapped)
"""What an attack on any bench may end with; C{test_hostile} has all attacks, and times them."""

LITTLE = 5_000_000
"""Fuel that is enough to show that something never ends."""

BITS = {
    "not a number": 0x7FF8000000000000,
    "signalling": 0x7FF0000000000001,
    "negative, not a number": 0xFFFFFFFFFFFFFFFF,
    "infinity": 0x7FF0000000000000,
    "minus infinity": 0xFFF0000000000000,
    "the greatest": 0x7FEFFFFFFFFFFFFF,
    "the least": 0xFFEFFFFFFFFFFFFF,
    "the smallest": 1,
    "minus zero": 0x8000000000000000,
    "2^63": 0x43E0000000000000,
    "-1": 0xBFF0000000000000,
}
"""Numbers that a component may answer with."""

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
    @cvar kinds: number of kinds of patterns, at least, that each of them has.
    """

    bench: ClassVar[BaseWorkbench[Any, Any]]
    light: ClassVar[tuple[str, ...]]
    file: ClassVar[str]
    sources: ClassVar[set[str]]
    shipped: ClassVar[list[str]]
    shippedBytes = 800_000
    apart: ClassVar[int]
    kinds = 2

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
        """The traces that ship are small, and the hand-made policies differ on them."""
        paths = self.bench.traces()
        self.assertEqual([path.name for path in paths], self.shipped)
        self.assertLess(sum(path.stat().st_size for path in paths), self.shippedBytes)
        for path in paths:
            baselines = self.bench.scenario(path).baselines()
            scores = {report.splits["held_out"].score for report in baselines.values()}
            self.assertGreaterEqual(len(scores), self.apart)

    def test_shippedPatterns(self) -> None:
        """The traces that ship have patterns of several kinds, with distinct ids; confidences are shares."""
        for path in self.bench.traces():
            patterns = self.bench.scenario(path).patterns()
            self.assertEqual(len({pattern.id for pattern in patterns}), len(patterns))
            self.assertGreaterEqual(len({pattern.type for pattern in patterns}), self.kinds)
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
            *((replace(report, settings={**report.settings, name: -1}), [copy]) for name in report.settings),
        ):
            self.assertRaises(Unmeasurable, bench.scenarioFor, claim, paths)

    def test_ranges(self) -> None:
        """A setting out of its range is an error that says what it may be; what each means is in the digest."""
        self.small()
        for name, (default, least, most) in self.bench.ranges.items():
            self.assertTrue(least <= default <= most, name)
            self.assertIn(name.split("_")[0], self.bench.rules + self.bench.header)
            for value in (least - 1, most + 1):
                error = self.assertRaises(WorkbenchError, self.bench.scenario, self.folder / self.file, {name: value})
                self.assertIn(f"{name} is {value}; it should be {least} to {most}", str(error))

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

    # -- strangers' modules

    def fails(self, scenario: BaseScenario, kind: type[ComponentError], wasm: bytes, about: str) -> str:
        """A module fails in this way, in one short line, and the bench goes on as if nothing had been."""
        error = self.assertRaises(ComponentError, scenario.measure, wasm, fuel=LITTLE)
        self.assertIs(type(error), kind, f"{about}: {error!r}")
        self.assertTrue(str(error).isprintable() and len(str(error)) < 500, about)
        after = scenario.measure(self.bench.baselineModule(self.bench.reference))
        self.assertEqual(after, scenario.reference(), about)
        return str(error)

    def test_failures(self) -> None:
        """Each way to fail has its error, in each of the bench's ABIs."""
        scenario = self.small()
        for abi in self.bench.abis:
            for kind in FAILURES:
                name, attack = next((n, a) for n, a in ATTACKS.items() if a.error is kind and not a.once)
                wasm, about = attack.make(Carrier(abi)), f"{name}, {abi.identifier}"
                self.assertIn(attack.words, self.fails(scenario, kind, wasm, about), about)
            self.fails(scenario, InvalidModule, Carrier(abi).make()[:-3], f"cut off, {abi.identifier}")

    def test_functions(self) -> None:
        """Of a function that is missing, or has another parameter or result, the name is told."""
        scenario = self.small()
        for abi in self.bench.abis:
            for name, (parameters, results) in abi.required.items():
                others = [
                    component({**abi.required, name: ((*parameters, "i64"), results)}),
                    component({**abi.required, name: (parameters, () if results else ("f64",))}),
                ]
                if len(abi.required) > 1:
                    others.append(Carrier(abi).without(name))
                for wasm in others:
                    self.assertIn(name, self.fails(scenario, WrongExport, wasm, f"{abi.identifier}, {name}"))

    def test_everyFunction(self) -> None:
        """An endless loop runs out of fuel and a trap traps, in whichever function of a hand-made policy it stands."""
        scenario = self.small()
        source = self.bench.baselineSource(self.bench.reference)
        for function in self.bench.abiOf(self.bench.baselineModule(self.bench.reference)).required:
            head = re.compile(rf"\b{function}\([^)]*\) *\{{")
            for code, kind in (("for (volatile int i = 0;; i++);", OutOfFuel), ("__builtin_trap();", Trapped)):
                changed, count = head.subn(rf"\g<0>{code}", source)
                self.assertEqual(count, 1, function)
                wasm = compileC(changed, self.bench.headerPath, trusted=True)
                self.fails(scenario, kind, wasm, function)

    def test_anyNumber(self) -> None:
        """Every floating-point number that a component answers has a meaning: the same one each time."""
        scenario = self.small()
        for abi in self.bench.abis:
            answering = [name for name, (_, results) in abi.required.items() if results == ("f64",)]
            if not answering:
                continue
            found = {}
            for name, bits in BITS.items():
                code = b"\x44" + struct.pack("<Q", bits)
                wasm, about = component(abi.required, dict.fromkeys(answering, code)), f"{abi.identifier}: {name}"
                report = scenario.measure(wasm)
                self.assertEqual(scenario.measure(wasm), report, about)
                found[name] = [split.score for split in report.splits.values()]
                self.assertTrue(all(0 <= score < 1 << 63 for score in found[name]), about)
            for name in ("signalling", "negative, not a number"):
                self.assertEqual(found["not a number"], found[name], abi.identifier)

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
