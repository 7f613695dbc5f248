"""
An evolutionary search over the policies of C{two_queues.c}.

A steady-state genetic algorithm with tournaments, uniform crossover and mutation (Eiben and Smith, Introduction to
Evolutionary Computing, chapters 3-5).  The first population: settings near known policies, those that patterns suggest,
parameter vectors of confirmed parents and of peers' blocks, and random ones.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.generators._candidate import Candidate
from kernelnet.generators.template import HAND_MADE, PARAMETERS, Vector, bake, describe, normalized, tunable
from kernelnet.interfaces import IComponentGenerator
from kernelnet.message import SplitScore
from kernelnet.workbench.errors import ComponentError

__all__ = ["BLOCK_TYPE", "Search", "search"]

BLOCK_TYPE = "file_system/search"
"""The C{type} of a `kernelnet.message.CodeBlock` whose data is C{{"parameters": […]}}, a vector of this family."""

POPULATION = 40
OFFSPRING = 20
_TOURNAMENT = 4
_MUTATED = 0.25
_CROSSED = 0.5
_RESERVE = 0.25
"""Seconds kept for the end."""

Rank = tuple[float, ...]


@implementer(IPlugin, IComponentGenerator)
class Search:
    """
    See `IComponentGenerator`.

    @ivar evaluations: stop after so many measurements; C{None}: when the time is over.  With a number, and time enough
        for it, the result depends on the problem alone.
    """

    name = "search"
    description = "evolutionary search over two-queue policies with ghosts (page caches)"
    workbenches = ("file_system",)

    def __init__(self, evaluations: int | None = None) -> None:
        self.evaluations = evaluations

    def generate(self, problem: Any) -> Candidate | None:
        run = _Run(problem, self.evaluations)
        best = run.evolve()
        if best is None:
            return None
        parents = tuple(c.digest for c in problem.parents if _vector(c.manifest and c.manifest.parameters) is not None)
        return Candidate(bake(best), parents, best, describe(best))


class _Run:
    """One search: the problem, what has been measured, and the population."""

    def __init__(self, problem: Any, evaluations: int | None) -> None:
        self._problem = problem
        self._left = math.inf if evaluations is None else evaluations
        self._rng = random.Random(problem.seed)
        self._ranks: dict[Vector, Rank] = {}
        self._wasm = problem.compile(tunable())
        self._bar = 0.0
        """Objective 'fuel': scores up to this one are equally good."""

    def evolve(self) -> Vector | None:
        """@return: the best vector; C{None} if there was no time for even one."""
        population = list(self._measured(_unique(self._first())))
        generation = 0
        while population and not self._over():
            population.sort(key=self._ranks.__getitem__)
            del population[POPULATION:]
            self._problem.progress(generation, int(self._ranks[population[0]][-1]))
            offspring = _unique(self._child(population) for _ in range(OFFSPRING))
            population += self._measured([v for v in offspring if v not in self._ranks])
            generation += 1
        return min(population, key=self._ranks.__getitem__, default=None)

    def _over(self) -> bool:
        return self._left <= 0 or self._problem.secondsLeft() <= _RESERVE

    def _measured(self, vectors: Iterable[Vector]) -> Iterator[Vector]:
        """Those that work, as far as there was time, with their rank noted."""
        for vector in vectors:
            if self._over():
                return
            self._left -= 1
            try:
                score = self._problem.measure(self._wasm, vector)
            except ComponentError:
                # Such as a ghost queue beyond the memory that a policy may have; noted, so that it isn't tried again.
                self._ranks[vector] = (math.inf,)
                continue
            self._ranks[vector] = self._rank(score)
            yield vector

    def _rank(self, score: SplitScore) -> Rank:
        """Less is better; the last part is the score."""
        if self._problem.objective != "fuel":
            return (score.score,)
        self._bar = self._bar or score.score
        return (max(self._bar, score.score), score.fuel, score.score)

    def _first(self) -> Iterator[Vector]:
        """For objective 'fuel' the parents come first: the first of all sets the bar."""
        for component in self._problem.parents:
            vector = _vector(component.manifest and component.manifest.parameters)
            if vector is not None:
                yield vector
        yield from HAND_MADE
        for block in self._problem.blocks:
            data = block.data if isinstance(block.data, dict) else {}
            vector = _vector(data.get("parameters")) if block.type == BLOCK_TYPE else None
            if vector is not None:
                yield vector
        for pattern in self._problem.patterns:
            yield from _suggested(pattern.type, pattern.data, self._problem.settings.get("capacity", 0))
        for _ in range(POPULATION - len(HAND_MADE)):
            yield tuple(parameter.any(self._rng) for parameter in PARAMETERS)

    def _child(self, population: list[Vector]) -> Vector:
        rng = self._rng
        size = min(_TOURNAMENT, len(population))
        mother, father = (min(rng.sample(population, size), key=self._ranks.__getitem__) for _ in range(2))
        if rng.random() < _CROSSED:
            mother = tuple(m if rng.random() < 0.5 else f for m, f in zip(mother, father, strict=True))
        return tuple(
            parameter.near(value, rng) if rng.random() < _MUTATED else value
            for parameter, value in zip(PARAMETERS, mother, strict=True)
        )


def _unique(vectors: Iterable[Vector]) -> list[Vector]:
    return list(dict.fromkeys(vectors))


def _vector(numbers: object) -> Vector | None:
    """A stranger's numbers as a vector of this family, if they are one."""
    if not isinstance(numbers, list | tuple) or len(numbers) != len(PARAMETERS):
        return None
    found = [_finite(number) for number in numbers]
    return None if None in found else normalized([number or 0.0 for number in found])


def _finite(value: object) -> float | None:
    """A stranger's number, if it is one that can be reckoned with."""
    if not isinstance(value, int | float) or not abs(value) < 1e300:
        return None
    return float(value)


def _suggested(kind: str, data: object, capacity: int) -> Iterator[Vector]:
    """What a pattern makes worth trying; a pattern may be a stranger's, so its data may be anything."""

    def number(name: str) -> float:
        return (_finite(data.get(name)) if isinstance(data, dict) else None) or 0.0

    if kind == "one_hit_share":
        # The more blocks come only once, the less room they should get.
        share = number("share")
        yield normalized((max(0.01, 0.5 * (1 - share)), 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0))
        yield normalized((max(0.01, 0.5 * (1 - share)), 1, 1, 0, 0, 2, 2, 0, 0, 0, 0, 0))
    elif kind == "loop" and capacity and number("length") > capacity:
        # Of a loop that does not fit, keep a part, and let the rest pass through quickly; the hand keeps what is old.
        yield normalized((0.01, number("length") / capacity, 1, 0, 0, 2, 7, 2, 2, 0, 0, 0))
        yield normalized((0.01, 0, 4, 0, 0, 2, 7, 0, 0, 0, 0, 0))
    elif kind == "reuse_distance" and number("relative") > 0:
        # Ghosts should be remembered until the distance, newcomers not much longer than nearby peaks last.
        relative = number("relative")
        yield normalized((0.1, relative, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0))
        yield normalized((min(0.5, relative), 1, 1, min(0.5, relative), 0, 1, 1, 0, 0, 0, 0, 0))


search = Search()
"""The plugin."""
