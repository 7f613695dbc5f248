"""One call with its settings: what policies, baselines and the optimum cost on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.artifacts import Pattern
from kernelnet.workbench.audio.machine import AudioMachine, optimumCosts
from kernelnet.workbench.audio.patterns import learnPatterns
from kernelnet.workbench.audio.statistics import trainColumns, trainStatistics
from kernelnet.workbench.base import BaseScenario

__all__ = ["AudioScenario"]


class AudioScenario(BaseScenario):
    """See `IScenario`; the optimum knows all transits beforehand."""

    machine: AudioMachine

    def computeOptimum(self) -> dict[str, int]:
        return optimumCosts(self.machine.trace, self.settings)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace)

    def trainStatistics(self) -> dict[str, Any]:
        return trainStatistics(self.machine.trace)

    def trainColumns(self) -> Mapping[str, Any]:
        return trainColumns(self.machine.trace)
