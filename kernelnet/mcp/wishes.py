"""Wishes of peers to an agent: invitations, sessions with the notes in them, requests for components."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kernelnet.artifacts import Component
from kernelnet.asyncio_bridge import inReactor
from kernelnet.learning.specializations import complements
from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.strangers import Quoted, quoted
from kernelnet.mcp.trainer import AgentTrainer
from kernelnet.message import ForwardedFeatureRequest, SessionStep
from kernelnet.trainer.collaboration.notes import NoteRefused
from kernelnet.trainer.collaboration.session_state import Session, stepOf
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.feature_requests import FEATURE
from kernelnet.trainer.work.job_queue import Job
from kernelnet.untrusted import MAX_NOTE

__all__ = ["Invitation", "Wishes"]

MAX_LISTED = 50
_MAX_REQUIREMENTS = 2000


@dataclass(frozen=True)
class Invitation:
    """
    Something that peers ask of the agent.

    @ivar kind: C{invitation}, to be answered by answer_invitation; C{session}, which runs, and C{feature_request}: both
        are ended by complete_session.
    @ivar notes: of a session: the peer's words to you; C{your_notes}: yours to it; C{notes_left}: that you may add.
    """

    id: str
    kind: str
    type: str
    by: str
    wanted: Quoted
    requirements: Quoted
    role: str = ""
    complements: bool = False
    notes: tuple[Quoted, ...] = ()
    your_notes: tuple[str, ...] = ()
    notes_left: int = 0


class Wishes:
    """
    Of the reactor's thread.

    @param commit: has something said.
    """

    def __init__(self, trainer: AgentTrainer, commit: Callable[[Callable[[Changes], object]], Awaitable[None]]) -> None:
        self._trainer = trainer
        self._commit = commit
        self._aiId = trainer.profile.aiId

    def all(self) -> list[Invitation]:
        """All that waits for the agent."""
        trainer = self._trainer
        found = [
            Invitation(
                invitation.session_id,
                "invitation",
                invitation.type.value,
                invitation.initiator,
                quoted(invitation.initiator, invitation.description, 1000),
                _requirements(invitation.initiator, invitation.requirements),
                "partner",
                complements(trainer.profile.specialization, invitation.partner_specialization),
            )
            for invitation in trainer.sessions.invitations().values()
        ]
        found += map(self._running, trainer.sessions.active())
        for key, job in trainer.jobs.ofKind(FEATURE).items():
            forwarded = msgspec.convert(job.body, ForwardedFeatureRequest)
            request = forwarded.original_request
            found.append(
                Invitation(
                    key,
                    "feature_request",
                    "feature_request",
                    forwarded.requestor,
                    quoted(forwarded.requestor, request.feature, 200),
                    _requirements(forwarded.requestor, request.requirements),
                    "partner",
                )
            )
        return found[:MAX_LISTED]

    def _running(self, session: Session) -> Invitation:
        return Invitation(
            session.session_id,
            "session",
            session.type.value,
            session.peer,
            quoted(session.peer, session.description, 1000),
            _requirements(session.peer, session.requirements),
            session.role,
            notes=tuple(quoted(note.by, note.note, MAX_NOTE) for note in session.notes if note.by != self._aiId),
            your_notes=tuple(note.note for note in session.notes if note.by == self._aiId),
            notes_left=self._trainer.sessions.notes.left(session),
        )

    async def answer(self, sessionId: str, accepted: bool, reason: str) -> None:
        """
        Accept or decline an invitation.

        @raise AgentError: there is none of that id.
        """
        sessions = self._trainer.sessions
        invitation = sessions.invitations().get(sessionId)
        if invitation is None:
            raise AgentError(f"no invitation {sessionId[:80]!r} waits (any more): list_invitations shows those that do")
        await self._commit(lambda changes: sessions.answer(invitation, accepted, reason, changes))

    async def note(self, sessionId: str, text: str) -> int:
        """
        Say a note in a session that runs.

        @return: number of those that may still be said there.
        @raise AgentError: it can't be said.
        """
        sessions = self._trainer.sessions
        try:
            await self._commit(lambda changes: sessions.notes.say(sessionId, text, changes))
        except NoteRefused as error:
            raise AgentError(f"{error}; list_invitations shows the sessions") from None
        return sessions.notes.left(sessions.sessions[sessionId])

    def wanted(self, id_: str) -> Session | Job:
        """
        The session that runs, or the feature request that waits.

        @raise AgentError: there is none of that id.
        """
        session = self._trainer.sessions.sessions.get(id_)
        if session is not None and session.status == "active":
            return session
        job = self._trainer.jobs.ofKind(FEATURE).get(id_)
        if job is None:
            raise AgentError(
                f"{id_[:80]!r} is neither a session that runs nor a request that waits: list_invitations shows them;"
                " an invitation is accepted first, by answer_invitation"
            )
        return job

    async def complete(self, id_: str, component: Component, level: float | None, note: str) -> None:
        """End a session or a request by a component that passed the guard."""
        wanted = self.wanted(id_)
        if isinstance(wanted, Job):
            await inReactor(lambda: self._trainer.features.answer(id_, wanted, component, level))
            return
        wanted.transcript = [
            stepOf(self._aiId, "build", component, objective="score"),
            SessionStep(by=self._aiId, what="measure", component=component.id, digest=component.digest),
            stepOf(self._aiId, "send", component, note=note[:256]),
        ]
        await self._commit(lambda changes: self._trainer.sessions.complete(wanted, component, changes, level))

    async def giveUp(self, id_: str, reason: str) -> None:
        """End a session or a request without a component."""
        wanted = self.wanted(id_)
        if isinstance(wanted, Job):
            await inReactor(lambda: self._trainer.features.answer(id_, wanted, None, None, reason))
        else:
            await self._commit(lambda changes: self._trainer.sessions.giveUp(wanted, reason, changes))


def _requirements(by: str, requirements: Mapping[str, Any]) -> Quoted:
    return quoted(by, json.dumps(requirements), _MAX_REQUIREMENTS)
