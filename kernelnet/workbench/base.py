"""
The common part of workbenches: traces found, read once and kept, baselines measured once, reports and levels.

A bench of one's own need not use it: all that counts is `kernelnet.interfaces.IWorkbench`.  This module imports
neither numpy nor wasmtime, so that plugins can be listed without the C{[trainer]} extra.
"""

from __future__ import annotations

import functools
import hashlib
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from zope.interface import implementer

from kernelnet.artifacts import Pattern, Report, SplitScore
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.account import Account
from kernelnet.workbench.compiler import LIBRARY, compileOwnText
from kernelnet.workbench.errors import TraceError, Unmeasurable, WorkbenchError
from kernelnet.workbench.recording import Recorder
from kernelnet.workbench.reports import added, levelOf, reportOf
from kernelnet.workbench.splits import SPLITS, splitEnds
from kernelnet.workbench.tuned import Tuned, withNumbers
from kernelnet.workbench.variants import KeptVariants, VariantScenario
from kernelnet.workbench.words import allInWords

if TYPE_CHECKING:
    from kernelnet.workbench.machine import Machine
    from kernelnet.workbench.trace import VariableTrace

__all__ = ["SPLITS", "BaseScenario", "BaseWorkbench", "reportOf", "splitEnds"]

_KEPT = 8
_Key = tuple[str, int, int]


@implementer(IScenario)
class BaseScenario:
    """
    See `IScenario`; made by `BaseWorkbench.scenario`.  May be used by several threads at once.

    A subclass defines `computeOptimum` and `learnPatterns`.
    """

    def __init__(self, workbench: BaseWorkbench[Any, Any], machine: Machine, settings: Mapping[str, int]) -> None:
        trace = machine.trace
        self.workbench = workbench
        self.trace: str = trace.name
        self.traceDigest: str = trace.digest
        self.settings = dict(settings)
        self.events = {split: end - start for split, start, end in trace.windows("held_out")}
        self.machine = machine
        self._lock = threading.RLock()
        self._baselines: dict[str, Report] = {}
        self._optimum: dict[str, int] | None = None
        self._patterns: list[Pattern] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.trace} {self.settings} {self.events}>"

    # -- what a bench defines

    def computeOptimum(self) -> dict[str, int]:
        """The offline optimum's score by split."""
        raise NotImplementedError

    def learnPatterns(self) -> list[Pattern]:
        """See `IScenario.patterns`."""
        return []

    def trainStatistics(self) -> dict[str, Any]:
        """Worker thread.  Facts about the training part, and nothing else, for who writes a policy by hand."""
        return {}

    def trainColumns(self) -> Mapping[str, Any]:
        """Worker thread.  The training part itself: columns of whole numbers, by name, all of the same length."""
        return {}

    # -- what all have in common

    @property
    def engine(self) -> str:
        return self.workbench.engine

    def measure(
        self, wasm: bytes, upTo: str = "held_out", fuel: int | None = None, parameters: Sequence[float] = ()
    ) -> Report:
        """
        See `IScenario.measure`.

        @param parameters: given to the module's C{kn_param} first; a claim is always measured without.
        """
        return reportOf(self, self.machine.run(wasm, self.settings, parameters, upTo, fuel))

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Sequence[float] = ()) -> list[SplitScore]:
        """
        Worker thread.  How a module does over time: its scores on windows of a split, in one warm pass from the start.

        @param count: so many windows, about equally long; fewer where there are fewer events.
        @return: in the order of the trace itself, of which a variant may meet them in another.
        """
        from kernelnet.workbench.trace import windowsOf

        before = [window for window in self.machine.trace.windows(split) if window[0] != split]
        pieces = windowsOf(self.machine.trace, split, count)
        own = [(f"{split} {at}", start, end) for at, (_, start, end) in enumerate(pieces)]
        splits = self.machine.run(wasm, self.settings, parameters, windows=[*before, *own])
        windows: dict[int, list[SplitScore]] = {}
        for (name, _, _), (window, _, _) in zip(own, pieces, strict=True):
            windows.setdefault(window, []).append(splits[name])
        return [added(windows[window]) for window in sorted(windows)]

    def forModule(self, wasm: bytes) -> IScenario:
        """See `IScenario.forModule`: itself, if its trace has no variants."""
        return self.workbench.variantsFor(self, wasm) if hasattr(self.machine.trace, "variant") else self

    @property
    def variants(self) -> int:
        """Number of variants of this trace that a claim is measured on."""
        return self.workbench.variants

    def onVariant(self, number: int, wasm: bytes) -> BaseScenario:
        """
        Worker thread.  This scenario on one variant of its trace, made anew; see `kernelnet.workbench.variants`.

        @param number: from 0; C{wasm}: the module that draws it.
        """
        from kernelnet.workbench.thinning import seedOf

        trace = cast("VariableTrace", self.machine.trace)
        secret = trace.seedFor("variants", hashlib.sha256(wasm).digest())
        machine = self.workbench.variantMachine(self.machine, seedOf(secret, number, self.variants))
        return type(self)(self.workbench, machine, self.settings)

    def baselines(self) -> Mapping[str, Report]:
        return {name: self.baseline(name) for name in self.workbench.baselineNames}

    def baseline(self, name: str) -> Report:
        """Worker thread.  One of the hand-made policies, measured once and kept."""
        with self._lock:
            if name not in self._baselines:
                self._baselines[name] = self.measure(self.workbench.baselineModule(name))
            return self._baselines[name]

    def reference(self) -> Report:
        """See `IScenario.reference`: of the hand-made policies this one alone is measured."""
        return self.baseline(self.workbench.reference)

    def optimum(self) -> Mapping[str, int]:
        with self._lock:
            if self._optimum is None:
                self._optimum = self.computeOptimum()
            return dict(self._optimum)

    def developmentLevel(self, report: Report, split: str = "held_out") -> float:
        """See `IScenario.developmentLevel`; 0 where the reference is already optimal."""
        return levelOf(self, report.splits[split].score, split)

    def patterns(self) -> list[Pattern]:
        with self._lock:
            if self._patterns is None:
                self._patterns = self.learnPatterns()
            return list(self._patterns)


M = TypeVar("M", bound="Machine")
S = TypeVar("S", bound=BaseScenario)


@implementer(IWorkbench)
class BaseWorkbench(Generic[M, S]):
    """
    See `IWorkbench`.  May be used by several threads at once; keeps the last few traces and scenarios in memory.

    Of every trace file that it has read it knows the digest: a claim about a trace that isn't here costs no reading.

    A subclass gives the attributes below, and defines `machine` and `makeScenario`; it says
    C{@implementer(IPlugin, IWorkbench)}.

    @cvar folder: where the bench's header, C{baselines/*.c} and C{traces/} are.
    @cvar rules: what decides a score besides drivers and headers; part of the digest.
    @cvar baselineNames: the hand-made policies: files in C{baselines/}, and C{tuned}, others with other numbers.
    @cvar recorder: what records a trace of this machine for it; C{recordedBy}: in a line, which programs write what
        it reads, where it has none.
    @cvar variants: number of variants of a trace that a claim is measured on; part of the digest.
    @cvar windowsAdd: whether a split's score is the sum of its windows', but for their rounding: one pass tells both.
    @cvar ranges: the bench's settings, by name: default, least, most.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    reference: ClassVar[str]
    optimumName: ClassVar[str]
    unit: ClassVar[str]
    ratio: ClassVar[str] = "score per event"
    abis: ClassVar[tuple[Abi, ...]]
    folder: ClassVar[Path]
    rules: ClassVar[str]
    baselineNames: ClassVar[tuple[str, ...]]
    tuned: ClassVar[Tuned] = {}
    formats: ClassVar[str]
    recorder: ClassVar[Recorder | None] = None
    recordedBy: ClassVar[str] = ""
    variants: ClassVar[int] = 8
    windowsAdd: ClassVar[bool] = False
    ranges: ClassVar[Mapping[str, tuple[int, int, int]]] = {}

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._machines: OrderedDict[_Key, M] = OrderedDict()
        self._digests: dict[_Key, str | None] = {}
        self._scenarios: OrderedDict[tuple[str, tuple[tuple[str, int], ...]], S] = OrderedDict()
        self._variants = KeptVariants()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    # -- what a bench defines

    def machine(self, path: Path) -> M:
        """Worker thread.  Read a trace.  @raise TraceError: it can't be read."""
        raise NotImplementedError

    def complete(self, trace: Any, settings: Mapping[str, int]) -> dict[str, int]:
        """
        The settings with the bench's defaults for what is missing; by default these are in C{ranges}.

        @raise WorkbenchError: for a setting that isn't one, and says which there are; or for one out of its range.
        """
        self.refuseUnknown(settings, tuple(self.ranges))
        complete = {name: settings.get(name, default) for name, (default, _, _) in self.ranges.items()}
        for name, (_, least, most) in self.ranges.items():
            if not least <= complete[name] <= most:
                raise WorkbenchError(f"{name} is {complete[name]}; it should be {least} to {most}")
        return complete

    def inWords(self, settings: Mapping[str, int]) -> str:
        """Complete settings for people, in words and units; those that are the defaults may be left out."""
        return allInWords(settings)

    def makeScenario(self, machine: M, settings: Mapping[str, int]) -> S:
        """C{settings} are complete."""
        raise NotImplementedError

    def tasks(self, path: str | Path) -> list[dict[str, int]]:
        """See `IWorkbench.tasks`; by default one task with the default settings."""
        return [self.scenario(path).settings]

    # -- what all have in common

    @property
    def headerPath(self) -> Path:
        return self.folder / f"kn_{self.name}.h"

    @functools.cached_property
    def header(self) -> str:
        return "\n".join(path.read_text(encoding="utf-8") for path in (self.headerPath, LIBRARY))

    @functools.cached_property
    def digest(self) -> str:
        sources = dict.fromkeys(path for abi in self.abis for path in abi.sources)
        parts = (
            self.rules,
            f"{self.variants} variants",
            *(path.read_text(encoding="utf-8") for path in sources),
            self.header,
        )
        return hashlib.sha256(b"".join(hashlib.sha256(part.encode("utf-8")).digest() for part in parts)).hexdigest()

    @functools.cached_property
    def engine(self) -> str:
        """
        Fuel is comparable only within one of these.

        It names the compiled drivers besides the engine: a driver uses fuel too, and another compiler may make
        another driver of the same source.
        """
        from kernelnet.workbench.engine import engineVersion
        from kernelnet.workbench.machine import driverModule

        drivers = b"".join(hashlib.sha256(driverModule(abi, self.headerPath)).digest() for abi in self.abis)
        return f"{engineVersion()}, driver {hashlib.sha256(drivers).hexdigest()[:12]}"

    def abiOf(self, wasm: bytes) -> Abi:
        """See `IWorkbench.abiOf`."""
        from kernelnet.workbench.machine import abiOf
        from kernelnet.workbench.sandbox import loadModule

        return abiOf(loadModule(wasm), self.abis)[0]

    def baselineSource(self, name: str) -> str:
        """A hand-made policy's C source."""
        policy, numbers = self.tuned.get(name, (name, {}))
        return withNumbers((self.folder / "baselines" / f"{policy}.c").read_text(encoding="utf-8"), numbers)

    def baselineModule(self, name: str) -> bytes:
        """A hand-made policy, compiled."""
        return compileOwnText(self.baselineSource(name), self.headerPath)

    def traces(self) -> list[Path]:
        return sorted(path for path in (self.folder / "traces").glob("*.xz"))

    def inspect(self, path: str | Path) -> Account:
        """Worker thread.  How a trace file is read.  @raise TraceError: it can't be read, or makes no trace."""
        account = getattr(self._machine(Path(path)).trace, "account", None)
        return account if isinstance(account, Account) else Account()

    def scenario(self, path: str | Path, settings: Mapping[str, int] | None = None) -> S:
        """
        See `IWorkbench.scenario`.

        @raise WorkbenchError: for a setting that isn't one.
        """
        return self._scenario(self._machine(Path(path)), settings or {})

    def scenarioFor(self, report: Report, paths: Iterable[str | Path]) -> S:
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
                scenario = self._scenario(machine, report.settings)
            except WorkbenchError as error:
                raise Unmeasurable(str(error)) from None
            if scenario.settings != report.settings:
                raise Unmeasurable(f"its settings are {report.settings}; they should be like {scenario.settings}")
            return scenario
        raise Unmeasurable(f"the trace {report.trace!r} ({report.trace_digest[:12]}…) is not here")

    def variantsFor(self, scenario: BaseScenario, wasm: bytes) -> VariantScenario:
        """See `IScenario.forModule`; those of the last few modules are kept, as a claim is looked at more than once."""
        key = (scenario.traceDigest, tuple(sorted(scenario.settings.items())), hashlib.sha256(wasm).digest())
        return self._variants.scenario(
            key, lambda: [scenario.onVariant(number, wasm) for number in range(scenario.variants)], scenario
        )

    def variantMachine(self, machine: Machine, seed: bytes) -> Machine:
        """Worker thread.  Machine for one variant of a machine's trace, whatever the settings."""
        return self._variants.machine(seed, lambda: type(machine)(cast("VariableTrace", machine.trace).variant(seed)))

    def _key(self, path: Path) -> _Key:
        """Key of a file as long as it isn't changed."""
        right = "it should be a readable file"
        try:
            status = path.stat()
        except OSError as error:
            raise TraceError(path, None, error.strerror or str(error), right) from None
        if not stat.S_ISREG(status.st_mode):
            raise TraceError(path, None, "not a file", right)
        return (str(path.resolve()), status.st_mtime_ns, status.st_size)

    def _machine(self, path: Path) -> M:
        key = self._key(path)
        with self._lock:
            if key in self._machines:
                self._machines.move_to_end(key)
                return self._machines[key]
        try:
            machine = self.machine(path)
        except TraceError:
            self._digests[key] = None
            raise
        with self._lock:
            self._digests[key] = machine.trace.digest
            machine = self._machines.setdefault(key, machine)
            if len(self._machines) > _KEPT:
                self._machines.popitem(last=False)
        return machine

    def _scenario(self, machine: M, settings: Mapping[str, int]) -> S:
        complete = self.complete(machine.trace, settings)
        key = (machine.trace.digest, tuple(sorted(complete.items())))
        with self._lock:
            if key in self._scenarios:
                self._scenarios.move_to_end(key)
                return self._scenarios[key]
            scenario = self._scenarios[key] = self.makeScenario(machine, complete)
            if len(self._scenarios) > _KEPT:
                self._scenarios.popitem(last=False)
            return scenario

    def refuseUnknown(self, settings: Mapping[str, int], known: Sequence[str]) -> None:
        """@raise WorkbenchError: one of C{settings} is not C{known}."""
        for name in sorted(set(settings) - set(known)):
            raise WorkbenchError(f"{self.name} has no setting {name!r}; it has {', '.join(known) or 'none'}")
