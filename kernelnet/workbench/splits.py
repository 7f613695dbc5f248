"""The parts of a trace in time: what is searched on, what is chosen by, and what nobody saw before."""

from __future__ import annotations

__all__ = ["SPLITS", "splitEnds"]

SPLITS = ("train", "validation", "held_out")
"""The parts of a trace, in time."""


def splitEnds(events: int) -> dict[str, int]:
    """The second half is held out; the last fifth of the first half is for validation."""
    half = events // 2
    return {"train": half - half // 5, "validation": half, "held_out": events}
