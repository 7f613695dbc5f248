"""
Runs components of any bench: a fresh policy and a fresh driver for each run, in a memory that is filled once.

A wasmtime store holds what is read of the trace; for each run a fresh policy instance (with a memory of its own) and
a fresh driver instance (on the store's memory) are made in it, which takes about 0.1 ms, where copying five
million numbers takes 10 ms.  Instances live as long as their store, so a store is replaced after a while.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import wasmtime

from kernelnet.artifacts import SplitScore
from kernelnet.workbench._sections import MAX_ELEMENTS
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.compiler import compileOwn
from kernelnet.workbench.engine import cores
from kernelnet.workbench.errors import ComponentError, WrongExport
from kernelnet.workbench.memory import PLENTY, Arena, Layout, Memory, touched
from kernelnet.workbench.sandbox import Limits, checkExports, guarded, loadModule
from kernelnet.workbench.trace import SplitTrace

__all__ = [
    "OWN_FLAGS",
    "Arena",
    "Layout",
    "Machine",
    "Memory",
    "Shape",
    "abiOf",
    "driverModule",
    "ownModule",
    "wallSeconds",
]

OWN_FLAGS = ("-Wl,--import-memory",)
"""Flags that a program of ours is compiled with that runs on a memory which the host lays out."""

_MAX_RUNS = 64
_MAX_WASTE = 128 << 20
_MAX_ARENAS = 1 << 30
"""Bytes of a trace's arenas together: beyond it a run waits for another one to end."""

_MAX_SHAPES = 256

MOST_MEMORY = 1 << 32
"""Bytes: a module can't name more."""


def wallSeconds(fuel: int) -> float:
    """
    The time that using so much fuel may take: what bounds the cost of a stranger's claim.

    A policy of the usual kind uses a tenth of its fuel, at 1e9 a second; the costliest instructions (square roots,
    random access to memory) take twenty times as long.
    """
    return 10 + fuel / 2.5e8


def driverModule(abi: Abi, header: Path) -> bytes:
    """The driver of an ABI, compiled."""
    return compileOwn(abi.driver, header, (*OWN_FLAGS, *abi.flags), abi.included)


def ownModule(source: Path, header: Path, included: tuple[Path, ...] = ()) -> wasmtime.Module:
    """
    Another trusted program of a bench, such as its optimum, ready to run by `Memory.alone`.

    @param included: files that it includes besides the header.
    """
    return loadModule(compileOwn(source, header, OWN_FLAGS, included), own=True)


def abiOf(module: wasmtime.Module, abis: Sequence[Abi]) -> tuple[Abi, frozenset[str]]:
    """
    The ABI that a module is for, and which of its optional functions it has.

    @raise WrongExport: it exports none of theirs as it should.
    """
    names = {export.name for export in module.exports}
    # Of several, the one of which it has the most: the error is about what the author meant.
    abi = max(abis, key=lambda abi: len(names & set(abi.required)) / len(abi.required))
    return abi, checkExports(module, abi.required, abi.optional)


@dataclass(frozen=True)
class Shape:
    """
    Facts about a module that are known before it runs.

    @ivar digest: hex SHA-256 of the module.
    @ivar abi: the one that it is for.
    @ivar optional: which of the ABI's optional functions it has.
    @ivar memory: the name by which it exports its memory, empty if it doesn't.
    """

    digest: str
    abi: Abi
    optional: frozenset[str]
    memory: str


class Machine:
    """
    Measures policies on one trace, in any number of threads; each bench has a subclass.

    All settings share its arenas: a stranger's claims about many of them take no more memory than those about one.

    @ivar observer: told after each run of the CPU seconds that it took, and of the bytes of linear memory that the
        policies use, if they export it; C{None}: nobody is.
    @ivar memoryBound: bytes of linear memory of an instance, if that is less than `memoryLimit`: for a search whose
        result shall run where there is less; C{None}: no such bound.
    """

    abis: ClassVar[tuple[Abi, ...]]
    header: ClassVar[Path]

    trace: SplitTrace

    def __init__(self, trace: SplitTrace) -> None:
        self.trace = trace
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._idle: list[Arena] = []
        self._used = 0
        self._size = 0
        self.observer: Callable[[float, int | None], None] | None = None
        self.memoryBound: int | None = None
        self._drivers: dict[str, wasmtime.Module] = {}
        self._shapes: OrderedDict[bytes, Shape] = OrderedDict()

    # -- what a bench defines

    def layOut(self) -> Arena:
        """A new memory with all of the trace in it that is the same for every run."""
        raise NotImplementedError

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        """
        Make an arena fit for a run of module C{wasm} up to event C{end}: empty, and with keys of its own.

        By default nothing: fit for a driver that only reads what is in the arena.
        """

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        """Call what the driver wants called first; what it takes counts as the first split's."""
        raise NotImplementedError

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        """
        Run the driver over events C{start} to before C{end}.

        @return: the score, and further whole numbers by name.
        @raise ContractBroken: the policy did what it must not.
        """
        raise NotImplementedError

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        """
        The fuel that a policy may use for so many events: generous, since it bounds what a stranger's claim costs.

        By default 2000 units an event, and 100 million for the start.
        """
        return 100_000_000 + 2_000 * events

    def memoryLimit(self, settings: Mapping[str, int]) -> int:
        """The bytes of linear memory that an instance of a policy may have."""
        return 64 << 20

    def instances(self, settings: Mapping[str, int]) -> int:
        """Number of instances of the policy, none of which can reach another."""
        return 1

    # -- what all have in common

    def close(self) -> None:
        """Give the memory of what is idle back now."""
        with self._lock:
            closing, self._idle[:] = self._idle[:], []
        for arena in closing:
            arena.memory.close()

    def run(
        self,
        wasm: bytes,
        settings: Mapping[str, int],
        parameters: Sequence[float] = (),
        upTo: str = "held_out",
        fuel: int | None = None,
        *,
        windows: list[tuple[str, int, int]] | None = None,
    ) -> dict[str, SplitScore]:
        """
        One warm pass from the trace's start to the end of split C{upTo}.

        @param parameters: given to the module's C{kn_param}.
        @param fuel: at most this much; C{None}: `fuelLimit`.
        @param windows: C{(name, from, to)} of what is scored instead of the splits: one after the other, from 0 on.
        @return: by split: its events, score, and fuel of policy and driver; what the policy's start takes counts as
            the first split's.
        @raise ComponentError: the module is to blame.
        """
        windows = windows or self.trace.windows(upTo)
        module, shape = loadModule(wasm), self.shapeOf(wasm)
        if len(parameters) and "kn_param" not in shape.optional:
            raise WrongExport("the module exports no kn_param, and parameters were given")
        end = windows[-1][2]
        limit = self.fuelLimit(end, settings)
        limit = limit if fuel is None else min(limit, fuel)
        driver = self._driver(shape.abi)
        with self._arena() as arena:
            self.prepare(arena, settings, wasm, end)
            modules = (module, shape, driver)
            return self._measure(arena, modules, windows, settings, parameters=parameters, limit=limit)

    def shapeOf(self, wasm: bytes) -> Shape:
        """
        Facts about a module; the last ones are kept, as asking wasmtime takes as long as thousands of events.

        @raise ComponentError: it is for none of the bench's ABIs.
        """
        key = hashlib.sha256(wasm).digest()
        with self._lock:
            if key in self._shapes:
                self._shapes.move_to_end(key)
                return self._shapes[key]
        module = loadModule(wasm)
        memories = [export.name for export in module.exports if isinstance(export.type, wasmtime.MemoryType)]
        shape = Shape(key.hex(), *abiOf(module, self.abis), memories[0] if memories else "")
        with self._lock:
            self._shapes[key] = shape
            if len(self._shapes) > _MAX_SHAPES:
                self._shapes.popitem(last=False)
        return shape

    def _driver(self, abi: Abi) -> wasmtime.Module:
        driver = self._drivers.get(abi.identifier)
        if driver is None:
            driver = self._drivers[abi.identifier] = loadModule(driverModule(abi, self.header), own=True)
        return driver

    def _measure(
        self,
        arena: Arena,
        modules: tuple[wasmtime.Module, Shape, wasmtime.Module],
        windows: list[tuple[str, int, int]],
        settings: Mapping[str, int],
        *,
        parameters: Sequence[float],
        limit: int,
    ) -> dict[str, SplitScore]:
        module, shape, driverCode = modules
        memory, store = arena.memory, arena.memory.store
        most = min(self.memoryLimit(settings), self.memoryBound or MOST_MEMORY)
        store.set_limits(memory_size=most, table_elements=MAX_ELEMENTS)
        limits = Limits(shape.digest, windows[-1][2], limit, most, wallSeconds(limit))
        scores: dict[str, SplitScore] = {}
        with _telling(scores), guarded(store, limits):
            memory.setFuel(limit)
            many = range(self.instances(settings))
            policies: list[Any] = [wasmtime.Instance(store, module, []).exports(store) for _ in many]
            linear = [policy[shape.memory] for policy in policies] if shape.memory else []
            try:
                for policy in policies:
                    for index, value in enumerate(parameters):
                        policy["kn_param"](store, index, float(value))
                left = memory.fuelLeft()
                memory.setFuel(PLENTY)
                driver = memory.instance(driverCode, policies)
                # Only now: the fuel of making the driver is none of the policy's.
                memory.setFuel(left)
                self.begin(driver, arena, settings)
                left, began = limit, time.thread_time()
                for split, start, end in windows:
                    score, metrics = self.score(driver, arena, start, end)
                    before, left = left, memory.fuelLeft()
                    scores[split] = SplitScore(events=end - start, score=score, fuel=before - left, metrics=metrics)
                if self.observer is not None:
                    used = sum(touched(store, each) for each in linear) if linear else None
                    self.observer(time.thread_time() - began, used)
            except wasmtime.Trap as trap:
                # A policy that can't grow its memory gives up by its own means, such as kn_alloc's.
                gaveUp = trap.trap_code == wasmtime.TrapCode.UNREACHABLE
                if gaveUp and any(each.data_len(store) > most - (4 << 20) for each in linear):
                    raise limits.outOfMemory() from None
                raise
            # A memory that isn't exported can't be looked at: assume the worst.
            arena.waste += sum(each.data_len(store) for each in linear) if linear else most * len(policies)
        return scores

    @property
    def salt(self) -> bytes:
        """
        Salt of the keys that modules see on this trace: the same for all, so that none is luckier than its rivals.

        Nobody can build keys into a module: it is measured on variants of the trace, whose digests, and so whose keys,
        follow from its own; see `kernelnet.workbench.variants`.
        """
        return hashlib.sha256(b"keys" + bytes.fromhex(self.trace.digest)).digest()

    @contextlib.contextmanager
    def _arena(self) -> Iterator[Arena]:
        with self._ended:
            # One may always run; how large they are is known from the first on.
            self._ended.wait_for(lambda: not self._used or (self._used + 1) * self._size <= _MAX_ARENAS)
            self._used += 1
            arena = self._idle.pop() if self._idle else None
        kept = False
        try:
            arena = arena or self.layOut()
            self._size = arena.memory.size
            yield arena
            # Not reached after an error: what went wrong in a store is not worth knowing.
            arena.runs += 1
            kept = arena.runs < _MAX_RUNS and arena.waste < _MAX_WASTE
        finally:
            with self._ended:
                self._used -= 1
                kept = kept and (self._used + len(self._idle) < max(4, cores()))
                if kept and arena is not None:
                    self._idle.append(arena)
                self._ended.notify()
            if arena is not None and not kept:
                arena.memory.close()


@contextlib.contextmanager
def _telling(scores: Mapping[str, SplitScore]) -> Iterator[None]:
    """A failure tells which windows were over before."""
    try:
        yield
    except ComponentError as error:
        error.done = scores
        raise
