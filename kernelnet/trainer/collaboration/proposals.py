"""
Proposals of collaborations: what a trainer asks of its peers.

What a partner is told is all that it knows of the task: the trace may not be there.  So a request names the task, and
says how far it has been brought, by what patterns the trace is known, and what is given:

=========================  ===================================================================================
``type``                   ``requirements``, besides ``feature``
=========================  ===================================================================================
feature_development        ``workbench``, ``trace``, ``trace_digest``, ``settings``; ``patterns`` of that trace;
                           ``reached``: the best that the initiator knows for it
cross_specialization       ``workbench``; ``hints``: expressions of the initiator's that were found there
performance_optimization   ``component``: the digest of what is to become cheaper, and its task
=========================  ===================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

import msgspec

from kernelnet.artifacts import Pattern, TaskDescription
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.division_of_labour import inLine
from kernelnet.learning.specializations import CAPABILITIES, COMPLEMENTARY
from kernelnet.learning.trace_matching import MAX_DESCRIBED
from kernelnet.message import CollaborationRequest, CollaborationType
from kernelnet.trainer.collaboration.expression_hints import hintsOf
from kernelnet.trainer.collaboration.session_state import fuelOf, onTask, taskText
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase, KnownComponent
from kernelnet.trainer.work.task_partition import placeAmong

__all__ = ["Proposals"]

MAX_GIVEN = 4
"""Maximum number of expressions that are given, the best of each task first."""


class Proposals:
    """Makes the requests of one trainer, from what it knows."""

    def __init__(self, profile: Profile, local: ILocalTrainer, knowledge: KnowledgeBase) -> None:
        self._profile = profile
        self._local = local
        self._knowledge = knowledge

    def request(self, kind: CollaborationType, asked: Container[str]) -> CollaborationRequest | None:
        """
        The request of one type that is most worth asking now.

        @param asked: digests of components that were to be made cheaper before: each is once.
        @return: C{None}: there is nothing yet to ask for, such as no component that could be made cheaper.
        """
        if kind is CollaborationType.FEATURE_DEVELOPMENT:
            told = self._development()
        elif kind is CollaborationType.CROSS_SPECIALIZATION:
            told = self._exchange()
        else:
            told = self._optimization(asked)
        if told is None:
            return None
        description, requirements = told
        return CollaborationRequest(
            type=kind,
            description=description,
            expertise_offered=self._profile.capabilities,
            seeking_expertise=_expertiseSought(self._profile.specialization),
            requirements={"feature": self._profile.feature, **requirements},
        )

    def _development(self) -> tuple[str, dict[str, Any]] | None:
        """A component for a task of ours that nothing is known for yet, the last of them; else for this one."""
        task = _told(self._local.currentTask())
        others = [
            other
            for other in self._dealt()
            if not onTask(self._knowledge.usable(), other) and other["trace_digest"] != task.get("trace_digest")
        ]
        task = (others or [task])[-1]
        described = self._describing(task)
        best = next(iter(onTask(self._knowledge.usable(), task)), None)
        reached = {}
        words = f"better than any hand-made policy for {self._ofTask(task)}"
        if best is not None:
            component = best.component
            reached = {"component": component.digest, "validation_level": best.level}
            words = f"better than {component.id} for {self._ofTask(task)}"
            if best.level is not None:
                words += f": a level above {best.level:.3f} on validation"
        if described:
            words += f"; of its patterns: {', '.join(f'{p.type} {p.confidence:.2f}' for p in described[:5])}"
        patterns = [msgspec.to_builtins(pattern) for pattern in described]
        more = {**({"patterns": patterns} if patterns else {}), **({"reached": reached} if reached else {})}
        return words, {**task, **more}

    def _dealt(self) -> list[dict[str, Any]]:
        """
        Tasks that this trainer is first in line for.

        Those who were dealt the others search there without being asked; and if all asked for the same one, all would
        search the same.
        """
        local, knowledge = self._local, self._knowledge
        place, among = placeAmong(self._profile.aiId, local.workbenches, knowledge.ais, knowledge.components.values())
        byBench: dict[str, list[TaskDescription]] = {}
        for task in local.tasks():
            byBench.setdefault(task.workbench, []).append(task)
        return [
            _told(task) for tasks in byBench.values() for at, task in enumerate(tasks) if inLine(at, place, among) == 1
        ]

    def _describing(self, task: Mapping[str, Any]) -> list[Pattern]:
        """Our own patterns of a task's trace, or of those that it is made of, the most confident first."""
        ours = self._profile.aiId
        own = [pattern for (source, _), pattern in self._knowledge.patterns.items() if source == ours]
        these = [p for p in own if isinstance(p.data, dict) and _isAbout(task, p.data)]
        return sorted(these, key=lambda pattern: -pattern.confidence)[:MAX_DESCRIBED]

    def _exchange(self) -> tuple[str, dict[str, Any]] | None:
        """Expressions that were found on our benches go to another one, and what is found there comes back."""
        benches = self._local.workbenches
        ranked = (k for k in self._ownFirst() if k.component.manifest and k.component.manifest.workbench in benches)
        given = hintsOf(ranked)[:MAX_GIVEN]
        if not given:
            return None
        words = f"{len(given)} of {self._profile.feature}'s rank functions, for what your bench's are worth there"
        return words, {"workbench": given[0].workbench, "hints": [msgspec.to_builtins(hint) for hint in given]}

    def _optimization(self, asked: Container[str]) -> tuple[str, dict[str, Any]] | None:
        """The best component of our own, for less fuel."""
        for known in self._ownFirst():
            component, report = known.component, known.component.claim
            if report is not None and known.source == self._profile.aiId and component.digest not in asked:
                task = {
                    "workbench": report.workbench,
                    "trace": report.trace,
                    "trace_digest": report.trace_digest,
                    "settings": report.settings,
                }
                words = f"{component.id}, {self._ofTask(task)}, for less than its {fuelOf(component):.0f} fuel"
                return words, {"component": component.digest, **task}
        return None

    def _ownFirst(self) -> list[KnownComponent]:
        return sorted(self._knowledge.usable(), key=lambda known: known.source != self._profile.aiId)

    def _ofTask(self, task: Mapping[str, Any]) -> str:
        workbench = str(task.get("workbench", self._profile.feature))
        return taskText(workbench, str(task.get("trace", "any trace")), task.get("settings") or {})


def _told(task: TaskDescription | None) -> dict[str, Any]:
    """A task as peers are told of it; empty where there is none."""
    told: dict[str, Any] = msgspec.to_builtins(task) if task is not None else {}
    return told


def _isAbout(task: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    if "parts" not in (task.get("settings") or {}):
        return data.get("trace_digest") == task.get("trace_digest")
    # Of a generalist's task only the names of its traces are told, and no name may be found within another.
    name = re.escape(str(data.get("trace", "\n")))
    return re.search(rf"(?<![\w.-]){name}(?![\w.-])", str(task.get("trace", ""))) is not None


def _expertiseSought(specialization: str) -> list[str]:
    """The specializations that complement ours, and their words."""
    partners = sorted(next(iter(pair - {specialization})) for pair in COMPLEMENTARY if specialization in pair)
    words = [word for partner in partners for word in CAPABILITIES[partner]]
    return [*partners, *words] or ["pattern_recognition"]
