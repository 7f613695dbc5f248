"""A collaboration session as one of the two who take part sees it, and the words for what its steps are about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from kernelnet.artifacts import Component
from kernelnet.message import CollaborationType, SessionStep
from kernelnet.trainer.storage.knowledge_base import KnownComponent

__all__ = ["Session", "fuelOf", "onTask", "stepOf", "taskText"]


class Session(Struct):
    """
    One collaboration as this trainer sees it.

    @ivar role: C{initiator} asked; C{partner} accepted, and sends the component that completes it.
    @ivar status: C{active}, C{completed}, C{declined} or C{expired}.
    @ivar progress: 0 to 1, a quarter a step; C{transcript}: the steps that were done here.
    @ivar notes: of both, while it is active; see `kernelnet.trainer.collaboration.notes`.
    """

    session_id: str
    role: str
    peer: str
    type: CollaborationType
    description: str = ""
    peer_specialization: str = "general"
    requirements: dict[str, Any] = {}
    status: str = "active"
    progress: float = 0.0
    component_id: str | None = None
    transcript: list[SessionStep] = []
    notes: list[SessionStep] = []

    def forgetAsked(self) -> None:
        """Once it has ended, keep nothing more of what a stranger asked for, or wrote."""
        if self.status != "active":
            self.requirements = {} if self.role == "partner" else self.requirements
            self.notes = []


def fuelOf(component: Component) -> float:
    """Fuel on validation, as claimed; infinite without a claim."""
    report = component.claim
    return report.splits["validation"].fuel if report is not None else math.inf


def onTask(known: Iterable[KnownComponent], task: Mapping[str, Any]) -> list[KnownComponent]:
    """
    Those whose claim is about a task, in their order.

    @param task: C{trace_digest} and C{settings}.
    """
    trace, wanted = task.get("trace_digest"), (task.get("trace_digest"), task.get("settings"))
    reports = ((each, each.component.claim) for each in known if each.trace is not None and each.trace == trace)
    return [each for each, report in reports if report and (report.trace_digest, report.settings) == wanted]


def taskText(workbench: str, trace: str, settings: Mapping[str, Any]) -> str:
    """A task in a few words."""
    told = " ".join(f"{name} {value}" for name, value in settings.items())
    return f"{workbench}, {trace}, {told}".strip(", ")[:200]


def stepOf(by: str, what: str, component: Component | None, **more: Any) -> SessionStep:
    """A step of a transcript that is about a component, with what that claims on validation."""
    if component is None:
        return SessionStep(by=by, what=what, **more)
    report = component.claim
    validation = report.splits["validation"] if report is not None else None
    return SessionStep(
        by=by,
        what=what,
        component=component.id,
        digest=component.digest,
        score=validation.score if validation is not None else None,
        fuel=validation.fuel if validation is not None else None,
        level=component.development_level,
        task=taskText(report.workbench, report.trace, report.settings) if report is not None else "",
        **more,
    )
