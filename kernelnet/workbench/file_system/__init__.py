"""
The workbench of page-cache eviction.

- C{kn_file_system.h}: the ABI C{file_system/full/1}, and a small library for policies
- C{driver.c}: walks the trace and keeps the score; `machine` runs it with a policy
- C{baselines/*.c}: hand-made policies; C{optimum.c}: Belady's; C{distances.c}: LRU stack distances
- `readers`: libCacheSim's trace formats; `trace`: dense numbers, digest, splits
- `scenario`: one trace at one capacity; `patterns`: what can be learned about it
- C{traces/}: two traces we recorded, and C{record.py}, which recorded them

This module imports neither numpy nor wasmtime, so that the plugin can be listed without the C{[trainer]} extra.
"""

from __future__ import annotations

import functools
import hashlib
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.message import Report
from kernelnet.workbench.errors import TraceError, Unmeasurable, WorkbenchError

if TYPE_CHECKING:
    from kernelnet.workbench.file_system.machine import Machine
    from kernelnet.workbench.file_system.scenario import FileSystemScenario

__all__ = ["FileSystemWorkbench", "workbench"]

_HERE = Path(__file__).parent

RULES = """
file_system rules 1
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
"""What decides a score besides the driver and the ABI; part of the workbench's digest."""

LEAST_CAPACITY = 16
"""Of those that are chosen by default."""

MAX_CAPACITY = 1 << 22
"""The largest at which every baseline does with the memory that a policy may have."""

_KEPT = 8
_Key = tuple[str, int, int]


@implementer(IPlugin, IWorkbench)
class FileSystemWorkbench:
    """
    See `IWorkbench`.  May be used by several threads at once; keeps the last few traces and scenarios in memory.

    Of every trace file that it has read it knows the digest: a claim about a trace that isn't here costs no reading.
    """

    name = "file_system"
    reference = "lru"
    abi = "file_system/full/1"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._machines: OrderedDict[_Key, Machine] = OrderedDict()
        self._digests: dict[_Key, str | None] = {}
        self._scenarios: OrderedDict[tuple[str, int], FileSystemScenario] = OrderedDict()

    @property
    def headerPath(self) -> Path:
        return _HERE / "kn_file_system.h"

    @functools.cached_property
    def header(self) -> str:
        return self.headerPath.read_text(encoding="utf-8")

    @functools.cached_property
    def digest(self) -> str:
        parts = (RULES, (_HERE / "driver.c").read_text(encoding="utf-8"), self.header)
        return hashlib.sha256(b"".join(hashlib.sha256(part.encode("utf-8")).digest() for part in parts)).hexdigest()

    def traces(self) -> list[Path]:
        return sorted((_HERE / "traces").glob("*.xz"))

    def scenario(self, path: str | Path, settings: Mapping[str, int] | None = None) -> FileSystemScenario:
        """
        See `IWorkbench.scenario`.

        @param settings: C{capacity}, in blocks; by default a tenth of the trace's distinct blocks, and at least 16.
            More than the distinct blocks would never make a policy choose.
        @raise WorkbenchError: for a setting that isn't one.
        """
        return self._scenario(self._machine(Path(path)), settings or {})

    def scenarioFor(self, report: Report, paths: Iterable[str | Path]) -> FileSystemScenario:
        """See `IWorkbench.scenarioFor`; traces among C{paths} that can't be read are passed over."""
        if (report.workbench, report.workbench_digest) != (self.name, self.digest):
            raise Unmeasurable(f"it was measured on another version of the workbench {report.workbench}")
        for path in paths:
            try:
                if self._digests.get(self._key(Path(path)), report.trace_digest) != report.trace_digest:
                    continue
                machine = self._machine(Path(path))
            except TraceError:
                continue
            if machine.trace.digest != report.trace_digest:
                continue
            try:
                return self._scenario(machine, {"capacity": 0, **report.settings})
            except WorkbenchError as error:
                raise Unmeasurable(str(error)) from None
        raise Unmeasurable(f"the trace {report.trace!r} ({report.trace_digest[:12]}…) is not here")

    def _key(self, path: Path) -> _Key:
        """What a file is known by as long as it isn't changed."""
        right = "it should be a readable file"
        try:
            status = path.stat()
        except OSError as error:
            raise TraceError(path, None, error.strerror or str(error), right) from None
        if not stat.S_ISREG(status.st_mode):
            raise TraceError(path, None, "not a file", right)
        return (str(path.resolve()), status.st_mtime_ns, status.st_size)

    def _machine(self, path: Path) -> Machine:
        from kernelnet.workbench.file_system.machine import Machine
        from kernelnet.workbench.file_system.trace import loadTrace

        key = self._key(path)
        with self._lock:
            if key in self._machines:
                self._machines.move_to_end(key)
                return self._machines[key]
        try:
            machine = Machine(loadTrace(path))
        except TraceError:
            self._digests[key] = None
            raise
        with self._lock:
            self._digests[key] = machine.trace.digest
            machine = self._machines.setdefault(key, machine)
            if len(self._machines) > _KEPT:
                self._machines.popitem(last=False)
        return machine

    def _scenario(self, machine: Machine, settings: Mapping[str, int]) -> FileSystemScenario:
        from kernelnet.workbench.file_system.scenario import FileSystemScenario

        unknown = sorted(set(settings) - {"capacity"})
        if unknown:
            raise WorkbenchError(f"file_system has no setting {unknown[0]!r}; it has capacity")
        distinct = machine.trace.distinct
        most = min(MAX_CAPACITY, max(LEAST_CAPACITY, distinct))
        capacity = settings.get("capacity", min(most, max(LEAST_CAPACITY, distinct // 10)))
        if not 1 <= capacity <= most:
            raise WorkbenchError(f"capacity is {capacity}; it should be 1 to {most} blocks")
        key = (machine.trace.digest, capacity)
        with self._lock:
            if key in self._scenarios:
                self._scenarios.move_to_end(key)
                return self._scenarios[key]
            scenario = self._scenarios[key] = FileSystemScenario(self, machine, capacity)
            if len(self._scenarios) > _KEPT:
                self._scenarios.popitem(last=False)
            return scenario


workbench = FileSystemWorkbench()
"""The plugin."""
