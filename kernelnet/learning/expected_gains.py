"""
Expected gains: by how much the next search on each task is likely to raise the best level that is known there.

The estimate is an exponential recency-weighted average of what searches there have brought, whoever made them: half of
it is the last one's, a quarter that of the one before.  So it is halved by each of one's own that found nothing, and
rises again when somebody finds something.  It begins with what first searches brought elsewhere, and these with an
optimistic value, above what most bring, so that every task is tried early (Sutton and Barto, Reinforcement Learning,
2nd edition, 2018, sections 2.5 and 2.6).

Levels are of validation, as measured by this trainer, all on the trace as it is, where the same policy has the same
level under whatever digest: a claim that it hasn't confirmed moves nothing, nor does a copy of what is known.  What
peers find, in however small steps, makes a task worth less once at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

__all__ = ["OPTIMISM", "ExpectedGains"]

K = TypeVar("K", bound=Hashable)
"""Names of tasks."""

OPTIMISM = 0.2
"""Gain in level that is expected of the first search of all: with 20 s for each task one gains half as much."""


class _Expectation:
    """
    @ivar gain: what searches have brought, in the average; C{searches}: number of this trainer's own; C{others}:
        whether peers have found something, too.
    @ivar level: the best that is known; C{None}: nothing is.
    @ivar last: number of this trainer's search that was the last there; 0: there was none.
    @ivar isOpen: whether a search of this trainer's was there, and what it brought isn't known yet.
    """

    def __init__(self, level: float | None) -> None:
        self.gain = 0.0
        self.searches = 0
        self.others = False
        self.level = level
        self.last = 0
        self.isOpen = False


class ExpectedGains(Generic[K]):
    """
    Estimates of one trainer, by task.

    @ivar searches: number of its own searches so far.
    """

    def __init__(self) -> None:
        self.searches = 0
        self._tasks: dict[K, _Expectation] = {}
        self._firsts: list[float] = []

    def learn(self, levels: Mapping[K, float | None], handMade: Callable[[K], float]) -> None:
        """
        Take in what has been found since the last time.

        What is known of a task when it is first told of is nobody's search of late, and counts for nothing.

        @param levels: by task, of the best that is known there, of whomever; C{None}: nothing is.
        @param handMade: gives the level of a task's best hand-made policy, which the first find there is compared with.
        """
        for task, level in levels.items():
            known = self._tasks.get(task)
            if known is None:
                self._tasks[task] = _Expectation(level)
                continue
            gain = 0.0
            if level is not None and level > (-math.inf if known.level is None else known.level):
                gain = min(1.0, max(0.0, level - (handMade(task) if known.level is None else known.level)))
                known.level = level
            if known.isOpen:
                if not known.searches:
                    self._firsts.append(gain)
                known.gain = (known.gain + gain) / 2
                known.searches, known.isOpen = known.searches + 1, False
            elif gain:
                known.gain = max(known.gain, (known.gain + gain) / 2)
                known.others = True

    def searched(self, task: K) -> None:
        """This trainer searches on a task now; what it brings is seen when it is next told what is known."""
        self.searches += 1
        known = self._tasks.setdefault(task, _Expectation(None))
        known.last, known.isOpen = self.searches, True

    def of(self, task: K) -> float:
        """Expected gain in level of the next search on a task."""
        first = (OPTIMISM + sum(self._firsts)) / (1 + len(self._firsts))
        known = self._tasks.get(task)
        return first if known is None else known.gain + math.ldexp(first, -known.searches - known.others)

    def waited(self, task: K) -> int:
        """Number of this trainer's searches since its last on a task."""
        known = self._tasks.get(task)
        return self.searches - (known.last if known is not None else 0)
