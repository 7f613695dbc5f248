"""A module among the hand-made policies of its task, on the part of the trace that nobody learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernelnet.interfaces import IScenario
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.intervals import Interval, Intervals

__all__ = ["Standing", "standingOf"]


@dataclass(frozen=True)
class Standing:
    """
    Levels on held-out: 0 is the reference policy, 1 the optimum.

    @ivar handMade: levels of the hand-made policies by name.
    @ivar chosenOnTrain: the one that is best on train, which one would have taken who had not seen held-out.
    @ivar bestInHindsight: the one that is best on held-out, as nobody could know before.
    @ivar interval: of the module's level; C{gain}: of how far it is ahead of the best in hindsight, in pairs; C{None}
        where there is no module, or one window only.
    """

    handMade: Mapping[str, float]
    chosenOnTrain: str
    bestInHindsight: str
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
    reports, best = scenario.baselines(), bestInHindsight(scenario)
    interval = gain = None
    if wasm is not None:
        intervals = Intervals(scenario)
        ours = intervals.windows(wasm)
        interval = intervals.level(ours)
        theirs = intervals.windows(scenario.workbench.baselineModule(best), reports[best])
        gain = intervals.difference(ours, theirs)
    return Standing(
        {name: scenario.developmentLevel(report) for name, report in reports.items()},
        chosenOnTrain(scenario),
        best,
        interval,
        gain,
    )
