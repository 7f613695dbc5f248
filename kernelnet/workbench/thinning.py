"""
The events of a part of a trace that one of its variants has, and their order; see `kernelnet.workbench.variants`.

Events are left out on every scale: single ones, and runs of 4, 16, 64, …, up to an eighth of the part.  So the place in
the trace that an event has is uncertain by some percents, and what a few events in a row look like is seldom what it
was.  Then the part is turned: it begins anywhere, goes on to its end, and then from its beginning to where it began.
What follows what stays the same but for that one seam, and no count tells any more where in the trace an event is.

All that is drawn are integers from SHAKE-128 of the seed: the same on every machine, with any version of numpy.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["drawn", "leftOf", "seedOf", "turnOf"]

SINGLE = 3
RUNS = 6
LONGEST = 3
"""Binary logarithms: of what share is left out one by one, and in runs of each length; and of how long these may be."""

Indices = npt.NDArray[np.int64]


def drawn(seed: bytes, purpose: str, count: int, below: int) -> Indices:
    """
    Numbers from 0 to before C{below}.

    @param purpose: other numbers for another one.
    @param below: at most 2^32.
    """
    words = np.frombuffer(hashlib.shake_128(seed + purpose.encode("ascii")).digest(4 * count), "<u4")
    return (words.astype(np.uint64) * np.uint64(below) >> np.uint64(32)).astype(np.int64)


def leftOf(seed: bytes, part: str, events: int) -> npt.NDArray[np.bool_]:
    """
    Events of a part of so many that a variant has.

    @param part: its name; others are left out of another part.
    @return: by event.
    """
    change = np.zeros(events + 1, np.int32)
    _leaveOut(change, drawn(seed, f"{part} 1", events >> SINGLE, events), 1)
    length = 4
    while length <= events >> LONGEST:
        whole, rest = divmod(events >> RUNS, length)
        # What is less than a whole run is one with that probability.
        count = whole + int(drawn(seed, f"{part} {length} more", 1, length)[0] < rest)
        _leaveOut(change, drawn(seed, f"{part} {length}", count, events), length)
        length *= 4
    left: npt.NDArray[np.bool_] = np.cumsum(change[:-1], dtype=np.int32) == 0
    if not left.any():
        left[:1] = True
    return left


def _leaveOut(change: npt.NDArray[Any], starts: Indices, length: int) -> None:
    np.add.at(change, starts, 1)
    np.add.at(change, np.minimum(starts + length, len(change) - 1), -1)


def seedOf(secret: bytes, number: int, of: int) -> bytes:
    """
    Seed of one variant of several: 16 bytes of its own, 4 of where it begins, and 12 that all of them share.

    All begin at places as far from each other as can be, so that together they show as much of each place.

    @param secret: 32 bytes.
    @param number: from 0 to before C{of}.
    """
    begins = (int.from_bytes(secret[:4], "little") + (number << 32) // of) % (1 << 32)
    own = hashlib.sha256(secret + number.to_bytes(4, "little")).digest()
    return own[:16] + begins.to_bytes(4, "little") + secret[4:16]


def turnOf(seed: bytes, part: str, events: int) -> int:
    """
    The event, of so many that are left of a part, with which it begins: anywhere, and elsewhere in each part.

    @param seed: see `seedOf`.
    """
    begins = int.from_bytes(seed[16:20], "little") + int(drawn(seed[20:], f"{part} begins", 1, 1 << 32)[0])
    return begins % (1 << 32) * events >> 32
