"""Durations counted in buckets: a histogram as Prometheus knows it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["BOUNDS", "LatencyHistogram", "quantile"]

BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds up to which each bucket counts; one more counts what took longer."""


class LatencyHistogram:
    """
    @ivar counts: how many fell into each bucket since the start; C{seconds}: all of them together.
    """

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def __repr__(self) -> str:
        return f"<LatencyHistogram {sum(self.counts)} in {self.seconds:.3f} s>"

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


def quantile(counts: Sequence[int], share: float) -> float:
    """
    The time within which C{share} of them were done, as far as buckets tell: evenly within its own, as Prometheus'
    C{histogram_quantile} has it; 0.0 where there was none.
    """
    wanted, before = share * sum(counts), 0
    for i, count in enumerate(counts[: len(BOUNDS)]):
        if count and before + count >= wanted:
            least = BOUNDS[i - 1] if i else 0.0
            return least + (BOUNDS[i] - least) * (wanted - before) / count
        before += count
    return BOUNDS[-1] if any(counts) else 0.0
