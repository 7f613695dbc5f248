"""One log with its settings: what policies, baselines and the reference score on it."""

from __future__ import annotations

import hashlib

from kernelnet.artifacts import Pattern, Report
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.process_manager.machine import ProcessManagerMachine, srptScores
from kernelnet.workbench.process_manager.patterns import learnPatterns

__all__ = ["ProcessManagerScenario"]

DRAWS = 8
UNDELAYED = 1000
"""The bounded slowdown, in thousandths, of a task that never waits."""


class ProcessManagerScenario(BaseScenario):
    """See `IScenario`; the optimum is the clairvoyant SRPT's, a strong reference and no bound."""

    machine: ProcessManagerMachine

    def computeOptimum(self) -> dict[str, int]:
        return srptScores(self.machine, self.settings)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace)

    def tolerated(self, score: int, tasks: int = 0) -> float:
        """By how much the score of so many tasks may be greater without a few: a quarter of what waiting adds."""
        return 0.25 * (score - UNDELAYED * tasks) + 0.01 * UNDELAYED * tasks + 10 * UNDELAYED

    def isRobust(self, wasm: bytes, report: Report) -> bool:
        """
        See `IScenario.isRobust`.

        Who knows the sizes by heart is out of step after the first task that is missing, and treats long tasks as
        short ones.  Schedules are chaotic: one task less may bring a long one behind others for days.  So each split
        may be that much worse in one of eight draws; nearly always the first will do.
        """
        robust: set[str] = set()
        for draw in range(DRAWS):
            thinned = self.machine.trace.thinned(hashlib.sha256(bytes([draw]) + wasm).digest())
            splits = self.scoresOn(thinned, wasm)
            for split, here in report.splits.items():
                worse = splits[split].score - here.score
                if worse <= self.tolerated(here.score, here.events):
                    robust.add(split)
            if robust >= set(report.splits):
                return True
        return False
