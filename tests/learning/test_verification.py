"""The re-measurement of claims."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from kernelnet.artifacts import Candidate, Component, PerformanceReport, Report, Verdict
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.verification import Verifier, audit, remeasure, remeasureAmong
from kernelnet.workbench.errors import (
    CompileTooCostly,
    NoResources,
    OutOfFuel,
    StackOverflow,
    TimedOut,
    Unmeasurable,
    WrongExport,
)
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.machine import FileSystemMachine
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from kernelnet.workbench.variants import VariantScenario
from tests.learning.support import LOOP, STUBBORN, AcceptedTestCase
from tests.workbench.support import mixture, policy, smallScenario, writeTrace


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
    static u32 head, n;
    static void put(u32 s) {{ kn_push_front(l, kept[n >> 3] >> (n & 7) & 1 ? head : head + 1, s); n++; }}
    void kn_init(u32 c) {{ head = c; l = kn_links_new(c + 2); kn_list_init(l, c); kn_list_init(l, c + 1); }}
    void kn_hit(u32 s) {{ kn_unlink(l, s); put(s); }}
    u32 kn_victim(u64 k) {{ return kn_pop_back(l, kn_back(l, head + 1) == head + 1 ? head : head + 1); }}
    void kn_insert(u32 s, u64 k) {{ put(s); }}
    """


class RemeasureTests(AcceptedTestCase):
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
        for error, verdict in (
            (WrongExport("x"), Verdict.REFUTED),
            (TimedOut("x"), Verdict.UNMEASURABLE),
            (CompileTooCostly("x"), Verdict.UNMEASURABLE),
            (StackOverflow("x"), Verdict.UNMEASURABLE),
            (NoResources("x"), Verdict.UNMEASURABLE),
        ):

            def failing(scenario: object, wasm: bytes, error: Exception = error) -> Report:
                raise error

            self.patch(VariantScenario, "measure", failing)
            self.verdict(component, verdict, "it fails: x")

    def test_fuelElsewhere(self) -> None:
        """With another engine version the fuel that was enough for the author may not be; with the same it must be."""
        component = self.accepted()
        replace, manifest, claim = msgspec.structs.replace, self.manifest(component), self.claim(component)

        def failing(scenario: object, wasm: bytes) -> Report:
            raise OutOfFuel("x")

        self.patch(VariantScenario, "measure", failing)
        self.verdict(component, Verdict.REFUTED)
        other = replace(manifest, report=replace(claim, engine="wasmtime 49.0.0, driver 0"))
        self.verdict(replace(component, manifest=other), Verdict.UNMEASURABLE)

    def test_deep(self) -> None:
        """Calls nested too deeply refute nothing: how deep that is depends on the processor."""
        component = self.accepted()
        source = """
        static volatile int sink; static __attribute__((noinline)) int f(int x) { return f(x + sink) * 3 + x; }
        void kn_init(u32 c) { sink = f(1); } void kn_hit(u32 s) {}
        u32 kn_victim(u64 k) { return 0; } void kn_insert(u32 s, u64 k) {}
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
        """A claim about a capacity of its own costs two runs on each variant: its own, and the reference's."""
        component = self.accepted()
        replace, manifest, report = msgspec.structs.replace, self.manifest(component), self.claim(component)
        path = writeTrace(self.folder / "again.txt", LOOP)
        scenario = self.scenario.workbench.scenario(path, {"capacity": 20})
        truth = scenario.forModule(component.wasm).measure(component.wasm)
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
        self.assertEqual(len(runs), 2 * scenario.variants)

    def test_byHeart(self) -> None:
        """A module that knows by heart what the optimum would keep is neither published nor confirmed."""
        scenario = smallScenario(self.folder, mixture(20_000))
        source = knowing(scenario)
        made, reason = accept(scenario, Candidate(source), generator="test", seed=0)
        self.assertIsNone(made)
        self.assertIn("no better", reason)
        plain = self.patch(FileSystemScenario, "forModule", lambda scenario, wasm: scenario)
        made, _ = accept(scenario, Candidate(source), generator="test", seed=0)
        if made is None:
            self.fail("on the trace as it is it would be published")
        self.assertGreater(made.development_level or 0, 0.95)
        self.assertEqual(remeasure(made, scenario)[0], Verdict.CONFIRMED)
        plain.restore()
        self.assertEqual(remeasure(made, scenario)[0], Verdict.REFUTED)

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
        if audit(component, bench) is None:
            self.skipTest("no jail here")
        self.assertIs(audit(component, bench), True)
        self.assertIs(audit(replace(component, implementation=STUBBORN.replace("capacity - 1", "0")), bench), False)
        self.assertIsNone(audit(replace(component, implementation="garbage"), bench))
        other = replace(self.manifest(component), compiler="ziglang 0.1.0")
        self.assertIsNone(audit(replace(component, manifest=other), bench))


class VerifierTests(AcceptedTestCase):
    def verifier(self, **options: Any) -> Verifier:
        bench = self.scenario.workbench
        path = writeTrace(self.folder / "again.txt", LOOP)
        return Verifier({bench.name: bench}, lambda bench: [path], **options)

    def test_confirmed(self) -> None:
        """What is said of a true claim has all that was measured, and of tasks of one's own what is made by hand."""
        component = self.accepted()
        held = self.claim(component).splits["held_out"]
        for own in (False, True):
            report = self.verifier(isOwn=lambda report, own=own: own).verify(component)
            self.assertIs(report.verdict, Verdict.CONFIRMED, report.reason)
            self.assertEqual((report.component_id, report.digest), (component.id, component.digest))
            told = report.figures
            self.assertEqual((told["score"], told["events"], told["fuel"]), (held.score, held.events, held.fuel))
            self.assertEqual(told["engine"], self.scenario.engine)
            self.assertEqual(told["development_level"], component.development_level)
            scenario, claim = self.scenario.forModule(component.wasm), self.claim(component)
            self.assertEqual(told["validation_level"], scenario.developmentLevel(claim, "validation"))
            self.assertEqual(report.validationLevel, told["validation_level"])
            if not own:
                for word in ("level_low", "chosen_on_train", "best_in_hindsight"):
                    self.assertNotIn(word, told)
                continue
            self.assertEqual(told["chosen_on_train"], chosenOnTrain(scenario))
            self.assertEqual(told["best_in_hindsight"], bestInHindsight(scenario))
            best = scenario.developmentLevel(scenario.baselines()[told["best_in_hindsight"]])
            self.assertEqual(told["best_in_hindsight_level"], best)
            self.assertGreaterEqual(best, told["chosen_on_train_level"])
            self.assertLess(told["level_low"], told["development_level"])
            self.assertGreater(told["level_high"], told["development_level"])

    def test_refuted(self) -> None:
        """A false claim is told what was measured instead."""
        component = self.accepted()
        component.development_level = 1.0
        report = self.verifier().verify(component)
        self.assertIs(report.verdict, Verdict.REFUTED)
        self.assertLess(report.figures["development_level"], 1.0)

    def test_notHere(self) -> None:
        """Of a workbench, or a trace, that isn't here nothing can be said."""
        component = self.accepted()
        report = Verifier({}).verify(component)
        self.assertIs(report.verdict, Verdict.UNMEASURABLE)
        self.assertEqual(report.reason, "the workbench 'file_system' is not installed here")
        self.assertEqual(report.figures, {})
        # the traces that ship
        bench = self.scenario.workbench
        report = Verifier({bench.name: bench}).verify(component)
        self.assertIs(report.verdict, Verdict.UNMEASURABLE)
        self.assertIn("is not here", report.reason)

    def test_cannotBeMeasured(self) -> None:
        """A scenario of somebody else's that can't measure after all has the same verdict, and is not tried again."""

        def measure(*_: object, **__: object) -> Report:
            raise Unmeasurable("its hardware is elsewhere")

        component, verifier = self.accepted(), self.verifier()
        self.patch(FileSystemScenario, "measure", measure)
        report = verifier.verify(component)
        self.assertIs(report.verdict, Verdict.UNMEASURABLE)
        self.assertEqual((report.reason, report.figures), ("its hardware is elsewhere", {}))

    def test_long(self) -> None:
        """A claim that is quoted at length doesn't make a report too long for the hub: else it would be lost."""
        made = self.accepted()
        claim = msgspec.structs.replace(self.claim(made), trace="t" * 5000)
        manifest = msgspec.structs.replace(self.manifest(made), report=claim)
        made = msgspec.structs.replace(made, manifest=manifest)
        report = Verifier({workbench.name: workbench}).verify(made)
        self.assertIs(report.verdict, Verdict.UNMEASURABLE)
        self.assertIn("the trace", report.reason)
        decoded = msgspec.convert(msgspec.to_builtins(report), PerformanceReport)
        self.assertEqual(decoded.digest, made.digest)
