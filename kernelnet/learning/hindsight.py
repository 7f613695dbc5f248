"""
The two hand-made policies that all else is compared with.

Which one would have been taken by who has seen train alone is known before; which one is best on another part only in
hindsight.  A component is worth something where it is better than the latter.
"""

from __future__ import annotations

from kernelnet.interfaces import IScenario

__all__ = ["bestInHindsight", "chosenOnTrain"]


def chosenOnTrain(scenario: IScenario) -> str:
    """Name of the hand-made policy that is best on train; of equals the first by name."""
    return bestInHindsight(scenario, "train")


def bestInHindsight(scenario: IScenario, split: str = "held_out") -> str:
    """Name of the hand-made policy that is best on a split; of equals the first by name."""
    reports = scenario.baselines()
    return min(sorted(reports), key=lambda name: reports[name].splits[split].score)
