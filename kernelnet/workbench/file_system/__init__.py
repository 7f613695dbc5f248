"""
The workbench of page-cache eviction.

- C{kn_file_system.h}: the ABI C{file_system/full/1}; `abis` names what components export
- C{driver.c}: walks the trace and keeps the score; `machine` runs it with a policy
- C{baselines/*.c}: hand-made policies; C{optimum.c}: Belady's; C{distances.c}: LRU stack distances
- `readers`: libCacheSim's trace formats; `trace`: dense numbers, digest, splits
- `scenario`: one trace at one capacity; `patterns`: what can be learned about it
- C{traces/}: two traces we recorded, and C{record.py}, which recorded them

This module imports neither numpy nor wasmtime, so that the plugin can be listed without the C{[trainer]} extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.base import BaseWorkbench
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.file_system.abis import ABIS

if TYPE_CHECKING:
    from kernelnet.workbench.file_system.machine import FileSystemMachine
    from kernelnet.workbench.file_system.scenario import FileSystemScenario

__all__ = ["FileSystemWorkbench", "workbench"]

RULES = """
file_system rules 2
blocks: numbered from 0 in the order of first appearance; all of one size; every block comes in
splits: half = n // 2; train [0, half - half // 5), validation [.., half), held_out [half, n); one warm pass
score: misses
keys: the n-th 8 bytes, little-endian, of SHAKE-128(SHA-256(SHA-256(module) | trace digest))
fuel: at most 100000000 + 2000 a request + 10000 a slot
memory: at most 64 MiB + 1 KiB a slot, and 1 GiB
steady: of the trace without one request in a thousand comes the same, but for 16 + 4 sqrt(misses) + misses / 20
capacity: at most the distinct blocks, or 16 where they are fewer
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""

LEAST_CAPACITY = 16
"""Of those that are chosen by default."""

MAX_CAPACITY = 1 << 22
"""The largest at which every baseline does with the memory that a policy may have."""


@implementer(IPlugin, IWorkbench)
class FileSystemWorkbench(BaseWorkbench):
    """
    See `IWorkbench`.

    Its only setting is C{capacity}, in blocks; by default a tenth of the trace's distinct blocks, and at least 16.
    More than the distinct blocks would never make a policy choose.
    """

    name = "file_system"
    description = "page-cache eviction: misses on a trace of block requests"
    reference = "lru"
    optimumName = "belady"
    unit = "misses"
    formats = "block ids: txt, csv, oracleGeneral; plain or .gz, .xz"
    abis = ABIS
    folder = Path(__file__).parent
    rules = RULES
    baselineNames = ("fifo", "lru", "clock", "2q", "arc", "s3fifo", "sieve")

    def machine(self, path: Path) -> FileSystemMachine:
        from kernelnet.workbench.file_system.machine import FileSystemMachine
        from kernelnet.workbench.file_system.trace import loadTrace

        return FileSystemMachine(loadTrace(path))

    def complete(self, trace: Any, settings: Mapping[str, int]) -> dict[str, int]:
        self.refuseUnknown(settings, ("capacity",))
        most = min(MAX_CAPACITY, max(LEAST_CAPACITY, trace.distinct))
        capacity = settings.get("capacity", min(most, max(LEAST_CAPACITY, trace.distinct // 10)))
        if not 1 <= capacity <= most:
            raise WorkbenchError(f"capacity is {capacity}; it should be 1 to {most} blocks")
        return {"capacity": capacity}

    def makeScenario(self, machine: Any, settings: Mapping[str, int]) -> FileSystemScenario:
        from kernelnet.workbench.file_system.scenario import FileSystemScenario

        return FileSystemScenario(self, machine, settings)


workbench = FileSystemWorkbench()
"""The plugin."""
