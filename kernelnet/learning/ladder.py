"""
The Ladder: how often held-out may be looked at without being learned through what is told of it.

Whoever submits again and again, and is told each time how good it was on held-out, fits that in the end.  By the Ladder
(Blum and Hardt, The Ladder: a reliable leaderboard for machine learning competitions, ICML 2015) a level is told only
where it is higher than the last one that was told by more than noise; so what was tried between tells nothing but that
it was no such step.  The noise is that of the paper's parameter-free version: the standard error of the difference,
here over the variants that a claim is measured on.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from msgspec import Struct

__all__ = ["LEAST_STEP", "Rung", "rounded", "rungAfter"]

LEAST_STEP = 0.01
"""Difference of levels that counts as noise at least, and which levels are rounded to."""


class Rung(Struct, frozen=True):
    """
    State of one task's Ladder.

    @ivar level: the highest that was told, rounded; C{error}: its standard error.
    """

    level: float
    error: float


def rungAfter(rung: Rung | None, levels: Sequence[float], level: float) -> Rung | None:
    """
    Rung that an accepted component reaches.

    @param rung: the last; C{None}: nothing was told yet.
    @param levels: its development levels on held-out, on each variant; C{level}: on all of them.
    @return: C{None}: it is not higher by more than noise, and nothing is told.
    """
    error = statistics.stdev(levels) / math.sqrt(len(levels)) if len(levels) > 1 else 0.0
    if rung is not None and level - rung.level <= max(LEAST_STEP, math.hypot(rung.error, error)):
        return None
    return Rung(rounded(level), error)


def rounded(level: float) -> float:
    """Level as it is told: more digits would tell more than that it is a step higher."""
    return round(round(level / LEAST_STEP) * LEAST_STEP, 6)
