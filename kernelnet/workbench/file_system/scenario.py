"""One trace at one capacity: what policies, baselines and the optimum score on it."""

from __future__ import annotations

from kernelnet.artifacts import Pattern
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.file_system.machine import FileSystemMachine, optimumMisses
from kernelnet.workbench.file_system.patterns import learnPatterns

__all__ = ["FileSystemScenario"]


class FileSystemScenario(BaseScenario):
    """See `IScenario`; the optimum is Belady's."""

    machine: FileSystemMachine

    def computeOptimum(self) -> dict[str, int]:
        return optimumMisses(self.machine.trace, self.settings["capacity"])

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace, self.settings["capacity"])
