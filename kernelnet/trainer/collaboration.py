"""Collaboration sessions: whom to ask, when to accept, and the four steps of work that end in a component."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import inlineCallbacks
from twisted.logger import Logger

from kernelnet.message import (
    CollaborationInvitation,
    CollaborationRequest,
    CollaborationResponse,
    CollaborationType,
    Component,
    ComponentShare,
    MessageType,
    SessionStep,
    Verdict,
)
from kernelnet.trainer.specializations import CAPABILITIES, COMPLEMENTARY, complements
from kernelnet.trainer.store import Changes
from kernelnet.trainer.training import Goal
from kernelnet.trainer.workshop import MAX_BLOCKS, MAX_PATTERNS, isSmall

if TYPE_CHECKING:
    from kernelnet.trainer.service import Trainer

__all__ = ["Collaboration", "Session"]

MAX_ACCEPTED = 3
"""An invitation of whatever kind is accepted while fewer sessions than this run."""

MAX_RUNNING = 12
"""However well it complements, with so many sessions running an invitation is declined."""

MAX_ENDED = 100
"""How many sessions that have ended are remembered."""

MAX_SOUGHT = 2
"""How many sessions a trainer seeks to have."""

SEEK_EVERY = 10.0
"""Seconds between looks at whether to seek another."""

OFFER_LASTS = 60.0
"""Seconds after which an offer that nobody answered no longer counts."""

MAX_NAMED = 16
"""So many parents are named in a transcript."""

STEP = 0.25
STEP_SECONDS = 4.0
"""How long each of a session's two searches may take."""


class Session(Struct):
    """
    One collaboration as this trainer sees it.

    @ivar role: C{initiator} asked; C{partner} does the work and sends the component.
    @ivar status: C{active}, C{completed}, C{declined} or C{expired}.
    @ivar progress: 0 to 1, a quarter a step; C{transcript}: the steps that were done.
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


class Collaboration:
    """The sessions of one trainer, and the decisions about them."""

    log = Logger()

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.sessions: dict[str, Session] = {}
        self._offers: list[tuple[float, CollaborationType]] = []
        self._sought = 0

    @inlineCallbacks
    def load(self) -> Any:
        for (body,) in (yield self._trainer.store.read("SELECT body FROM sessions ORDER BY rowid")):
            session = msgspec.json.decode(body, type=Session)
            self.sessions[session.session_id] = session

    def active(self) -> list[Session]:
        return [s for s in self.sessions.values() if s.status == "active"]

    # -- seeking

    def seek(self, now: float, changes: Changes) -> bool:
        """Ask for a collaboration if fewer than `MAX_SOUGHT` run or are on offer, and somebody is there to ask."""
        self._offers = [(at, kind) for at, kind in self._offers if now - at < OFFER_LASTS]
        others = [i for a, i in self._trainer.knowledge.ais.items() if a != self._trainer.aiId and i.connected]
        if len(self.active()) + len(self._offers) >= MAX_SOUGHT or not others:
            return False
        kinds = list(CollaborationType)
        kind = kinds[self._sought % len(kinds)]
        self._sought += 1
        self._offers.append((now, kind))
        request = CollaborationRequest(
            type=kind,
            description=f"{kind.value.replace('_', ' ')} for {self._trainer.feature}",
            expertise_offered=self._trainer.capabilities,
            seeking_expertise=_expertiseSought(self._trainer.specialization),
            requirements={"feature": self._trainer.feature, **self._task(kind)},
        )
        self._trainer.say(MessageType.COLLABORATION_REQUEST, request, changes)
        self.log.info("Seeking a collaboration: {type}", type=kind.value)
        return True

    def _task(self, kind: CollaborationType) -> dict[str, Any]:
        """What the partner is to work on: our task, or, for an optimization, the component to make cheaper."""
        if kind is CollaborationType.PERFORMANCE_OPTIMIZATION:
            for known in self._trainer.knowledge.usable():
                report = known.component.manifest.report if known.component.manifest is not None else None
                if report is not None:
                    return {
                        "component": known.component.digest,
                        "workbench": report.workbench,
                        "trace_digest": report.trace_digest,
                        "settings": report.settings,
                    }
        return self._trainer.local.status().get("scenario") or {}

    # -- what the hub tells

    def invited(self, invitation: CollaborationInvitation, changes: Changes) -> None:
        """Accept or decline; an accepted session becomes a job."""
        refusal = self._refusal(invitation)
        if refusal is not None:
            self._answer(invitation.session_id, "declined", refusal, changes)
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
        self._answer(session.session_id, "accepted", "", changes)
        self._trainer.workshop.addCollaboration(session.session_id, changes)
        self.log.info("Accepted {type} with {peer}", type=session.type.value, peer=session.peer)

    def _refusal(self, invitation: CollaborationInvitation) -> str | None:
        kinds = (CollaborationType.CROSS_SPECIALIZATION, CollaborationType.FEATURE_DEVELOPMENT)
        info = self._trainer.getAiInfo(invitation.initiator)
        specialization = info.specialization if info is not None else invitation.partner_specialization
        complementary = invitation.type in kinds and complements(self._trainer.specialization, specialization)
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
                session = self._offered(response.session_id, response.partner or sender)
                self._keep(session, changes)
            self.log.info("{peer} accepted collaboration {id}", peer=session.peer, id=session.session_id)
            return
        self.log.info("Collaboration {id}: {r}", id=response.session_id, r=response.response)
        if session is not None and session.status == "active":
            session.status = response.response
            self._keep(session, changes)
            self._trainer.workshop.drop(f"collaborate:{session.session_id}", changes)
        elif session is None and self._offers:
            self._offers.pop(0)

    def _offered(self, sessionId: str, peer: str) -> Session:
        """The session that came of our oldest open offer."""
        kind = self._offers.pop(0)[1] if self._offers else CollaborationType.FEATURE_DEVELOPMENT
        return Session(session_id=sessionId, role="initiator", peer=peer, type=kind)

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
            self._answer(sessionId, "declined", "the work on it failed", changes)
            self._keep(session, changes)

    # -- the work

    async def work(self, sessionId: str) -> None:
        """
        The four steps of a session, each real and each worth a quarter: generate, measure, improve, measure again.

        Then the better component goes to the partner.  If nothing passed the guard, or an optimization made nothing
        cheaper, the session is declined with that reason: no component is sent for show.
        """
        session = self.sessions.get(sessionId)
        if session is None or session.status != "active":
            return
        session.progress, session.transcript = 0.0, []
        first = await self._measured(session, await self._built(session, "build", None))
        second = await self._measured(session, await self._built(session, "improve", first))
        # and not: cut short by our own end, somebody else was first, or the hub let it expire
        if session.status == "active" and self._trainer.running:
            await self._end(session, self._best(session, first, second))

    async def _end(self, session: Session, best: Component | None) -> None:
        trainer = self._trainer
        session.progress = 1.0
        changes = Changes()
        if best is None:
            session.status = "declined"
            self._answer(session.session_id, "declined", "nothing better was found that passes the guard", changes)
        else:
            session.status = "completed"
            session.component_id = best.id
            best.component_name = f"collaborative_{session.type.value}"
            trainer.knowledge.addComponent(trainer.aiId, best, changes)
            share = ComponentShare(
                component=best,
                session_id=session.session_id,
                collaboration_complete=True,
                transcript=session.transcript,
            )
            trainer.say(MessageType.OS_COMPONENT_SHARE, share, changes, target=session.peer)
        self._keep(session, changes)
        await trainer.commit(changes)
        self.log.info("Collaboration {id} with {peer}: {s}", id=session.session_id, peer=session.peer, s=session.status)

    async def _advance(self, session: Session, step: SessionStep) -> None:
        session.progress = min(1.0, session.progress + STEP)
        session.transcript = [*session.transcript, step]
        changes = Changes()
        self._keep(session, changes)
        await self._trainer.commit(changes)

    async def _built(self, session: Session, what: str, first: Component | None) -> Component | None:
        began, goal = self._trainer.now(), self._goal(session, first)
        component: Component | None = await self._trainer.local.build(goal)
        parents = [parent.digest for parent in goal.parents][:MAX_NAMED]
        step = self._step(what, component, began, objective=goal.objective, parents=parents)
        await self._advance(session, step)
        return component

    async def _measured(self, session: Session, component: Component | None) -> Component | None:
        """C{component} if measuring it again, from its bytes alone, gives what was claimed."""
        began, verdict = self._trainer.now(), None
        if component is not None:
            verdict = (await self._trainer.local.remeasure(component)).verdict
        step = self._step("measure", component, began, verdict=verdict.value if verdict is not None else "")
        await self._advance(session, step)
        return component if verdict is Verdict.CONFIRMED else None

    def _step(self, what: str, component: Component | None, began: float, **more: Any) -> SessionStep:
        seconds = round(self._trainer.now() - began, 3)
        if component is None:
            return SessionStep(by=self._trainer.aiId, what=what, seconds=seconds, **more)
        score, fuel = _cost(component)
        return SessionStep(
            by=self._trainer.aiId,
            what=what,
            component=component.id,
            digest=component.digest,
            score=int(score) if math.isfinite(score) else None,
            fuel=int(fuel) if math.isfinite(fuel) else None,
            level=component.development_level,
            seconds=seconds,
            **more,
        )

    def _goal(self, session: Session, first: Component | None) -> Goal:
        """
        Each type of session has its own route to a component.

        @param first: what the first search of the session found, for the second to improve on.
        """
        trainer = self._trainer
        usable = trainer.knowledge.usable()
        own = [k.component for k in usable if k.source == trainer.aiId][:2]
        theirs = [k.component for k in usable if k.source == session.peer][:2]
        parents = [first] if first is not None else []
        goal = Goal(
            feature=str(session.requirements.get("feature", "")),
            seconds=STEP_SECONDS,
            requirements=session.requirements,
        )
        if session.type is CollaborationType.PERFORMANCE_OPTIMIZATION:
            # the same score with less fuel; if there is nothing to start from yet, the first search makes it
            asked = self._asked(session)
            parents += [asked] if asked is not None else []
            goal.objective = "fuel" if parents else "score"
            goal.parents = parents
            return goal
        goal.patterns = _firstFrom(session.peer, trainer.knowledge.patterns.items())[:MAX_PATTERNS]
        if session.type is CollaborationType.FEATURE_DEVELOPMENT:
            # what was asked for, with what the initiator has learned of it
            goal.parents = [*parents, *theirs]
        else:
            # both sides' best are crossed, and the partner's building blocks with them
            goal.parents = [*parents, *own, *theirs]
            goal.blocks = _firstFrom(session.peer, trainer.knowledge.blocks.items())[:MAX_BLOCKS]
        return goal

    def _asked(self, session: Session) -> Component | None:
        """The component that an optimization is about, if this trainer has confirmed it."""
        usable = self._trainer.knowledge.usable()
        wanted = session.requirements.get("component")
        return next((k.component for k in usable if k.component.digest == wanted), None)

    def _best(self, session: Session, first: Component | None, second: Component | None) -> Component | None:
        """Which of the two searches' results is sent; one that was known before the session is no result of it."""
        known = self._trainer.knowledge.components
        found = [c for c in (second, first) if c is not None and c.digest not in known]
        if session.type is not CollaborationType.PERFORMANCE_OPTIMIZATION:
            return min(found, key=lambda c: _cost(c)[0], default=None)
        asked = self._asked(session)
        rival = asked or first
        if rival is None or not found:
            return next(iter(found), None)
        # less fuel on validation, for a score that is no worse there
        cheaper = [c for c in found if _cost(c)[0] <= _cost(rival)[0] and _cost(c)[1] < _cost(rival)[1]]
        return min(cheaper, key=lambda c: _cost(c)[1], default=found[-1] if asked is None else None)

    # -- bookkeeping

    def _answer(self, sessionId: str, response: str, reason: str, changes: Changes) -> None:
        answer = CollaborationResponse(session_id=sessionId, response=response, reason=reason)
        self._trainer.say(MessageType.COLLABORATION_RESPONSE, answer, changes)

    def _keep(self, session: Session, changes: Changes) -> None:
        self.sessions[session.session_id] = session
        body = msgspec.json.encode(session).decode("utf-8")
        changes.add("REPLACE INTO sessions VALUES (?, ?)", session.session_id, body)
        ended = [id_ for id_, s in self.sessions.items() if s.status != "active"]
        for id_ in ended[:-MAX_ENDED]:
            del self.sessions[id_]
            changes.add("DELETE FROM sessions WHERE session_id = ?", id_)


def _expertiseSought(specialization: str) -> list[str]:
    """The specializations that complement ours, and their words."""
    partners = sorted(next(iter(pair - {specialization})) for pair in COMPLEMENTARY if specialization in pair)
    words = [word for partner in partners for word in CAPABILITIES[partner]]
    return [*partners, *words] or ["pattern_recognition"]


def _firstFrom(source: str, items: Iterable[tuple[tuple[str, str], Any]]) -> list[Any]:
    """The values, those of C{source} first."""
    return [value for key, value in sorted(items, key=lambda item: item[0][0] != source)]


def _cost(component: Component) -> tuple[float, float]:
    """(score, fuel) on validation, as claimed; infinite without a claim."""
    manifest = component.manifest
    if manifest is None or manifest.report is None:
        return (math.inf, math.inf)
    split = manifest.report.splits["validation"]
    return (split.score, split.fuel)
