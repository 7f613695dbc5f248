"""
The common part of all benches' traces: a name, a digest, three parts in time, and columns of dense numbers.

A bench's own trace adds its columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.splits import SPLITS
from kernelnet.workbench.thinning import leftOf, turnOf

__all__ = ["BaseTrace", "Numbers", "SplitTrace", "VariableTrace", "dense", "windowsOf"]

Numbers = npt.NDArray[np.uint32]
"""A column: one number for each event."""


class SplitTrace(Protocol):
    """Facts about a trace that machines and scenarios need; `BaseTrace` has them."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def digest(self) -> str:
        """Hex SHA-256 of what is measured."""

    def windows(self, upTo: str) -> list[tuple[str, int, int]]:
        """C{(split, from, to)} for each split up to and with C{upTo}."""


class VariableTrace(SplitTrace, Protocol):
    """One that has variants: what claims are measured on; see `kernelnet.workbench.variants`."""

    def seedFor(self, change: str, module: bytes) -> bytes:
        """See `BaseTrace.seedFor`."""

    def variant(self, seed: bytes) -> SplitTrace:
        """
        The trace without some of it, and in another order; which, follows from the seed.

        What is left of a split is the same split of the variant.  `BaseTrace.varied` says which events these are.

        @param seed: of `kernelnet.workbench.thinning.seedOf`, 32 bytes; the variant's digest is its hexadecimal digits,
            so that keys are the variant's own, too.
        """


@dataclass(frozen=True, eq=False)
class BaseTrace:
    """
    @ivar name: for people.
    @ivar digest: hex SHA-256 of what is measured, whatever file it was read from.
    @ivar ends: by split, the event before which it ends.
    @ivar turns: by split, with which of its events, counted from its first, a variant begins it; see `thinning`.
    """

    name: str
    digest: str
    ends: dict[str, int]
    turns: Mapping[str, int] = field(default_factory=dict, kw_only=True)

    def windows(self, upTo: str) -> list[tuple[str, int, int]]:
        """C{(split, from, to)} for each split up to and with C{upTo}; raises C{ValueError} for an unknown one."""
        result, start = [], 0
        for split in SPLITS[: SPLITS.index(upTo) + 1]:
            result.append((split, start, self.ends[split]))
            start = self.ends[split]
        return result

    def learnAndCheck(self) -> tuple[slice, slice]:
        """Where patterns are learned and where they are checked: the end of train and validation, equally long."""
        trainEnd, validationEnd = self.ends["train"], self.ends["validation"]
        window = min(trainEnd, validationEnd - trainEnd)
        return slice(trainEnd - window, trainEnd), slice(trainEnd, trainEnd + window)

    def varied(self, seed: bytes) -> tuple[Numbers, dict[str, int], dict[str, int]]:
        """
        Events of which a variant consists; see `kernelnet.workbench.thinning`.

        @return: the events in order; C{ends} and C{turns} of the variant.
        """
        parts, ends, turns, total = [], {}, {}, 0
        for split, start, end in self.windows("held_out"):
            left = start + np.nonzero(leftOf(seed, split, end - start))[0].astype(np.uint32)
            turn = turns[split] = turnOf(seed, split, len(left))
            parts += [left[turn:], left[:turn]]
            total += len(left)
            ends[split] = total
        return np.concatenate(parts), ends, turns

    def seedFor(self, change: str, module: bytes) -> bytes:
        """
        Seed of a change of this trace, which nobody knows before the module is done.

        @param module: its digest.
        """
        return hashlib.sha256(change.encode("ascii") + module + bytes.fromhex(self.digest)).digest()


def windowsOf(trace: SplitTrace, split: str, count: int) -> list[tuple[int, int, int]]:
    """
    A split in windows about equally long, in the order of the trace; the same ones for each of its variants, but for
    what is missing there.

    @param count: so many windows; fewer where there are fewer events.
    @return: C{(window, from, to)}, one after the other as they are met.  Of one window there are two pieces, if a
        variant begins within it.
    """
    start, end = trace.windows(split)[-1][1:]
    events = end - start
    turn = trace.turns.get(split, 0) if isinstance(trace, BaseTrace) else 0
    count = max(1, min(count, events))
    pieces: list[tuple[int, int, int]] = []
    for window in range(count):
        # As they were before the turn.
        first, behind = events * window // count, events * (window + 1) // count
        cut = min(max(turn, first), behind)
        pieces += [(window, low, high) for low, high in ((first, cut), (cut, behind)) if low < high]
    met = sorted(((low - turn) % events, window, high - low) for window, low, high in pieces)
    return [(window, start + at, start + at + long) for at, window, long in met]


def dense(ids: npt.NDArray[Any]) -> tuple[Numbers, int]:
    """
    Numbers from 0 in the order of first appearance.

    @return: the column, and how many different ones there are.
    """
    distinct, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    number = np.empty(len(distinct), np.uint32)
    number[np.argsort(first, kind="stable")] = np.arange(len(distinct), dtype=np.uint32)
    return np.ascontiguousarray(number[inverse], dtype="<u4"), len(distinct)
