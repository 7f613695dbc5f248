"""Common part of both machines, that of blocks of one size and that of objects: bounds by requests and slots."""

from __future__ import annotations

from collections.abc import Mapping

from kernelnet.workbench.file_system.abis import HEADER
from kernelnet.workbench.file_system.trace import Trace
from kernelnet.workbench.machine import Machine

__all__ = ["RequestMachine"]


class RequestMachine(Machine):
    """See `Machine`; an event is a request."""

    header = HEADER

    trace: Trace

    def slotsOf(self, settings: Mapping[str, int]) -> int:
        """Number of slots of the cache."""
        raise NotImplementedError

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        """4000 units a request and 10000 a slot, where LRU uses 60 a request and simple rank functions up to 900."""
        return 100_000_000 + 4_000 * events + 10_000 * self.slotsOf(settings)

    def memoryLimit(self, settings: Mapping[str, int]) -> int:
        """64 MiB and 1 KiB a slot, at most 1 GiB."""
        return min(1 << 30, (64 << 20) + 1024 * self.slotsOf(settings))
