"""A call, made ready: transits by frame, its digest, and where train, validation and held-out begin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.audio.packets import FRAME, LOST, framesOf
from kernelnet.workbench.audio.readers import callName, readPackets
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.splits import splitEnds
from kernelnet.workbench.trace import BaseTrace

__all__ = ["PER_SECOND", "Trace", "arrivalsOf", "loadTrace", "makeTrace"]

PER_SECOND = 1_000_000 // FRAME
"""Frames."""

MIN_FRAMES = 20 * PER_SECOND

LEAST, MOST = 2 * PER_SECOND, 6 * PER_SECOND
"""Of a variant's stretches, in frames, but for the second in which the quietest frame is looked for."""

MISSING = 4
"""One in so many of them is missing."""

WANDER = 20 * PER_SECOND
"""A stretch comes less than so many frames later or earlier than it would."""

MOST_JOINED = 1_000_000
"""Microseconds by which transits differ, at most, where two stretches are made to meet."""

ZOOM = 1024
SMALLEST, LARGEST = 922, 1128
"""A stretch lasts so many 1024ths of what it did, and so do its transits."""

Transits = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a frame, the digest is of the transits.

    @ivar transits: by frame, in microseconds above the least; C{LOST} for those that never came.
    """

    transits: Transits

    def variant(self, seed: bytes) -> Trace:
        """
        The call in stretches of two to seven seconds, a quarter of which are missing, the others out of order by up to
        twenty seconds; each of them, with its transits, a little longer or shorter.

        A stretch begins at the quietest frame of a second, and where transits differ they change by 20 ms a frame from
        one to the other, as those of a queue do that empties, or that fills while nothing is delivered.  A stretch
        that is longer in both directions has the slopes that it had: no frame overtakes another that didn't before,
        and a queue that empties does so at the link's rate.  So who adds up frames doesn't know where in the call he
        is, and who recognises a transit doesn't know what comes next, nor when.

        @param seed: see `VariableTrace.variant`.
        """
        kept: list[Transits] = []
        ends: dict[str, int] = {}
        total = 0
        for split, first, last in self.windows("held_out"):
            for start, end, size in _stretches(seed + split.encode("ascii"), self.transits, first, last):
                kept.append(_zoomed(self.transits[start:end], size))
                total += len(kept[-1])
                if len(kept) > 1:
                    _join(*kept[-2:])
            ends[split] = total
        return replace(self, digest=seed.hex(), ends=ends, transits=np.concatenate(kept))


def _stretches(seed: bytes, transits: Transits, first: int, last: int) -> list[tuple[int, int, int]]:
    """C{(from, to, size)}, in the order in which they come; one at least."""
    numbers = np.frombuffer(hashlib.shake_128(seed).digest(16 * (2 + (last - first) // LEAST)), "<u4").reshape(-1, 4)
    whole: list[tuple[int, int, int, int]] = []
    start = first
    for length, missing, moved, size in numbers.tolist():
        end = start + LEAST + length % (MOST - LEAST)
        # What is lost says nothing of how quiet it is.
        second = transits[end : min(end + PER_SECOND, last)]
        end = last if last - end < 2 * PER_SECOND else end + int(np.argmin(np.where(second == LOST, 1 << 30, second)))
        moves = start + moved % WANDER if missing % MISSING else -1
        whole.append((moves, start, end, SMALLEST + size % (LARGEST - SMALLEST)))
        start = end
        if start == last:
            break
    kept = [stretch for stretch in whole if stretch[0] >= 0] or whole
    return [(start, end, size) for _, start, end, size in sorted(kept)]


def _zoomed(transits: Transits, size: int) -> Transits:
    """A stretch in so many 1024ths of its time, and its transits likewise; between two frames that came on a line."""
    place = np.arange(max(1, len(transits) * size // ZOOM), dtype=np.int64) * ZOOM
    at, rest = place // size, place % size
    here = transits[at].astype(np.int64)
    following = transits[np.minimum(at + 1, len(transits) - 1)].astype(np.int64)
    following = np.where(following == LOST, here, following)
    between = (here * (size - rest) + following * rest) // size
    return np.where(here == LOST, LOST, between * size // ZOOM).astype(np.int32)


def _join(before: Transits, behind: Transits) -> None:
    """Raise the end of a stretch, or the beginning of the next, so that nothing overtakes where they meet."""
    came, comes = np.flatnonzero(before != LOST), np.flatnonzero(behind != LOST)
    if not len(came) or not len(comes):
        return
    first, last = int(behind[comes[0]]), int(before[came[-1]])
    if abs(first - last) > MOST_JOINED:
        return
    steps = 1 + np.arange(MOST_JOINED // FRAME)
    for part, height in ((behind, last), (before[::-1], first)):
        ramp = (height - FRAME * steps[: len(part)]).astype(np.int32)
        end = part[: len(ramp)]
        np.copyto(end, np.maximum(end, ramp), where=end != LOST)


def arrivalsOf(transits: Transits) -> npt.NDArray[np.uint32]:
    """Frames that aren't lost, as they come; of two that come at once the one that was sent first comes first."""
    frames = np.flatnonzero(transits != LOST)
    came = frames * FRAME + transits[frames]
    return frames[np.argsort(came, kind="stable")].astype("<u4")


def loadTrace(path: Path) -> Trace:
    """
    Read a call.

    @raise TraceError: see `readPackets`; or it is too short.
    """
    packets = readPackets(path)
    trace = makeTrace(framesOf(path, packets), path)
    packets.account.figures["seconds"] = len(trace.transits) // PER_SECOND
    return replace(trace, account=packets.account)


def makeTrace(transits: Transits, path: Path) -> Trace:
    """Make a trace of transits by frame; C{path} is for its name and for errors."""
    if len(transits) < MIN_FRAMES:
        wrong = f"it has {len(transits)} frames of 20 ms"
        raise TraceError(path, None, wrong, f"at least {MIN_FRAMES} are needed, {MIN_FRAMES // PER_SECOND} seconds")
    transits = np.ascontiguousarray(transits, dtype="<i4")
    digest = hashlib.sha256(b"kernelnet audio transits 1\n" + transits.tobytes()).hexdigest()
    return Trace(callName(path), digest, splitEnds(len(transits)), transits)
