"""
An evolutionary search on several islands, over whatever can be bred.

Each island is a population with tournaments (Eiben and Smith, Introduction to Evolutionary Computing, chapters 3-5);
its best moves on to the next island now and then.  An island keeps one of each behaviour (the scores on all windows of
train), the cheapest: many genomes are the same policy in other words, and would crowd out all others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution.search_family import Family, Job, Metered, Scored, Scores

__all__ = ["NEAR", "IslandFamily", "selected"]

G = TypeVar("G")

BATCH = 8
"""Number measured in one step: with a large trace a step takes seconds, and nobody else goes on meanwhile."""

MIGRATION = 12
"""Generations of an island between two times that its best one moves on."""

NEAR = 4
"""Number of building blocks, of the tasks most like the own, tried before what is known to be good in general."""

_TOURNAMENT = 4


def selected(ranked: Sequence[G], rng: random.Random) -> G:
    """The best of a few drawn at random.  @param ranked: best first."""
    return ranked[min(rng.randrange(len(ranked)) for _ in range(_TOURNAMENT))]


class _Island(Generic[G]):
    """One population: by its scores, each genome with its rank."""

    def __init__(self, rng: random.Random, most: int) -> None:
        self.rng = rng
        self.generation = 0
        self.waiting: list[G] = []
        self.underWay = 0
        self._most = most
        self.members: dict[Scores, tuple[float, G]] = {}

    def ranked(self) -> list[G]:
        return [genome for _, genome in sorted(self.members.values(), key=lambda member: member[0])]

    def add(self, genome: G, scores: Scores, rank: float) -> None:
        """Take one in; the worst makes room."""
        if scores in self.members and self.members[scores][0] <= rank:
            return
        self.members[scores] = rank, genome
        if len(self.members) > self._most:
            del self.members[max(self.members, key=lambda scores: self.members[scores][0])]

    def best(self) -> Scores | None:
        return min(self.members, key=lambda scores: self.members[scores][0], default=None)


class IslandFamily(Family, Generic[G]):
    """
    See `Family`.  A subclass says what a genome is, how it breeds and what it is as a module.

    @cvar population: on each island.
    @cvar offspring: number that comes of one generation of an island.
    """

    islands = 3
    population = 50
    offspring = 24

    def start(self, metered: Metered, rng: random.Random) -> None:
        self._metered, self.problem = metered, metered.problem
        self.evaluations = 0
        self._steps = 0
        self._known: dict[str, Scores | None] = {}
        self._underWay: set[str] = set()
        self._islands: list[_Island[G]] = [
            _Island(random.Random(rng.getrandbits(64)), self.population) for _ in range(self.islands)
        ]
        self.begin()

    def goOn(self, metered: Metered) -> None:
        self._metered, self.problem = metered, metered.problem
        here = self._islands[self._steps % self.islands]
        new = {key: genome for genome in self.worthTrying() if (key := self.key(genome)) not in self._known}
        # What was bred and not measured yet comes after what others have found meanwhile.
        here.waiting = [*new.values(), *here.waiting] if here.generation else here.waiting

    # -- what a subclass defines

    def begin(self) -> None:
        """Look at C{self.problem} before anything is asked for."""

    def worthTrying(self) -> Iterable[G]:
        """Genomes that parents, blocks and patterns of C{self.problem} suggest, and those known to be good."""
        raise NotImplementedError

    def suggested(self) -> Sequence[G]:
        """Genomes that the patterns of the task itself suggest: see `kernelnet.generators.evolution.pattern_seeds`."""
        return ()

    def first(self, rng: random.Random) -> list[G]:
        """The genomes that an island begins with, the most promising first; about as many as its population."""
        raise NotImplementedError

    def child(self, ranked: Sequence[G], rng: random.Random) -> G:
        """A new one from a population, best first; it may be empty."""
        raise NotImplementedError

    def key(self, genome: G) -> str:
        """Text that tells genomes apart: none is measured twice."""
        return repr(genome)

    def job(self, genome: G) -> Job:
        """The genome as something to measure."""
        raise NotImplementedError

    def ranking(self, genome: G, loss: float) -> float:
        """Number that decides between two: the loss, and something for being large."""
        return loss

    def candidate(self, genome: G) -> Candidate:
        """The genome as it is published."""
        raise NotImplementedError

    # -- Family

    def trySuggested(self) -> None:
        self._measure(self._islands[0], list(self.suggested()))()

    def ready(self) -> bool:
        here = self._islands[self._steps % self.islands]
        # What is bred is bred of all that was measured before.
        return bool(here.waiting) or not here.underWay

    def step(self) -> Callable[[], None]:
        at = self._steps % self.islands
        island = self._islands[at]
        self._steps += 1
        if not island.waiting:
            if island.generation and island.generation % MIGRATION == 0 and self.islands > 1:
                self._migrate(island, self._islands[(at + 1) % self.islands])
            ranked = island.ranked()
            island.waiting = (
                [self.child(ranked, island.rng) for _ in range(self.offspring)]
                if island.generation
                else self.first(island.rng)
            )
            island.generation += 1
        batch, island.waiting = island.waiting[:BATCH], island.waiting[BATCH:]
        return self._measure(island, batch)

    def _migrate(self, island: _Island[G], other: _Island[G]) -> None:
        scores = island.best()
        if scores is not None:
            other.members.setdefault(scores, island.members[scores])

    def _measure(self, island: _Island[G], genomes: list[G]) -> Callable[[], None]:
        keys = [self.key(genome) for genome in genomes]
        every = dict(zip(keys, genomes, strict=True))
        # What another island has asked for is known when this step ends.
        new = {k: genome for k, genome in every.items() if k not in self._known and k not in self._underWay}
        jobs = [self.job(genome) for genome in new.values()]
        asked = self._metered.ask(jobs)
        self._underWay.update(new)
        island.underWay += 1

        def end() -> None:
            results = self._metered.scored(jobs, asked)
            self._known.update(zip(new, results, strict=False))
            self._underWay.difference_update(new)
            island.underWay -= 1
            self.evaluations += len(results)
            # There was no budget for the rest; there may be another day.
            island.waiting[:0] = list(new.values())[len(results) :]
            for key, genome in zip(keys, genomes, strict=True):
                scores = self._known.get(key)
                if scores is not None:
                    island.add(genome, scores, self.ranking(genome, self._metered.loss(scores)))

        return end

    def found(self, count: int) -> list[Scored]:
        best: dict[Scores, tuple[float, G]] = {}
        for island in self._islands:
            for scores, member in island.members.items():
                if scores not in best or member[0] < best[scores][0]:
                    best[scores] = member
        listed = sorted(best.items(), key=lambda item: item[1][0])[:count]
        return [Scored(self._metered.loss(scores), scores, self.candidate(genome)) for scores, (_, genome) in listed]
