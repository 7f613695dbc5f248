"""The search over the parameters of a template, as a family like all others."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution.island_model import NEAR, IslandFamily, selected
from kernelnet.generators.evolution.pattern_seeds import MAX_SUGGESTIONS, suggestedBy
from kernelnet.generators.evolution.search_family import Job
from kernelnet.generators.templates.parameters import Template, Vector

__all__ = ["VectorFamily"]

_MUTATED = 0.25
_CROSSED = 0.5


class VectorFamily(IslandFamily[Vector]):
    """See `IslandFamily`: a genome is a vector; uniform crossover, and mutation of single values."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self.name = template.name
        self.islands, self.population, self.offspring = template.islands, template.population, template.offspring

    def begin(self) -> None:
        self._wasm = self.problem.compile(self._template.tunable())
        self._parents: dict[str, Vector] = {}

    def first(self, rng: random.Random) -> list[Vector]:
        vectors = list(dict.fromkeys(self.worthTrying()))
        count = max(0, self.population - len(self._template.known))
        return [*vectors, *(tuple(p.any(rng) for p in self._template.parameters) for _ in range(count))]

    def worthTrying(self) -> Iterator[Vector]:
        template = self._template
        for component in self.problem.parents:
            vector = template.vectorOf(component)
            if vector is not None:
                self._parents[component.digest] = vector
                yield vector
        yield from self.suggested()
        blocks = list(self._ofBlocks())
        yield from blocks[:NEAR]
        yield from map(template.normalized, template.known)
        yield from blocks[NEAR:]

    def suggested(self) -> list[Vector]:
        template = self._template
        found = (vector for kind, number in suggestedBy(self.problem) for vector in template.suggested(kind, number))
        return list(dict.fromkeys(map(template.normalized, found)))[:MAX_SUGGESTIONS]

    def _ofBlocks(self) -> Iterator[Vector]:
        for block in self.problem.blocks:
            data = block.data if isinstance(block.data, dict) else {}
            vector = self._template.vector(data.get("parameters")) if block.type in self._template.blockTypes else None
            if vector is not None:
                yield vector

    def child(self, ranked: Sequence[Vector], rng: random.Random) -> Vector:
        parameters = self._template.parameters
        if not ranked:
            return tuple(parameter.any(rng) for parameter in parameters)
        mother, father = (selected(ranked, rng) for _ in range(2))
        if rng.random() < _CROSSED:
            mother = tuple(m if rng.random() < 0.5 else f for m, f in zip(mother, father, strict=True))
        return tuple(
            parameter.near(value, rng) if rng.random() < _MUTATED else value
            for parameter, value in zip(parameters, mother, strict=True)
        )

    def job(self, genome: Vector) -> Job:
        return self._wasm, genome

    def candidate(self, genome: Vector) -> Candidate:
        template = self._template
        return Candidate(template.bake(genome), tuple(self._parents), genome, template.describe(genome))
