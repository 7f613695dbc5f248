"""
Families that peers have shared, as guests of a search: a stranger's structure, whose numbers are tuned here.

A confirmed component whose source marks its numbers (see `kernelnet.families`) carries its family.  It is compiled in
the jail and runs in the sandbox, as all that strangers write; it begins with the numbers that it came with and those
that others found for it, and is searched as a template of our own is.  The bandit gives it effort as it pays, and an
owner's families together no more than `ALLOWANCE` measurements on a task without paying.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Any

from kernelnet.artifacts import Candidate, Carrier
from kernelnet.families import familyOf
from kernelnet.generators.evolution.search_family import Metered
from kernelnet.generators.templates.marked_source import MarkError, marked
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Template, Vector
from kernelnet.interfaces import IProblem
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import WorkbenchError

__all__ = [
    "ALLOWANCE",
    "MAX_GUESTS",
    "MAX_GUESTS_OF_ONE",
    "POPULATION",
    "AdoptedFamily",
    "Allowance",
    "guestsFor",
    "templateOf",
]

MAX_GUESTS = 4
"""Maximum number of peers' families in one search; and C{MAX_GUESTS_OF_ONE} of one owner."""

MAX_GUESTS_OF_ONE = 2

ALLOWANCE = 192
"""
Measurements that an owner's families may take on a task without making the best of all better: a dozen generations.
"""

POPULATION, OFFSPRING = 16, 8
"""On the one island: a guest has little time."""


class Allowance:
    """
    Measurements that the families of one owner may still take on a task; whenever they pay it is whole again.

    @ivar left: not more than so many, but for the step in which they end.
    """

    def __init__(self) -> None:
        self.left = ALLOWANCE

    def spend(self, evaluations: int, paid: bool) -> None:
        """Take what one step had."""
        self.left = ALLOWANCE if paid else self.left - evaluations


class AdoptedFamily(VectorFamily):
    """
    See `Family`.  One that can't be compiled, or fails at all of its first numbers, waits for good.

    @ivar digest: of the family.
    """

    isGuest = True

    def __init__(self, template: Template, digest: str, carrier: Carrier, allowance: Allowance) -> None:
        super().__init__(template)
        self.digest = digest
        self._carrier = carrier
        self._allowance = allowance
        self._isBroken = False
        self._told, self._heard = 0, 0
        self._hasPaid = False

    def start(self, metered: Metered, rng: random.Random) -> None:
        try:
            super().start(metered, rng)
        except WorkbenchError:
            self._isBroken = True

    def begin(self) -> None:
        self._parents = {}
        self._wasm = self.problem.compileStrangers(self._template.tunable())

    def first(self, rng: random.Random) -> list[Vector]:
        # Who has little time does better with what was good elsewhere than with what comes by chance.
        return super().first(rng)[: self.population]

    def worthTrying(self) -> Iterator[Vector]:
        # What was found for it elsewhere comes first: the numbers that it came with are among them.
        yield self._template.known[0]
        for carrier in self.problem.carriers:
            if carrier.family == self.digest:
                found = (self._template.vector(numbers) for numbers in carrier.numbers)
                yield from (vector for vector in found if vector is not None)
        yield from super().worthTrying()

    def waits(self) -> bool:
        return self._isBroken or self._allowance.left <= 0

    def wait(self, seconds: float) -> bool:
        return False

    def heard(self, gain: float) -> None:
        more, self._heard = self.evaluations - self._heard, self.evaluations
        self._hasPaid = self._hasPaid or gain > 0
        self._isBroken = self._isBroken or (more > 0 and not self.found(1))
        self._allowance.spend(more, gain > 0)

    def tell(self, isBest: bool) -> None:
        """Tell the problem what came of it since the last time."""
        more, self._told = self.evaluations - self._told, self.evaluations
        if self._isBroken:
            # It would have had as many, had it not failed.
            self.problem.tried(self.digest, ALLOWANCE, False)
        elif more:
            self.problem.tried(self.digest, more, self._hasPaid or isBest)
        self._hasPaid = False

    def candidate(self, genome: Vector) -> Candidate:
        """With the component that it came by as the first parent: so its lineage leads to the family's author."""
        found, came = super().candidate(genome), self._carrier.component
        return replace(
            found,
            parents=tuple(dict.fromkeys((came.digest, *found.parents))),
            note=plain(f"family {self.digest[:10]} of {came.id}: {found.note}", 250),
        )


def templateOf(carrier: Carrier, workbench: str) -> tuple[Template, str] | None:
    """
    The template that a component's source is, and the digest of its family.

    @return: C{None}: it marks no numbers, or not as its manifest says.
    """
    source, manifest = carrier.component.implementation, carrier.component.manifest
    family = familyOf(source)
    if family is None or manifest is None or manifest.family not in (None, family):
        return None
    try:
        template = marked(source, workbench, f"family {family.digest[:16]}")
    except MarkError:
        return None
    if template is None:
        return None
    return replace(template, islands=1, population=POPULATION, offspring=OFFSPRING), family.digest


def guestsFor(problem: IProblem, own: Container[str]) -> list[AdoptedFamily]:
    """
    Families of peers to take in, at most `MAX_GUESTS`.

    @param own: digests of the families that are there already.
    """
    memory: dict[str, Any] | None = getattr(problem, "memory", None)
    allowances: dict[str, Allowance] = {} if memory is None else memory.setdefault("allowances", {})
    guests: dict[str, AdoptedFamily] = {}
    owners: list[str] = []
    for carrier in getattr(problem, "carriers", ()):
        if owners.count(carrier.owner) >= MAX_GUESTS_OF_ONE:
            continue
        found = templateOf(carrier, problem.workbench)
        if found is None or found[1] in own or found[1] in guests:
            continue
        template, digest = found
        allowance = allowances.setdefault(carrier.owner, Allowance())
        guests[digest] = AdoptedFamily(template, digest, carrier, allowance)
        owners.append(carrier.owner)
        if len(guests) == MAX_GUESTS:
            break
    return list(guests.values())
