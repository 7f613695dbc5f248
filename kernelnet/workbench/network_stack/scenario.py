"""One link with its queue and its flows: what policies and baselines lose on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.artifacts import Pattern
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.network_stack.machine import NetworkStackMachine
from kernelnet.workbench.network_stack.patterns import learnPatterns
from kernelnet.workbench.network_stack.statistics import trainColumns, trainStatistics

__all__ = ["NetworkStackScenario"]


class NetworkStackScenario(BaseScenario):
    """See `IScenario`; scores are what is lost against the omniscient sender."""

    machine: NetworkStackMachine

    def computeOptimum(self) -> dict[str, int]:
        return dict.fromkeys(self.events, 0)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace)

    def trainStatistics(self) -> dict[str, Any]:
        return trainStatistics(self.machine.trace, self.settings["rtt_ms"])

    def trainColumns(self) -> Mapping[str, Any]:
        return trainColumns(self.machine.trace)
