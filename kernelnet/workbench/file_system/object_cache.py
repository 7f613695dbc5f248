"""
Caches of objects of different sizes: the same traces, another score; C{--set bytes=1} and C{bytes=2} lead to them.

ABIs, hand-made policies and words are its own, so that those for blocks of one size stay as they are.
This module imports neither numpy nor wasmtime.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.base import BaseWorkbench
from kernelnet.workbench.compiler import compileOwn
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.file_system.abis import SIZED_ABIS
from kernelnet.workbench.file_system.capacity import DEFAULT_SHARE, NO_SIZES, bytesInWords, shareOf

if TYPE_CHECKING:
    from kernelnet.workbench.file_system.object_machine import ObjectMachine
    from kernelnet.workbench.file_system.object_scenario import ObjectScenario
    from kernelnet.workbench.file_system.trace import Trace

__all__ = ["BYTES", "REQUESTS", "RULES", "ObjectCaches", "objectCaches"]

BYTES, REQUESTS = 1, 2
"""Values of the setting C{bytes}: the score is bytes that missed, or requests that did."""

RULES = """file_system objects rules 1
objects: numbered from 0 in the order of first appearance; each keeps the size with which it came in
size: at least 1 and less than 2^32 bytes; one that is larger than the cache never comes in
splits: half = n // 2; train [0, half - half // 5), validation [.., half), held_out [half, n); one warm pass
score: bytes 1: bytes of the requests that missed; bytes 2: requests that missed
metrics: both; writebacks: written objects that were evicted, where the trace tells writes from reads
bound: PFOO-L in each split for itself; an object's room is the smallest of its sizes so far
keys, variants, variant: as file_system rules 4
rank: the lowest of 16 residents, drawn by a generator that starts with the first 8 bytes of the digest
fuel: at most 100000000 + 4000 a request + 10000 a slot
memory: at most 64 MiB + 1 KiB a slot, and 1 GiB
capacity: at most the bytes of all objects, as they come first
slots: as many of the smallest objects as fit into the cache; at most 4194304
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""


@implementer(IWorkbench)
class ObjectCaches(BaseWorkbench["ObjectMachine", "ObjectScenario"]):
    """Common part of both scores."""

    name = "file_system"
    description = "object caches: what is missed on a trace of requests for objects of different sizes"
    reference = "lru"
    optimumName = "pfoo-l"
    formats = "tables with a size column, vscsi, oracleGeneral; compressed or not"
    abis = SIZED_ABIS
    folder = Path(__file__).parent
    rules = RULES
    baselineNames = ("fifo", "lru", "sieve", "s3fifo", "gdsf", "lhd")
    mode: int

    def __init__(self, machineOf: Callable[[Path], ObjectMachine], digestOf: Callable[[], str]) -> None:
        """
        @param machineOf: reads a trace, or has read it.
        @param digestOf: the digest of all rules of file_system: a claim names that.
        """
        super().__init__()
        self._machineOf = machineOf
        self._digestOf = digestOf

    @functools.cached_property
    def digest(self) -> str:
        return self._digestOf()

    def machine(self, path: Path) -> ObjectMachine:
        return self._machineOf(path)

    def complete(self, trace: Trace, settings: Mapping[str, int]) -> dict[str, int]:
        self.refuseUnknown(settings, ("capacity", "bytes"))
        if settings.get("bytes", self.mode) != self.mode:
            raise WorkbenchError(f"bytes is {settings['bytes']}; it should be {self.mode}")
        if trace.sizes is None:
            raise WorkbenchError(f"{trace.name}: {NO_SIZES}")
        most = trace.footprint
        capacity = settings.get("capacity", max(1, shareOf(most, DEFAULT_SHARE)))
        if not 1 <= capacity <= most:
            raise WorkbenchError(f"capacity is {capacity}; it should be 1 to {most} bytes, as bytes is {self.mode}")
        return {"bytes": self.mode, "capacity": capacity}

    def inWords(self, settings: Mapping[str, int]) -> str:
        return f"{bytesInWords(settings['capacity'])}, {self.unit}"

    def makeScenario(self, machine: ObjectMachine, settings: Mapping[str, int]) -> ObjectScenario:
        from kernelnet.workbench.file_system.object_scenario import ObjectScenario

        machine.slots(settings["capacity"])  # refuses what has too many
        return ObjectScenario(self, machine, settings)

    def baselineSource(self, name: str) -> str:
        return self._baseline(name).read_text(encoding="utf-8")

    def baselineModule(self, name: str) -> bytes:
        return compileOwn(self._baseline(name), self.headerPath)

    def _baseline(self, name: str) -> Path:
        return self.folder / "object_baselines" / f"{name}.c"

    def traces(self) -> list[Path]:
        return []


class _BytesMissed(ObjectCaches):
    """See `IWorkbench`: the score is bytes that missed."""

    mode = BYTES
    unit = "bytes missed"
    ratio = "bytes missed a request"
    windowsAdd = True


class _RequestsMissed(ObjectCaches):
    """See `IWorkbench`: the score is requests that missed."""

    mode = REQUESTS
    unit = "misses"
    ratio = "miss ratio"


def objectCaches(machineOf: Callable[[Path], ObjectMachine], digestOf: Callable[[], str]) -> dict[int, ObjectCaches]:
    """The benches by the value of C{bytes}; for the parameters see `ObjectCaches`."""
    return {BYTES: _BytesMissed(machineOf, digestOf), REQUESTS: _RequestsMissed(machineOf, digestOf)}
