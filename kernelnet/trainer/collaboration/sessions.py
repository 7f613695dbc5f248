"""
Collaboration sessions: whom to ask, when to accept, and what is said of their end.

C{proposals} says what is asked for, C{session_work} does the work, C{session_state} is what is kept of each.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import inlineCallbacks
from twisted.logger import Logger

from kernelnet.artifacts import Component
from kernelnet.learning.specializations import complements
from kernelnet.message import (
    CollaborationInvitation,
    CollaborationRequest,
    CollaborationResponse,
    CollaborationType,
    ComponentShare,
    MessageType,
    SessionStep,
)
from kernelnet.trainer.collaboration.proposals import request
from kernelnet.trainer.collaboration.session_state import Session
from kernelnet.trainer.collaboration.session_work import NoResult, SessionWork
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.task_partition import liars
from kernelnet.untrusted import isSmall, plain

if TYPE_CHECKING:
    from kernelnet.trainer.service import Trainer

__all__ = ["Collaboration"]

MAX_ACCEPTED = 3
"""An invitation of whatever kind is accepted while fewer sessions than this run."""

MAX_RUNNING = 12
"""However well it complements, with so many sessions running an invitation is declined."""

MAX_ENDED = 100
"""How many sessions that have ended are remembered."""

MAX_SOUGHT = 2
"""How many sessions of its own a trainer seeks to have, besides those that it works on for others."""

SEEK_EVERY = 10.0
"""Seconds between looks at whether to seek another."""

OFFER_LASTS = 60.0
"""Seconds after which an offer that nobody answered no longer counts."""

STEP = 0.25
_WORK = ("build", "measure", "improve")
"""What each step of the work is worth, and what a step is called."""

_WORKED_ON = {"partner": ("active",), "initiator": ("active", "completed")}
"""By role, in which states a session is worked on: the initiator goes on when its partner is done."""

_DEVELOPMENT = CollaborationType.FEATURE_DEVELOPMENT
_ENDS = "the trainer ended"


class Collaboration:
    """The sessions of one trainer, and the decisions about them."""

    log = Logger()

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.sessions: dict[str, Session] = {}
        self._offers: list[tuple[float, CollaborationRequest]] = []
        self._sought = 0
        self._asked: set[str] = set()
        self._ending = False

    @inlineCallbacks
    def load(self) -> Any:
        for (body,) in (yield self._trainer.store.read("SELECT body FROM sessions ORDER BY rowid")):
            session = msgspec.json.decode(body, type=Session)
            self.sessions[session.session_id] = session

    def active(self) -> list[Session]:
        return [s for s in self.sessions.values() if s.status == "active"]

    # -- seeking

    def seek(self, now: float, changes: Changes) -> bool:
        """
        Ask for a collaboration if fewer than `MAX_SOUGHT` of ours run or are on offer, and somebody is there to ask.

        The types take turns; one that is on offer or runs already, or that there is nothing to ask of, is passed over.
        """
        self._offers = [(at, offer) for at, offer in self._offers if now - at < OFFER_LASTS]
        others = [i for a, i in self._trainer.knowledge.ais.items() if a != self._trainer.aiId and i.connected]
        ours = [session.type for session in self.active() if session.role == "initiator"]
        ours += [offer.type for _, offer in self._offers]
        if len(ours) >= MAX_SOUGHT or not others:
            return False
        kinds = list(CollaborationType)
        for _ in kinds:
            kind = kinds[self._sought % len(kinds)]
            self._sought += 1
            asked = request(self._trainer, kind, self._asked) if kind not in ours else None
            if asked is not None:
                self._asked.add(str(asked.requirements.get("component", "")))
                self._offers.append((now, asked))
                self._trainer.say(MessageType.COLLABORATION_REQUEST, asked, changes)
                self.log.info("Seeking a collaboration: {type}, {what}", type=kind.value, what=asked.description)
                return True
        return False

    # -- what the hub tells

    def invited(self, invitation: CollaborationInvitation, changes: Changes) -> None:
        """Accept or decline; an accepted session becomes a job."""
        refusal = self._refusal(invitation)
        if refusal is not None:
            self._say(invitation.session_id, "declined", refusal, changes)
            return
        session = Session(
            session_id=invitation.session_id,
            role="partner",
            peer=invitation.initiator,
            type=invitation.type,
            description=invitation.description,
            peer_specialization=invitation.partner_specialization,
            requirements=invitation.requirements,
        )
        self._keep(session, changes)
        self._say(session.session_id, "accepted", "", changes)
        self._trainer.workshop.addCollaboration(session.session_id, changes)
        self.log.info("Accepted {type} with {peer}", type=session.type.value, peer=session.peer)

    def _refusal(self, invitation: CollaborationInvitation) -> str | None:
        kinds = (CollaborationType.CROSS_SPECIALIZATION, CollaborationType.FEATURE_DEVELOPMENT)
        info = self._trainer.getAiInfo(invitation.initiator)
        specialization = info.specialization if info is not None else invitation.partner_specialization
        complementary = invitation.type in kinds and complements(self._trainer.specialization, specialization)
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
                session = self._offered(response, response.partner or sender)
                self._keep(session, changes)
                if session.type is CollaborationType.CROSS_SPECIALIZATION and not self._ending:
                    self._trainer.workshop.addCollaboration(session.session_id, changes)
            self.log.info("{peer} accepted collaboration {id}", peer=session.peer, id=session.session_id)
            return
        # An invitation to several runs out for all but the first to accept; that is no failure.
        quicker = response.response == "expired" and response.reason.startswith("taken by ")
        ended = "another was quicker" if quicker else response.response
        why = f" ({plain(response.reason)})" if response.reason else ""
        self.log.info("Collaboration {id}: {ended}{why}", id=response.session_id, ended=ended, why=why)
        if session is not None and session.status == "active":
            session.status = response.response
            self._keep(session, changes)
            self._trainer.workshop.drop(f"collaborate:{session.session_id}", changes)
        elif session is None:
            offer = self._takeOffer(response.type)
            if offer is not None:
                # Nobody had time for it: it may be asked again.
                self._asked.discard(str(offer.requirements.get("component", "")))

    def _offered(self, response: CollaborationResponse, peer: str) -> Session:
        """The session that came of one of our offers."""
        offer = self._takeOffer(response.type)
        kind = response.type or (offer.type if offer is not None else CollaborationType.FEATURE_DEVELOPMENT)
        asked = offer.requirements if offer is not None else {}
        return Session(response.session_id, "initiator", peer, kind, requirements=asked)

    def _takeOffer(self, kind: CollaborationType | None) -> CollaborationRequest | None:
        """Our oldest open offer, of one type where that was told; it is open no more."""
        for at, offer in self._offers:
            if kind in (None, offer.type):
                self._offers.remove((at, offer))
                return offer
        return None

    def givenAway(self) -> list[dict[str, Any]]:
        """
        The tasks that a peer was asked to build for, while it may: C{trace_digest} and C{settings}.

        To one whose claim was refuted here nothing is left: it might accept, and do nothing for half an hour.
        """
        untrusted = liars(self._trainer.knowledge.components.values())
        asked = [offer.requirements for _, offer in self._offers if offer.type is _DEVELOPMENT]
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
            self.log.info("Collaboration {id} with {peer} is completed", id=sessionId, peer=sender)

    def forgotten(self, changes: Changes) -> None:
        """The hub has another log, or we missed a part of it: nobody will tell how what runs now ends."""
        for session in self.active():
            session.status = "expired"
            self._keep(session, changes)
            self._trainer.workshop.drop(f"collaborate:{session.session_id}", changes)

    def giveUp(self, sessionId: str, changes: Changes) -> None:
        """The work failed again and again."""
        session = self.sessions.get(sessionId)
        if session is not None and session.status == "active":
            session.status = "declined"
            if session.role == "partner":
                self._answer(session, "declined", "the work on it failed", changes)
            self._keep(session, changes)

    def end(self, changes: Changes) -> None:
        """This trainer won't be back: whoever waits for its part of a session is told, and no other one is begun."""
        self._ending = True
        for session in self.active():
            if session.role == "partner":
                session.status = "declined"
                self._answer(session, "declined", _ENDS, changes)
                self._trainer.workshop.drop(f"collaborate:{session.session_id}", changes)
                self._keep(session, changes)

    # -- the work

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
            found = await SessionWork(self._trainer, session, partial(self._advance, session)).result()
        except NoResult as none:
            reason = str(none)
        # and not: cut short by our own end, somebody else was first, or the hub let it expire
        if session.status in _WORKED_ON[session.role] and self._trainer.running:
            await self._end(session, found, reason)

    async def _end(self, session: Session, found: Component | None, reason: str) -> None:
        trainer, changes = self._trainer, Changes()
        isPartner = session.role == "partner"
        session.progress = 1.0
        if found is not None:
            session.component_id = found.id
            found.component_name = f"collaborative_{session.type.value}"
            trainer.knowledge.addComponent(trainer.aiId, found, changes)
            share = ComponentShare(
                component=found,
                session_id=session.session_id,
                collaboration_complete=isPartner,
                transcript=session.transcript,
            )
            # To all, since the others measure it again too; the hub tells the peer that its session is completed.
            trainer.say(MessageType.OS_COMPONENT_SHARE, share, changes)
        if isPartner:
            session.status = "completed" if found is not None else "declined"
            if found is None:
                self._answer(session, "declined", reason, changes)
        self._keep(session, changes)
        await trainer.commit(changes)
        self.log.info(
            "{role} of collaboration {id} with {peer}: {what}",
            role=session.role,
            id=session.session_id,
            peer=session.peer,
            what=found.id if found is not None else plain(reason, 300),
        )

    async def _advance(self, session: Session, steps: list[SessionStep]) -> None:
        session.progress = min(1.0, STEP * sum(step.what in _WORK for step in steps))
        session.transcript = list(steps)
        changes = Changes()
        self._keep(session, changes)
        await self._trainer.commit(changes)

    # -- bookkeeping

    def _answer(self, session: Session, response: str, reason: str, changes: Changes) -> None:
        """The partner's word on a session that it worked on, with the steps that were done."""
        self._say(session.session_id, response, reason, changes, session.transcript)

    def _say(
        self, sessionId: str, response: str, reason: str, changes: Changes, transcript: list[SessionStep] | None = None
    ) -> None:
        answer = CollaborationResponse(
            session_id=sessionId, response=response, reason=reason, transcript=transcript or []
        )
        self._trainer.say(MessageType.COLLABORATION_RESPONSE, answer, changes)

    def _keep(self, session: Session, changes: Changes) -> None:
        self.sessions[session.session_id] = session
        body = msgspec.json.encode(session).decode("utf-8")
        changes.add("REPLACE INTO sessions VALUES (?, ?)", session.session_id, body)
        ended = [id_ for id_, s in self.sessions.items() if s.status != "active"]
        for id_ in ended[:-MAX_ENDED]:
            del self.sessions[id_]
            changes.add("DELETE FROM sessions WHERE session_id = ?", id_)
