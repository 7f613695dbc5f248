"""
The hand-made policies that all else is compared with.

Which one would have been taken by who has seen train alone is known before; which one is best on another part only in
hindsight.  A component is worth something where it is better than the latter.  Who has searched for nothing on train
may choose by train and validation together.
"""

from __future__ import annotations

import math

from kernelnet.artifacts import Report
from kernelnet.interfaces import IScenario
from kernelnet.workbench.suite import Suite
from kernelnet.workbench.variants import VariantScenario

__all__ = ["bestInHindsight", "bestOfRunning", "bestOverBoth", "chosenOnTrain", "levelOverBoth", "scoreOverBoth"]

LOOK = 4
"""Number of variants by which it is seen who is in the running to be the best on all of them."""


def chosenOnTrain(scenario: IScenario) -> str:
    """Name of the hand-made policy that is best on train; of equals the first by name."""
    return bestInHindsight(scenario, "train")


def bestInHindsight(scenario: IScenario, split: str = "held_out") -> str:
    """Name of the hand-made policy that is best on a split; of equals the first by name."""
    reports = scenario.baselines()
    return min(sorted(reports), key=lambda name: reports[name].splits[split].score)


def bestOfRunning(scenario: IScenario, split: str) -> tuple[str, Report]:
    """
    Worker thread.  Name of the hand-made policy that is best on a split of variants of a trace, and what it has there.

    Not all are measured on all variants, which takes ten times as long as a claim: who is behind the best on each of
    the first `LOOK`, of each trace, is out of the running.  Everyone sees the same variants, and so names the same.

    @param scenario: as a module meets it; see `IScenario.forModule`.
    """
    parts = scenario.parts if isinstance(scenario, Suite) else [scenario]
    looks = [each for part in parts for each in (part.variants[:LOOK] if isinstance(part, VariantScenario) else [part])]
    told = [(each, each.baselines()) for each in looks]
    levels = {
        name: [each.developmentLevel(reports[name], split) for each, reports in told]
        for name in sorted(scenario.workbench.baselineNames)
    }
    best = max(levels.values(), key=math.fsum)
    running = [
        name for name, ours in levels.items() if any(one >= other for one, other in zip(ours, best, strict=True))
    ]
    reports = {name: scenario.baseline(name) for name in running}
    name = min(running, key=lambda name: reports[name].splits[split].score)
    return name, reports[name]


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
