"""
The workbench of page-cache eviction.

  - C{kn_file_system.h}: the ABIs C{file_system/full/2} and C{file_system/rank/1}; `abis` names what components export
  - C{driver.c}: walks the trace and keeps the score; C{rank.h}: its other half for rank functions; `machine` runs it
    with a policy
  - C{baselines/*.c}: hand-made policies; C{optimum.c}: Belady's; C{distances.c}: LRU stack distances
  - `readers`, `tables`, `layouts`, `block_traces`, `requests`: the trace formats; `sampling`: of very long ones;
    `trace`: dense numbers, digest, splits
  - `object_cache`, `object_machine`, `object_scenario`, C{sized.c}, C{object_baselines/*.c}: the same for objects of
    different sizes; `request_machine`: what both machines have in common
  - `capacity`: sizes of the cache, in blocks and as shares; `scenario`: one trace at one of them;
    `patterns`: what can be learned about it; `statistics`: its training part in figures
  - `record`: a trace of what any program reads and writes, by strace; `_calls` understands what that writes
  - C{traces/}: two traces we recorded, and C{record.py}, which recorded them

This module imports neither numpy nor wasmtime, so that the plugin can be listed without the C{[trainer]} extra.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Report
from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.base import BaseWorkbench
from kernelnet.workbench.errors import WorkbenchError, WrongExport
from kernelnet.workbench.file_system.abis import ABIS
from kernelnet.workbench.file_system.capacity import DEFAULT_SHARE, MAX_CAPACITY, MIN_CAPACITY, SHARES, atMost, shareOf
from kernelnet.workbench.file_system.object_cache import BYTES, ObjectCaches, objectCaches
from kernelnet.workbench.file_system.object_cache import RULES as OBJECT_RULES

if TYPE_CHECKING:
    from kernelnet.workbench.file_system.machine import FileSystemMachine
    from kernelnet.workbench.file_system.scenario import FileSystemScenario
    from kernelnet.workbench.file_system.trace import Trace

__all__ = ["FileSystemWorkbench", "workbench"]

RULES = """
file_system rules 4
blocks: numbered from 0 in the order of first appearance; all of one size; every block comes in
splits: half = n // 2; train [0, half - half // 5), validation [.., half), held_out [half, n); one warm pass
score: misses; writebacks: written blocks that were evicted, where the trace tells writes from reads
keys: the n-th 8 bytes, little-endian, of SHAKE-128(SHA-256("keys" | digest)); of a variant the digest is its seed
rank: the lowest of 16 slots, drawn by a generator that starts with the first 8 bytes of the digest
variants: 8; 16 of less than 200000 requests, 4 of more than 2000000
variant: without 1 in 8 requests, 1 in 64 in runs of 4, 1 in 64 in runs of 16, … up to n/8; each split turned
fuel: at most 100000000 + 4000 a request + 10000 a slot
memory: at most 64 MiB + 1 KiB a slot, and 1 GiB
capacity: at most the distinct blocks, or 16 where they are fewer
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""


@implementer(IPlugin, IWorkbench)
class FileSystemWorkbench(BaseWorkbench["FileSystemMachine", "FileSystemScenario"]):
    """
    See `IWorkbench`.

    Its setting C{capacity} is in blocks; by default a tenth of the trace's distinct blocks, and at least 16.  More than
    the distinct blocks would never make a policy choose.  With C{bytes} it is an object cache's; see `object_cache`.
    """

    name = "file_system"
    description = "page-cache eviction: misses on a trace of block requests"
    reference = "lru"
    optimumName = "belady"
    unit = "misses"
    ratio = "miss ratio"
    windowsAdd = True
    formats = (
        "block ids, byte ranges or words: txt, csv, spc, lis, vscsi, blkparse, fio, oracleGeneral; compressed or not"
    )
    abis = ABIS
    folder = Path(__file__).parent
    rules = RULES + OBJECT_RULES
    baselineNames = ("fifo", "lru", "clock", "lfu", "2q", "arc", "lirs", "s3fifo", "sieve")

    @functools.cached_property
    def digest(self) -> str:
        """See `IWorkbench`; of all that decides scores, those of object caches too."""
        sized = (self.folder / "sized.c").read_bytes()
        return hashlib.sha256(super().digest.encode("ascii") + sized).hexdigest()

    def machine(self, path: Path) -> FileSystemMachine:
        from kernelnet.workbench.file_system.machine import FileSystemMachine
        from kernelnet.workbench.file_system.trace import loadTrace

        return FileSystemMachine(loadTrace(path))

    def complete(self, trace: Trace, settings: Mapping[str, int]) -> dict[str, int]:
        self.refuseUnknown(settings, ("capacity", "bytes"))
        if settings.get("bytes", 0):
            return self._sized(settings["bytes"]).complete(trace, settings)
        most = atMost(trace.distinct)
        capacity = settings.get("capacity", min(most, max(MIN_CAPACITY, shareOf(trace.distinct, DEFAULT_SHARE))))
        if not 1 <= capacity <= most:
            raise WorkbenchError(f"capacity is {capacity}; it should be 1 to {most} blocks")
        return {"capacity": capacity}

    def tasks(self, path: str | Path) -> list[dict[str, int]]:
        """
        See `IWorkbench.tasks`: the trace with small, middle and large caches, which are C{SHARES} of its blocks.

        Left out are caches of fewer than C{MIN_CAPACITY} blocks, and those that the training part does not fill: there
        nothing can be learned.  If none remains, the default is the only task.
        """
        trace = self._machine(Path(path)).trace
        met = trace.distinctBefore(trace.ends["train"])
        capacities = {min(MAX_CAPACITY, shareOf(trace.distinct, share)) for share in SHARES}
        chosen = [{"capacity": capacity} for capacity in sorted(capacities) if MIN_CAPACITY <= capacity < met]
        return chosen or [self.complete(trace, {})]

    def inWords(self, settings: Mapping[str, int]) -> str:
        """See `BaseWorkbench.inWords`: the cache's size, whose default is the trace's."""
        if settings.get("bytes", 0):
            return self._sized(settings["bytes"]).inWords(settings)
        return f"{settings['capacity']} blocks"

    def scenarioFor(self, report: Report, paths: Iterable[str | Path]) -> FileSystemScenario:
        """See `IWorkbench.scenarioFor`: a claim about an object cache was measured by other rules."""
        bench = self.sized.get(report.settings.get("bytes", 0))
        return super().scenarioFor(report, paths) if bench is None else bench.scenarioFor(report, paths)

    def abiOf(self, wasm: bytes) -> Abi:
        """See `IWorkbench.abiOf`: a module that is for object caches alone has an ABI of these."""
        try:
            return super().abiOf(wasm)
        except WrongExport:
            try:
                return self._sized(BYTES).abiOf(wasm)
            except WrongExport:
                pass
            raise

    @functools.cached_property
    def sized(self) -> dict[int, ObjectCaches]:
        """The benches of object caches, by the setting C{bytes}."""
        return objectCaches(lambda path: self._machine(path).objects, lambda: self.digest)

    def _sized(self, mode: int) -> ObjectCaches:
        """@raise WorkbenchError: it is no value of the setting C{bytes}."""
        if mode not in self.sized:
            raise WorkbenchError(f"bytes is {mode}; it should be 0, 1 (bytes missed) or 2 (requests missed)")
        return self.sized[mode]

    def makeScenario(self, machine: FileSystemMachine, settings: Mapping[str, int]) -> FileSystemScenario:
        if settings.get("bytes", 0):
            return self._sized(settings["bytes"]).makeScenario(machine.objects, settings)
        from kernelnet.workbench.file_system.scenario import FileSystemScenario

        return FileSystemScenario(self, machine, settings)


workbench = FileSystemWorkbench()
"""The plugin."""
