"""One trace with one object cache: see `object_cache`."""

from __future__ import annotations

from kernelnet.artifacts import Pattern
from kernelnet.workbench.file_system.object_machine import ObjectMachine, leastMissed
from kernelnet.workbench.file_system.patterns import learnPatterns
from kernelnet.workbench.file_system.scenario import FileSystemScenario

__all__ = ["ObjectScenario"]


class ObjectScenario(FileSystemScenario):
    """See `IScenario`; the optimum is a bound, which no policy may reach."""

    machine: ObjectMachine

    def computeOptimum(self) -> dict[str, int]:
        return leastMissed(self.machine.trace, self.settings["capacity"], inBytes=self.settings["bytes"] == 1)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace, self.machine.objects(self.settings["capacity"]))
