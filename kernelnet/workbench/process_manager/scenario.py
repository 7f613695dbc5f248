"""One log with its settings: what policies, baselines and the reference score on it."""

from __future__ import annotations

from kernelnet.artifacts import Pattern
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.process_manager.machine import ProcessManagerMachine, srptScores
from kernelnet.workbench.process_manager.patterns import learnPatterns

__all__ = ["ProcessManagerScenario"]


class ProcessManagerScenario(BaseScenario):
    """See `IScenario`; the optimum is the clairvoyant SRPT's, a strong reference and no bound."""

    machine: ProcessManagerMachine

    def computeOptimum(self) -> dict[str, int]:
        return srptScores(self.machine, self.settings)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace)
