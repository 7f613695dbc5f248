"""
The machine of object caches, and the bound: see `object_cache`.

The bound is PFOO-L (D. S. Berger, N. Beckmann and M. Harchol-Balter, Practical bounds on optimal caching with variable
object sizes, SIGMETRICS 2018).  A hit needs its object to be resident since the request before.  Of these intervals
those are taken that give most for the room and time that they need, as long as there is any of the cache's room, summed
over time: no policy can have more hits, as it has no more room at any one time.  Each split is bounded for itself, by
the room from its start on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import ContractBroken, WorkbenchError
from kernelnet.workbench.file_system.abis import SIZED_ABIS
from kernelnet.workbench.file_system.capacity import MAX_CAPACITY
from kernelnet.workbench.file_system.request_machine import RequestMachine
from kernelnet.workbench.machine import Arena, Layout, Memory

if TYPE_CHECKING:
    from kernelnet.workbench.file_system.trace import Trace

__all__ = ["ObjectMachine", "leastMissed"]

Counts = npt.NDArray[np.int64]


class ObjectMachine(RequestMachine):
    """See `Machine`; an event is a request, and the score is bytes or requests that missed."""

    abis = SIZED_ABIS

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        assert trace.sizes is not None
        smallest = np.full(trace.distinct, 1 << 32, np.int64)
        np.minimum.at(smallest, trace.blocks, trace.sizes.astype(np.int64))
        # A variant may lack an object.
        self._smallest: Counts = np.cumsum(np.sort(smallest[smallest < 1 << 32]))
        self._footprint = trace.footprint

    def slots(self, capacity: int) -> int:
        """
        Number of objects that can be resident at once: as many of the smallest as fit, at least 1.

        @raise WorkbenchError: they are too many.
        """
        slots = max(1, int(np.searchsorted(self._smallest, capacity, "right")))
        if slots > MAX_CAPACITY:
            raise WorkbenchError(f"{slots} objects fit into {capacity} bytes; it should be at most {MAX_CAPACITY}")
        return slots

    def objects(self, capacity: int) -> int:
        """Number of objects of the mean size that fit, at least 1."""
        return max(1, capacity * len(self._smallest) // self._footprint)

    def slotsOf(self, settings: Mapping[str, int]) -> int:
        return self.slots(settings["capacity"])

    def layOut(self) -> Arena:
        layout, trace = Layout(), self.trace
        assert trace.sizes is not None
        slots = min(MAX_CAPACITY, trace.distinct)
        at = {
            "trace": layout.place(4 * len(trace.blocks)),
            "sizes": layout.place(4 * len(trace.blocks)),
            "keys": layout.place(8 * trace.distinct),
            "slot_of": layout.place(4 * trace.distinct),
            "block_in": layout.place(4 * slots),
            "size_in": layout.place(4 * slots),
            "order": layout.place(4 * slots),
            "place": layout.place(4 * slots),
            "residents": layout.place(64 * slots),
            "ghosts": layout.place(24 * slots),
            "eviction_of": layout.place(4 * trace.distinct),
        }
        arena = Arena(Memory(layout), at)
        arena.memory.write(at["trace"], trace.forDriver())
        arena.memory.write(at["sizes"], trace.sizes)
        return arena

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        """Salted keys and an empty cache."""
        salt, distinct = self.salt, self.trace.distinct
        if not self.shapeOf(wasm).abi.function and arena.salted != (salt, distinct):
            arena.memory.writeBytes(arena.at["keys"], hashlib.shake_128(salt).digest(8 * distinct))
            arena.salted = (salt, distinct)
        for name in ("slot_of", "eviction_of"):
            arena.memory.fill(arena.at[name], 0xFF, 4 * distinct)

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        at, store, capacity = arena.at, arena.memory.store, settings["capacity"]
        if "wb_rank" in driver:
            places = (at[name] for name in ("residents", "ghosts", "eviction_of"))
            # The same for all modules, so that functions with the same values decide the same.
            seed = int.from_bytes(bytes.fromhex(self.trace.digest)[:8], "little", signed=True)
            driver["wb_rank"](store, *places, seed)
        arrays = ("trace", "sizes", "keys", "slot_of", "block_in", "size_in", "order", "place")
        driver["wb_arrays"](store, *(at[name] for name in arrays))
        isBytes = int(settings["bytes"] == 1)
        driver["wb_begin"](store, self.slots(capacity), capacity, isBytes, self.objects(capacity))

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        store = arena.memory.store
        names = ["requests", "bytes", *(["writebacks"] if self.trace.writes is not None else [])]
        before = [driver[f"wb_{name}"](store) for name in names]
        score = driver["wb_run"](store, start, end)
        if score < 0:
            raise ContractBroken(f"kn_victim named a slot that holds nothing at request {-1 - score}")
        return score, {
            name if name == "writebacks" else f"{name}_missed": driver[f"wb_{name}"](store) - then
            for name, then in zip(names, before, strict=True)
        }


def leastMissed(trace: Trace, capacity: int, *, inBytes: bool) -> dict[str, int]:
    """
    PFOO-L: of each split the least that any policy misses.

    @param inBytes: bytes, else requests.
    """
    assert trace.sizes is not None
    sizes = trace.sizes.astype(np.int64)
    before, room = _previous(trace.blocks), _smallestSoFar(trace.blocks, sizes)
    found = {}
    for split, start, end in trace.windows("held_out"):
        at = np.arange(start, end)
        since = before[start:end]
        # The room of an interval is what its object needed at least when it was there before.
        needed = room[np.maximum(since, 0)]
        possible = (since >= 0) & (needed <= capacity)
        at, since, needed = at[possible], since[possible], needed[possible]
        value = sizes[at] if inBytes else np.ones(len(at), np.int64)
        whole = int(sizes[start:end].sum()) if inBytes else end - start
        cost = needed * (at - np.maximum(since, start - 1))
        found[split] = whole - _mostHits(value, cost, capacity * (end - start))
    return found


def _previous(blocks: npt.NDArray[np.uint32]) -> Counts:
    """By request: the one before for the same object, -1 if there is none."""
    order = np.argsort(blocks, kind="stable")
    found = np.full(len(blocks), -1, np.int64)
    again = blocks[order[1:]] == blocks[order[:-1]]
    found[order[1:][again]] = order[:-1][again]
    return found


def _smallestSoFar(blocks: npt.NDArray[np.uint32], sizes: Counts) -> Counts:
    """By request: the smallest size of its object so far, with this one."""
    order = np.argsort(blocks, kind="stable")
    # Each object lies wholly below the one before it, so that a minimum begins anew with each.
    below = blocks[order].astype(np.int64) << 32
    found = np.empty(len(sizes), np.int64)
    found[order] = np.minimum.accumulate(sizes[order] - below) + below
    return found


def _mostHits(value: Counts, cost: Counts, budget: int) -> int:
    """The most that fits, if a part of one may be taken (G. B. Dantzig, 1957), rounded up."""
    order = np.argsort(cost / value, kind="stable")
    value, cost = value[order], cost[order]
    # Sums of costs may have more than 64 bits: the upper and lower 32 bits of each for themselves.
    low = np.cumsum(cost & 0xFFFFFFFF)
    high = np.cumsum(cost >> 32) + (low >> 32)
    low &= 0xFFFFFFFF
    upper, lower = budget >> 32, budget & 0xFFFFFFFF
    taken = int(np.count_nonzero((high < upper) | ((high == upper) & (low <= lower))))
    most = int(value[:taken].sum())
    if taken == len(value):
        return most
    left = budget - (((int(high[taken - 1]) << 32) + int(low[taken - 1])) if taken else 0)
    # Of equals up to the last bit of a quotient any may come first, hence rounded up.
    return most + -(-int(value[taken]) * left // int(cost[taken]))
