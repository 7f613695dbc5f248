"""A module among the hand-made policies of its task, on the part of the trace that nobody learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernelnet.interfaces import IScenario

__all__ = ["Interval", "Standing", "standingOf"]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Standing:
    """
    Levels on held-out: 0 is the reference policy, 1 the optimum.

    @ivar handMade: levels of the hand-made policies by name.
    @ivar chosenOnTrain: the one that is best on train, which one would have taken who had not seen held-out.
    @ivar bestInHindsight: the one that is best on held-out, as nobody could know before.
    @ivar level: the module's; C{interval}: around it, C{gain}: of how far it is ahead of the best in hindsight, in
        pairs; each C{None} where there is no module, or it can't be told, as with one window only.
    """

    handMade: Mapping[str, float]
    chosenOnTrain: str
    bestInHindsight: str
    level: float | None = None
    interval: Interval | None = None
    gain: Interval | None = None


def standingOf(scenario: IScenario, wasm: bytes | None = None) -> Standing:
    """
    Worker thread.  Measure a module, and all hand-made policies on the very variants that it is measured on.

    @param wasm: C{None}: the hand-made policies alone, on the trace as it is.
    @raise kernelnet.workbench.errors.WorkbenchError: one of them fails.
    """
    if wasm is not None:
        scenario = scenario.forModule(wasm)
    reports = scenario.baselines()
    names = sorted(reports)
    best = min(names, key=lambda name: reports[name].splits["held_out"].score)
    standing = Standing(
        handMade={name: scenario.developmentLevel(report) for name, report in reports.items()},
        chosenOnTrain=min(names, key=lambda name: reports[name].splits["train"].score),
        bestInHindsight=best,
    )
    if wasm is None:
        return standing
    report = scenario.measure(wasm)
    return Standing(
        standing.handMade, standing.chosenOnTrain, standing.bestInHindsight, scenario.developmentLevel(report)
    )
