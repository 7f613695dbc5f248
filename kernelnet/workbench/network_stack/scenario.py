"""One link with its queue and its flows: what policies and baselines lose on it."""

from __future__ import annotations

import hashlib

from kernelnet.artifacts import Pattern, Report
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.network_stack.machine import NetworkStackMachine
from kernelnet.workbench.network_stack.patterns import learnPatterns

__all__ = ["NetworkStackScenario"]

PLACES = 3


class NetworkStackScenario(BaseScenario):
    """See `IScenario`; scores are what is lost against the omniscient sender."""

    machine: NetworkStackMachine

    def computeOptimum(self) -> dict[str, int]:
        return dict.fromkeys(self.events, 0)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace)

    def tolerated(self, score: int) -> float:
        """By how much the sum over the whole link may be greater when it begins elsewhere."""
        return 20_000 * self.settings["flows"] + 0.1 * score

    def isRobust(self, wasm: bytes, report: Report) -> bool:
        """
        See `IScenario.isRobust`.

        The same link, begun elsewhere: each second is the same, and comes at another time.  One who goes by
        acknowledgements loses about as much in all; one who knows by heart when the link is fast is out of step.  How a
        flow starts depends on where, so one of three places is enough.
        """
        here = sum(split.score for split in report.splits.values())
        for place in range(PLACES):
            elsewhere = self.machine.trace.begunElsewhere(hashlib.sha256(bytes([place]) + wasm).digest())
            there = sum(split.score for split in self.scoresOn(elsewhere, wasm).values())
            if there - here <= self.tolerated(here):
                return True
        return False
