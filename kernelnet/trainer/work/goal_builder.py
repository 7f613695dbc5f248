"""Goals of a trainer's searches: what it knows, in the order in which a search should look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any, TypeVar

from kernelnet.artifacts import Pattern
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.goal import Goal
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.work.family_selection import FamilySelection
from kernelnet.trainer.work.task_partition import placeAmong

__all__ = ["MAX_BLOCKS", "MAX_PATTERNS", "GoalBuilder"]

T = TypeVar("T")

MAX_PATTERNS = 500
"""Maximum number of patterns, our own and each peer's newest, for a search: they tell it how alike tasks are."""

MAX_BLOCKS = 200
"""Maximum number of building blocks, each trainer's newest, for a search: it tries those of the likest tasks."""


class GoalBuilder:
    """
    Makes the goals of one trainer.

    @param givenAway: tells C{trace_digest} and C{settings} of the tasks that a peer works on for us.
    """

    def __init__(
        self,
        profile: Profile,
        local: ILocalTrainer,
        knowledge: KnowledgeBase,
        givenAway: Callable[[], list[dict[str, Any]]],
    ) -> None:
        self._profile = profile
        self._local = local
        self._knowledge = knowledge
        self._givenAway = givenAway
        self._families = FamilySelection(profile.aiId, knowledge)
        self._economized: set[str] = set()

    def goal(self, seconds: float) -> Goal:
        """A component of our feature, with all that is known here."""
        knowledge, aiId = self._knowledge, self._profile.aiId
        known = knowledge.components.values()
        place, among = placeAmong(aiId, self._local.workbenches, knowledge.ais, known)
        usable = knowledge.usable()
        return Goal(
            feature=self._profile.feature,
            seconds=seconds,
            patterns=_ownFirst(aiId, knowledge.patterns)[:MAX_PATTERNS],
            # of all workbenches: the local trainer takes those of the task that is next
            parents=[k.component for k in usable],
            levels={k.digest: k.level for k in usable if k.level is not None},
            blocks=_inTurn(knowledge.blocks)[:MAX_BLOCKS],
            carriers=self._families.carriers(),
            shared=self._families.shared(),
            avoid=self._givenAway(),
            place=place,
            among=among,
        )

    def cheaperGoal(self, seconds: float) -> Goal | None:
        """For the specialization performance: the next component that it might make cheaper, each of them once."""
        if self._profile.specialization != "performance":
            return None
        self._economized &= self._knowledge.components.keys()
        for known in self._knowledge.usable():
            if known.task is None or known.digest in self._economized:
                continue
            component = known.component
            manifest = component.manifest
            if manifest is None or manifest.report is None:
                continue
            self._economized.add(known.digest)
            report = manifest.report
            task = {"workbench": report.workbench, "trace_digest": report.trace_digest, "settings": report.settings}
            return Goal(manifest.workbench, seconds, objective="fuel", parents=[component], requirements=task)
        return None


def _ownFirst(aiId: str, patterns: Mapping[tuple[str, str], Pattern]) -> list[Pattern]:
    """Patterns in turn, our own first: what was measured here counts before what others say."""
    own = {key: pattern for key, pattern in patterns.items() if key[0] == aiId}
    return [*_inTurn(own), *_inTurn({key: pattern for key, pattern in patterns.items() if key not in own})]


def _inTurn(items: Mapping[tuple[str, str], T]) -> list[T]:
    """By source and id: the newest of each source, then each one's second; who shares much takes nobody's place."""
    bySource: dict[str, list[T]] = {}
    for (source, _), item in reversed(list(items.items())):
        bySource.setdefault(source, []).append(item)
    return [item for rank in zip_longest(*bySource.values()) for item in rank if item is not None]
