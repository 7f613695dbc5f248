"""Guarded acceptance, and the re-measurement of claims."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kernelnet.artifacts import Component, Manifest, Report, Verdict
from kernelnet.generators import Candidate
from kernelnet.interfaces import IProblem
from kernelnet.learning import acceptance
from kernelnet.learning.acceptance import accept, audit, bestBaseline, remeasure, remeasureAmong
from kernelnet.learning.problem import Problem
from kernelnet.workbench.errors import (
    CompileError,
    CompileTooCostly,
    NoResources,
    OutOfFuel,
    StackOverflow,
    TimedOut,
    WrongExport,
)
from kernelnet.workbench.file_system.machine import FileSystemMachine
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.workbench.support import baselineSource, loop, mixture, policy, smallScenario, writeTrace

# Of sixty blocks in a loop a cache of 32 keeps 31: better than any policy made by hand.
LOOP = loop(3000)
STUBBORN = """
#include "kn_file_system.h"
static u32 capacity;
void kn_init(u32 c) { capacity = c; }
void kn_hit(u32 s, u32 n) {}
u32 kn_victim(u64 k, u32 n) { return capacity - 1; }
void kn_insert(u32 s, u64 k, u32 n) {}
"""


def knowing(scenario: FileSystemScenario) -> str:
    """A policy with a bit for each request: whether the optimum keeps its block until it is requested again."""
    blocks, capacity = scenario.machine.trace.blocks.tolist(), scenario.settings["capacity"]
    following = [0] * len(blocks)
    last: dict[int, int] = {}
    cache: dict[int, int] = {}
    before: dict[int, int] = {}
    for at in range(len(blocks) - 1, -1, -1):
        following[at] = last.get(blocks[at], len(blocks) + at)
        last[blocks[at]] = at
    kept = [0] * len(blocks)
    for at, block in enumerate(blocks):
        if block in cache:
            kept[before[block]] = 1
        elif len(cache) == capacity:
            del cache[max(cache, key=cache.__getitem__)]
        cache[block], before[block] = following[at], at
    bits = [sum(bit << place for place, bit in enumerate(kept[at : at + 8])) for at in range(0, len(kept), 8)]
    return f"""
    #include "kn_file_system.h"
    static const u8 kept[] = {{{",".join(map(str, bits))}}};
    static kn_links l;
    static u32 head;
    static void put(u32 s, u32 n) {{ kn_push_front(l, kept[n >> 3] >> (n & 7) & 1 ? head : head + 1, s); }}
    void kn_init(u32 c) {{ head = c; l = kn_links_new(c + 2); kn_list_init(l, c); kn_list_init(l, c + 1); }}
    void kn_hit(u32 s, u32 n) {{ kn_unlink(l, s); put(s, n); }}
    u32 kn_victim(u64 k, u32 n) {{ return kn_pop_back(l, kn_back(l, head + 1) == head + 1 ? head : head + 1); }}
    void kn_insert(u32 s, u64 k, u32 n) {{ put(s, n); }}
    """


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.scenario = smallScenario(self.folder, LOOP)

    def accepted(self) -> Component:
        candidate = Candidate(STUBBORN, ("0" * 64,), (1.0, 2.5), "keeps what it has")
        component, _ = accept(self.scenario, candidate, generator="test", seed=7)
        if component is None:
            self.fail("not accepted")
        # Over the wire and back, as a peer gets it.
        return msgspec.json.decode(msgspec.json.encode(component), type=Component)

    def manifest(self, component: Component) -> Manifest:
        if component.manifest is None:
            self.fail("no manifest")
        return component.manifest

    def claim(self, component: Component) -> Report:
        report = self.manifest(component).report
        if report is None:
            self.fail("no claim")
        return report


class AcceptTests(Case):
    def test_parents(self) -> None:
        """Each parent stands there once; who finds what he began with is not his own parent."""
        own = self.accepted().digest
        candidate = Candidate(STUBBORN, (own, "1" * 64, own, "1" * 64))
        component, _ = accept(self.scenario, candidate, generator="test", seed=7)
        assert component is not None
        self.assertEqual(self.manifest(component).parents, ["1" * 64])

    def test_known(self) -> None:
        """What is worse on validation than what is known already gets no claim, and held-out is not looked at."""
        score = self.claim(self.accepted()).splits["validation"].score
        candidate = Candidate(STUBBORN)
        for known, passes in ((score, True), (score + 1, True), (score - 1, False)):
            component, reason = accept(self.scenario, candidate, generator="test", seed=7, known=known)
            self.assertEqual(component is not None, passes, reason)
        self.assertIn("known already", reason)
        looked: list[str] = []
        measure = self.scenario.measure

        def noting(wasm: bytes, upTo: str = "held_out", **more: Any) -> Any:
            looked.append(upTo)
            return measure(wasm, upTo=upTo, **more)

        self.patch(self.scenario, "measure", noting)
        accept(self.scenario, candidate, generator="test", seed=7, known=score - 1)
        self.assertEqual(looked, ["validation"])

    def test_accepted(self) -> None:
        """What beats the best hand-made policy on validation is published with a complete manifest and claim."""
        component = self.accepted()
        manifest, report = self.manifest(component), self.claim(component)
        self.assertEqual(component.implementation, STUBBORN)
        self.assertEqual(manifest.source_sha256, hashlib.sha256(STUBBORN.encode()).hexdigest())
        self.assertEqual(manifest.wasm_sha256, hashlib.sha256(component.wasm).hexdigest())
        self.assertEqual((manifest.abi, manifest.workbench), ("file_system/full/1", "file_system"))
        self.assertEqual((manifest.generator, manifest.seed), ("test", 7))
        self.assertEqual((manifest.parents, manifest.parameters), (["0" * 64], [1.0, 2.5]))
        self.assertEqual(set(report.splits), {"train", "validation", "held_out"})
        self.assertEqual(component.specialization, "file_system")
        self.assertIn(component.digest[:12], component.id)
        self.assertEqual(component.development_level, self.scenario.developmentLevel(report))
        self.assertGreater(component.development_level or 0, 0.5)

    def test_guard(self) -> None:
        """A policy that is only as good as the best hand-made one is not published, and its held-out part not run."""
        scenario = smallScenario(self.folder, mixture())
        rival = bestBaseline(scenario)
        measured: list[str] = []
        measure = scenario.measure

        def watched(wasm: bytes, upTo: str = "held_out", **options: Any) -> Report:
            measured.append(upTo)
            return measure(wasm, upTo, **options)

        self.patch(scenario, "measure", watched)
        component, reason = accept(scenario, Candidate(baselineSource(rival)), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn(f"hand-made policy, {rival}", reason)
        self.assertEqual(measured, ["validation"])

    def test_rival(self) -> None:
        """The rival is chosen on train, whatever it does later."""
        scenario = smallScenario(self.folder, mixture())
        scores = {name: report.splits["train"].score for name, report in scenario.baselines().items()}
        self.assertEqual(scores[bestBaseline(scenario)], min(scores.values()))

    def test_broken(self) -> None:
        """What does not compile, or traps anywhere before held-out ends, is not published."""
        late = STUBBORN.replace("return capacity - 1;", "if (n > 2900) __builtin_trap(); return capacity - 1;")
        for source, words in (("int f(", "does not compile"), (late, "it fails: "), ("", "kn_init")):
            component, reason = accept(self.scenario, Candidate(source), generator="test", seed=0)
            self.assertIsNone(component)
            self.assertIn(words, reason)
            self.assertEqual(len(reason.splitlines()), 1)


class RemeasureTests(Case):
    def verdict(self, component: Component, verdict: Verdict, words: str = "") -> Report | None:
        found, reason, report = remeasure(component, self.scenario)
        self.assertEqual(found, verdict, reason)
        self.assertIn(words, reason)
        return report

    def changed(self, component: Component, split: str, **numbers: int) -> Component:
        """The same component with another claim."""
        manifest, report = self.manifest(component), self.claim(component)
        replace = msgspec.structs.replace
        splits = {**report.splits, split: replace(report.splits[split], **numbers)}
        return replace(component, manifest=replace(manifest, report=replace(report, splits=splits)))

    def test_confirmed(self) -> None:
        """A true claim is confirmed, and what was measured is the claim."""
        component = self.accepted()
        self.assertEqual(self.verdict(component, Verdict.CONFIRMED), self.claim(component))
        path = writeTrace(self.folder / "again.txt", LOOP)
        found = remeasureAmong(component, self.scenario.workbench, [path])
        self.assertEqual(found[0], Verdict.CONFIRMED)

    def test_refuted(self) -> None:
        """A claim that is wrong by one miss, one event or one unit of fuel on any split is refuted."""
        component = self.accepted()
        for split, measured in self.claim(component).splits.items():
            for number in ("score", "events", "fuel"):
                other = self.changed(component, split, **{number: getattr(measured, number) - 1})
                self.verdict(other, Verdict.REFUTED, f"on {split}")

    def test_otherEngine(self) -> None:
        """Under another engine version the fuel may differ, and the misses may not."""
        component = self.changed(self.accepted(), "train", fuel=1)
        replace = msgspec.structs.replace
        manifest = self.manifest(component)
        report = replace(self.claim(component), engine="wasmtime 49.0.0, driver 0")
        component = replace(component, manifest=replace(manifest, report=report))
        self.verdict(component, Verdict.CONFIRMED)
        self.verdict(self.changed(component, "held_out", score=1), Verdict.REFUTED)

    def test_checksums(self) -> None:
        """Source and module must be those whose SHA-256 the manifest gives."""
        component = self.accepted()
        replace = msgspec.structs.replace
        self.verdict(replace(component, implementation=STUBBORN + " "), Verdict.REFUTED, "source")
        self.verdict(replace(component, wasm=component.wasm + b"\0"), Verdict.REFUTED, "module")

    def test_level(self) -> None:
        """A development level that does not follow from the scores is refuted."""
        component = self.accepted()
        for level in (1.0, -1e300, float("nan"), float("inf")):
            component.development_level = level
            self.verdict(component, Verdict.REFUTED, "level")
        component.development_level = None
        self.verdict(component, Verdict.CONFIRMED)

    def test_splits(self) -> None:
        """A claim that keeps silent about a split, or invents one, is refuted."""
        component = self.accepted()
        replace = msgspec.structs.replace
        report = self.claim(component)
        for splits in ({}, {"train": report.splits["train"]}, {**report.splits, "more": report.splits["train"]}):
            manifest = replace(self.manifest(component), report=replace(report, splits=splits))
            self.verdict(replace(component, manifest=manifest), Verdict.REFUTED)

    def test_unmeasurable(self) -> None:
        """A claim about another trace, setting, ABI or bench is unmeasurable, and so is a component without one."""
        component = self.accepted()
        replace = msgspec.structs.replace
        manifest, report = self.manifest(component), self.claim(component)
        for other in (
            None,
            replace(manifest, report=None),
            replace(manifest, abi="file_system/full/9"),
            replace(manifest, workbench="process_manager"),
            replace(manifest, report=replace(report, trace_digest="1" * 64)),
            replace(manifest, report=replace(report, settings={"capacity": 33})),
            replace(manifest, report=replace(report, workbench_digest="1" * 64)),
        ):
            self.verdict(replace(component, manifest=other), Verdict.UNMEASURABLE)
        found = remeasureAmong(component, self.scenario.workbench, [])
        self.assertEqual(found[0], Verdict.UNMEASURABLE)
        self.assertIn("is not here", found[1])
        found = remeasureAmong(Component(id="old", implementation="…"), self.scenario.workbench, [])
        self.assertEqual(found[0], Verdict.UNMEASURABLE)

    def test_failures(self) -> None:
        """A failure that everybody would see refutes; one that depends on this machine does not."""
        component = self.accepted()
        scenario = self.scenario
        for error, verdict in (
            (WrongExport("x"), Verdict.REFUTED),
            (TimedOut("x"), Verdict.UNMEASURABLE),
            (CompileTooCostly("x"), Verdict.UNMEASURABLE),
            (StackOverflow("x"), Verdict.UNMEASURABLE),
            (NoResources("x"), Verdict.UNMEASURABLE),
        ):

            def failing(wasm: bytes, error: Exception = error) -> Report:
                raise error

            self.patch(scenario, "measure", failing)
            self.verdict(component, verdict, "it fails: x")

    def test_fuelElsewhere(self) -> None:
        """With another engine version the fuel that was enough for the author may not be; with the same it must be."""
        component = self.accepted()
        replace, manifest, claim = msgspec.structs.replace, self.manifest(component), self.claim(component)

        def failing(wasm: bytes) -> Report:
            raise OutOfFuel("x")

        self.patch(self.scenario, "measure", failing)
        self.verdict(component, Verdict.REFUTED)
        other = replace(manifest, report=replace(claim, engine="wasmtime 49.0.0, driver 0"))
        self.verdict(replace(component, manifest=other), Verdict.UNMEASURABLE)

    def test_deep(self) -> None:
        """Calls nested too deeply refute nothing: how deep that is depends on the processor."""
        component = self.accepted()
        source = """
        static volatile int sink; static __attribute__((noinline)) int f(int x) { return f(x + sink) * 3 + x; }
        void kn_init(u32 c) { sink = f(1); } void kn_hit(u32 s, u32 n) {}
        u32 kn_victim(u64 k, u32 n) { return 0; } void kn_insert(u32 s, u64 k, u32 n) {}
        """
        wasm = policy(source)
        manifest = msgspec.structs.replace(self.manifest(component), wasm_sha256=hashlib.sha256(wasm).hexdigest())
        other = msgspec.structs.replace(component, wasm=wasm, manifest=manifest)
        self.verdict(other, Verdict.UNMEASURABLE, "nested")

    def test_capacities(self) -> None:
        """A claim about a cache larger than its trace, or none at all, is refused before anything is run."""
        component = self.accepted()
        replace, manifest, report = msgspec.structs.replace, self.manifest(component), self.claim(component)
        path = writeTrace(self.folder / "again.txt", LOOP)
        self.patch(FileSystemMachine, "run", self.fail)
        for capacity in (-(1 << 63), -1, 0, 3000, 1 << 24, 1 << 62):
            other = replace(manifest, report=replace(report, settings={"capacity": capacity}))
            found = remeasureAmong(replace(component, manifest=other), self.scenario.workbench, [path])
            self.assertEqual(found[0], Verdict.UNMEASURABLE)
            self.assertIn("capacity", found[1])

    def test_cost(self) -> None:
        """A claim about a capacity of its own costs four runs: two of its own, the reference's and the optimum's."""
        component = self.accepted()
        replace, manifest, report = msgspec.structs.replace, self.manifest(component), self.claim(component)
        path = writeTrace(self.folder / "again.txt", LOOP)
        scenario = self.scenario.workbench.scenario(path, {"capacity": 20})
        truth = scenario.measure(component.wasm)
        runs: list[int] = []
        run = FileSystemMachine.run

        def counted(machine: FileSystemMachine, *arguments: Any) -> Any:
            runs.append(1)
            return run(machine, *arguments)

        self.patch(FileSystemMachine, "run", counted)
        other = replace(manifest, report=replace(report, settings={"capacity": 20}, splits=truth.splits))
        component = replace(component, manifest=other, development_level=0.5)
        found = remeasureAmong(component, self.scenario.workbench, [path])
        self.assertEqual(found[0], Verdict.REFUTED)
        self.assertIn("level", found[1])
        self.assertEqual(len(runs), 3)

    def test_byHeart(self) -> None:
        """A module that knows by heart what the optimum would keep is neither published nor confirmed."""
        scenario = smallScenario(self.folder, mixture(20_000))
        source = knowing(scenario)
        made, reason = accept(scenario, Candidate(source), generator="test", seed=0)
        self.assertIsNone(made)
        self.assertIn("by heart", reason)
        blind = self.patch(FileSystemScenario, "isRobust", lambda scenario, wasm, report: True)
        made, _ = accept(scenario, Candidate(source), generator="test", seed=0)
        if made is None:
            self.fail("without the check it would be published")
        self.assertGreater(made.development_level or 0, 0.95)
        self.assertEqual(remeasure(made, scenario)[0], Verdict.CONFIRMED)
        blind.restore()
        self.assertEqual(remeasure(made, scenario)[:2], (Verdict.REFUTED, reason))

    def test_notAModule(self) -> None:
        """Bytes that are no module are refuted, not believed and not fatal."""
        component = self.accepted()
        wasm = b"\0asm\1\0\0\0garbage"
        manifest = msgspec.structs.replace(self.manifest(component), wasm_sha256=hashlib.sha256(wasm).hexdigest())
        other = msgspec.structs.replace(component, wasm=wasm, manifest=manifest)
        self.verdict(other, Verdict.REFUTED, "it fails")

    def test_audit(self) -> None:
        """An audit tells whether the module is what the source compiles to, and admits what it can't know."""
        component = self.accepted()
        bench = self.scenario.workbench
        replace = msgspec.structs.replace
        if acceptance.audit(component, bench) is None:
            self.skipTest("no jail here")
        self.assertIs(audit(component, bench), True)
        self.assertIs(audit(replace(component, implementation=STUBBORN.replace("capacity - 1", "0")), bench), False)
        self.assertIsNone(audit(replace(component, implementation="garbage"), bench))
        other = replace(self.manifest(component), compiler="ziglang 0.1.0")
        self.assertIsNone(audit(replace(component, manifest=other), bench))


class ProblemTests(Case):
    def problem(self, scenario: FileSystemScenario, **options: Any) -> Problem:
        return Problem(scenario, seed=1, **{"seconds": 60.0, **options})

    def test_interface(self) -> None:
        """It provides what generators are told it does, and tells of train only."""
        problem = self.problem(self.scenario)
        self.assertTrue(verifyObject(IProblem, problem))
        self.assertEqual(problem.events, self.scenario.events["train"])
        trained = {name: report.splits["train"].score for name, report in self.scenario.baselines().items()}
        self.assertEqual(problem.baselines, trained)
        score = problem.measure(problem.compile(STUBBORN))
        self.assertEqual(score, self.claim(self.accepted()).splits["train"])
        self.assertRaises(CompileError, problem.compile, "int f(")

    def test_parents(self) -> None:
        """Of parents it tells what they have on train, and nothing that was measured on the other parts."""
        component = self.accepted()
        (parent,) = self.problem(self.scenario, parents=[component]).parents
        self.assertEqual(self.claim(parent).splits, {"train": self.claim(component).splits["train"]})
        self.assertIsNone(parent.development_level)
        self.assertEqual(parent.digest, component.digest)
        self.assertEqual(set(self.claim(component).splits), {"train", "validation", "held_out"})
        bare = Component(id="old")
        (parent,) = self.problem(self.scenario, parents=[bare]).parents
        self.assertEqual((parent.id, parent.manifest, parent.digest), ("old", None, bare.digest))

    def test_time(self) -> None:
        """Its time runs out by itself, or at once when it is cancelled."""
        problem = self.problem(self.scenario)
        self.assertTrue(50 < problem.secondsLeft() <= 60)
        problem.cancel()
        self.assertLess(problem.secondsLeft(), 0)
        self.assertLess(self.problem(self.scenario, seconds=-1.0).secondsLeft(), 0)

    def test_progress(self) -> None:
        """Progress is passed on."""
        told: list[tuple[int, int]] = []
        self.problem(self.scenario, onProgress=lambda *news: told.append(news)).progress(3, 14)
        self.assertEqual(told, [(3, 14)])
