"""
The same decisions with less fuel: what is done where a problem's objective is C{fuel}.

Takes confirmed components, of whatever kind and author, and looks for others that do on train what they do, to the unit
in every window and metric, with fewer instructions:

  - an expression is simplified, and its parts are dropped or replaced as long as nothing changes;
  - a template's parameters are set to what switches things off, which the compiler then leaves out;
  - C source is rewritten; see C{source_rewrites}.

Whether they do the same on validation and held-out is proved by the trainer, before anything is published.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kernelnet.artifacts import Candidate, Component, SplitScore
from kernelnet.expressions.simplification import reductions, simplified
from kernelnet.expressions.syntax import Tree, evaluate, fromSource, toC
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.generators.evolution.search_family import Metered, budget
from kernelnet.generators.fuel_reduction.source_rewrites import Rewriting, conditions, expected, inlined, leaner
from kernelnet.generators.templates.parameters import Template, Vector
from kernelnet.interfaces import IProblem
from kernelnet.workbench.abi import rankAbiOf

__all__ = ["cheaper"]

_BATCH = 16
_DRAWN = 60
_LEAST_GAIN = 0.001
"""A rewriting that saves a smaller share makes the source only longer."""


@dataclass(frozen=True)
class _Done:
    """Behaviour of a module on train, and its fuel there."""

    behaviour: tuple[Any, ...]
    fuel: int


def _done(windows: Sequence[SplitScore]) -> _Done:
    behaviour = tuple((w.events, w.score, tuple(sorted(w.metrics.items()))) for w in windows)
    return _Done(behaviour, sum(w.fuel for w in windows))


def cheaper(problem: IProblem, templates: Sequence[Template] = (), evaluations: int | None = None) -> Candidate | None:
    """
    @param problem: its parents are tried, the first first, until one can be improved.
    @param evaluations: at most so many measurements; C{None}: the problem's own budget of them, or until the time is
        over.
    @return: a candidate whose first parent is the component that it does the same as.
    """
    metered = Metered(problem, budget(problem, evaluations))
    try:
        rng = random.Random(problem.seed)
        for component in problem.parents:
            if metered.over():
                break
            candidate = _Parent(metered, component, templates, rng).improved()
            if candidate is not None:
                return candidate
        return None
    finally:
        metered.close()


class _Parent:
    """A component, and the cheapest source so far that does the same."""

    def __init__(
        self, metered: Metered, component: Component, templates: Sequence[Template], rng: random.Random
    ) -> None:
        self._metered = metered
        # What train never needs may be needed later: every other time only what seems to be needed nowhere goes.
        self._bold = rng.random() < 0.5
        self._rng = rng
        self._component = component
        self._templates = templates
        self._how: list[str] = []
        self._parameters: tuple[float, ...] = ()
        self._source = component.implementation
        self._rewritten: list[Rewriting] = []

    def improved(self) -> Candidate | None:
        published = self._component.wasm
        first = (
            self._metered.windowsOf([(published, ())]) if published else self._metered.windowsOfSources([self._source])
        )
        if not first or first[0] is None:
            return None
        was = self._best = _done(first[0])
        self._expression()
        self._rewrite("leaner queues of ghosts", leaner)
        self._rewrite("all inlined", inlined)
        if self._bold:
            self._template()
        for number in range(conditions(self._source)):
            self._rewrite("likely branches told", *(partial(expected, number=number, outcome=o) for o in (1, 0)))
        if self._best.fuel >= was.fuel:
            return None
        note = f"{1 - self._best.fuel / was.fuel:.1%} less fuel on train: {', '.join(dict.fromkeys(self._how))}"
        return Candidate(self._source, (self._component.digest,), self._parameters, note)

    def _rewrite(self, name: str, *alternatives: Rewriting) -> None:
        made = [(rewrite(self._source), rewrite) for rewrite in alternatives]
        possible = [(source, rewrite) for source, rewrite in made if source is not None]
        number = None if self._metered.over() else self._try(name, [source for source, _ in possible])
        if number is not None:
            self._rewritten.append(possible[number][1])

    def _try(self, name: str, sources: Sequence[str]) -> int | None:
        """Take the cheapest of some sources if it is cheaper and does the same.  @return: which one that is."""
        done = [windows and _done(windows) for windows in self._metered.windowsOfSources(sources)]
        same = [(d.fuel, number) for number, d in enumerate(done) if d and d.behaviour == self._best.behaviour]
        if not same or min(same)[0] >= self._best.fuel * (1 - _LEAST_GAIN):
            return None
        fuel, number = min(same)
        self._best = _Done(self._best.behaviour, fuel)
        self._source = sources[number]
        self._how.append(name)
        return number

    # -- of a rank ABI

    def _expression(self) -> None:
        abi = rankAbiOf(self._metered.problem)
        tree = fromSource(self._source, abi.features) if abi is not None else None
        if abi is None or tree is None:
            return
        smallest = self._reduced(tree)
        printed = toC(smallest, abi, f"kn_{self._metered.problem.workbench}.h", "the same decisions by a simpler rank")
        self._try("a simpler expression", [printed])

    def _reduced(self, tree: Tree) -> Tree:
        """The cheapest tree found, step by step, that does the same as the component."""
        # The source says that it is this tree; if that isn't so, nothing below does the same.
        best, fuel = tree, self._fuelOf([tree])[0]
        improved = fuel is not None
        while improved and not self._metered.over():
            improved = False
            for batch in _batches((simplified(best), *reductions(best))):
                fuels = self._fuelOf(batch)
                cheap = sorted((f, number) for number, f in enumerate(fuels) if f is not None)
                for less, number in cheap:
                    if fuel is not None and less < fuel and (self._bold or self._alike(tree, batch[number])):
                        best, fuel, improved = batch[number], less, True
                        break
                if improved:
                    break
        return best

    def _alike(self, tree: Tree, other: Tree) -> bool:
        """Whether two trees put features drawn at random into the same order."""
        abi = rankAbiOf(self._metered.problem)
        assert abi is not None
        drawn = [{feature: self._number() for feature in abi.features} for _ in range(_DRAWN)]
        ranks = [(evaluate(tree, values), evaluate(other, values)) for values in drawn]
        return all((a[0] < b[0]) is (a[1] < b[1]) for a in ranks for b in ranks)

    def _number(self) -> float:
        """A value that a feature may well have: a count, a share, a time."""
        rng = self._rng
        return rng.choice((0.0, 1.0, float(rng.randint(0, 20)), rng.random(), 10 ** rng.uniform(-3, 6)))

    def _fuelOf(self, trees: Sequence[Tree]) -> list[int | None]:
        """Fuel of trees as modules written directly; C{None} for what does anything else."""
        abi = rankAbiOf(self._metered.problem)
        assert abi is not None
        found: list[int | None] = []
        for windows in self._metered.windowsOf([(toWasm(tree, abi), ()) for tree in trees]):
            done = windows and _done(windows)
            found.append(done.fuel if done and done.behaviour == self._best.behaviour else None)
        return [*found, *[None] * (len(trees) - len(found))]

    # -- of a template

    def _template(self) -> None:
        for template in self._templates:
            vector = template.vectorOf(self._component)
            if vector is None or template.bake(vector) != self._component.implementation:
                continue
            self._parameters = vector
            for place in range(len(vector)):
                if self._metered.over():
                    return
                others = list(_simpler(template, self._parameters, place))
                number = self._try("simpler parameters", [self._again(template.bake(other)) for other in others])
                if number is not None:
                    self._parameters = others[number]

    def _again(self, source: str) -> str:
        """Another source rewritten as this one was."""
        for rewrite in self._rewritten:
            source = rewrite(source) or source
        return source


def _simpler(template: Template, vector: Vector, place: int) -> Iterator[Vector]:
    """The vector with one value that may switch something off: none, the least, and the commonest known ones."""
    parameter = template.parameters[place]
    common = Counter(known[place] for known in template.known).most_common(2)
    for value in dict.fromkeys(map(parameter.normalized, (0.0, parameter.least, *(value for value, _ in common)))):
        if value != vector[place]:
            yield (*vector[:place], value, *vector[place + 1 :])


def _batches(trees: Iterable[Tree]) -> Iterator[list[Tree]]:
    batch: list[Tree] = []
    for tree in trees:
        batch.append(tree)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
