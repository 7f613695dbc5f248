"""The security bench's machine: what its driver walks, and what it knows of each sequence."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.machine import Arena, Layout, Machine, Memory, ownModule
from kernelnet.workbench.security.abis import ABIS, FEATURES, HEADER
from kernelnet.workbench.security.detection import detection
from kernelnet.workbench.security.trace import Trace

__all__ = ["SecurityMachine", "features"]

_HERE = Path(__file__).parent

_GRAMS_MOST, _GRAM, _BAGS = 1 << 22, 6, 1000
"""As kn_security.h and features.c have them."""


class SecurityMachine(Machine):
    """See `Machine`; an event is a sequence under test."""

    abis = ABIS
    header = HEADER

    trace: Trace

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self._computing = threading.Lock()
        self._features: npt.NDArray[np.float64] | None = None

    def features(self) -> npt.NDArray[np.float64]:
        """See `features`; computed once."""
        with self._computing:
            if self._features is None:
                self._features = features(self.trace)
            return self._features

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        """2000 units a call, where STIDE uses 150, and 100000 a sequence under test."""
        return 100_000_000 + 2_000 * self.trace.callsBefore(events) + 100_000 * events

    def memoryLimit(self, settings: Mapping[str, int]) -> int:
        """256 MiB."""
        return 256 << 20

    def layOut(self) -> Arena:
        layout, trace = Layout(), self.trace
        at = {
            "calls": layout.place(4 * len(trace.calls)),
            "starts": layout.place(4 * len(trace.starts)),
            "key": layout.place(4 * trace.distinct),
            "order": layout.place(4 * trace.sequences),
            "features": layout.place(8 * len(FEATURES) * trace.sequences),
            "scores": layout.place(8 * trace.sequences),
        }
        arena = Arena(Memory(layout), at)
        for name, array in (("calls", trace.calls), ("starts", trace.starts)):
            arena.memory.write(at[name], array)
        return arena

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        """Calls get other numbers, sequences another order within what they are for, and a rank function features."""
        salt, trace = self.salt, self.trace
        if self.shapeOf(wasm).abi.function and not arena.at.get("ranked"):
            arena.memory.write(arena.at["features"], self.features())
            arena.at["ranked"] = 1
        if arena.salted[0] == salt:
            return
        drawn = np.frombuffer(hashlib.shake_128(salt).digest(8 * (trace.distinct + trace.sequences)), "<u8")
        keys = _permutation(drawn[: trace.distinct])
        drawn, order, start = drawn[trace.distinct :], [], 0
        for part in (trace.learned, *(trace.learned + end for end in trace.ends.values())):
            order.append(start + _permutation(drawn[start:part]))
            start = part
        arena.memory.write(arena.at["key"], keys)
        arena.memory.write(arena.at["order"], np.ascontiguousarray(np.concatenate(order), "<u4"))
        arena.salted = (salt, end)

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        at, trace = arena.at, self.trace
        places = (at[name] for name in ("calls", "starts", "key", "order", "features", "scores"))
        driver["wb_begin"](arena.memory.store, *places, trace.learned, trace.distinct)

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        """
        Of a part of a split, such as its third quarter, this part of its normal sequences and of its attacks is scored.

        They come in another order for each module, so all of the split is run: the parts are the same for all modules.
        """
        (window,) = (w for w in self.trace.windows("held_out") if w[1] <= start < end <= w[2])
        split, first, last = window
        driver["wb_run"](arena.memory.store, last)
        place = arena.at["scores"] + 8 * (self.trace.learned + first)
        scores, normals = arena.memory.read(place, last - first, "<f8"), self.trace.normals[split]
        parts = (
            kind[len(kind) * (start - first) // (last - first) : len(kind) * (end - first) // (last - first)]
            for kind in (scores[:normals], scores[normals:])
        )
        found = detection(*parts)
        return found.score, found.metrics


def _permutation(drawn: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """Which number comes when, if they are sorted by what was drawn for them."""
    return np.ascontiguousarray(np.argsort(drawn, kind="stable"), "<u4")


def features(trace: Trace) -> npt.NDArray[np.float64]:
    """By sequence (those to learn have zeros) and feature: what kn_security.h says; see features.c."""
    layout = Layout()
    calls, starts = layout.place(4 * len(trace.calls)), layout.place(4 * len(trace.starts))
    out = layout.place(8 * len(FEATURES) * trace.sequences)
    learned = int(trace.starts[trace.learned])
    # The n-grams' tree takes 16 bytes a node, and 8 to 16 for its buckets; then the bags.
    nodes = min(_GRAMS_MOST, _GRAM * learned + 1)
    room = layout.place(48 * nodes + 4 * _BAGS * trace.distinct + 64 * trace.distinct + (1 << 20))
    with contextlib.closing(Memory(layout)) as memory:
        memory.write(calls, trace.calls)
        memory.write(starts, trace.starts)
        exports = memory.alone(ownModule(_HERE / "features.c", HEADER))
        exports["features"](memory.store, calls, starts, trace.learned, trace.sequences, trace.distinct, room, out)
        found: npt.NDArray[np.float64] = memory.read(out, trace.sequences * len(FEATURES), "<f8")
    return found.reshape(trace.sequences, len(FEATURES))
