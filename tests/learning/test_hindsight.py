"""The hand-made policies that all else is compared with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.learning.hindsight import (
    LOOK,
    bestInHindsight,
    bestOfRunning,
    bestOverBoth,
    chosenOnTrain,
    levelOverBoth,
)
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.suite import Suite
from tests.workbench.support import mixture


class HindsightTests(SynchronousTestCase):
    def test_both(self) -> None:
        """One is chosen by train, the other by what came later; of equals the first by name."""
        splits = ("train", "validation", "held_out")
        scores = {"las": (1, 9, 8), "mlfq": (2, 3, 4), "arc": (2, 3, 4), "fcfs": (5, 5, 5)}
        reports = {
            name: SimpleNamespace(splits=dict(zip(splits, (SplitScore(9, score, 1) for score in row), strict=True)))
            for name, row in scores.items()
        }
        scenario: Any = SimpleNamespace(baselines=lambda: reports)
        self.assertEqual(chosenOnTrain(scenario), "las")
        self.assertEqual(bestInHindsight(scenario), "arc")
        self.assertEqual(bestInHindsight(scenario, "validation"), "arc")

    def test_overBoth(self) -> None:
        """The level of the sum: ten events of a validation that leaves nothing to gain are ten of a thousand."""

        def report(train: int, validation: int) -> Any:
            splits = {"train": SplitScore(4000, train, 1), "validation": SplitScore(1000, validation, 1)}
            return SimpleNamespace(splits=splits)

        reports = {"lru": report(2000, 501), "arc": report(1400, 511), "clock": report(1900, 500)}
        scenario: Any = SimpleNamespace(
            baselines=lambda: reports,
            reference=lambda: reports["lru"],
            optimum=lambda: {"train": 1000, "validation": 500},
        )
        self.assertAlmostEqual(levelOverBoth(scenario, reports["arc"]), 590 / 1001)
        self.assertEqual(bestOverBoth(scenario), "arc")
        scenario.optimum = lambda: {"train": 2000, "validation": 501}
        self.assertEqual(levelOverBoth(scenario, reports["arc"]), 0.0)
        self.assertEqual(bestOverBoth(scenario), "arc")  # where all have that level the score tells them apart


class RunningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp() + ".txt")
        self.path.write_text("".join(f"{number}\n" for number in mixture(6000)))

    def test_same(self) -> None:
        """It is the best of all, though of most no more is measured than on the first few variants."""
        wasm = workbench.baselineModule("lru")
        fresh = type(workbench)()
        scenario: Any = fresh.scenario(self.path).forModule(wasm)
        self.assertGreater(len(scenario.variants), LOOK)
        found = {split: bestOfRunning(scenario, split) for split in ("train", "held_out")}
        measured = [len(variant._baselines) for variant in scenario.variants]
        self.assertEqual(measured[:LOOK], [len(workbench.baselineNames)] * LOOK)
        self.assertLess(max(measured[LOOK:]), len(workbench.baselineNames) / 2)
        for split, (name, report) in found.items():
            self.assertEqual((name, report), (bestInHindsight(scenario, split), scenario.baselines()[name]))

    def test_suite(self) -> None:
        """Of several traces too."""
        suite: Any = Suite([workbench.scenario(self.path, {"capacity": size}) for size in (30, 60)]).forModule(b"x")
        name, report = bestOfRunning(suite, "held_out")
        self.assertEqual((name, report), (bestInHindsight(suite), suite.baselines()[name]))
