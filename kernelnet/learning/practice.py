"""
Practice: a task on variants of its trace that are always the same, for who works on one policy again and again.

A claim is measured on variants that the module itself draws (`kernelnet.workbench.variants`), so that nobody can try
until they suit him.  Those here are drawn by the task: all policies meet the same ones, under the same keys, so their
scores can be compared in pairs; and they say nothing of those that the guard will draw.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernelnet.interfaces import IScenario
from kernelnet.learning.significance import WINDOWS, gains, lowerBound
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.suite import Suite

__all__ = ["Comparison", "PairedWindow", "compared", "practised", "spread"]

VARIANTS = 4
MAX_EVENTS = 32_000_000
"""Maximum number of variants, and of events in all of them together."""

_DRAWN_BY = b"kernelnet practice 1"


def practised(scenario: IScenario) -> list[IScenario]:
    """
    Worker thread.  A task on the variants of its trace for practice.

    @return: empty, if the trace has none, or is so long that two of them are too many.
    """
    count = min(VARIANTS, MAX_EVENTS // max(1, sum(scenario.events.values())))
    if count < 2:
        return []
    parts = scenario.parts if isinstance(scenario, Suite) else [scenario]
    if not all(isinstance(part, BaseScenario) and hasattr(part.machine.trace, "variant") for part in parts):
        return []
    each = [[part.onVariant(number, _DRAWN_BY) for part in parts] for number in range(count)]  # type: ignore[attr-defined]
    return [Suite(variant) if isinstance(scenario, Suite) else variant[0] for variant in each]


def spread(variants: Sequence[IScenario], wasm: bytes, split: str, look: Callable[[], object]) -> list[float]:
    """
    Worker thread.  Development levels of a module on each variant.

    @param look: called before each; what it raises ends all.
    @raise kernelnet.workbench.errors.ComponentError: it fails.
    """
    levels = []
    for variant in variants:
        look()
        levels.append(variant.developmentLevel(variant.measure(wasm, upTo=split), split))
    return levels


@dataclass(frozen=True)
class PairedWindow:
    """
    Two policies on one window, in the workbench's unit; of several variants the sums.

    @ivar gain: by how much the first is better, as a share of the higher score; from -1 to 1.
    """

    window: int
    first: int
    second: int
    gain: float


@dataclass(frozen=True)
class Comparison:
    """
    Two policies in pairs of windows.

    @ivar mean: mean gain of the first over all windows; C{error}: its standard error.
    @ivar low: lower end of the interval by which the guard decides; see `kernelnet.learning.significance`.
    @ivar high: the same for the second: it is better where this is above 0.
    @ivar byVariant: mean gain on each variant.
    """

    windows: tuple[PairedWindow, ...]
    mean: float
    error: float
    low: float
    high: float
    byVariant: tuple[float, ...]


def compared(
    scenarios: Sequence[IScenario],
    first: bytes,
    second: bytes,
    split: str,
    look: Callable[[], object] = lambda: None,
) -> Comparison:
    """
    Worker thread.  Compare two modules window by window.

    @param scenarios: one task, as it is or on several variants.
    @param look: called before each run; what it raises ends all.
    @raise kernelnet.workbench.errors.ComponentError: one of them fails.
    """
    scores: list[list[list[int]]] = []
    for scenario in scenarios:
        both = []
        for module in (first, second):
            look()
            both.append([window.score for window in scenario.measureWindows(module, split, WINDOWS)])
        scores.append(both)
    ours, theirs = ([sum(column) for column in zip(*side, strict=False)] for side in zip(*scores, strict=True))
    gain = gains(ours, theirs)
    error = statistics.stdev(gain) / math.sqrt(len(gain)) if len(gain) > 1 else 0.0
    return Comparison(
        tuple(PairedWindow(*row) for row in zip(range(len(gain)), ours, theirs, gain, strict=True)),
        statistics.fmean(gain),
        error,
        lowerBound(gain),
        lowerBound([-each for each in gain]),
        tuple(statistics.fmean(gains(*both)) for both in scores),
    )
