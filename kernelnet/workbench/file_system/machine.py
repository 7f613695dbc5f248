"""
Runs policies over a trace: the driver and the arrays it walks, in a memory that is filled once and used again.

A wasmtime store holds the trace; for each run a fresh policy instance (with a memory of its own) and a
fresh driver instance (on the store's memory) are made in it, which takes about 0.1 ms, where copying five
million block numbers takes 10 ms.  Instances live as long as their store, so a store is replaced after a while.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import wasmtime

from kernelnet.message import SplitScore
from kernelnet.workbench._sections import MAX_ELEMENTS
from kernelnet.workbench.compiler import compileOwn
from kernelnet.workbench.errors import ContractBroken, NoResources, OutOfMemory, WrongExport
from kernelnet.workbench.file_system.trace import Trace
from kernelnet.workbench.sandbox import Signature, checkExports, engine, guarded, loadModule

__all__ = ["Machine", "driverModule", "fuelLimit", "optimumMisses", "policyMemory", "stackDistances"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_file_system.h"
_OWN_FLAGS = ("-Wl,--import-memory",)

REQUIRED: dict[str, Signature] = {
    "kn_init": (("i32",), ()),
    "kn_hit": (("i32", "i32"), ()),
    "kn_victim": (("i64", "i32"), ("i32",)),
    "kn_insert": (("i32", "i64", "i32"), ()),
}
OPTIONAL: dict[str, Signature] = {"kn_param": (("i32", "f64"), ())}

_PAGE = 64 << 10
_NONE = 0xFFFFFFFF
_PLENTY = 1 << 62
_MAX_RUNS = 64
_MAX_WASTE = 128 << 20
_MAX_IDLE = 4


def fuelLimit(requests: int, capacity: int) -> int:
    """The fuel a policy may use: 2000 units a request and 10000 a slot, where LRU uses 60 a request."""
    return 100_000_000 + 2_000 * requests + 10_000 * capacity


def wallSeconds(fuel: int) -> float:
    """
    The time that using so much fuel may take: what bounds the cost of a stranger's claim.

    A policy of the usual kind uses a tenth of its fuel, at 1e9 a second; the costliest instructions (square roots,
    random access to memory) take twenty times as long.
    """
    return 10 + fuel / 2.5e8


def policyMemory(capacity: int) -> int:
    """The bytes of linear memory that a policy may have: 64 MiB and 1 KiB a slot, at most 1 GiB."""
    return min(1 << 30, (64 << 20) + 1024 * capacity)


def driverModule() -> bytes:
    """The driver, compiled."""
    return compileOwn(_HERE / "driver.c", HEADER, _OWN_FLAGS)


class _Layout:
    """Places arrays one after the other in a linear memory."""

    def __init__(self) -> None:
        # Stack and data of our programs lie below: the linker gives them 1 MiB and some bytes.
        self.end = 2 << 20

    def place(self, size: int) -> int:
        start = self.end
        self.end = (start + size + 63) & ~63
        return start

    @property
    def pages(self) -> int:
        return -(-self.end // _PAGE)


class _Memory:
    """A store with one memory of ours."""

    def __init__(self, layout: _Layout) -> None:
        self.store = wasmtime.Store(engine())
        # Our own memory is made under no limit; those of policies come later, under theirs.
        kind = wasmtime.MemoryType(wasmtime.Limits(layout.pages, layout.pages))
        try:
            self.memory = wasmtime.Memory(self.store, kind)
        except wasmtime.WasmtimeError as error:
            raise NoResources(f"no memory for the trace: {error}".splitlines()[0]) from None
        self._base = ctypes.addressof(self.memory.data_ptr(self.store).contents)

    def close(self) -> None:
        """Give the memory back now: wasmtime's objects are in cycles, and would wait for a garbage collection."""
        self.store.close()

    def write(self, address: int, array: npt.NDArray[Any]) -> None:
        ctypes.memmove(self._base + address, array.ctypes.data, array.nbytes)

    def writeBytes(self, address: int, data: bytes) -> None:
        ctypes.memmove(self._base + address, data, len(data))

    def fill(self, address: int, value: int, size: int) -> None:
        ctypes.memset(self._base + address, value, size)

    def read(self, address: int, count: int) -> npt.NDArray[np.uint32]:
        return np.frombuffer(ctypes.string_at(self._base + address, 4 * count), "<u4")

    def instance(self, module: wasmtime.Module, policy: Any = None) -> Any:
        """The exports of an instance of one of our own programs, on this memory and a policy's exports."""
        imports = [self.memory if i.module == "env" else policy[i.name] for i in module.imports]
        return wasmtime.Instance(self.store, module, imports).exports(self.store)

    def alone(self, module: wasmtime.Module) -> Any:
        """The same for a program that runs without a policy, and so without limits."""
        self.store.set_fuel(_PLENTY)
        self.store.set_epoch_deadline(_PLENTY)
        return self.instance(module)


@dataclass
class _Arena:
    """
    A `_Memory` with a trace in it, for one run at a time.

    @ivar salted: whose keys are in it: the module's digest and how many.
    @ivar waste: bytes of memory that past policies hold on to.
    """

    memory: _Memory
    trace: int
    keys: int
    slotOf: int
    blockIn: int
    salted: tuple[bytes, int] = (b"", 0)
    runs: int = 0
    waste: int = 0


class Machine:
    """
    Measures policies on one trace, in any number of threads.

    All capacities share its arenas: a stranger's claims about many of them take no more memory than those about one.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._distinct: dict[int, int] = {end: trace.distinctBefore(end) for end in trace.ends.values()}
        self._lock = threading.Lock()
        self._idle: list[_Arena] = []

    def close(self) -> None:
        """Give the memory of what is idle back now."""
        with self._lock:
            closing, self._idle[:] = self._idle[:], []
        for arena in closing:
            arena.memory.close()

    @functools.cached_property
    def _driver(self) -> wasmtime.Module:
        return loadModule(driverModule(), own=True)

    def run(
        self, wasm: bytes, capacity: int, parameters: Sequence[float], upTo: str, fuel: int | None
    ) -> dict[str, SplitScore]:
        """
        One warm pass from the trace's start to the end of split C{upTo}.

        @param parameters: given to the module's C{kn_param}.
        @param fuel: at most this much; C{None}: `fuelLimit`.
        @return: by split: its requests, misses, and fuel of policy and driver; what the policy's
            start takes counts as the first split's.
        @raise ComponentError: the module is to blame.
        """
        windows = self.trace.windows(upTo)
        module = loadModule(wasm)
        has = checkExports(module, REQUIRED, OPTIONAL)
        if len(parameters) and "kn_param" not in has:
            raise WrongExport("the module exports no kn_param, and parameters were given")
        end = windows[-1][2]
        limit = fuelLimit(end, capacity)
        limit = limit if fuel is None else min(limit, fuel)
        with self._arena() as arena:
            self._prepare(arena, hashlib.sha256(wasm).digest(), self._distinct[end])
            return self._measure(arena, module, windows, capacity=capacity, parameters=parameters, limit=limit)

    def _measure(
        self,
        arena: _Arena,
        module: wasmtime.Module,
        windows: list[tuple[str, int, int]],
        *,
        capacity: int,
        parameters: Sequence[float],
        limit: int,
    ) -> dict[str, SplitScore]:
        memory, store = arena.memory, arena.memory.store
        most = policyMemory(capacity)
        store.set_limits(memory_size=most, table_elements=MAX_ELEMENTS)
        with guarded(store, wallSeconds(limit)):
            store.set_fuel(limit)
            policy: Any = wasmtime.Instance(store, module, []).exports(store)
            own = [e for e in module.exports if isinstance(e.type, wasmtime.MemoryType)]
            linear = policy[own[0].name] if own else None
            try:
                for index, value in enumerate(parameters):
                    policy["kn_param"](store, index, float(value))
                left = store.get_fuel()
                store.set_fuel(_PLENTY)
                driver = memory.instance(self._driver, policy)
                # Only now: the fuel of making the driver is none of the policy's.
                store.set_fuel(left)
                driver["wb_begin"](store, arena.trace, arena.keys, arena.slotOf, arena.blockIn, capacity)
                scores, left = {}, limit
                for split, start, end in windows:
                    misses = driver["wb_run"](store, start, end)
                    if misses < 0:
                        raise ContractBroken(f"kn_victim named a slot that does not exist at request {-1 - misses}")
                    before, left = left, store.get_fuel()
                    scores[split] = SplitScore(events=end - start, score=misses, fuel=before - left)
            except wasmtime.Trap as trap:
                # A policy that can't grow its memory gives up by its own means, such as kn_alloc's.
                gaveUp = trap.trap_code == wasmtime.TrapCode.UNREACHABLE
                if gaveUp and linear is not None and linear.data_len(store) > most - (4 << 20):
                    raise OutOfMemory(f"the module used up its {most} bytes of memory") from None
                raise
            # A memory that isn't exported can't be looked at: assume the worst.
            arena.waste += linear.data_len(store) if linear is not None else most
        return scores

    def _prepare(self, arena: _Arena, digest: bytes, distinct: int) -> None:
        """Salted keys and an empty cache, for the first C{distinct} blocks."""
        if arena.salted[0] != digest or arena.salted[1] < distinct:
            # Nobody can build his keys into a module, since that changes its digest and with it all keys.
            salt = hashlib.sha256(digest + bytes.fromhex(self.trace.digest)).digest()
            arena.memory.writeBytes(arena.keys, hashlib.shake_128(salt).digest(8 * distinct))
            arena.salted = (digest, distinct)
        arena.memory.fill(arena.slotOf, 0xFF, 4 * distinct)

    @contextlib.contextmanager
    def _arena(self) -> Iterator[_Arena]:
        with self._lock:
            arena = self._idle.pop() if self._idle else None
        arena = arena or self._newArena()
        kept = False
        try:
            yield arena
            # Not reached after an error: what went wrong in a store is not worth knowing.
            arena.runs += 1
            if arena.runs < _MAX_RUNS and arena.waste < _MAX_WASTE:
                with self._lock:
                    kept = len(self._idle) < _MAX_IDLE
                    if kept:
                        self._idle.append(arena)
        finally:
            if not kept:
                arena.memory.close()

    def _newArena(self) -> _Arena:
        layout = _Layout()
        trace, distinct = self.trace, self.trace.distinct
        blocks, keys = layout.place(4 * len(trace.blocks)), layout.place(8 * distinct)
        slotOf, blockIn = layout.place(4 * distinct), layout.place(4 * distinct)
        arena = _Arena(_Memory(layout), blocks, keys, slotOf, blockIn)
        arena.memory.write(arena.trace, trace.blocks)
        return arena


def optimumMisses(trace: Trace, capacity: int) -> dict[str, int]:
    """The offline optimum's misses by split; see optimum.c."""
    module = loadModule(compileOwn(_HERE / "optimum.c", HEADER, _OWN_FLAGS), own=True)
    layout, requests = _Layout(), len(trace.blocks)
    blocks, following = layout.place(4 * requests), layout.place(4 * requests)
    last, tree = layout.place(4 * trace.distinct), layout.place(8 * (requests // 62 + 8))
    with contextlib.closing(_Memory(layout)) as memory:
        memory.write(blocks, trace.blocks)
        memory.fill(last, 0xFF, 4 * trace.distinct)
        exports = memory.alone(module)
        exports["opt_begin"](memory.store, blocks, following, last, tree, requests, capacity)
        return {split: exports["opt_run"](memory.store, start, end) for split, start, end in trace.windows("held_out")}


def stackDistances(blocks: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """
    The LRU stack distance of each request, C{0xffffffff} where it is the block's first; see distances.c.

    @param blocks: dense block numbers.
    """
    module = loadModule(compileOwn(_HERE / "distances.c", HEADER, _OWN_FLAGS), own=True)
    layout, requests = _Layout(), len(blocks)
    distinct = int(blocks.max()) + 1 if requests else 0
    trace, distance = layout.place(4 * requests), layout.place(4 * requests)
    tree, last = layout.place(4 * (requests + 1)), layout.place(4 * distinct)
    with contextlib.closing(_Memory(layout)) as memory:
        memory.write(trace, np.ascontiguousarray(blocks, "<u4"))
        memory.fill(last, 0xFF, 4 * distinct)
        memory.alone(module)["stack_distances"](memory.store, trace, distance, tree, last, requests)
        return memory.read(distance, requests)
