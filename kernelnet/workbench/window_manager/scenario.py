"""Movements of a pointer, and how far ahead its place is asked for: by how much policies and baselines are off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.artifacts import Pattern
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.window_manager.machine import WindowManagerMachine
from kernelnet.workbench.window_manager.patterns import learnPatterns
from kernelnet.workbench.window_manager.statistics import trainColumns, trainStatistics

__all__ = ["WindowManagerScenario"]


class WindowManagerScenario(BaseScenario):
    """See `IScenario`; the optimum is a bound: 0, of who knows the future.  Nobody who doesn't can reach it."""

    machine: WindowManagerMachine

    def computeOptimum(self) -> dict[str, int]:
        return dict.fromkeys(self.events, 0)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace)

    def trainStatistics(self) -> dict[str, Any]:
        return trainStatistics(self.machine.trace, self.settings["ahead_us"])

    def trainColumns(self) -> Mapping[str, Any]:
        return trainColumns(self.machine.trace)
