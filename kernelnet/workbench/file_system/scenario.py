"""One trace at one capacity: what policies, baselines and the optimum score on it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zope.interface import implementer

from kernelnet.interfaces import IScenario
from kernelnet.message import Pattern, Report, SplitScore
from kernelnet.workbench.compiler import compileOwn
from kernelnet.workbench.file_system.machine import HEADER, Machine, driverModule, optimumMisses
from kernelnet.workbench.file_system.patterns import learnPatterns
from kernelnet.workbench.file_system.trace import thinned
from kernelnet.workbench.sandbox import engineVersion

if TYPE_CHECKING:
    from kernelnet.workbench.file_system import FileSystemWorkbench

__all__ = ["BASELINES", "FileSystemScenario", "baselineModule", "engineName"]

BASELINES = ("fifo", "lru", "clock", "2q", "arc", "s3fifo", "sieve")
"""The hand-made policies; each is a file in C{baselines/}."""


def baselineModule(name: str) -> bytes:
    """A hand-made policy, compiled."""
    return compileOwn(Path(__file__).parent / "baselines" / f"{name}.c", HEADER)


@functools.cache
def engineName() -> str:
    """
    Fuel is comparable only within one of these.

    It names the compiled driver besides the engine: the driver uses fuel too, and another compiler may make
    another driver of the same source.
    """
    return f"{engineVersion()}, driver {hashlib.sha256(driverModule()).hexdigest()[:12]}"


@implementer(IScenario)
class FileSystemScenario:
    """See `IScenario`; made by `FileSystemWorkbench.scenario`.  May be used by several threads at once."""

    def __init__(self, workbench: FileSystemWorkbench, machine: Machine, capacity: int) -> None:
        trace = machine.trace
        self.workbench = workbench
        self.trace = trace.name
        self.traceDigest = trace.digest
        self.settings = {"capacity": capacity}
        self.events = {split: end - start for split, start, end in trace.windows("held_out")}
        self._trace = trace
        self._machine = machine
        self._lock = threading.Lock()
        self._baselines: dict[str, Report] = {}
        self._optimum: dict[str, int] | None = None
        self._patterns: list[Pattern] | None = None

    def __repr__(self) -> str:
        return f"<FileSystemScenario {self.trace} {self.settings} {self.events}>"

    @property
    def engine(self) -> str:
        return engineName()

    def measure(
        self, wasm: bytes, upTo: str = "held_out", fuel: int | None = None, parameters: Sequence[float] = ()
    ) -> Report:
        """
        See `IScenario.measure`.

        @param parameters: given to the module's C{kn_param} first; a claim is always measured without.
        """
        return self._report(self._machine.run(wasm, self.settings["capacity"], parameters, upTo, fuel))

    def steady(self, wasm: bytes, report: Report) -> bool:
        """
        See `IScenario.steady`.

        A policy that knows by heart, one bit for each request, what Belady would keep (35 KB do for half a million
        requests) is out of step after the first request that is missing; one that goes by the requests hardly notices.
        """
        with contextlib.closing(Machine(thinned(self._trace, hashlib.sha256(wasm).digest()))) as machine:
            splits = machine.run(wasm, self.settings["capacity"], (), "held_out", None)
        return all(
            abs(splits[split].score - measured.score) <= 16 + 4 * measured.score**0.5 + 0.05 * measured.score
            for split, measured in report.splits.items()
        )

    def _report(self, splits: dict[str, SplitScore]) -> Report:
        return Report(
            workbench=self.workbench.name,
            workbench_digest=self.workbench.digest,
            trace=self.trace,
            trace_digest=self.traceDigest,
            settings=dict(self.settings),
            engine=self.engine,
            splits=splits,
        )

    def baselines(self) -> Mapping[str, Report]:
        return {name: self._baseline(name) for name in BASELINES}

    def _baseline(self, name: str) -> Report:
        with self._lock:
            if name not in self._baselines:
                self._baselines[name] = self.measure(baselineModule(name))
            return self._baselines[name]

    def optimum(self) -> Mapping[str, int]:
        with self._lock:
            if self._optimum is None:
                self._optimum = optimumMisses(self._trace, self.settings["capacity"])
            return dict(self._optimum)

    def developmentLevel(self, report: Report, split: str = "held_out") -> float:
        """See `IScenario.developmentLevel`; 0 where the reference is already optimal."""
        # The reference alone: the claims of strangers must not cost the other baselines as well.
        reference, best = self._baseline(self.workbench.reference).splits[split].score, self.optimum()[split]
        return (reference - report.splits[split].score) / (reference - best) if reference > best else 0.0

    def patterns(self) -> list[Pattern]:
        with self._lock:
            if self._patterns is None:
                self._patterns = learnPatterns(self._trace, self.settings["capacity"])
            return list(self._patterns)
