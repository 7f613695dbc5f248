"""
Similarity of tasks: what did well elsewhere, that of the most similar tasks first.  Patterns describe a task.

Which algorithm suits a task can be foreseen from what is known of the task (J. R. Rice, The algorithm selection
problem, Advances in Computers 15, 1976), and a search does best to begin with what was best on those that are most
like its own (M. Feurer, J. T. Springenberg and F. Hutter, Initializing Bayesian hyperparameter optimization via
meta-learning, AAAI 2015).

A task's description is its patterns.  Two tasks are as far from each other as their patterns disagree, on average over
all kinds that either of them has (as J. C. Gower, A general coefficient of similarity and some of its properties,
Biometrics 27(4), 1971, has it where values are missing).  Numbers a and b that both have for a kind agree by
C{min(a, b) / max(a, b)}, as train and validation do for a confidence; a kind that one of them alone has disagrees
wholly.  Each kind counts by how confident it is.

All of that may be a stranger's, so anything may stand in it.  The own task is described by what was learned from it
alone, and of several patterns about another the first of a name counts: a trainer puts its own first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from kernelnet.artifacts import CodeBlock, Component, Pattern, Report
from kernelnet.untrusted import finite

__all__ = ["UNKNOWN", "Likeness", "distanceBetween", "taskOf", "tasksOfBlock", "tasksOfComponent"]

T = TypeVar("T")

UNKNOWN = math.inf
"""The distance of a task that nothing is known of."""

MAX_NUMBERS = 16
"""Maximum number of numbers of a pattern that count, and of tasks of a block."""

MAX_COMPARED_PATTERNS = 32
MAX_COMPARED_TASKS = 500
"""Maximum number of patterns of a trace, and of tasks, that are compared: strangers might think up any number."""

_NOT_OF_THE_TRACE = frozenset(("window", "window_seconds", "capacity"))
"""Numbers that say how a pattern was learned."""

_Description = dict[str, tuple[dict[str, float], float]]
"""By name of a kind: its numbers and its confidence."""


class Likeness:
    """Distances of other tasks from one's own."""

    def __init__(self, learned: Iterable[Pattern], patterns: Iterable[Pattern]) -> None:
        """
        @param learned: from the own task; if it has several parts, from all of them.
        @param patterns: all others, the most trusted first.
        """
        learned = list(learned)
        self._ours = [_described(of, None) for of in _byTrace(learned).values()]
        self._patterns = {digest: of[:MAX_COMPARED_PATTERNS] for digest, of in _byTrace([*learned, *patterns]).items()}
        self._distances: dict[tuple[str, float | None], float] = {}

    def distance(self, tasks: Iterable[Any]) -> float:
        """
        From 0 to 1, or `UNKNOWN`.

        @param tasks: what C{taskOf} says of each part; a stranger's, so anything.
        """
        each = [self._of(task) for task in tasks]
        known = [distance for distance in each if distance != UNKNOWN]
        return math.fsum(known) / len(known) if known else UNKNOWN

    def nearestFirst(
        self, items: Iterable[T], tasksOf: Callable[[T], Iterable[Any]], most: int | None = None
    ) -> list[T]:
        """
        In that order; those that are as far from here as each other stay in theirs, and unknown ones come last.

        @param most: so many of those that are known, and of the others.
        """
        found = sorted(((self.distance(tasksOf(item)), item) for item in items), key=lambda each: each[0])
        known = [item for distance, item in found if distance != UNKNOWN]
        return known[:most] + [item for distance, item in found if distance == UNKNOWN][:most]

    def _of(self, task: object) -> float:
        digest = task.get("trace_digest") if isinstance(task, dict) else None
        if not isinstance(digest, str) or digest not in self._patterns or not isinstance(task, dict):
            return UNKNOWN
        settings = task.get("settings")
        capacity = finite(settings.get("capacity")) if isinstance(settings, dict) else None
        if (digest, capacity) not in self._distances:
            if len(self._distances) == MAX_COMPARED_TASKS:
                return UNKNOWN
            other = _described(self._patterns[digest], capacity)
            each = [_distance(own, other) for own in self._ours]
            self._distances[digest, capacity] = math.fsum(each) / len(each) if each else UNKNOWN
        return self._distances[digest, capacity]


def distanceBetween(one: Iterable[Pattern], other: Iterable[Pattern]) -> float:
    """Of two tasks, by the patterns of each: from 0 to 1."""
    return _distance(_described(one, None), _described(other, None))


def taskOf(report: Report) -> list[dict[str, Any]]:
    """Task that a report is about, as `Likeness` takes it; one for each part."""
    return [{"trace_digest": part.trace_digest, "settings": part.settings} for part in report.parts or [report]]


def tasksOfComponent(component: Component) -> list[dict[str, Any]]:
    """Tasks that it was made for, as it says."""
    report = component.manifest.report if component.manifest is not None else None
    return taskOf(report)[:MAX_NUMBERS] if report is not None else []


def tasksOfBlock(block: CodeBlock) -> list[Any]:
    """The same of a building block: C{tasks} in its data."""
    tasks = block.data.get("tasks") if isinstance(block.data, dict) else None
    return tasks[:MAX_NUMBERS] if isinstance(tasks, list) else []


def _byTrace(patterns: Iterable[Pattern]) -> dict[str, list[Pattern]]:
    found: dict[str, list[Pattern]] = {}
    for pattern in patterns:
        digest = pattern.data.get("trace_digest") if isinstance(pattern.data, dict) else None
        if isinstance(digest, str):
            found.setdefault(digest, []).append(pattern)
    return found


def _described(patterns: Iterable[Pattern], capacity: float | None) -> _Description:
    """
    @param patterns: of one trace.
    @param capacity: that of the task, if the patterns may have been learned at another.
    """
    kinds: dict[str, dict[str, tuple[dict[str, float], float]]] = {}
    for pattern in patterns:
        data = pattern.data if isinstance(pattern.data, dict) else {}
        feature = data.get("feature")
        kind = f"{pattern.type} {feature}" if isinstance(feature, str) else pattern.type
        kinds.setdefault(kind, {}).setdefault(pattern.id, (_numbers(data, capacity), pattern.confidence))
    description: _Description = {}
    for kind, each in kinds.items():
        # Such as the peaks of a histogram: the greatest of one trace is compared with the greatest of another.
        greatest = sorted(each.values(), key=lambda numbers: -numbers[0].get("share", 0.0))
        description.update({f"{kind} {at}": numbers for at, numbers in enumerate(greatest)})
    return description


def _numbers(data: Mapping[str, Any], capacity: float | None) -> dict[str, float]:
    found = {}
    for key in list(data)[:MAX_NUMBERS]:
        value = finite(data[key])
        if value is not None and key not in _NOT_OF_THE_TRACE:
            found[key] = value
    learnedAt = finite(data.get("capacity"))
    if capacity and learnedAt and "relative" in found:
        found["relative"] *= learnedAt / capacity
    return found


def _distance(one: _Description, other: _Description) -> float:
    differences, weights = [], []
    for kind in sorted(one.keys() | other.keys()):
        if kind in one and kind in other:
            (ours, sure), (theirs, asSure) = one[kind], other[kind]
            weight = sure * asSure
            agreeing = [_agreement(ours[key], theirs[key]) for key in ours if key in theirs]
            differs = 1 - math.fsum(agreeing) / len(agreeing) if agreeing else 0.0
        else:
            weight, differs = (one.get(kind) or other[kind])[1], 1.0
        weights.append(weight)
        differences.append(weight * differs)
    total = math.fsum(weights)
    return math.fsum(differences) / total if total else 1.0


def _agreement(one: float, other: float) -> float:
    """Of two of different signs none."""
    least, most = sorted((abs(one), abs(other)))
    if one * other < 0:
        return 0.0
    return least / most if most else 1.0
