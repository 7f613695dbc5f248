"""The hand-made policies that all else is compared with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain


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
