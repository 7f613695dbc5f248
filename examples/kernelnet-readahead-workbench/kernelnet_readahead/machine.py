"""Runs components of this bench: what its driver walks, and the optimum, which needs no component."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.machine import Arena, Layout, Machine, Memory, ownModule
from kernelnet_readahead import ABIS, HEADER

__all__ = ["ReadaheadMachine", "ReadaheadScenario"]

STATE = 32
"""Bytes that the driver keeps of each file."""


class ReadaheadMachine(Machine):
    """See `Machine`; an event is a read."""

    abis = ABIS
    header = HEADER

    def layOut(self) -> Arena:
        columns = {"file": self.trace.file, "block": self.trace.block}
        return Arena.holding(columns, room={"states": STATE * self.trace.files})

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        arena.memory.fill(arena.at["states"], 0, STATE * self.trace.files)

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        at = arena.at
        places = (at["file"], at["block"], at["states"])
        driver["wb_begin"](arena.memory.store, *places, self.trace.files, settings["seek"])

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        store = arena.memory.store
        # So that each split has an optimum of its own; a search may ask for smaller windows, too.
        if start in [first for _, first, _ in self.trace.windows("held_out")]:
            driver["wb_drop"](store)
        cost = driver["wb_run"](store, start, end)
        return cost, {"requests": driver["wb_requests"](store), "wasted": driver["wb_wasted"](store)}


class ReadaheadScenario(BaseScenario):
    """See `IScenario`."""

    def computeOptimum(self) -> dict[str, int]:
        """See optimum.c."""
        trace, layout = self.machine.trace, Layout()
        reads = len(trace.file)
        places = [layout.place(size * reads) for size in (4, 4, 4, 4, 8)]
        first = layout.place(4 * trace.files)
        with contextlib.closing(Memory(layout)) as memory:
            memory.write(places[0], trace.file)
            memory.write(places[1], trace.block)
            memory.fill(first, 0xFF, 4 * trace.files)
            run = memory.alone(ownModule(HEADER.with_name("optimum.c"), HEADER))["opt_run"]
            fixed = (*places, first, trace.files)
            return {
                split: run(memory.store, *fixed, start, end, self.settings["seek"])
                for split, start, end in trace.windows("held_out")
            }
