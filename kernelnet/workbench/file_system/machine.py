"""The page cache's machine: what its driver walks, and the programs that need no policy."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import ContractBroken, WorkbenchError
from kernelnet.workbench.file_system.abis import ABIS, HEADER
from kernelnet.workbench.file_system.capacity import NO_SIZES, atMost
from kernelnet.workbench.file_system.object_machine import ObjectMachine
from kernelnet.workbench.file_system.request_machine import RequestMachine
from kernelnet.workbench.file_system.trace import Trace
from kernelnet.workbench.machine import Arena, Layout, Memory, ownModule

__all__ = ["FileSystemMachine", "optimumMisses", "stackDistances"]

_HERE = Path(__file__).parent


class FileSystemMachine(RequestMachine):
    """See `Machine`; an event is a request, and the score is misses."""

    abis = ABIS

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self._objects: ObjectMachine | None = None
        self._distinct: dict[int, int] = {end: trace.distinctBefore(end) for end in trace.ends.values()}

    @property
    def objects(self) -> ObjectMachine:
        """
        The machine of object caches for the same trace, made once.

        @raise WorkbenchError: the trace tells no sizes.
        """
        if self.trace.sizes is None:
            raise WorkbenchError(f"{self.trace.name}: {NO_SIZES}")
        if self._objects is None:
            self._objects = ObjectMachine(self.trace)
        return self._objects

    def slotsOf(self, settings: Mapping[str, int]) -> int:
        return settings["capacity"]

    def layOut(self) -> Arena:
        layout = Layout()
        blocks, distinct = self.trace.blocks, self.trace.distinct
        slots = atMost(distinct)
        at = {
            "trace": layout.place(4 * len(blocks)),
            "keys": layout.place(8 * distinct),
            "slot_of": layout.place(4 * distinct),
            "block_in": layout.place(4 * slots),
            "residents": layout.place(64 * slots),
            "ghosts": layout.place(24 * slots),
            "eviction_of": layout.place(4 * distinct),
        }
        arena = Arena(Memory(layout), at)
        arena.memory.write(at["trace"], self.trace.forDriver())
        return arena

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        """Salted keys and an empty cache, for the blocks that the run will meet."""
        salt, distinct = self.salt, self._distinct[end]
        # A rank function never sees a key.
        if not self.shapeOf(wasm).abi.function and (arena.salted[0] != salt or arena.salted[1] < distinct):
            arena.memory.writeBytes(arena.at["keys"], hashlib.shake_128(salt).digest(8 * distinct))
            arena.salted = (salt, distinct)
        for name in ("slot_of", "eviction_of"):
            arena.memory.fill(arena.at[name], 0xFF, 4 * distinct)

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        at = arena.at
        if "wb_rank" in driver:
            places = (at[name] for name in ("residents", "ghosts", "eviction_of"))
            # The same for all modules, so that functions with the same values decide the same.
            seed = int.from_bytes(bytes.fromhex(self.trace.digest)[:8], "little", signed=True)
            driver["wb_rank"](arena.memory.store, *places, seed)
        driver["wb_begin"](
            arena.memory.store, at["trace"], at["keys"], at["slot_of"], at["block_in"], settings["capacity"]
        )

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        store, writes = arena.memory.store, self.trace.writes is not None
        before = driver["wb_writebacks"](store) if writes else 0
        misses = driver["wb_run"](store, start, end)
        if misses < 0:
            raise ContractBroken(f"kn_victim named a slot that does not exist at request {-1 - misses}")
        return misses, {"writebacks": driver["wb_writebacks"](store) - before} if writes else {}


def optimumMisses(trace: Trace, capacity: int) -> dict[str, int]:
    """The offline optimum's misses by split; see optimum.c."""
    layout, requests = Layout(), len(trace.blocks)
    blocks, following = layout.place(4 * requests), layout.place(4 * requests)
    last, tree = layout.place(4 * trace.distinct), layout.place(8 * (requests // 62 + 8))
    with contextlib.closing(Memory(layout)) as memory:
        memory.write(blocks, trace.blocks)
        memory.fill(last, 0xFF, 4 * trace.distinct)
        exports = memory.alone(ownModule(_HERE / "optimum.c", HEADER))
        exports["opt_begin"](memory.store, blocks, following, last, tree, requests, capacity)
        return {split: exports["opt_run"](memory.store, start, end) for split, start, end in trace.windows("held_out")}


def stackDistances(blocks: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """
    The LRU stack distance of each request, C{0xffffffff} where it is the block's first; see distances.c.

    @param blocks: dense block numbers.
    """
    layout, requests = Layout(), len(blocks)
    distinct = int(blocks.max()) + 1 if requests else 0
    trace, distance = layout.place(4 * requests), layout.place(4 * requests)
    tree, last = layout.place(4 * (requests + 1)), layout.place(4 * distinct)
    with contextlib.closing(Memory(layout)) as memory:
        memory.write(trace, np.ascontiguousarray(blocks, "<u4"))
        memory.fill(last, 0xFF, 4 * distinct)
        exports = memory.alone(ownModule(_HERE / "distances.c", HEADER))
        exports["stack_distances"](memory.store, trace, distance, tree, last, requests)
        return memory.read(distance, requests)
