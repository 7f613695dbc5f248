"""Traces that peers describe by their patterns: who hasn't the trace that was asked for builds on the likest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kernelnet.artifacts import Pattern
from kernelnet.interfaces import IScenario
from kernelnet.learning.task_similarity import distanceBetween

__all__ = ["MAX_DESCRIBED", "mostSimilar", "patternsIn"]

MAX_DESCRIBED = 16
"""Maximum number of patterns that describe a trace, the most confident."""


def patternsIn(requirements: Mapping[str, Any]) -> list[Pattern]:
    """Patterns by which a peer describes its trace; what is none is passed over."""
    told = requirements.get("patterns")
    found = []
    for entry in told[:MAX_DESCRIBED] if isinstance(told, list) else ():
        try:
            found.append(msgspec.convert(entry, Pattern))
        except msgspec.ValidationError:
            continue
    return found


def mostSimilar(scenarios: Sequence[IScenario], patterns: Sequence[Pattern]) -> IScenario:
    """Worker thread.  The `IScenario` whose patterns are most like these; of equals the first."""
    return min(scenarios, key=lambda scenario: distanceBetween(scenario.patterns(), patterns))
