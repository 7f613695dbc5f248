"""One trace at one capacity: what policies, baselines and the optimum score on it."""

from __future__ import annotations

from kernelnet.artifacts import Pattern
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.file_system.machine import FileSystemMachine, optimumMisses
from kernelnet.workbench.file_system.patterns import learnPatterns

__all__ = ["FileSystemScenario", "variantsOf"]

SHORT, LONG = 200_000, 2_000_000
"""Requests: of a trace with fewer there are twice as many variants, of one with more half as many."""


class FileSystemScenario(BaseScenario):
    """See `IScenario`; the optimum is Belady's."""

    machine: FileSystemMachine

    @property
    def variants(self) -> int:
        """See `BaseScenario.variants`: on a short trace luck does more, and on a long one each variant costs more."""
        return variantsOf(self.workbench.variants, len(self.machine.trace.blocks))

    def computeOptimum(self) -> dict[str, int]:
        return optimumMisses(self.machine.trace, self.settings["capacity"])

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace, self.settings["capacity"])


def variantsOf(usual: int, requests: int) -> int:
    """Number of variants of a trace of so many requests."""
    return usual * (2 if requests < SHORT else 1) // (2 if requests > LONG else 1)
