"""
What a trainer asks of its peers by a collaboration.

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
from typing import TYPE_CHECKING, Any

import msgspec

from kernelnet.artifacts import Pattern
from kernelnet.learning.specializations import CAPABILITIES, COMPLEMENTARY
from kernelnet.learning.trace_matching import MAX_DESCRIBED
from kernelnet.message import CollaborationRequest, CollaborationType
from kernelnet.trainer.collaboration.expression_hints import hintsOf
from kernelnet.trainer.collaboration.session_state import cost, onTask, reportOf, taskText
from kernelnet.trainer.storage.knowledge_base import KnownComponent

if TYPE_CHECKING:
    from kernelnet.trainer.service import Trainer

__all__ = ["request"]

MAX_GIVEN = 4
"""So many expressions are given, the best of each task first."""


def request(trainer: Trainer, kind: CollaborationType, asked: Container[str]) -> CollaborationRequest | None:
    """
    @param asked: digests of components that were to be made cheaper before: each is once.
    @return: C{None}: there is nothing yet to ask for, such as no component that could be made cheaper.
    """
    told = _optimization(trainer, asked) if kind is _CHEAPER else _WHAT[kind](trainer)
    if told is None:
        return None
    description, requirements = told
    return CollaborationRequest(
        type=kind,
        description=description,
        expertise_offered=trainer.capabilities,
        seeking_expertise=_expertiseSought(trainer.specialization),
        requirements={"feature": trainer.feature, **requirements},
    )


def _development(trainer: Trainer) -> tuple[str, dict[str, Any]]:
    """A component for a task that nothing is known for yet, and that our own turn comes to last; else for this one."""
    status = trainer.local.status()
    task = status.get("scenario") or {}
    others = [
        other
        for other in status.get("tasks", ())
        if not onTask(trainer.knowledge.usable(), other) and other["trace_digest"] != task.get("trace_digest")
    ]
    task = (others or [task])[-1]
    described = _describing(trainer, task)
    best = next(iter(onTask(trainer.knowledge.usable(), task)), None)
    reached = {}
    words = f"better than any hand-made policy for {_ofTask(trainer, task)}"
    if best is not None:
        component = best.component
        reached = {"component": component.digest, "validation": cost(component)[0]}
        words = (
            f"better than {component.id} for {_ofTask(trainer, task)}: less than {cost(component)[0]:.0f} on validation"
        )
    if described:
        words += f"; of its patterns: {', '.join(f'{p.type} {p.confidence:.2f}' for p in described[:5])}"
    patterns = [msgspec.to_builtins(pattern) for pattern in described]
    return words, {**task, **({"patterns": patterns} if patterns else {}), **({"reached": reached} if reached else {})}


def _describing(trainer: Trainer, task: Mapping[str, Any]) -> list[Pattern]:
    """Our own patterns of a task's trace, or of those that it is made of, the most confident first."""
    own = [pattern for (source, _), pattern in trainer.knowledge.patterns.items() if source == trainer.aiId]
    these = [p for p in own if isinstance(p.data, dict) and _isAbout(task, p.data)]
    return sorted(these, key=lambda pattern: -pattern.confidence)[:MAX_DESCRIBED]


def _isAbout(task: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    if "parts" not in (task.get("settings") or {}):
        return data.get("trace_digest") == task.get("trace_digest")
    # Of a generalist's task only the names of its traces are told, and no name may be found within another.
    name = re.escape(str(data.get("trace", "\n")))
    return re.search(rf"(?<![\w.-]){name}(?![\w.-])", str(task.get("trace", ""))) is not None


def _exchange(trainer: Trainer) -> tuple[str, dict[str, Any]] | None:
    """What was found on our benches goes to another one, and what is found there comes back."""
    benches = trainer.local.workbenches
    given = hintsOf(k for k in _ownFirst(trainer) if k.component.manifest and k.component.manifest.workbench in benches)
    if not given:
        return None
    given = given[:MAX_GIVEN]
    words = f"{len(given)} of {trainer.feature}'s rank functions, for what your bench's are worth there"
    return words, {"workbench": given[0].workbench, "hints": [msgspec.to_builtins(hint) for hint in given]}


def _optimization(trainer: Trainer, asked: Container[str]) -> tuple[str, dict[str, Any]] | None:
    """The best component of our own, for less fuel."""
    for known in _ownFirst(trainer):
        component, report = known.component, reportOf(known.component)
        if report is not None and known.source == trainer.aiId and component.digest not in asked:
            task = {
                "workbench": report.workbench,
                "trace": report.trace,
                "trace_digest": report.trace_digest,
                "settings": report.settings,
            }
            words = f"{component.id}, {_ofTask(trainer, task)}, for less than its {cost(component)[1]:.0f} fuel"
            return words, {"component": component.digest, **task}
    return None


def _ownFirst(trainer: Trainer) -> list[KnownComponent]:
    return sorted(trainer.knowledge.usable(), key=lambda known: known.source != trainer.aiId)


def _ofTask(trainer: Trainer, task: dict[str, Any]) -> str:
    workbench = str(task.get("workbench", trainer.feature))
    return taskText(workbench, str(task.get("trace", "any trace")), task.get("settings") or {})


def _expertiseSought(specialization: str) -> list[str]:
    """The specializations that complement ours, and their words."""
    partners = sorted(next(iter(pair - {specialization})) for pair in COMPLEMENTARY if specialization in pair)
    words = [word for partner in partners for word in CAPABILITIES[partner]]
    return [*partners, *words] or ["pattern_recognition"]


_CHEAPER = CollaborationType.PERFORMANCE_OPTIMIZATION
_WHAT: dict[CollaborationType, Any] = {
    CollaborationType.FEATURE_DEVELOPMENT: _development,
    CollaborationType.CROSS_SPECIALIZATION: _exchange,
}
