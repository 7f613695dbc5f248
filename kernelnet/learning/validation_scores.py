"""
Scores on validation of any number of modules, of which none is measured twice: what the guard compares.

One warm pass over a variant tells the scores of windows; where they add up to the score of the split, see
C{BaseWorkbench.windowsAdd}, their sum is the bar as well.  Elsewhere that takes a pass of its own, once it is asked
for.

A look is at the first variants only, of each part of a suite, and so costs that share of looking at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kernelnet.artifacts import SplitScore
from kernelnet.interfaces import IScenario
from kernelnet.workbench.reports import added
from kernelnet.workbench.suite import Suite, costOf
from kernelnet.workbench.variants import VariantScenario

__all__ = ["SPREAD", "WINDOWS", "Look", "Scores", "ValidationScores"]

WINDOWS = 8
"""Of validation, for each part of a suite."""

Scores = Sequence[Sequence[Sequence[int]]]
"""By part, variant and window."""

SPREAD = 4
"""Least number of variants whose spread says something: that of fewer is known too badly."""

T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """
    The first variants, as many as are looked at.

    @ivar counts: number of them by part; C{of}: number that each part has.
    """

    counts: tuple[int, ...]
    of: tuple[int, ...]

    @property
    def isLast(self) -> bool:
        """Whether it is at all there are."""
        return self.counts == self.of

    @property
    def hasSpread(self) -> bool:
        """Whether it is at `SPREAD` of each part."""
        return min(self.counts) >= SPREAD

    def __str__(self) -> str:
        return "" if self.isLast else f" on {sum(self.counts)} of {sum(self.of)} variants"


class ValidationScores:
    """Every method but C{looks} is for a worker thread, and raises C{ComponentError} if the module fails."""

    def __init__(self, scenario: IScenario, windows: int = WINDOWS) -> None:
        """@param scenario: as the candidate meets it; see `IScenario.forModule`."""
        self._isSuite = isinstance(scenario, Suite)
        self._parts: Sequence[IScenario] = scenario.parts if isinstance(scenario, Suite) else [scenario]
        self._count = windows
        self.hasWindows = hasattr(scenario, "measureWindows")
        self._adds = self.hasWindows and getattr(getattr(scenario, "workbench", None), "windowsAdd", False)
        self._windows: dict[tuple[bytes, int], list[list[SplitScore]]] = {}
        self._splits: dict[tuple[bytes, int], list[SplitScore]] = {}
        of = tuple(len(part.variants) if isinstance(part, VariantScenario) else 1 for part in self._parts)
        looks = [tuple(max(min(many, 2), many // share) for many in of) for share in (4, 2, 1)]
        self.looks = [Look(counts, of) for counts in dict.fromkeys(looks)]

    def windows(self, wasm: bytes, look: Look) -> Scores:
        """Scores of a module on each variant, over time."""
        return [
            [[window.score for window in windows] for windows in self._windowsOf(wasm, at, count)]
            for at, count in enumerate(look.counts)
        ]

    def splits(self, wasm: bytes, look: Look) -> Scores:
        """Scores of a module on each variant, of which all of validation is one window."""
        return [[[split.score] for split in self._splitsOf(wasm, at, count)] for at, count in enumerate(look.counts)]

    def whole(self, wasm: bytes, look: Look) -> SplitScore:
        """Score and fuel on all of validation; fuel compares with that of what was measured here, too, and no other."""
        splits = [added(self._splitsOf(wasm, at, count)) for at, count in enumerate(look.counts)]
        score = splits[0].score
        if self._isSuite:
            costs = zip(self._parts, splits, look.counts, strict=True)
            score = sum(costOf(_first(part, count), "validation", split.score) for part, split, count in costs)
        events, fuel = (sum(getattr(split, name) for split in splits) for name in ("events", "fuel"))
        return SplitScore(events=events, score=score, fuel=fuel)

    def _windowsOf(self, wasm: bytes, at: int, count: int) -> list[list[SplitScore]]:
        """By variant of a part, the first so many."""
        known = self._windows.setdefault((wasm, at), [])
        known += self._on(at, len(known), count, lambda it: it.measureWindows(wasm, "validation", self._count))
        return known[:count]

    def _splitsOf(self, wasm: bytes, at: int, count: int) -> list[SplitScore]:
        if self._adds:
            return [added(windows) for windows in self._windowsOf(wasm, at, count)]
        known = self._splits.setdefault((wasm, at), [])
        known += self._on(at, len(known), count, lambda it: it.measure(wasm, upTo="validation").splits["validation"])
        return known[:count]

    def _on(self, at: int, start: int, end: int, function: Callable[[IScenario], T]) -> list[T]:
        """Results for those variants of a part that aren't measured yet."""
        part = self._parts[at]
        if isinstance(part, VariantScenario):
            return part.each(function, start, end)
        return [function(part)] if start < end else []


def _first(part: IScenario, count: int) -> IScenario:
    return part.first(count) if isinstance(part, VariantScenario) else part
