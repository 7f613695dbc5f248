"""
The hand-made policies that all else is compared with.

Which one would have been taken by who has seen train alone is known before; which one is best on another part only in
hindsight.  A component is worth something where it is better than the latter.  Who has searched for nothing on train
may choose by train and validation together.
"""

from __future__ import annotations

from kernelnet.artifacts import Report
from kernelnet.interfaces import IScenario

__all__ = ["bestInHindsight", "bestOverBoth", "chosenOnTrain", "levelOverBoth", "scoreOverBoth"]


def chosenOnTrain(scenario: IScenario) -> str:
    """Name of the hand-made policy that is best on train; of equals the first by name."""
    return bestInHindsight(scenario, "train")


def bestInHindsight(scenario: IScenario, split: str = "held_out") -> str:
    """Name of the hand-made policy that is best on a split; of equals the first by name."""
    reports = scenario.baselines()
    return min(sorted(reports), key=lambda name: reports[name].splits[split].score)


def levelOverBoth(scenario: IScenario, report: Report) -> float:
    """
    Level over train and validation together: of the sum of both scores.

    Not the mean of the two levels: where there is little between reference and optimum on a short validation, a few
    events make a level of 5 or of -5 there.
    """
    reference, optimum = scenario.reference(), scenario.optimum()
    gained = distance = 0
    for split in ("train", "validation"):
        score = reference.splits[split].score
        gained += score - report.splits[split].score
        distance += score - optimum[split]
    return gained / distance if distance > 0 else 0.0


def bestOverBoth(scenario: IScenario) -> str:
    """Name of the hand-made policy that is best over train and validation; of equals the first by name."""
    reports = scenario.baselines()
    # By the score, which tells them apart even where the reference is as good as the optimum.
    return min(sorted(reports), key=lambda name: scoreOverBoth(reports[name]))


def scoreOverBoth(report: Report) -> int:
    """Score over train and validation together."""
    return report.splits["train"].score + report.splits["validation"].score
