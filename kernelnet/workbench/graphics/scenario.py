"""One session with its settings: what policies, baselines and the optimum cost on it."""

from __future__ import annotations

from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.graphics.machine import GraphicsMachine, optimumScores

__all__ = ["GraphicsScenario"]


class GraphicsScenario(BaseScenario):
    """See `IScenario`; the optimum is exact."""

    machine: GraphicsMachine

    def computeOptimum(self) -> dict[str, int]:
        return optimumScores(self.machine, self.settings)
