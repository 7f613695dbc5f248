"""The pointer's machine: what its driver walks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.workbench.machine import Arena, Layout, Machine, Memory
from kernelnet.workbench.window_manager.abis import ABIS, HEADER
from kernelnet.workbench.window_manager.trace import Trace

__all__ = ["METRICS", "WindowManagerMachine"]

METRICS = ("median_millipixels", "p95_millipixels", "overshot_permille")
"""In the order of driver.c's C{wb_metric}."""

_BINS = 1 << 16


class WindowManagerMachine(Machine):
    """See `Machine`; an event is a frame that counts, and the score is by how many milli-pixels answers are off."""

    abis = ABIS
    header = HEADER

    trace: Trace

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        """1500 units a sample, and 20000 a frame: least squares of a dozen weights, or so."""
        return 20_000_000 + 1_500 * self.trace.samplesBefore(events) + 20_000 * events

    def memoryLimit(self, settings: Mapping[str, int]) -> int:
        """16 MiB."""
        return 16 << 20

    def layOut(self) -> Arena:
        layout, trace = Layout(), self.trace
        arrays = {"gaps": trace.gaps, "moves": trace.moves.ravel(), "frames": trace.frames.ravel()}
        at = {name: layout.place(4 * len(array)) for name, array in arrays.items()}
        at["errors"] = layout.place(4 * _BINS)
        arena = Arena(Memory(layout), at)
        for name, array in arrays.items():
            arena.memory.write(at[name], array)
        return arena

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        at = arena.at
        places = (at[name] for name in ("gaps", "moves", "frames", "errors"))
        driver["wb_begin"](arena.memory.store, *places, settings["ahead_us"])

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        store = arena.memory.store
        # Whatever a policy answers has a meaning: there is no contract to break.
        off = driver["wb_run"](store, start, end)
        return off, {name: driver["wb_metric"](store, which) for which, name in enumerate(METRICS)}
