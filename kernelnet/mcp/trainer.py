"""
The trainer whose components an agent writes: it connects, keeps, and measures peers' claims again as any other does.

It searches nothing by itself, asks nobody by itself, and decides about no invitation: all these wait for the agent, in
the trainer's own store, so that they outlive a restart; a request waits no longer than `REQUEST_LASTS`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet import task

from kernelnet.learning.local_trainer import IntegratedKernelTrainer
from kernelnet.message import CollaborationInvitation, CollaborationResponse
from kernelnet.trainer.collaboration.sessions import Sessions
from kernelnet.trainer.service import Trainer
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.feature_requests import FEATURE
from kernelnet.trainer.work.job_queue import Job, JobQueue
from kernelnet.untrusted import isSmall

__all__ = ["INVITATION", "REQUEST_LASTS", "AgentLearning", "AgentSessions", "AgentTrainer"]

INVITATION = "invitation"
"""Kind of the jobs that wait for an agent's answer to an invitation; the body is the invitation."""

MAX_INVITATIONS = 20
"""Maximum number of invitations that wait; one more is declined."""

REQUEST_LASTS = 1800.0
"""Seconds that a peer's request for a component waits for the agent; then the peer is told that nothing came of it."""

_CAME = "came"
"""Key in the body of such a job: Unix seconds."""

_LOOK_EVERY = 0.5


class AgentSessions(Sessions):
    """Sessions of which an agent decides."""

    def __init__(self, *, jobs: JobQueue, **parts: Any) -> None:
        super().__init__(jobs=jobs, **parts)
        self._waiting = jobs

    def invited(self, invitation: CollaborationInvitation, changes: Changes) -> None:
        """Keep an invitation for the agent."""
        if len(self.invitations()) >= MAX_INVITATIONS or not isSmall(invitation.requirements):
            self.decline(invitation, "too many invitations, or requirements, wait for the agent already", changes)
        else:
            job = Job(INVITATION, invitation.initiator, msgspec.to_builtins(invitation))
            self._waiting.add(_key(invitation.session_id), job, changes)

    def invitations(self) -> dict[str, CollaborationInvitation]:
        """Those that wait, by session id."""
        found = (
            msgspec.convert(job.body, CollaborationInvitation) for job in self._waiting.ofKind(INVITATION).values()
        )
        return {invitation.session_id: invitation for invitation in found}

    def answer(self, invitation: CollaborationInvitation, accepted: bool, reason: str, changes: Changes) -> None:
        """The agent's answer."""
        self._waiting.drop(_key(invitation.session_id), changes)
        if accepted:
            self.accept(invitation, changes)
        else:
            self.decline(invitation, reason, changes)

    def answered(self, sender: str, response: CollaborationResponse, changes: Changes) -> None:
        """An invitation that is over, since another was quicker or time went by, waits no more."""
        if _key(response.session_id) in self._waiting:
            self._waiting.drop(_key(response.session_id), changes)
        else:
            super().answered(sender, response, changes)

    def forgotten(self, changes: Changes) -> None:
        """Nor do those of another log."""
        for sessionId in self.invitations():
            self._waiting.drop(_key(sessionId), changes)
        super().forgotten(changes)


def _key(sessionId: str) -> str:
    return f"{INVITATION}:{sessionId}"


class AgentLearning(IntegratedKernelTrainer):
    """
    The learning half, of which an agent does the search.

    @ivar told: C{scenario} and C{search} of what the agent works on, as `kernelnet.interfaces.ILocalTrainer.status` has
        them.
    """

    told: Callable[[], dict[str, Any]] = staticmethod(dict)

    def status(self) -> dict[str, Any]:
        return {**super().status(), **self.told()}


class AgentTrainer(Trainer):
    """See the module."""

    sessionsClass = AgentSessions
    sessions: AgentSessions
    wallClock: Callable[[], float] = staticmethod(time.time)

    def registerBuilds(self) -> None:
        """Nobody: requests of peers wait for the agent."""

    async def round(self) -> None:
        """Nothing is searched here; requests that waited too long are answered."""
        await self._expire()
        await task.deferLater(self._clock, _LOOK_EVERY)

    async def _expire(self) -> None:
        now, changes = self.wallClock(), Changes()
        for key, job in self.jobs.ofKind(FEATURE).items():
            came = job.body.get(_CAME)
            if came is None:
                self.jobs.add(key, job._replace(body={**job.body, _CAME: now}), changes)
            elif now - came >= REQUEST_LASTS:
                reason = f"the agent did not come to it within {REQUEST_LASTS / 60:.0f} minutes"
                await self.features.answer(key, job, None, None, reason)
        await self.outbox.commit(changes)

    def seek(self) -> None:
        """The agent asks for collaborations itself."""
