"""The link's machine: what its driver walks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernelnet.workbench.machine import Arena, Layout, Machine, Memory
from kernelnet.workbench.network_stack.abis import ABIS, HEADER
from kernelnet.workbench.network_stack.trace import SECOND, Trace

__all__ = ["MAX_QUEUE", "MAX_RTT", "METRICS", "NetworkStackMachine"]

MAX_RTT = 1000
MAX_QUEUE = 1 << 14

METRICS = ("utilisation_permille", "mean_rtt_ms", "p95_rtt_ms", "lost_packets", "jain_permille")
"""In the order of driver.c's C{wb_metric}."""

_PACKET = 24
_DELAYS = 1 << 16


class NetworkStackMachine(Machine):
    """See `Machine`; an event is a second, and the score is what is lost against the omniscient sender."""

    abis = ABIS
    header = HEADER

    trace: Trace

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        upTo = np.concatenate([[0], np.cumsum(trace.link, dtype=np.int64)])
        self._before = upTo[::SECOND]
        # Acknowledgements under way are at most those of what the link can take in the longest round trip.
        span = min(MAX_RTT + 1, len(trace.link))
        most = MAX_QUEUE + int((upTo[span:] - upTo[:-span]).max())
        self._ring = 1 << most.bit_length()

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        """2000 units an opportunity and a millisecond, and 100 for each flow and millisecond."""
        opportunities = int(self._before[events])
        return 100_000_000 + 2_000 * (opportunities + events * SECOND) + 100 * settings["flows"] * events * SECOND

    def memoryLimit(self, settings: Mapping[str, int]) -> int:
        return 16 << 20

    def instances(self, settings: Mapping[str, int]) -> int:
        """One for each flow."""
        return settings["flows"]

    def layOut(self) -> Arena:
        layout = Layout()
        link = self.trace.link
        at = {
            "link": layout.place(2 * len(link)),
            "ring": layout.place(_PACKET * self._ring),
            "delays": layout.place(4 * _DELAYS),
        }
        arena = Arena(Memory(layout), at)
        arena.memory.write(at["link"], link)
        return arena

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        """Which packets are lost by chance, nobody can build into a module: it follows from its digest."""
        arena.salted = (self.salt, 0)

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        at = arena.at
        seed = int.from_bytes(arena.salted[0][:8], "little", signed=True)
        path = (settings["rtt_ms"], settings["queue_packets"], settings["loss_permille"], settings["flows"])
        driver["wb_begin"](arena.memory.store, at["link"], at["ring"], self._ring - 1, at["delays"], seed, *path)

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        store = arena.memory.store
        # Whatever a policy answers has a meaning: there is no contract to break.
        lost = driver["wb_run"](store, start, end)
        return lost, {name: driver["wb_metric"](store, which) for which, name in enumerate(METRICS)}
