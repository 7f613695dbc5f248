"""
Collaboration sessions: when to accept, what becomes of them, and what is said of their end.

The work of a session is handed in; see C{session_work}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from twisted.internet.defer import inlineCallbacks
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import Component
from kernelnet.learning.specializations import complements
from kernelnet.message import (
    CollaborationInvitation,
    CollaborationResponse,
    CollaborationType,
    ComponentShare,
    MessageType,
    SessionStep,
)
from kernelnet.trainer.collaboration.notes import SessionNotes
from kernelnet.trainer.collaboration.offers import Offers
from kernelnet.trainer.collaboration.session_state import Session
from kernelnet.trainer.collaboration.session_work import Advance, NoResult
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.job_queue import Job, JobQueue
from kernelnet.trainer.work.publication import Publisher
from kernelnet.trainer.work.task_partition import refutedAuthors
from kernelnet.untrusted import LinePace, isSmall, plain

__all__ = ["COLLABORATE", "Sessions", "Work"]

COLLABORATE = "collaborate"
"""Kind of the jobs that do a session's work; the body is the session's id."""

Work = Callable[[Session, Advance, int], Awaitable[tuple[Component, float | None]]]
"""Does a session's work; see `kernelnet.trainer.collaboration.session_work`."""

MAX_ACCEPTED = 3
"""An invitation of whatever kind is accepted while fewer sessions than this run."""

MAX_RUNNING = 12
"""Number of running sessions with which an invitation is declined, however well it complements."""

MAX_INITIATED = 12
"""Number of running sessions of our own with which no other counts: a hub may tell of any number of partners."""

MAX_ENDED = 100
"""Maximum number of sessions that have ended and are remembered."""

MAX_WORD = 256
"""Characters that are kept of a specialization's name."""

STEP = 0.25
_WORK = ("build", "measure", "improve")
"""Progress that each step of the work is, and the names of these steps."""

_WORKED_ON = {"partner": ("active",), "initiator": ("active", "completed")}
"""By role, in which states a session is worked on: the initiator goes on when its partner is done."""

_DEVELOPMENT = CollaborationType.FEATURE_DEVELOPMENT
_ENDS = "the trainer ended"


class Sessions:
    """
    The sessions of one trainer, and the decisions about them; a `JobHandler` of their work.

    @ivar sessions: by id, those that run and the last that ended.

    @param offers: asks for sessions.
    @param work: does the work of a session.
    @param isRunning: whether the trainer is; work that was cut short by its end is done by the next process.
    """

    log = Logger()

    def __init__(
        self,
        *,
        profile: Profile,
        store: Store,
        knowledge: KnowledgeBase,
        outbox: Outbox,
        jobs: JobQueue,
        publisher: Publisher,
        offers: Offers,
        work: Work,
        clock: IReactorTime,
        isRunning: Callable[[], bool],
    ) -> None:
        self._profile = profile
        self._store = store
        self._knowledge = knowledge
        self._outbox = outbox
        self._jobs = jobs
        self._publisher = publisher
        self.offers = offers
        self._work = work
        self._clock = clock
        self._pace = LinePace()
        self._isRunning = isRunning
        self.sessions: dict[str, Session] = {}
        self._ending = False
        self.notes = SessionNotes(profile.aiId, self.sessions, self._keep, outbox)

    @inlineCallbacks
    def load(self) -> Any:
        """Take up the sessions that an earlier run left."""
        for (body,) in (yield self._store.read("SELECT body FROM sessions ORDER BY rowid")):
            session = msgspec.json.decode(body, type=Session)
            session.forgetAsked()
            self.sessions[session.session_id] = session

    def active(self) -> list[Session]:
        return [s for s in self.sessions.values() if s.status == "active"]

    def workedOn(self) -> list[str]:
        """
        Ids of the sessions that are worked on here, or whose turn comes; those first that a peer waits for.

        Of what we asked for ourselves a peer is to say so.
        """
        ours = [s for s in self.sessions.values() if _key(s.session_id) in self._jobs]
        return [s.session_id for s in sorted(ours, key=lambda session: session.role != "partner")]

    def _tells(self, kind: str) -> bool:
        """Whether one more line of a kind goes to the log: strangers cause as many as they like."""
        return self._pace.admits(kind, self._clock.seconds())

    # -- seeking

    def seek(self, now: float, changes: Changes) -> bool:
        """
        Ask for a collaboration if too few of ours run or are on offer, and somebody is there to ask.

        @return: whether one was asked for.
        """
        self.offers.expire(now)
        others = [i for a, i in self._knowledge.ais.items() if a != self._profile.aiId and i.connected]
        ours = [session.type for session in self.active() if session.role == "initiator"]
        return bool(others) and self.offers.seek(now, ours, changes)

    # -- messages from the hub

    def invited(self, invitation: CollaborationInvitation, changes: Changes) -> None:
        """Accept or decline an invitation, by its worth and by how many sessions run."""
        refusal = self._refusal(invitation)
        if refusal is not None:
            self.decline(invitation, refusal, changes)
        else:
            self.accept(invitation, changes)

    def accept(self, invitation: CollaborationInvitation, changes: Changes) -> Session:
        """Accept an invitation; the session's work becomes a job."""
        session = Session(
            session_id=invitation.session_id,
            role="partner",
            peer=invitation.initiator,
            type=invitation.type,
            description=invitation.description,
            peer_specialization=invitation.partner_specialization[:MAX_WORD],
            requirements=invitation.requirements,
        )
        self._keep(session, changes)
        self._say(session.session_id, "accepted", "", changes)
        self._enqueue(session, changes)
        if self._tells("accepted"):
            self.log.info("Accepted {type} with {peer}", type=session.type.value, peer=session.peer)
        return session

    def decline(self, invitation: CollaborationInvitation, reason: str, changes: Changes) -> None:
        """Decline an invitation; nothing is kept of it."""
        answer = CollaborationResponse(invitation.session_id, "declined", reason)
        self._outbox.answer(MessageType.COLLABORATION_RESPONSE, answer, changes)

    def _refusal(self, invitation: CollaborationInvitation) -> str | None:
        kinds = (CollaborationType.CROSS_SPECIALIZATION, CollaborationType.FEATURE_DEVELOPMENT)
        info = self._knowledge.ais.get(invitation.initiator)
        specialization = info.specialization if info is not None else invitation.partner_specialization
        complementary = invitation.type in kinds and complements(self._profile.specialization, specialization)
        if self._ending:
            return _ENDS
        if not isSmall(invitation.requirements):
            return "too many requirements"
        if len(self.active()) < (MAX_RUNNING if complementary else MAX_ACCEPTED):
            return None
        return f"{len(self.active())} sessions are running already"

    def answered(self, sender: str, response: CollaborationResponse, changes: Changes) -> None:
        """The other side's (or the hub's) word on a session."""
        session = self.sessions.get(response.session_id)
        if response.response == "accepted":
            if session is None:
                if sum(s.role == "initiator" for s in self.active()) >= MAX_INITIATED:
                    return
                session = self._offered(response, response.partner or sender)
                self._keep(session, changes)
                if session.type is CollaborationType.CROSS_SPECIALIZATION and not self._ending:
                    self._enqueue(session, changes)
            if self._tells("answered"):
                self.log.info("{peer} accepted collaboration {id}", peer=session.peer, id=plain(session.session_id))
            return
        # An invitation to several runs out for all but the first to accept; that is no failure.
        quicker = response.response == "expired" and response.reason.startswith("taken by ")
        ended = "another was quicker" if quicker else response.response
        why = f" ({plain(response.reason)})" if response.reason else ""
        if self._tells("answered"):
            self.log.info("Collaboration {id}: {ended}{why}", id=plain(response.session_id), ended=ended, why=why)
        if session is not None and session.status == "active":
            session.status = response.response
            self._keep(session, changes)
            self._jobs.drop(_key(session.session_id), changes)
        elif session is None:
            self.offers.declined(response.type, self._clock.seconds())

    def _offered(self, response: CollaborationResponse, peer: str) -> Session:
        """The session that came of one of our offers."""
        offer = self.offers.accepted(response.type)
        kind = response.type or (offer.type if offer is not None else CollaborationType.FEATURE_DEVELOPMENT)
        asked = offer.requirements if offer is not None else {}
        return Session(response.session_id, "initiator", peer, kind, requirements=asked)

    def givenAway(self) -> list[dict[str, Any]]:
        """
        The tasks that a peer was asked to build for, while it may: C{trace_digest} and C{settings}.

        To one whose claim was refuted here nothing is left: it might accept, and do nothing for half an hour.
        """
        untrusted = refutedAuthors(self._knowledge.components.values())
        asked = [offer.requirements for offer in self.offers.open() if offer.type is _DEVELOPMENT]
        ours = (s for s in self.active() if s.role == "initiator" and s.type is _DEVELOPMENT)
        asked += [session.requirements for session in ours if session.peer not in untrusted]
        return [{key: told.get(key) for key in ("trace_digest", "settings")} for told in asked]

    def componentCame(self, sessionId: str, sender: str, changes: Changes) -> None:
        """A component that names a session ends it, if it comes from whom the session is with."""
        # An id that isn't here is somebody else's session: the hub tells of each that is ours before it is completed.
        session = self.sessions.get(sessionId)
        if session is not None and session.role == "initiator" and session.peer == sender:
            session.status, session.progress = "completed", 1.0
            self._keep(session, changes)
            self.log.info("Collaboration {id} with {peer} is completed", id=plain(sessionId), peer=sender)

    def forgotten(self, changes: Changes) -> None:
        """The hub has another log, or we missed a part of it: nobody will tell how what runs now ends."""
        for session in self.active():
            session.status = "expired"
            self._keep(session, changes)
            self._jobs.drop(_key(session.session_id), changes)

    def end(self, changes: Changes) -> None:
        """This trainer won't be back: whoever waits for its part of a session is told, and no other one is begun."""
        self._ending = True
        for session in self.active():
            if session.role == "partner":
                session.status = "declined"
                self._answer(session, "declined", _ENDS, changes)
                self._jobs.drop(_key(session.session_id), changes)
                self._keep(session, changes)

    # -- the work

    async def run(self, key: str, job: Job) -> None:
        """Do a session's work, and say what came of it."""
        await self.work(job.body)
        if self._isRunning():
            changes = Changes()
            self._jobs.drop(key, changes)
            await self._outbox.commit(changes)

    def abandon(self, job: Job, changes: Changes) -> None:
        """The work failed again and again."""
        session = self.sessions.get(job.body)
        if session is not None and session.status == "active":
            session.status = "declined"
            if session.role == "partner":
                self._answer(session, "declined", "the work on it failed", changes)
            self._keep(session, changes)

    async def work(self, sessionId: str) -> None:
        """
        Do a session's work, and say what came of it: see `kernelnet.trainer.collaboration.session_work`.

        The partner's component completes the session; without one it is declined with the reason: no component is sent
        for show.  What the initiator found for itself, of a cross specialization, adds to it.
        """
        session = self.sessions.get(sessionId)
        if session is None or session.status not in _WORKED_ON[session.role]:
            return
        session.progress, session.transcript = 0.0, []
        found, reason = None, ""
        try:
            found = await self._work(session, partial(self._advance, session), len(self.sessions))
        except NoResult as none:
            reason = str(none)
        # and not: cut short by our own end, somebody else was first, or the hub let it expire
        if session.status not in _WORKED_ON[session.role] or not self._isRunning():
            return
        changes = Changes()
        if found is not None:
            self.complete(session, found[0], changes, found[1])
        else:
            self.giveUp(session, reason, changes)
        await self._outbox.commit(changes)

    def complete(self, session: Session, component: Component, changes: Changes, level: float | None = None) -> None:
        """
        Complete a session with a component that passed the guard; what the initiator found adds to it.

        @param level: on validation, as measured here.
        """
        isPartner = session.role == "partner"
        session.progress, session.component_id = 1.0, component.id
        component.component_name = f"collaborative_{session.type.value}"
        share = ComponentShare(
            component=component,
            session_id=session.session_id,
            collaboration_complete=isPartner,
            transcript=session.transcript,
        )
        # To all, since the others measure it again too; the hub tells the peer that its session is completed.
        self._publisher.publishComponent(share, changes, level=level)
        if isPartner:
            session.status = "completed"
        self._ended(session, component.id, changes)

    def notTaken(self, sessionId: str, reason: str, changes: Changes) -> None:
        """The hub won't take the component that was to complete a session: who waits for it is told that none comes."""
        session = self.sessions.get(sessionId)
        if session is not None and session.role == "partner" and session.status == "completed":
            session.status, session.component_id = "declined", None
            self._answer(session, "declined", f"the hub won't take what was found: {reason}", changes)
            self._keep(session, changes)

    def giveUp(self, session: Session, reason: str, changes: Changes) -> None:
        """End our part of a session without a component; the partner's word on it is that it is declined."""
        session.progress = 1.0
        if session.role == "partner":
            session.status = "declined"
            self._answer(session, "declined", reason, changes)
        self._ended(session, plain(reason, 300), changes)

    def _ended(self, session: Session, what: str, changes: Changes) -> None:
        self._keep(session, changes)
        self._jobs.drop(_key(session.session_id), changes)
        self.log.info(
            "{role} of collaboration {id} with {peer}: {what}",
            role=session.role,
            id=plain(session.session_id),
            peer=session.peer,
            what=what,
        )

    async def _advance(self, session: Session, steps: list[SessionStep]) -> None:
        session.progress = min(1.0, STEP * sum(step.what in _WORK for step in steps))
        session.transcript = list(steps)
        changes = Changes()
        self._keep(session, changes)
        await self._outbox.commit(changes)

    # -- bookkeeping

    def _enqueue(self, session: Session, changes: Changes) -> None:
        """The session's work becomes a job."""
        self._jobs.add(_key(session.session_id), Job(COLLABORATE, session.peer, session.session_id), changes)

    def _answer(self, session: Session, response: str, reason: str, changes: Changes) -> None:
        """The partner's word on a session that it worked on, with the steps that were done."""
        self._say(session.session_id, response, reason, changes, session.transcript)

    def _say(
        self, sessionId: str, response: str, reason: str, changes: Changes, transcript: list[SessionStep] | None = None
    ) -> None:
        answer = CollaborationResponse(sessionId, response, reason, transcript=transcript or [])
        self._outbox.say(MessageType.COLLABORATION_RESPONSE, answer, changes)

    def _keep(self, session: Session, changes: Changes) -> None:
        self.sessions[session.session_id] = session
        session.forgetAsked()
        body = msgspec.json.encode(session).decode("utf-8")
        changes.add("REPLACE INTO sessions VALUES (?, ?)", session.session_id, body)
        ended = [id_ for id_, s in self.sessions.items() if s.status != "active"]
        for id_ in ended[:-MAX_ENDED]:
            del self.sessions[id_]
            changes.add("DELETE FROM sessions WHERE session_id = ?", id_)


def _key(sessionId: str) -> str:
    return f"{COLLABORATE}:{sessionId}"
