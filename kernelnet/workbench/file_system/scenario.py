"""One trace at one capacity: what policies, baselines and the optimum score on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.artifacts import Pattern
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.file_system.machine import optimumMisses
from kernelnet.workbench.file_system.patterns import learnPatterns
from kernelnet.workbench.file_system.request_machine import RequestMachine
from kernelnet.workbench.file_system.statistics import trainColumns, trainStatistics

__all__ = ["FileSystemScenario"]

SHORT, LONG = 200_000, 2_000_000
"""Requests: of a trace with fewer there are twice as many variants, of one with more half as many."""


class FileSystemScenario(BaseScenario):
    """See `IScenario`; the optimum is Belady's."""

    machine: RequestMachine

    @property
    def variants(self) -> int:
        """See `BaseScenario.variants`: on a short trace luck does more, and on a long one each variant costs more."""
        requests = len(self.machine.trace.blocks)
        factor = 2 if requests < SHORT else 1
        return self.workbench.variants * factor // (2 if requests > LONG else 1)

    def computeOptimum(self) -> dict[str, int]:
        return optimumMisses(self.machine.trace, self.settings["capacity"])

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace, self.settings["capacity"])

    def trainStatistics(self) -> dict[str, Any]:
        return trainStatistics(self.machine.trace, self.settings["capacity"])

    def trainColumns(self) -> Mapping[str, Any]:
        return trainColumns(self.machine.trace)
