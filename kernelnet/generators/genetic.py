"""
Genetic programming over the features of a bench's rank ABI: any bench that has one.

Trees grow by tournament selection, crossover of subtrees and mutation (Koza, Genetic Programming, 1992; Poli, Langdon
and McPhee, A Field Guide to Genetic Programming, 2008), on several islands, of which the best move on to the next now
and then.  Each island keeps one tree, the smallest, for each behaviour (the scores on all windows of train): many trees
are the same policy in other words, and would crowd out all others.  The first trees are those of confirmed parents,
the ABI's known ones, those of peers' blocks, and random ones.

All operations take and give numbers, so every tree is well typed.  The library DEAP was tried in prototypes; it draws
from the process's one random generator, which other threads use too, so no search of it can be repeated
(U{https://github.com/DEAP/deap/issues/75}), and what it would save here is little: the operators below.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.generators._candidate import Candidate
from kernelnet.generators._emit import toWasm
from kernelnet.generators._family import Family, Found, Metered, Scores
from kernelnet.generators._robust import choose
from kernelnet.generators._simplify import replaced, simplified
from kernelnet.generators.expression import (
    ARITY,
    ExpressionError,
    Tree,
    depth,
    fromSource,
    parse,
    parts,
    size,
    text,
    toC,
)
from kernelnet.interfaces import IComponentGenerator
from kernelnet.workbench.abi import Abi

__all__ = ["Genetic", "GeneticFamily", "genetic", "rankAbiOf"]

ISLANDS = 3
POPULATION = 50
"""On each island."""

OFFSPRING = 24
"""Made on one island in one step."""

MIGRATION = 12
"""Steps of an island between two times that its best one moves on."""

MAX_SIZE = 40
MAX_TREE_DEPTH = 9

PARSIMONY = 1e-4
"""What a node costs, as a share of the loss."""

_TOURNAMENT = 4
_TRIES = 20
_CONSTANTS = (0.0, 1.0, 2.0, 0.5, 0.1, 10.0)

_Rank = tuple[float, int]


def rankAbiOf(problem: Any) -> Abi | None:
    """The rank ABI of a problem's bench, if it has one."""
    return next((abi for abi in getattr(problem, "abis", ()) if abi.function), None)


@implementer(IPlugin, IComponentGenerator)
class Genetic:
    """
    See `IComponentGenerator`.

    @ivar evaluations: stop after so many measurements; C{None}: when the time is over.
    """

    name = "genetic"
    description = "genetic programming over the features of a rank function (any bench that has one)"
    workbenches: tuple[str, ...] = ()

    def __init__(self, evaluations: int | None = None) -> None:
        self.evaluations = evaluations

    def generate(self, problem: Any) -> Candidate | None:
        if rankAbiOf(problem) is None:
            return None
        metered = Metered(problem, self.evaluations)
        try:
            family = GeneticFamily()
            family.start(metered, random.Random(problem.seed))
            generation = 0
            while not metered.over():
                family.step()
                metered.tell(generation)
                generation += 1
            return choose(metered, family.found(50))
        finally:
            metered.close()


class GeneticFamily(Family):
    """See `Family`."""

    name = "genetic"

    def __init__(self, islands: int = ISLANDS) -> None:
        self._count = islands
        self._steps = 0

    def start(self, problem: Metered, rng: random.Random) -> None:
        abi = rankAbiOf(problem)
        assert abi is not None, "the bench has no rank ABI"
        self._problem, self._abi = problem, abi
        self._header = f"kn_{problem.workbench}.h"
        self._parents: list[str] = []
        seeds = list(self._seeds())
        self._known: dict[str, Scores | None] = {}
        self._islands = [_Island(abi.features, seeds, random.Random(rng.getrandbits(64))) for _ in range(self._count)]

    def _seeds(self) -> Iterator[Tree]:
        """What is worth trying first; parents are confirmed, blocks are strangers' text."""
        features = self._abi.features
        for component in self._problem.parents:
            tree = fromSource(component.implementation, features)
            if tree is not None:
                self._parents.append(component.digest)
                yield tree
        texts: list[object] = list(self._abi.known)
        for block in self._problem.blocks:
            if isinstance(block.data, dict) and block.type.startswith(f"{self._problem.workbench}/"):
                texts.append(block.data.get("expression"))
        for expression in texts:
            if isinstance(expression, str):
                try:
                    yield parse(expression, features)
                except ExpressionError:
                    continue

    def step(self) -> None:
        at = self._steps % len(self._islands)
        island = self._islands[at]
        self._measure(island, island.next())
        if island.steps % MIGRATION == 0 and len(self._islands) > 1:
            self._islands[(at + 1) % len(self._islands)].welcome(island)
        self._steps += 1

    def _measure(self, island: _Island, trees: list[Tree]) -> None:
        names = [text(tree) for tree in trees]
        new = {name: tree for name, tree in zip(names, trees, strict=True) if name not in self._known}
        results = self._problem.measureAll((toWasm(tree, self._abi), ()) for tree in new.values())
        self._known.update(zip(new, results, strict=False))
        self.evaluations += len(results)
        for name, tree in zip(names, trees, strict=True):
            scores = self._known.get(name)
            if scores is not None:
                island.add(tree, scores, self._problem.loss(scores))

    def found(self, count: int) -> list[Found]:
        best: dict[Scores, tuple[_Rank, Tree]] = {}
        for island in self._islands:
            for scores, (rank, tree) in island.members.items():
                if scores not in best or rank < best[scores][0]:
                    best[scores] = rank, tree
        listed = sorted(best.items(), key=lambda item: item[1][0])[:count]
        return [Found(self._problem.loss(scores), scores, self._candidate(tree)) for scores, (_, tree) in listed]

    def _candidate(self, tree: Tree) -> Candidate:
        printed = text(tree)
        source = toC(tree, self._abi, self._header, "the rank was found by genetic programming")
        return Candidate(source, tuple(self._parents), (), f"rank: {printed}"[:300])


class _Island:
    """A population of its own."""

    def __init__(self, features: tuple[str, ...], seeds: Iterable[Tree], rng: random.Random) -> None:
        self._features, self._rng = features, rng
        self._first = [simplified(tree) for tree in seeds if depth(tree) <= MAX_TREE_DEPTH]
        self.members: dict[Scores, tuple[_Rank, Tree]] = {}
        self.steps = 0

    def next(self) -> list[Tree]:
        """The trees to measure now."""
        self.steps += 1
        if self.steps == 1:
            random_ = (self._grown(self._rng.randint(1, 4)) for _ in range(POPULATION - len(self._first)))
            return [*self._first, *map(simplified, random_)]
        ranked = sorted(self.members.values(), key=lambda member: member[0])
        return [self._child(ranked) for _ in range(OFFSPRING)]

    def add(self, tree: Tree, scores: Scores, loss: float) -> None:
        """Take a measured tree in; the worst make room."""
        nodes = size(tree)
        rank = (loss * (1 + PARSIMONY * nodes), nodes)
        if scores in self.members and self.members[scores][0] <= rank:
            return
        self.members[scores] = rank, tree
        if len(self.members) > POPULATION:
            del self.members[max(self.members, key=lambda scores: self.members[scores][0])]

    def welcome(self, other: _Island) -> None:
        """Take the other's best in."""
        if other.members:
            scores = min(other.members, key=lambda scores: other.members[scores][0])
            self.members.setdefault(scores, other.members[scores])

    # -- new trees

    def _child(self, ranked: list[tuple[_Rank, Tree]]) -> Tree:
        """One within the limits; after some tries a random one."""
        for _ in range(_TRIES):
            if not ranked:
                break
            tree = self._selected(ranked)
            crossing = self._rng.random() < 0.5
            child = simplified(self._crossed(tree, self._selected(ranked)) if crossing else self._mutated(tree))
            if size(child) <= MAX_SIZE and depth(child) <= MAX_TREE_DEPTH:
                return child
        return simplified(self._grown(3))

    def _selected(self, ranked: list[tuple[_Rank, Tree]]) -> Tree:
        """The best of a few drawn at random."""
        return ranked[min(self._rng.randrange(len(ranked)) for _ in range(_TOURNAMENT))][1]

    def _leaf(self) -> Tree:
        rng = self._rng
        if rng.random() < 0.75:
            return rng.choice(self._features)
        if rng.random() < 0.5:
            return rng.choice(_CONSTANTS)
        return float(f"{10 ** rng.uniform(-2, 2):.3g}")

    def _grown(self, levels: int) -> Tree:
        """A random tree: the root is an operation if there are levels, and so is most of what is below."""
        if levels == 0:
            return self._leaf()
        operation = self._rng.choice(_DRAWN)
        below = (self._grown(levels - 1 if self._rng.random() < 0.7 else 0) for _ in range(ARITY[operation]))
        return (operation, *below)

    def _place(self, tree: Tree) -> int:
        """A node to work at: operations more often than leaves, which are the most."""
        nodes = list(parts(tree))
        inner = [at for at, node in enumerate(nodes) if isinstance(node, tuple)]
        if inner and self._rng.random() < 0.7:
            return self._rng.choice(inner)
        return self._rng.randrange(len(nodes))

    def _crossed(self, mother: Tree, father: Tree) -> Tree:
        donated = list(parts(father))[self._place(father)]
        return replaced(mother, self._place(mother), donated)

    def _mutated(self, tree: Tree) -> Tree:
        mutations: tuple[Callable[[Tree], Tree], ...] = (self._regrown, self._shifted, self._wrapped, self._hoisted)
        (mutation,) = self._rng.choices(mutations, (3, 4, 2, 1))
        return mutation(tree)

    def _regrown(self, tree: Tree) -> Tree:
        """A subtree makes place for a random one."""
        return replaced(tree, self._place(tree), self._grown(self._rng.randint(0, 2)))

    def _shifted(self, tree: Tree) -> Tree:
        """A node alone changes: a number a little, a feature or an operation to another."""
        nodes = list(parts(tree))
        at = self._rng.randrange(len(nodes))
        node = nodes[at]
        if isinstance(node, float):
            near = node * 2 ** self._rng.gauss(0, 0.5)
            return replaced(tree, at, float(f"{near:.3g}") if node and abs(near) < 1e9 else self._leaf())
        if isinstance(node, str):
            return replaced(tree, at, self._leaf())
        alike = [operation for operation in ARITY if ARITY[operation] == ARITY[node[0]]]
        return replaced(tree, at, (self._rng.choice(alike), *node[1:]))

    def _wrapped(self, tree: Tree) -> Tree:
        """An operation comes between a node and the rest."""
        at = self._place(tree)
        node = list(parts(tree))[at]
        operation = self._rng.choice(_DRAWN)
        operands = [self._grown(self._rng.randint(0, 1)) for _ in range(ARITY[operation])]
        operands[self._rng.randrange(len(operands))] = node
        return replaced(tree, at, (operation, *operands))

    def _hoisted(self, tree: Tree) -> Tree:
        """A subtree makes place for one of its own."""
        at = self._place(tree)
        node = list(parts(tree))[at]
        return replaced(tree, at, self._rng.choice(node[1:]) if isinstance(node, tuple) else self._leaf())


_DRAWN = ("add", "sub", "mul", "aq", "min", "max", "lg", "sqrt", "neg", "iflt", "add", "sub", "mul", "aq", "iflt")
"""Operations as they are drawn for random trees."""

genetic = Genetic()
"""The plugin."""
