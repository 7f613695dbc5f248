"""Samples of a pointer as any reader hands them over: in whole numbers, long pauses cut short."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.account import Account

__all__ = ["FARTHEST", "MAX_SAMPLES", "MILLI", "REST", "Movement", "Samples"]

MILLI = 1000
"""Milli-pixels in a pixel: movements are whole numbers of them."""

REST = 200_000
"""Microseconds: the longest pause that is told; a longer one counts as this."""

MAX_SAMPLES = 1 << 22
"""Seventy minutes of a mouse of 1000 Hz that never rests."""

FARTHEST = 100_000
"""Pixels between two samples, at most."""

Gaps = npt.NDArray[np.uint32]
Moves = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Movement:
    """
    @ivar gaps: by sample, microseconds since the one before: 1 to `REST`; the first has `REST`.
    @ivar moves: a row for each sample: milli-pixels to the right and down since the one before.
    @ivar account: how the file was read.
    """

    gaps: Gaps
    moves: Moves
    account: Account


@dataclass
class Samples:
    """
    Samples as they are read, one after the other.

    @ivar account: of the reader; what is left out is counted there.
    @ivar tooMany: called when there are more than `MAX_SAMPLES`; raises an error that names the file.
    """

    account: Account
    tooMany: Callable[[], Exception]
    _gaps: array[int] = field(default_factory=lambda: array("q"))
    _moves: array[int] = field(default_factory=lambda: array("q"))
    _last: tuple[int, int, int] | None = None
    _begins: bool = False

    def __len__(self) -> int:
        return len(self._gaps)

    def lift(self) -> None:
        """The pointer is taken away: the next sample begins a movement of its own, wherever it is."""
        self._begins = True

    def at(self, time: int, x: float, y: float) -> None:
        """
        A sample at a place: of several of one time the last one counts.

        @param time: microseconds, of any clock that doesn't go back.
        @param x, y: pixels from anywhere.
        """
        whole = round(x * MILLI), round(y * MILLI)
        if self._last is None or self._begins:
            self._append(REST, 0, 0)
        elif time == self._last[0]:
            self.account.skipped["samples of the same time as another; the last one counts"] += 1
            self._moves[-2] += whole[0] - self._last[1]
            self._moves[-1] += whole[1] - self._last[2]
        else:
            self._append(min(REST, time - self._last[0]), whole[0] - self._last[1], whole[1] - self._last[2])
        self._last, self._begins = (time, *whole), False

    def by(self, time: int, dx: float, dy: float) -> None:
        """A sample of a device that tells movements: by how many pixels since the sample before."""
        x, y = (self._last[1] / MILLI, self._last[2] / MILLI) if self._last else (0.0, 0.0)
        self.at(time, x + dx, y + dy)

    @property
    def time(self) -> int | None:
        """Time of the last sample."""
        return self._last[0] if self._last else None

    def movement(self) -> Movement:
        """All samples so far."""
        gaps = np.array(self._gaps, "<u4")
        return Movement(gaps, np.array(self._moves, "<i4").reshape(-1, 2), self.account)

    def _append(self, gap: int, dx: int, dy: int) -> None:
        if len(self) == MAX_SAMPLES:
            raise self.tooMany()
        if abs(dx) > FARTHEST * MILLI or abs(dy) > FARTHEST * MILLI:
            self.account.doubt(f"the pointer jumps by more than {FARTHEST} pixels: it is taken as put there anew")
            gap, dx, dy = REST, 0, 0
        self._gaps.append(gap)
        self._moves.extend((dx, dy))
