"""How alike two traces are by their patterns: who hasn't the trace that was asked for builds on the likest one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kernelnet.message import Pattern

__all__ = ["MAX_DESCRIBED", "mostSimilar", "patternsIn", "similarity"]

MAX_DESCRIBED = 16
"""A trace is described by so many patterns, the most confident."""

_UNLIKE = math.log(4.0)
"""Numbers that differ by a factor of four say nothing of each other any more."""


def patternsIn(requirements: Mapping[str, Any]) -> list[Pattern]:
    """The patterns by which a peer describes its trace; what is none is passed over."""
    told = requirements.get("patterns")
    found = []
    for entry in told[:MAX_DESCRIBED] if isinstance(told, list) else ():
        try:
            found.append(msgspec.convert(entry, Pattern))
        except msgspec.ValidationError:
            continue
    return found


def similarity(one: Sequence[Pattern], other: Sequence[Pattern]) -> float:
    """
    From 0 to 1: of all confidence in kinds of patterns that either trace has, the share that they have in common.

    What two patterns of a kind have in common is by how near their numbers are, as ratios; of several of a kind each
    counts with its nearest.
    """
    ours, theirs = _byKind(one), _byKind(other)
    common = weight = 0.0
    for kind in sorted(ours.keys() | theirs.keys()):
        for these, those in ((ours[kind], theirs[kind]), (theirs[kind], ours[kind])):
            for pattern in these:
                weight += pattern.confidence
                common += pattern.confidence * max((_alike(pattern.data, its.data) for its in those), default=0.0)
    return common / weight if weight else 0.0


def mostSimilar(scenarios: Sequence[Any], patterns: Sequence[Pattern]) -> Any:
    """Worker thread.  The `IScenario` whose patterns are most like these; of equals the first."""
    return max(scenarios, key=lambda scenario: similarity(scenario.patterns()[:MAX_DESCRIBED], patterns))


def _byKind(patterns: Sequence[Pattern]) -> defaultdict[str, list[Pattern]]:
    found = defaultdict(list)
    for pattern in patterns:
        found[pattern.type].append(pattern)
    return found


def _alike(one: Any, other: Any) -> float:
    """1 where all numbers that both have are the same; a kind that both have is something in itself."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return 0.5
    nearness = [_near(one[key], other[key]) for key in sorted(one.keys() & other.keys()) if key != "window"]
    numbers = [near for near in nearness if near is not None]
    return 0.5 + 0.5 * math.fsum(numbers) / len(numbers) if numbers else 0.5


def _near(one: Any, other: Any) -> float | None:
    """C{None}: they are no numbers."""
    pair = (one, other)
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in pair):
        return None
    if one == other:
        return 1.0
    if one * other <= 0:
        return 0.0
    # as logarithms: a stranger's integers may be larger than any float
    return max(0.0, 1 - abs(math.log(abs(one)) - math.log(abs(other))) / _UNLIKE)
