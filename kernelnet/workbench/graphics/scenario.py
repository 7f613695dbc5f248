"""One session with its settings: what policies, baselines and the optimum cost on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.artifacts import Pattern
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.graphics.machine import GraphicsMachine, optimumScores
from kernelnet.workbench.graphics.patterns import learnPatterns
from kernelnet.workbench.graphics.statistics import trainColumns, trainStatistics

__all__ = ["GraphicsScenario"]


class GraphicsScenario(BaseScenario):
    """See `IScenario`; the optimum is exact."""

    machine: GraphicsMachine

    def computeOptimum(self) -> dict[str, int]:
        return optimumScores(self.machine, self.settings)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace)

    def trainStatistics(self) -> dict[str, Any]:
        return trainStatistics(self.machine.trace)

    def trainColumns(self) -> Mapping[str, Any]:
        return trainColumns(self.machine.trace)
