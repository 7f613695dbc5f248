"""Several scenarios as one task: what its scores mean, and that claims about it are measured again."""

from __future__ import annotations

from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kernelnet.artifacts import Component, Report, Verdict
from kernelnet.generators import Candidate
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.verification import remeasureAmong
from kernelnet.workbench.errors import Unmeasurable
from kernelnet.workbench.file_system import FileSystemWorkbench
from kernelnet.workbench.suite import MAX_PARTS, UNIT, Suite, scenarioOf
from tests.workbench.support import baselineSource, loop, mixture, policy, writeTrace

STUBBORN = """
static u32 capacity;
void kn_init(u32 c) { capacity = c; }
void kn_hit(u32 s) {}
u32 kn_victim(u64 k) { return capacity - 1; }
void kn_insert(u32 s, u64 k) {}
"""
"""The best there is on a loop: what is there stays."""


class SuiteTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.bench = FileSystemWorkbench()
        loops = (loop(16_000, length) for length in (60, 90))
        self.paths = [writeTrace(folder / f"loop{index}.txt", loop) for index, loop in enumerate(loops)]
        self.paths.append(writeTrace(folder / "mixture.txt", mixture()))
        self.loops = Suite([self.bench.scenario(path, {"capacity": 32}) for path in self.paths[:2]])

    def accepted(self) -> Component:
        component, reason = accept(
            self.loops, Candidate(f'#include "kn_file_system.h"\n{STUBBORN}'), generator="test", seed=1
        )
        assert component is not None, reason
        return component

    def test_interface(self) -> None:
        """A suite is a scenario like any other."""
        self.assertTrue(verifyObject(IScenario, self.loops))

    def test_scores(self) -> None:
        """The reference costs a million a part on each split, the optimum nothing, others what lies between."""
        reference = self.loops.baselines()["lru"]
        self.assertEqual({split.score for split in reference.splits.values()}, {2 * UNIT})
        self.assertEqual(set(self.loops.optimum().values()), {0})
        self.assertEqual(self.loops.developmentLevel(reference), 0)
        found = self.loops.measure(policy(STUBBORN))
        for split, score in found.splits.items():
            levels = [
                part.developmentLevel(its, split) for part, its in zip(self.loops.parts, found.parts, strict=True)
            ]
            self.assertAlmostEqual(self.loops.developmentLevel(found, split), sum(levels) / 2, places=5)
            self.assertEqual(score.events, sum(its.splits[split].events for its in found.parts))
            self.assertEqual(score.fuel, sum(its.splits[split].fuel for its in found.parts))

    def test_order(self) -> None:
        """The same parts in another order are the same suite; a part twice, or one alone, is none."""
        again = Suite(list(reversed(self.loops.parts)))
        self.assertEqual(again.traceDigest, self.loops.traceDigest)
        wasm = policy(STUBBORN)
        self.assertEqual(again.measure(wasm), self.loops.measure(wasm))
        self.assertRaises(ValueError, Suite, self.loops.parts[:1])
        self.assertRaises(ValueError, Suite, [*self.loops.parts, self.loops.parts[0]])

    def test_claims(self) -> None:
        """A generalist's claim is confirmed where all its traces are, and refuted if any number is wrong."""
        component = self.accepted()
        manifest = component.manifest
        assert manifest is not None
        assert manifest.report is not None
        self.assertEqual(len(manifest.report.parts), 2)
        others = list(reversed(self.paths))
        self.assertEqual(remeasureAmong(component, self.bench, others)[0], Verdict.CONFIRMED)
        self.assertEqual(remeasureAmong(component, self.bench, self.paths[1:])[0], Verdict.UNMEASURABLE)
        replace = msgspec.structs.replace

        def claiming(report: Report) -> Verdict:
            other = replace(component, manifest=replace(manifest, report=report))
            return remeasureAmong(other, self.bench, others)[0]

        report = manifest.report
        split = report.parts[1].splits["held_out"]
        lie = {**report.parts[1].splits, "held_out": replace(split, score=split.score - 1)}
        self.assertEqual(
            claiming(replace(report, parts=[report.parts[0], replace(report.parts[1], splits=lie)])), Verdict.REFUTED
        )
        lie = {**report.splits, "held_out": replace(report.splits["held_out"], score=-1)}
        self.assertEqual(claiming(replace(report, splits=lie)), Verdict.REFUTED)
        # the right numbers, each said of the other trace
        one, two = report.parts
        swapped = [replace(one, splits=two.splits), replace(two, splits=one.splits)]
        self.assertEqual(claiming(replace(report, parts=swapped[::-1])), Verdict.REFUTED)
        self.assertEqual(claiming(replace(report, parts=report.parts[::-1])), Verdict.REFUTED)

    def test_bounds(self) -> None:
        """A claim about too many parts, about one twice, or about suites of suites costs no measurement."""
        report = self.accepted().manifest.report  # type: ignore[union-attr]
        assert report is not None
        replace, part = msgspec.structs.replace, report.parts[0]
        for parts in ([part], [part, part], [part] * (MAX_PARTS + 1), [report, part]):
            self.assertRaises(Unmeasurable, scenarioOf, self.bench, replace(report, parts=parts), self.paths)

    def test_specialist(self) -> None:
        """What does well on one of the traces and badly on the other is not published as a generalist."""
        both = Suite([self.loops.parts[0], self.bench.scenario(self.paths[2], {"capacity": 32})])
        component, reason = accept(both, Candidate(baselineSource("fifo")), generator="test", seed=1)
        self.assertIsNone(component, reason)
