"""
Genetic programming over the features of a bench's rank ABI: any bench that has one.

Trees grow by crossover of subtrees and mutation (Koza, Genetic Programming, 1992; Poli, Langdon and McPhee, A Field
Guide to Genetic Programming, 2008) on the islands of C{evolution.island_model}.  The first trees are those of confirmed
parents, the ABI's known ones, those of peers' blocks, what was translated from other benches, and random ones.  The
parents of a component are those that its tree descends from, and no others that were there.

All operations take and give numbers, so every tree is well typed.  The library DEAP was tried in prototypes; it draws
from the process's one random generator, which other threads use too, so no search of it can be repeated
(U{https://github.com/DEAP/deap/issues/75}), and what it would save here is little: the operators below.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Candidate
from kernelnet.expressions.simplification import replaced, simplified
from kernelnet.expressions.syntax import (
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
from kernelnet.expressions.translation import Translated
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.generators.evolution.island_model import NEAR, IslandFamily, selected
from kernelnet.generators.evolution.pattern_seeds import expressions
from kernelnet.generators.evolution.portfolio import search
from kernelnet.generators.evolution.search_family import Job
from kernelnet.interfaces import IComponentGenerator, IProblem
from kernelnet.workbench.abi import Abi, rankAbiOf

__all__ = ["Genetic", "GeneticFamily", "genetic"]

MAX_SIZE = 40
MAX_TREE_DEPTH = 9

PARSIMONY = 1e-4
"""Cost of a node, as a share of the loss."""

_TRIES = 20
_CONSTANTS = (0.0, 1.0, 2.0, 0.5, 0.1, 10.0)


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

    def generate(self, problem: IProblem) -> Candidate | None:
        return search(problem, [GeneticFamily()] if rankAbiOf(problem) else [], self.evaluations)


class GeneticFamily(IslandFamily[Tree]):
    """See `IslandFamily`: a genome is a tree."""

    name = "genetic"

    def begin(self) -> None:
        abi = rankAbiOf(self.problem)
        if abi is None:
            raise ValueError(f"the workbench {self.problem.workbench} has no rank ABI")
        self._abi = abi
        self._origins: dict[str, tuple[str, ...]] = {}

    def worthTrying(self) -> list[Tree]:
        seeds = []
        for tree, origin in self._parsed():
            if depth(tree) <= MAX_TREE_DEPTH:
                seed = simplified(tree)
                seeds.append(seed)
                # Two may be the same, such as a parent and what was known before: the first counts.
                self._origins.setdefault(text(seed), (origin,) if origin else ())
        return seeds

    def suggested(self) -> list[Tree]:
        return [simplified(parse(expression, self._abi.features)) for expression in expressions(self.problem)]

    def _parsed(self) -> Iterator[tuple[Tree, str]]:
        """
        Trees that are worth trying; parents are confirmed, blocks are strangers' text.

        @return: trees, each with the digest of the component that it is, if it is one.
        """
        features = self._abi.features
        for component in self.problem.parents:
            tree = fromSource(component.implementation, features)
            if tree is not None:
                yield tree, component.digest
        yield from ((tree, "") for tree in self.suggested())
        blocks: list[tuple[object, str]] = []
        for block in self.problem.blocks:
            if isinstance(block.data, dict) and block.type.startswith(f"{self.problem.workbench}/"):
                # What a peer says of where its block comes from is nobody's lineage.
                origin = block.origin if isinstance(block, Translated) else ""
                blocks.append((block.data.get("expression"), origin))
        known: list[tuple[object, str]] = [(expression, "") for expression in self._abi.known]
        blocks = [(expression, origin) for expression, origin in blocks if isinstance(expression, str)]
        for expression, origin in [*blocks[:NEAR], *known, *blocks[NEAR:]]:
            if isinstance(expression, str):
                try:
                    yield parse(expression, features), origin
                except ExpressionError:
                    continue

    def first(self, rng: random.Random) -> list[Tree]:
        breeder = _Breeder(self._abi.features, rng)
        seeds = self.worthTrying()
        count = self.population - len(seeds)
        return [*seeds, *(simplified(breeder.grown(rng.randint(1, 4))) for _ in range(count))]

    def child(self, ranked: Sequence[Tree], rng: random.Random) -> Tree:
        child, made = _Breeder(self._abi.features, rng).child(ranked)
        origins = (origin for tree in made for origin in self._origins.get(text(tree), ()))
        self._origins.setdefault(text(child), tuple(dict.fromkeys(origins)))
        return child

    def key(self, genome: Tree) -> str:
        return text(genome)

    def job(self, genome: Tree) -> Job:
        return toWasm(genome, self._abi), ()

    def ranking(self, genome: Tree, loss: float) -> float:
        return loss * (1 + PARSIMONY * size(genome))

    def candidate(self, genome: Tree) -> Candidate:
        source = toC(genome, self._abi, f"kn_{self.problem.workbench}.h", "this rank was found by genetic programming")
        return Candidate(source, self._origins.get(text(genome), ()), (), f"rank: {text(genome)}"[:300])


def knownExpressions(workbench: str, abi: Abi) -> list[tuple[str | bytes, Candidate]]:
    """A rank ABI's known expressions; see `kernelnet.interfaces.IKnowingGenerator`."""
    found: list[tuple[str | bytes, Candidate]] = []
    for expression in abi.known:
        tree = simplified(parse(expression, abi.features))
        source = toC(tree, abi, f"kn_{workbench}.h", "this rank is known to be good")
        found.append((toWasm(tree, abi), Candidate(source, note=f"rank: {text(tree)}"[:300])))
    return found


class _Breeder:
    """Makes new trees."""

    def __init__(self, features: tuple[str, ...], rng: random.Random) -> None:
        self._features, self._rng = features, rng

    def child(self, ranked: Sequence[Tree]) -> tuple[Tree, tuple[Tree, ...]]:
        """
        One within the limits; after some tries a random one.

        @return: it, and what it was made of.
        """
        for _ in range(_TRIES):
            if not ranked:
                break
            tree = selected(ranked, self._rng)
            made: tuple[Tree, ...] = (tree,)
            if self._rng.random() < 0.5:
                made = tree, selected(ranked, self._rng)
                child = simplified(self._crossed(*made))
            else:
                child = simplified(self._mutated(tree))
            if size(child) <= MAX_SIZE and depth(child) <= MAX_TREE_DEPTH:
                return child, made
        return simplified(self.grown(3)), ()

    def _leaf(self) -> Tree:
        rng = self._rng
        if rng.random() < 0.75:
            return rng.choice(self._features)
        if rng.random() < 0.5:
            return rng.choice(_CONSTANTS)
        return float(f"{10 ** rng.uniform(-2, 2):.3g}")

    def grown(self, levels: int) -> Tree:
        """A random tree: the root is an operation if there are levels, and so is most of what is below."""
        if levels == 0:
            return self._leaf()
        operation = self._rng.choice(_DRAWN)
        below = (self.grown(levels - 1 if self._rng.random() < 0.7 else 0) for _ in range(ARITY[operation]))
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
        return replaced(tree, self._place(tree), self.grown(self._rng.randint(0, 2)))

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
        operands = [self.grown(self._rng.randint(0, 1)) for _ in range(ARITY[operation])]
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
