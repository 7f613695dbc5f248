"""A link, made ready: opportunities by millisecond, its digest, and where train, validation and held-out begin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.network_stack.readers import linkName, readLink
from kernelnet.workbench.splits import splitEnds
from kernelnet.workbench.trace import BaseTrace

__all__ = ["SECOND", "Trace", "loadTrace", "makeTrace"]

MIN_SECONDS = 10
SECOND = 1000

LEAST, MOST = 1000, 4000
"""Of a variant's stretches, in milliseconds."""

MISSING = 4
"""One in so many of them is missing."""

WANDER = 16_000
"""A stretch comes less than so many milliseconds later or earlier than it would."""


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a second, the digest is of the opportunities.

    @ivar link: opportunities by millisecond; whole seconds.
    """

    link: npt.NDArray[np.uint16]

    @property
    def seconds(self) -> int:
        return self.ends["held_out"]

    def variant(self, seed: bytes) -> Trace:
        """
        The link in stretches of one to four seconds, a quarter of which are missing, the others a little out of order.

        So who adds up milliseconds doesn't know where in the link he is.  What lasts longer than some seconds, such as
        slow and fast times, stays where it is, about.

        @param seed: see `VariableTrace.variant`.
        """
        kept: list[tuple[int, int]] = []
        ends: dict[str, int] = {}
        for split, first, last in self.windows("held_out"):
            part = _stretches(seed + split.encode("ascii"), first * SECOND, last * SECOND)
            # Whole seconds count: a part of one that is over at the end is left out.
            seconds = sum(end - start for start, end in part) // SECOND
            kept += _cut(part, seconds * SECOND)
            ends[split] = seconds + (max(ends.values()) if ends else 0)
        link = np.concatenate([self.link[start:end] for start, end in kept])
        return replace(self, digest=seed.hex(), ends=ends, link=link)


def _stretches(seed: bytes, first: int, last: int) -> list[tuple[int, int]]:
    """C{(from, to)}, in the order in which they come; at least a second of a part that has one."""
    numbers = np.frombuffer(hashlib.shake_128(seed).digest(12 * (1 + (last - first) // LEAST)), "<u4").reshape(-1, 3)
    whole: list[tuple[int, int, int]] = []
    start = first
    for length, missing, moved in numbers.tolist():
        end = min(last, start + LEAST + length % (MOST - LEAST))
        whole.append((start + moved % WANDER, start, end) if missing % MISSING else (-1, start, end))
        start = end
        if start == last:
            break
    kept = [stretch for stretch in whole if stretch[0] >= 0]
    if sum(end - start for _, start, end in kept) < SECOND:
        kept = whole
    return [(start, end) for _, start, end in sorted(kept)]


def _cut(stretches: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """The first C{most} milliseconds of them."""
    kept = []
    for start, end in stretches:
        kept.append((start, min(end, start + most)))
        most -= kept[-1][1] - start
    return kept


def loadTrace(path: Path) -> Trace:
    """
    Read a link.

    @raise TraceError: see `readLink`; or it is too short.
    """
    return makeTrace(readLink(path), path)


def makeTrace(link: npt.NDArray[np.uint16], path: Path) -> Trace:
    """Make a trace of opportunities by millisecond; C{path} is for its name and for errors."""
    seconds = len(link) // SECOND
    if seconds < MIN_SECONDS:
        right = f"at least {MIN_SECONDS} are needed; it is not repeated, as held-out would be what was trained on"
        raise TraceError(path, None, f"it lasts {seconds} seconds", right)
    link = np.ascontiguousarray(link[: seconds * SECOND], dtype="<u2")
    digest = hashlib.sha256(b"kernelnet network_stack link 1\n" + link.tobytes()).hexdigest()
    return Trace(linkName(path), digest, splitEnds(seconds), link)
