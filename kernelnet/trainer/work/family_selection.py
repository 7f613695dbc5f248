"""Peers' families that are worth a try: each owner in turn, so that who shares many takes nobody's place."""

from __future__ import annotations

import math
from itertools import islice, zip_longest

from kernelnet.artifacts import Carrier, Verdict
from kernelnet.families import familyOf, numbersOf
from kernelnet.learning.known_settings import MAX_SHARED
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase, KnownComponent

__all__ = ["MAX_CARRIERS", "MAX_NUMBERS", "MAX_READ", "FamilySelection"]

MAX_CARRIERS = 16
"""Maximum number for a search, which takes in a few of them: it has forgotten some perhaps."""

MAX_NUMBERS = 7
"""
Maximum number of other settings that a family comes with, about as many as our own templates have: with the carrier's
they are measured in one step.
"""

MAX_READ = 20
"""Number of sources that are looked at in one go: each takes some milliseconds of the reactor's."""


class FamilySelection:
    """
    Families that confirmed components of peers carry.

    Confirmed is what was measured here, and what somebody has confirmed who is not of its author's owner: of a trace
    that isn't here nothing can be measured, and a family is tried on our own.
    """

    def __init__(self, aiId: str, knowledge: KnowledgeBase) -> None:
        self._aiId = aiId
        self._knowledge = knowledge
        self._families: dict[str, str | None] = {}
        self._values: dict[str, tuple[float, ...]] = {}

    def carriers(self) -> list[Carrier]:
        """Of each family the component that was the first here, owners in turn; at most `MAX_CARRIERS`."""
        knowledge = self._knowledge
        known = [k for k in knowledge.components.values() if k.workbench is not None and k.source != self._aiId]
        self._read()
        ours = {self._families.get(k.digest) for k in knowledge.components.values() if k.source == self._aiId}
        members: dict[str, list[KnownComponent]] = {}
        for each in known:
            family = self._families.get(each.digest)
            if family is not None and self._isConfirmed(each):
                members.setdefault(family, []).append(each)
        first = {family: every[0] for family, every in members.items()}
        tasks = {family: {each.task for each in every} for family, every in members.items()}
        byOwner: dict[str, list[str]] = {}
        # Those that did well on many tasks come first; among them those that are tuned here already.
        for family in sorted(first, key=lambda name: (name not in ours, -len(tasks[name]))):
            byOwner.setdefault(knowledge.voice(first[family].source), []).append(family)
        found: list[Carrier] = []
        for rank in zip_longest(*byOwner.values()):
            for owner, family in zip(byOwner, rank, strict=True):
                if family is not None and len(found) < MAX_CARRIERS:
                    carrier, *others = members[family]
                    found.append(Carrier(carrier.component, owner, family, self._numbers(others)))
        return found

    def _numbers(self, others: list[KnownComponent]) -> tuple[tuple[float, ...], ...]:
        """
        Settings of a family's further components, at most `MAX_NUMBERS`: owners in turn, each one's newest first.

        What is good for one trace is seldom the best for another, but one of several that were good somewhere is near.
        They are the sources' own: a manifest may say others than those that were measured.
        """
        byOwner: dict[str, list[tuple[float, ...]]] = {}
        for each in reversed(others):
            if values := self._values.get(each.digest):
                byOwner.setdefault(self._knowledge.voice(each.source), []).append(values)
        turns = (numbers for rank in zip_longest(*byOwner.values()) for numbers in rank if numbers is not None)
        return tuple(islice(dict.fromkeys(turns), MAX_NUMBERS))

    def confirmed(self) -> list[KnownComponent]:
        """All confirmed components of peers: those that carry a family first, then by level."""
        carriers = {carrier.component.digest: place for place, carrier in enumerate(self.carriers())}
        every = self._knowledge.components.values()
        found = [k for k in every if k.workbench is not None and k.source != self._aiId and self._isConfirmed(k)]
        return sorted(
            found, key=lambda k: (carriers.get(k.digest, len(carriers)), -(-math.inf if k.level is None else k.level))
        )

    def shared(self) -> list[Carrier]:
        """Of each workbench the best few components, owners in turn, to be tried as they are on tasks of our own."""
        byOwner: dict[str, dict[str, list[KnownComponent]]] = {}
        for each in self._knowledge.components.values():
            if each.workbench is None or each.source == self._aiId or each.isReference:
                continue
            if self._isConfirmed(each):
                owners = byOwner.setdefault(each.workbench, {})
                owners.setdefault(self._knowledge.voice(each.source), []).append(each)
        found: list[Carrier] = []
        for owners in byOwner.values():
            best = {
                owner: sorted(theirs, key=lambda each: -(each.level if each.level is not None else -math.inf))
                for owner, theirs in owners.items()
            }
            ranks = zip_longest(*best.values())
            turns = (
                (owner, each) for rank in ranks for owner, each in zip(best, rank, strict=True) if each is not None
            )
            found += [Carrier(each.component, owner) for owner, each in islice(turns, MAX_SHARED)]
        return found

    def _read(self) -> None:
        """Find out the families of some that weren't looked at before."""
        here = self._knowledge.components
        self._families = {digest: family for digest, family in self._families.items() if digest in here}
        self._values = {digest: values for digest, values in self._values.items() if digest in here}
        for each in [k for k in here.values() if k.digest not in self._families and k.workbench is not None][:MAX_READ]:
            family = familyOf(each.component.implementation)
            self._families[each.digest] = family.digest if family is not None else None
            if family is not None:
                self._values[each.digest] = numbersOf(each.component.implementation)

    def _isConfirmed(self, known: KnownComponent) -> bool:
        if known.verdict in (Verdict.CONFIRMED, Verdict.REFUTED):
            return known.verdict is Verdict.CONFIRMED
        knowledge = self._knowledge
        author = knowledge.voice(known.source)
        return any(
            report.verdict is Verdict.CONFIRMED and report.digest == known.digest and knowledge.voice(who) != author
            for who, report in knowledge.reportsOn(known.id).items()
        )
