"""A session, made ready: its frames, their damage, digest, splits, and variants of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.graphics.frames import DEFAULT_PERIOD, MAX_FRAMES, MAX_WORK, Frames
from kernelnet.workbench.graphics.readers import readFrames, traceName
from kernelnet.workbench.splits import splitEnds
from kernelnet.workbench.thinning import drawn
from kernelnet.workbench.trace import BaseTrace, Numbers

__all__ = ["MAX_REFRESHES", "MIN_FRAMES", "RATES", "Trace", "exchanged", "loadTrace", "makeTrace"]

MIN_FRAMES = 50
MAX_REFRESHES = 64

RATES = (240, 165, 144, 120, 90, 75, 60, 48, 30, 20)
"""
Refresh rates, in Hz, of which a recording of one program's frames gets the highest at which nine of ten are in time.

A compositor's recording, which tells what has changed, gets 60 Hz.
"""

FULL = 0.8
"""Share of a period that these nine may take."""

NEAR = 16
"""In a variant, the level of work is the median of that of so many frames of the same damage on either side."""

RUN = 16
"""Ratios to that level come in any order, in runs of so many of the same damage."""

COST = 512
"""Damage of each set costs more or less by up to so many 2048ths."""

SIZE = 128
"""That and the times of commits are longer or shorter by up to so many 2048ths."""


Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a frame; times are in microseconds.

    @ivar work: by frame: how long the repaint took.
    @ivar refreshes: by frame: vblanks since the one before, 1 to `MAX_REFRESHES`.
    @ivar first: by frame: its first commit; one more than there are frames.
    @ivar damage: by frame: which surfaces changed, numbered in the order of first appearance.
    @ivar surface: by commit: which one, numbered likewise.
    @ivar at: by commit: when, after the vblank.
    @ivar period: between two vblanks.
    """

    work: Numbers
    refreshes: Numbers
    first: Numbers
    damage: Numbers
    surface: Numbers
    at: Numbers
    period: int

    @property
    def surfaces(self) -> int:
        return int(self.surface.max()) + 1 if len(self.surface) else 0

    def variant(self, seed: bytes) -> Trace:
        """
        The session without about a fifth of its frames, begun elsewhere, and with other work.

        Which frames are left, and with which each split begins, is as for all benches (`BaseTrace.varied`).  Besides,
        the work is `exchanged`, and a little longer or shorter, as the times of commits are: so knowing where in the
        session one is tells what that damage costs there, more or less, and nothing about the single frame.

        @param seed: see `VariableTrace.variant`.
        """
        kept, ends, turns = self.varied(seed)
        work = self.work.astype(np.int64)
        for split, start, end in self.windows("held_out"):
            work[start:end] = exchanged(work[start:end], self.damage[start:end], seed, split)
        at = np.minimum(_stretched(self.at.astype(np.int64), seed, "at"), self.period)
        many = np.diff(self.first)[kept].astype(np.int64)
        first = np.concatenate([[0], np.cumsum(many)])
        commits = np.repeat(self.first[:-1][kept].astype(np.int64) - first[:-1], many) + np.arange(first[-1])
        return replace(
            self,
            digest=seed.hex(),
            ends=ends,
            turns=turns,
            work=_column(_stretched(work, seed, "work")[kept]),
            refreshes=_column(self.refreshes[kept]),
            first=_column(first),
            damage=_column(self.damage[kept]),
            surface=_column(self.surface[commits]),
            at=_column(at[commits]),
        )


def exchanged(work: npt.NDArray[np.int64], damage: Numbers, seed: bytes, split: str) -> npt.NDArray[np.int64]:
    """
    Work of a split's frames, in which what is not about the damage comes elsewhere.

    The work of a frame is a level, the median of those of the same damage around it, and a ratio to that.  Each damage
    costs more or less by a factor of its own; its ratios are cut into runs, which come in any order.
    """
    level, run, order = _levels(work, damage)
    ratio = work[order] / level
    sets, first = np.unique(damage[order], return_index=True)
    factor = 2048 - COST + drawn(seed, f"{split} cost", len(sets), 2 * COST + 1)
    number = np.repeat(np.arange(len(sets)), np.diff(np.append(first, len(work))))
    # Runs of all sets are numbered one after the other; within a set they are sorted by what is drawn for them.
    key = drawn(seed, f"{split} runs", int(run[-1]) + 1, 1 << 31)[run]
    moved = np.lexsort((np.arange(len(work)), key, number))
    result = np.empty(len(work), np.int64)
    result[order] = np.rint(level * ratio[moved] * factor[number] / 2048).astype(np.int64)
    return np.minimum(result, MAX_WORK)


def _levels(work: npt.NDArray[np.int64], damage: Numbers) -> tuple[npt.NDArray[np.float64], Indices, Indices]:
    """
    Levels of frames, the number of the run that each belongs to, and the frames, by damage and in time.

    @return: level and run in the order of the third.
    """
    order = np.argsort(damage, kind="stable")
    starts = np.nonzero(np.diff(damage[order], prepend=damage[order[:1]] + 1))[0]
    level = np.empty(len(work))
    run = np.empty(len(work), np.int64)
    runs = 0
    for start, end in zip(starts, [*starts[1:], len(work)], strict=True):
        own = work[order[start:end]]
        many = len(own)
        around = np.pad(own, NEAR, mode="reflect" if many > NEAR else "edge")
        windows = np.lib.stride_tricks.sliding_window_view(around, 2 * NEAR + 1)
        level[start:end] = np.maximum(np.median(windows, axis=1), 1)
        length = max(1, min(RUN, many // 4))
        run[start:end] = runs + np.arange(many) // length
        runs += -(-many // length)
    return level, run, order


def _stretched(times: npt.NDArray[np.int64], seed: bytes, purpose: str) -> npt.NDArray[np.int64]:
    """Times, each changed by up to `SIZE` 2048ths, up or down; rounded."""
    return (times * (2048 - SIZE + drawn(seed, purpose, len(times), 2 * SIZE + 1)) + 1024) // 2048


def _column(numbers: npt.NDArray[Any]) -> Numbers:
    return np.ascontiguousarray(numbers, "<u4")


def loadTrace(path: Path) -> Trace:
    """
    Read a session.

    @raise TraceError: see `readFrames`; or it is too short.
    """
    frames = readFrames(path)
    trace, account = makeTrace(frames, path), frames.account
    median, tail = (int(np.quantile(trace.work, q)) for q in (0.5, 0.99))
    account.figures = {
        "frames": len(trace.work),
        "period": f"{trace.period} µs" + ("" if frames.period else ", as nobody says"),
        "work": f"{median} µs in the median, {tail} µs of 99 %",
        "surfaces": trace.surfaces,
        "sets of them that change together": int(trace.damage.max()) + 1,
        **account.figures,
    }
    if not trace.surfaces:
        account.doubt("nothing tells which surfaces change: that leaves a policy the past work alone to go by")
    return replace(trace, account=account)


def makeTrace(frames: Frames, path: Path) -> Trace:
    """Make a trace of what was read; C{path} is for its name and for errors."""
    count = len(frames.work)
    if not MIN_FRAMES <= count <= MAX_FRAMES:
        raise TraceError(path, None, f"it has {count} frames", f"{MIN_FRAMES} to {MAX_FRAMES} are needed")
    ends = splitEnds(count)
    work = np.array(frames.work, np.int64)
    period = frames.period or (DEFAULT_PERIOD if frames.surfaces else _periodOf(work[: ends["train"]]))
    gaps = np.diff(np.array(frames.begin, np.int64), prepend=frames.begin[0])
    sets: dict[tuple[int, ...], int] = {}
    damage, surface, at, first = [], [], [], [0]
    for commits in frames.commits:
        numbers = [frames.surfaces[name] for name, _ in commits]
        damage.append(sets.setdefault(tuple(sorted(numbers)), len(sets)))
        surface += numbers
        at += [min(max(0, time), period) for _, time in commits]
        first.append(len(surface))
    refreshes = np.clip((gaps + period // 2) // period, 1, MAX_REFRESHES)
    columns = [_column(np.array(each, np.int64)) for each in (work, refreshes, first, damage, surface, at)]
    head = f"kernelnet graphics session 1\n{period} {count} {len(surface)}\n".encode("ascii")
    digest = hashlib.sha256(head + b"".join(column.tobytes() for column in columns)).hexdigest()
    names = ("work", "refreshes", "first", "damage", "surface", "at")
    by: dict[str, Any] = dict(zip(names, columns, strict=True))
    return Trace(name=traceName(path), digest=digest, ends=ends, period=period, **by)


def _periodOf(work: npt.NDArray[np.int64]) -> int:
    """Microseconds: see `RATES`; by the training part alone."""
    nine = float(np.quantile(work, 0.9))
    fitting = (round(1e6 / rate) for rate in RATES if nine <= FULL * 1e6 / rate)
    return next(fitting, round(1e6 / RATES[-1]))
