"""The call's machine: what its driver walks, and the optimum that needs no policy."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernelnet.workbench.audio.abis import ABIS, HEADER
from kernelnet.workbench.audio.trace import Trace, arrivalsOf
from kernelnet.workbench.machine import Arena, Machine, ownModule

__all__ = ["METRICS", "AudioMachine", "optimumCosts"]

METRICS = ("frames_scored", "mean_delay_ms", "late_frames", "scaled_ms")
"""In the order of driver.c's C{wb_metric}."""

_SETTINGS = ("late_ms", "scale_cost", "down_ms", "up_ms", "base_ms")
"""In the order of C{wb_begin} and C{opt_begin}."""

_HERE = Path(__file__).parent


class AudioMachine(Machine):
    """See `Machine`; an event is a frame, and the score is its cost in milliseconds."""

    abis = ABIS
    header = HEADER

    trace: Trace

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        """20000 units a frame: ten looks at each of 600 delays."""
        return 100_000_000 + 20_000 * events

    def memoryLimit(self, settings: Mapping[str, int]) -> int:
        return 16 << 20

    def layOut(self) -> Arena:
        transits = self.trace.transits
        return Arena.holding({"transits": transits, "order": arrivalsOf(transits)})

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        many = int((self.trace.transits >= 0).sum())
        prices = [settings[name] for name in _SETTINGS]
        driver["wb_begin"](arena.memory.store, arena.at["transits"], arena.at["order"], many, *prices)

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        store = arena.memory.store
        # Whatever a policy answers has a meaning: there is no contract to break.
        cost = driver["wb_run"](store, start, end)
        return cost, {name: driver["wb_metric"](store, which) for which, name in enumerate(METRICS)}


def optimumCosts(trace: Trace, settings: Mapping[str, int]) -> dict[str, int]:
    """The least cost by split; see optimum.c."""
    arena = Arena.holding({"transits": trace.transits})
    with contextlib.closing(arena.memory) as memory:
        exports = memory.alone(ownModule(_HERE / "optimum.c", HEADER, (_HERE / "cost.h",)))
        exports["opt_begin"](memory.store, arena.at["transits"], *(settings[name] for name in _SETTINGS))
        return {split: exports["opt_run"](memory.store, start, end) for split, start, end in trace.windows("held_out")}
