"""The compositor's machine: what its driver walks."""

from __future__ import annotations

import contextlib
import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernelnet.workbench.graphics.abis import ABIS, HEADER
from kernelnet.workbench.graphics.trace import Trace
from kernelnet.workbench.machine import Arena, Layout, Machine, Memory, ownModule

__all__ = ["METRICS", "GraphicsMachine", "optimumScores"]

METRICS = ("mean_latency_us", "missed_vblanks", "late_frames_permille", "mean_budget_us")
"""Numbers of a report besides the score, made of driver.c's C{wb_metric}."""

_COLUMNS = ("work", "refreshes", "first", "damage", "surface", "at")
_POINTERS = (*_COLUMNS, "salt", "adapter")
"""The pointers of the driver's C{struct kn_machine}, in its order."""

_PAST = 8 * (104 + 3) + 8
"""The size of rank.h's C{past}."""

_SETS = 4096


class GraphicsMachine(Machine):
    """See `Machine`; an event is a frame, and the score is latency and what missed vblanks cost, in microseconds."""

    abis = ABIS
    header = HEADER

    trace: Trace

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        """50000 units a frame and 10000 a commit, where hand-made policies use 200 to 2000, and the rank ABI 10000."""
        return 100_000_000 + 50_000 * events + 10_000 * int(self.trace.first[events])

    def memoryLimit(self, settings: Mapping[str, int]) -> int:
        return 16 << 20

    def layOut(self) -> Arena:
        layout, trace = Layout(), self.trace
        sizes = {name: 4 * len(getattr(trace, name)) for name in _COLUMNS}
        sizes |= {"salt": 8 * trace.surfaces, "adapter": self._adapterSize(), "machine": 64}
        at = {name: layout.place(size) for name, size in sizes.items()}
        arena = Arena(Memory(layout), at)
        for name in _COLUMNS:
            arena.memory.write(at[name], getattr(trace, name))
        return arena

    def _adapterSize(self) -> int:
        return (_SETS + 1) * _PAST + 12 * self.trace.surfaces + 64

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        """Salted surfaces, and no past."""
        if arena.salted[0] != self.salt:
            arena.memory.writeBytes(
                arena.at["salt"], hashlib.shake_128(self.salt + b"surface").digest(8 * self.trace.surfaces)
            )
            arena.salted = (self.salt, 0)
        if self.shapeOf(wasm).abi.function:
            arena.memory.fill(arena.at["adapter"], 0, self._adapterSize())

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        pointers = [arena.at[name] for name in _POINTERS]
        numbers = (self.trace.surfaces, settings["period_us"], missOf(settings), self.trace.period)
        arena.memory.writeBytes(arena.at["machine"], struct.pack("<8I4I", *pointers, *numbers))
        driver["wb_begin"](arena.memory.store, arena.at["machine"])

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        store = arena.memory.store
        # Whatever a policy answers has a meaning: there is no contract to break.
        score = driver["wb_run"](store, start, end)
        latency, missed, late, budgets = (driver["wb_metric"](store, which) for which in range(4))
        frames = max(1, end - start)
        return score, dict(
            zip(METRICS, (latency // frames, missed, 1000 * late // frames, budgets // frames), strict=True)
        )


def missOf(settings: Mapping[str, int]) -> int:
    """Price of a missed vblank besides the period that it costs, in microseconds."""
    return settings["period_us"] * settings["miss_percent"] // 100


def optimumScores(machine: GraphicsMachine, settings: Mapping[str, int]) -> dict[str, int]:
    """The least that the frames of each split can cost; see optimum.c."""
    arena, trace = machine.layOut(), machine.trace
    with contextlib.closing(arena.memory) as memory:
        exports = memory.alone(ownModule(Path(__file__).with_name("optimum.c"), HEADER))
        places = [arena.at[name] for name in ("work", "first", "at")]
        numbers = (settings["period_us"], missOf(settings), trace.period)
        return {
            split: exports["optimum"](memory.store, *places, start, end, *numbers)
            for split, start, end in trace.windows("held_out")
        }
