"""One log with its settings: what policies, baselines and the reference score on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.artifacts import Pattern
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.process_manager.machine import ProcessManagerMachine, srptScores
from kernelnet.workbench.process_manager.patterns import learnPatterns
from kernelnet.workbench.process_manager.statistics import trainColumns, trainStatistics

__all__ = ["ProcessManagerScenario"]


class ProcessManagerScenario(BaseScenario):
    """See `IScenario`; the optimum is the clairvoyant SRPT's, a strong reference and no bound."""

    machine: ProcessManagerMachine

    def computeOptimum(self) -> dict[str, int]:
        return srptScores(self.machine, self.settings)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace)

    def trainStatistics(self) -> dict[str, Any]:
        return trainStatistics(self.machine.trace)

    def trainColumns(self) -> Mapping[str, Any]:
        return trainColumns(self.machine.trace)
