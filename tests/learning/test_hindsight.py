"""The hand-made policies that all else is compared with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.learning.hindsight import bestInHindsight, bestOverBoth, chosenOnTrain, levelOverBoth


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
