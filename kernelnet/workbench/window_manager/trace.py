"""Movements of a pointer, made ready: samples, the frames that count, the digest, and where the splits begin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.splits import SPLITS, splitEnds
from kernelnet.workbench.trace import BaseTrace
from kernelnet.workbench.window_manager.movement import REST, Movement
from kernelnet.workbench.window_manager.readers import readMovement, traceName

__all__ = ["FRAME", "MAX_AHEAD", "TRACKED", "Trace", "loadTrace", "makeTrace"]

FRAME = 16_667
"""Microseconds from one frame to the next: 60 Hz."""

MAX_AHEAD = 33_333
"""Microseconds after a frame at which it may be seen, at most; so long a pointer must be followed, or it doesn't
count."""

TRACKED = 18_000
"""Microseconds between samples, at most, where a pointer is followed."""

MIN_FRAMES = 100

LEAST, MOST = 1_000_000, 4_000_000
"""Of a variant's stretches, in microseconds."""

MISSING = 4
"""One in so many of them is missing."""

WANDER = 16_000_000
"""A stretch comes less than so many microseconds later or earlier than it would."""

SMALLER, LARGER = 1536, 2731
"""In a variant, all movements of a stretch are longer or shorter: from so many 2048ths to so many."""

CROSSED = 768
"""In a variant, to each stretch so many 2048ths of another part of the same split are added, moment by moment."""

SHAKEN = 32
"""And each movement is changed along and across its direction by up to so many 2048ths of its length."""

_ONE = 2048

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a frame that counts, the digest is of the samples.

    @ivar gaps: by sample, microseconds since the one before.
    @ivar moves: a row for each sample: milli-pixels to the right and down since the one before.
    @ivar frames: a row for each frame that counts: the number of its newest sample, and that one's age in microseconds.
    """

    gaps: npt.NDArray[np.uint32]
    moves: npt.NDArray[np.int32]
    frames: npt.NDArray[np.uint32]

    def samplesBefore(self, end: int) -> int:
        """Number of samples that are shown up to and with the frame before number C{end}."""
        return int(self.frames[end - 1, 0]) + 1 if end else 0

    def variant(self, seed: bytes) -> Trace:
        """
        The movements in stretches of one to four seconds, a quarter of them missing, the others a little out of order.

        Each stretch is mirrored or not, larger or smaller, and crossed by a share of what the pointer did at another
        time; each movement is shaken a little.  Frames are at other times.  So neither who counts nor who looks for
        what he saw before knows where in the trace he is; but what moves still moves as smoothly, or not, as it did.

        @param seed: see `VariableTrace.variant`.
        """
        gaps, moves, cuts = [], [], []
        for split, start, end in self.windows("held_out"):
            first, last = self.samplesBefore(start), self.samplesBefore(end)
            own, part = seed + split.encode("ascii"), slice(first, last)
            changed = self._shaken(own, part, _stretches(own, self.gaps[part], all_=False))
            if not len(_frames(*changed, _phase(seed))):
                # So few frames that none is left: all stretches, then.
                changed = self._shaken(own, part, _stretches(own, self.gaps[part], all_=True))
            gaps.append(changed[0])
            moves.append(changed[1])
            cuts.append(len(changed[0]))
        whole = np.concatenate(gaps), np.concatenate(moves)
        frames = _frames(*whole, _phase(seed))
        ends = np.searchsorted(frames[:, 0], np.cumsum(cuts))
        return replace(
            self,
            digest=seed.hex(),
            ends={split: int(end) for split, end in zip(SPLITS, ends, strict=True)},
            gaps=whole[0],
            moves=whole[1],
            frames=frames,
        )

    def _shaken(
        self, seed: bytes, part: slice, order: list[tuple[int, int]]
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
        """Samples of a split's stretches in their order, each stretch and each movement changed as is drawn for it."""
        kept = part.start + np.concatenate([np.arange(start, end) for start, end in order])
        lengths = [end - start for start, end in order]
        gaps = self.gaps[kept].copy()
        # Where a stretch begins, the pointer begins anew.
        begins = np.cumsum([0, *lengths[:-1]])
        gaps[begins] = REST
        drawn = np.frombuffer(hashlib.shake_128(seed + b" shaken").digest(8 * len(kept)), "<u4").reshape(-1, 2)
        each = np.frombuffer(hashlib.shake_128(seed + b" size").digest(8 * len(order)), "<u4").reshape(-1, 2)
        size = SMALLER + each[:, 0].astype(np.int64) % (LARGER - SMALLER + 1)
        mirrored = np.where(each[:, 1:] >> np.arange(2, dtype=np.uint32) & 1, -1, 1).astype(np.int64)
        along, across = (drawn.astype(np.int64) % (2 * SHAKEN + 1) - SHAKEN).T
        dx, dy = self.moves[kept].astype(np.int64).T
        turned = np.stack([dx * (_ONE + along) - dy * across, dy * (_ONE + along) + dx * across], 1)
        scaled = turned * np.repeat(size[:, None] * mirrored, lengths, axis=0)
        moves = (scaled + (_ONE * _ONE >> 1)) // (_ONE * _ONE)
        moves += _crossing(seed, self.gaps[part], self.moves[part], gaps, lengths)
        moves[begins] = 0
        return np.ascontiguousarray(gaps, "<u4"), np.ascontiguousarray(moves, "<i4")


def _crossing(
    seed: bytes,
    gaps: npt.NDArray[np.uint32],
    moves: npt.NDArray[np.int32],
    own: npt.NDArray[np.uint32],
    lengths: list[int],
) -> Indices:
    """
    Milli-pixels that are added to the movements of each stretch: a share of what the pointer did at another time.

    @param gaps, moves: of the whole split; C{own}: gaps of the stretches' samples, one after the other.
    @param lengths: of the stretches.
    """
    # Round and round, and without pauses: else a stretch would stay as it was while nothing is added.
    followed = gaps <= TRACKED
    time = np.concatenate([[0], np.cumsum(np.tile(np.where(followed, gaps, 1), 2), dtype=np.int64)])
    whole = int(time[len(gaps)])
    way = np.concatenate(
        [[[0, 0]], np.cumsum(np.tile(np.where(followed[:, None], moves, 0), (2, 1)), axis=0, dtype=np.int64)]
    )
    drawn = np.frombuffer(hashlib.shake_128(seed + b" crossed").digest(8 * len(lengths)), "<u4").reshape(-1, 2)
    starts = drawn[:, 0].astype(np.int64) * whole >> 32
    mirrored = np.where(drawn[:, 1:] >> np.arange(2, dtype=np.uint32) & 1, -CROSSED, CROSSED).astype(np.int64)
    since = np.cumsum(own, dtype=np.int64)
    begins = np.cumsum([0, *lengths[:-1]])
    at = np.repeat(starts - since[begins], lengths) + since
    at %= whole
    before = np.searchsorted(time, at, "right") - 1
    share = (at - time[before])[:, None]
    span = (time[before + 1] - time[before])[:, None]
    place = way[before] + (way[before + 1] - way[before]) * share // span
    steps = np.diff(place, axis=0, prepend=place[:1])
    # Where it went round, the place is the same once more.
    steps += np.where((np.diff(at, prepend=at[:1]) < 0)[:, None], way[len(gaps)], 0)
    steps[begins] = 0
    crossing: Indices = steps * np.repeat(mirrored, lengths, axis=0) // _ONE
    return crossing


def _stretches(seed: bytes, gaps: npt.NDArray[np.uint32], *, all_: bool) -> list[tuple[int, int]]:
    """
    C{(from, to)} by sample, in the order in which they come.

    @param all_: none is missing.
    """
    time = np.cumsum(gaps, dtype=np.int64)
    total = int(time[-1])
    numbers = np.frombuffer(hashlib.shake_128(seed).digest(12 * (2 + total // LEAST)), "<u4").reshape(-1, 3)
    numbers = numbers.astype(np.int64)
    ends = np.cumsum(LEAST + numbers[:, 0] % (MOST - LEAST))
    cuts = np.unique(np.minimum(np.searchsorted(time, ends), len(gaps)))
    cuts = np.concatenate([[0], cuts[cuts > 0]])
    found = []
    for (start, end), (_, missing, moved) in zip(
        zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True), numbers.tolist(), strict=False
    ):
        if all_ or missing % MISSING:
            found.append((int(time[start]) + moved % WANDER, start, end))
    return [(start, end) for _, start, end in sorted(found)] or _stretches(seed, gaps, all_=True)


def _phase(digest: bytes) -> int:
    """Time of the first frame after the first sample: follows from the digest, so that nobody can choose it."""
    return int.from_bytes(hashlib.sha256(b"frames" + digest).digest()[:4], "little") % FRAME


def _frames(gaps: npt.NDArray[np.uint32], moves: npt.NDArray[np.int32], phase: int) -> npt.NDArray[np.uint32]:
    """
    The frames that count: the pointer was just seen to move, and is followed until the last that may be asked for.

    @return: the newest sample of each, and its age.
    """
    time = np.cumsum(gaps, dtype=np.int64)
    at = np.arange(int(time[0]) + phase, int(time[-1]) - MAX_AHEAD + 1, FRAME, dtype=np.int64)
    newest = np.searchsorted(time, at, "right") - 1
    age = at - time[newest]
    # The sample at or behind the last moment, and how many pauses there are before each sample.
    behind = np.searchsorted(time, at + MAX_AHEAD, "left")
    pauses = np.cumsum(gaps > TRACKED)
    counts = (age <= TRACKED) & (moves[newest] != 0).any(axis=1) & (pauses[behind] == pauses[newest])
    return np.ascontiguousarray(np.stack([newest[counts], age[counts]], 1), "<u4")


def loadTrace(path: Path) -> Trace:
    """
    Read movements.

    @raise TraceError: see `readMovement`; or there are too few.
    """
    movement = readMovement(path)
    trace = makeTrace(movement, path)
    account = movement.account
    moving = int(trace.gaps[trace.gaps <= TRACKED].sum(dtype=np.int64))
    account.figures |= {
        "samples": len(trace.gaps),
        "time followed": f"{moving / 1e6:.1f} s",
        "frames that count": len(trace.frames),
    }
    return replace(trace, account=account)


def makeTrace(movement: Movement, path: Path) -> Trace:
    """Make a trace of what was read; C{path} is for its name and for errors."""
    gaps = np.ascontiguousarray(movement.gaps, "<u4")
    moves = np.ascontiguousarray(movement.moves, "<i4")
    digest = hashlib.sha256(b"kernelnet window_manager pointer 1\n" + gaps.tobytes() + moves.tobytes()).digest()
    frames = _frames(gaps, moves, _phase(digest)) if len(gaps) > 1 else np.zeros((0, 2), np.uint32)
    if len(frames) < MIN_FRAMES:
        right = (
            f"at least {MIN_FRAMES} are needed: of 60 a second those at which the pointer was just seen to move, and"
            f" is seen every {TRACKED // 1000} ms for {MAX_AHEAD // 1000} ms more"
        )
        raise TraceError(path, None, f"{len(frames)} frames count, of {len(gaps)} samples", right)
    return Trace(traceName(path), digest.hex(), splitEnds(len(frames)), gaps, moves, frames)
