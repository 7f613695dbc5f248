"""Packets of a recording: what readers give, whatever the format; and what of them is frames of voice, 20 ms each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.account import Account
from kernelnet.workbench.errors import TraceError

__all__ = ["FRAME", "LOST", "MAX_FRAMES", "MAX_PACKETS", "Packets", "framesOf", "transitsOf", "unwrapped"]

FRAME = 20_000
"""Microseconds."""

LOST = -1
"""Instead of the transit of a frame that never came."""

MAX_FRAMES = 6 * 3600 * 50
"""Six hours."""

MAX_PACKETS = 4 << 20

MAX_TRANSIT = 1 << 30
"""Microseconds, some 18 minutes: what takes longer never came."""

_SHORT, _LONG, _LONGEST = 15_000, 25_000, 100_000
"""
Microseconds between packets: below the first they are thinned out, above the second doubted, above the last refused.
"""

_DRIFT = 1_000
"""Microseconds over all of the recording: a drift of less is none."""

_LASTS = 20_000_000
"""Microseconds: in less nobody tells a drift from a queue."""

_MUCH = 500e-6
"""Drift of clocks above which something else may be the reason."""

Times = npt.NDArray[np.int64]


@dataclass
class Packets:
    """
    Packets that came, in any order, of one stream; numbers that are missing between them were lost.

    @ivar oneClock: whether C{sent} and C{received} are of the same clock.
    """

    account: Account = field(default_factory=Account)
    oneClock: bool = True
    numbers: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)

    def add(self, path: Path, number: int, sent: int, received: int) -> None:
        """
        @param sent: in microseconds; so is C{received}.
        @raise TraceError: there are too many.
        """
        if len(self.numbers) >= MAX_PACKETS:
            raise TraceError(path, None, f"more than {MAX_PACKETS} packets", "use a part of it")
        self.numbers.append(number)
        self.sent.append(sent)
        self.received.append(received)


def unwrapped(numbers: Sequence[int], bits: int, near: int | None = None) -> list[int]:
    """
    Numbers of so many bits that begin anew, as they would be if they didn't: each as near to the one before as may be.

    @param near: what the first is near to; C{None}: it is what it is.
    """
    period, found, before = 1 << bits, [], near
    for number in numbers:
        before = number if before is None else before + (number - before + period // 2) % period - period // 2
        found.append(before)
    return found


def framesOf(path: Path, packets: Packets) -> npt.NDArray[np.int32]:
    """
    Transits by frame, in microseconds above the least; C{LOST} for those that never came.

    Packets that are sent about each 20 ms are the frames.  Of those that come more often each that is the first of 20
    ms is one.

    @raise TraceError: there are too few or too many, or they are too far apart.
    """
    account, numbers = packets.account, np.array(packets.numbers, np.int64)
    if len(numbers) < 2 or numbers.min() == numbers.max():
        right = "a recording has packets that are sent regularly, such as each 20 ms"
        raise TraceError(path, None, f"{len(set(packets.numbers))} packets", right)
    sent, received = np.array(packets.sent, np.int64), np.array(packets.received, np.int64)
    # By number; of several with the same the one that came first.
    order = np.lexsort((received, numbers))
    order = order[np.diff(numbers[order], prepend=numbers.min() - 1) > 0]
    if len(order) < len(numbers):
        account.skipped["packets that came more than once"] += len(numbers) - len(order)
    numbers, sent, received = numbers[order] - numbers.min(), sent[order], received[order]
    account.figures["packets"] = len(numbers)
    interval = float(np.median(np.diff(sent) / np.diff(numbers)))
    account.figures["sent each"] = f"{interval / 1000:.3g} ms"
    if not 0 < interval <= _LONGEST:
        right = f"they should be sent each 20 ms, and at most {_LONGEST // 1000} ms apart"
        raise TraceError(path, None, f"packets are sent each {interval / 1000:.6g} ms", right)
    transits = transitsOf(sent, received, packets)
    frames, chosen = numbers, numbers
    if interval < _SHORT:
        # The first packet of each frame, whether it came or not.
        many = int(numbers[-1] * interval // FRAME) + 1
        _refuseMany(path, many)
        chosen = np.ceil(np.arange(many) * (FRAME / interval)).astype(np.int64)
        at = np.minimum(np.searchsorted(numbers, chosen), len(numbers) - 1)
        came = numbers[at] == chosen
        frames, transits = np.flatnonzero(came), transits[at[came]]
        account.figures["frames"] = f"{many}, of packets sent more often the first of each 20 ms"
    else:
        _refuseMany(path, many := int(numbers[-1]) + 1)
        account.figures["frames"] = many
        if interval > _LONG:
            account.doubt(
                f"packets are sent each {interval / 1000:.3g} ms; each counts as a frame of 20 ms: record at 20 ms"
            )
    whole = np.full(many, LOST, np.int64)
    if not len(frames):
        raise TraceError(path, None, "no frame came", "a recording has packets that came")
    whole[frames] = np.minimum(transits - transits.min(), MAX_TRANSIT)
    account.figures["lost"] = int(np.count_nonzero(whole == LOST))
    account.figures["longest transit"] = f"{whole.max() / 1000:.1f} ms above the least"
    return whole.astype(np.int32)


def _refuseMany(path: Path, frames: int) -> None:
    if frames > MAX_FRAMES:
        raise TraceError(path, None, f"{frames} frames of 20 ms", f"{MAX_FRAMES} are the most, six hours; use a part")


def transitsOf(sent: Times, received: Times, packets: Packets) -> Times:
    """
    Time on the way, above an unknown constant; a drift of two clocks is taken out.

    The drift is the slope of the line below all transits that is nearest to them (Moon, Skelly and Towsley, Estimation
    and removal of clock skew from network delay measurements, INFOCOM 1999): an edge of their convex hull.
    """
    transits: Times = received - sent
    if packets.oneClock or sent[-1] - sent[0] < _LASTS:
        return transits
    slope = _skew(sent - sent[0], transits - transits.min())
    if abs(slope) * float(sent[-1] - sent[0]) < _DRIFT:
        return transits
    packets.account.figures["drift of the clocks"] = f"{slope * 1e6:+.1f} ppm, taken out"
    if abs(slope) > _MUCH:
        packets.account.doubt(f"the clocks drift apart by {slope * 1e6:+.0f} ppm: is the clock rate right?")
    straight: Times = transits - np.round(slope * (sent - sent[0])).astype(np.int64)
    return straight


def _skew(times: Times, transits: Times) -> float:
    """Slope of the edge of the lower convex hull that is below the mean time."""
    hull: list[tuple[int, int]] = []
    for x, y in zip(times.tolist(), transits.tolist(), strict=True):
        if hull and x <= hull[-1][0]:
            continue
        while len(hull) > 1:
            (x1, y1), (x2, y2) = hull[-2:]
            if (y2 - y1) * (x - x2) < (y - y2) * (x2 - x1):
                break
            hull.pop()
        hull.append((x, y))
    mean = float(times.mean())
    for (x1, y1), (x2, y2) in itertools.pairwise(hull):
        if x1 <= mean <= x2:
            return (y2 - y1) / (x2 - x1)
    return 0.0
