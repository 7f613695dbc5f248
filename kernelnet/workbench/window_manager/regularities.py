"""Successive velocities of a pointer: what patterns and statistics reckon with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.window_manager.movement import MILLI
from kernelnet.workbench.window_manager.trace import TRACKED, Trace

__all__ = ["Steps", "steps", "velocities"]

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Steps:
    """
    Pairs of successive movements of a pointer that is followed.

    @ivar kept: the share of a velocity that the next one has: the sum of their products over that of squares.
    @ivar turns: cosines of the angles between them, where there are two.
    @ivar ratios: the second's speed over the first's.
    @ivar speeds: the second's, pixels a millisecond.
    """

    kept: float
    turns: Numbers
    ratios: Numbers
    speeds: Numbers


def velocities(trace: Trace, start: int, end: int) -> Numbers:
    """Velocities, pixels a millisecond, from sample C{start} to before C{end}; a row each."""
    return trace.moves[start:end] / MILLI / (trace.gaps[start:end, None] / 1000)


def steps(trace: Trace, start: int, end: int) -> Steps:
    """Steps from sample C{start} to before C{end}."""
    v = velocities(trace, start, end)
    followed = trace.gaps[start:end] <= TRACKED
    first, second = (part[followed[1:] & followed[:-1]] for part in (v[:-1], v[1:]))
    products, squares = (first * second).sum(axis=1), (first**2).sum(axis=1)
    lengths = np.sqrt(squares), np.sqrt((second**2).sum(axis=1))
    both = (lengths[0] > 0) & (lengths[1] > 0)
    power = float(squares.sum())
    return Steps(
        float(products.sum()) / power if power else 0.0,
        products[both] / (lengths[0] * lengths[1])[both],
        lengths[1][both] / lengths[0][both],
        lengths[1][both],
    )
