"""
Meaning of each logged message type.

==========================  =================================================  ==============================
type                        stored in                                          goes to
==========================  =================================================  ==============================
``pattern_share``           ``shared_patterns``                                all others, or the target
``code_share``              ``shared_components`` (kind code)                  all others, or the target
``os_component_share``      ``shared_components``; may complete its session    all others, or the target
``os_component_reference``  ``shared_components``                              the same, of version 2
``performance_report``      ``performance_reports``; counts verdicts           all others, or the target
– with an observation       ``observations``                                   –
``feature_request``         –; answered by the best stored match               the three AIs that fit best
``feature_response``        –                                                  the target: the requestor
``collaboration_request``   ``collaboration_sessions``: opens one              the AIs that are invited
``collaboration_response``  ``collaboration_sessions``                         the initiator; a note: the other
==========================  =================================================  ==============================

A method of the table below runs in the reactor's thread: it checks, and decides from the directory whom the message
concerns.  What it returns runs in the engine's thread, within the transaction that appends the message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

from kernelnet import wire
from kernelnet.artifacts import PerformanceReport
from kernelnet.hub.routing import collaboration_sessions, payload_bounds
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.integrity import digest, digestOf
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.hub.views import projections
from kernelnet.hub.views.projections import Then
from kernelnet.message import (
    CodeShare,
    CollaborationInvitation,
    CollaborationRequest,
    CollaborationResponse,
    ComponentReference,
    ComponentShare,
    FeatureRequest,
    FeatureResponse,
    ForwardedFeatureRequest,
    MessageType,
    NetworkMessage,
    PatternShare,
)
from kernelnet.observations import Observation
from kernelnet.untrusted import plain
from kernelnet.wire import WireProblem

__all__ = ["Logged", "Owner", "Router"]

S = TypeVar("S", bound=msgspec.Struct)

_ROOM_FOR_SEQ = 32
"""Bytes that C{"seq"} may add to a line for version 2."""


class Owner(Protocol):
    """
    Whose message it is: the connection it came by.

    @ivar ordered: whether nothing may overtake a message that was refused for now.
    """

    ordered: bool

    def withdrawn(self, work: Logged) -> WireProblem | None:
        """Why C{work} shall not be written after all."""

    def settled(self, work: Logged, problem: WireProblem | None) -> None:
        """It is committed as C{work.seq}, or it is refused."""


class Plan(Protocol):
    """All that is to be written for a message."""

    def __call__(self, transaction: Transaction) -> Event:
        """Engine's thread: write it, and what follows from it.  @return: what was appended for it."""

    def digest(self) -> bytes:
        """The digest of what its author sent."""


class Logged:
    """One message on its way into the log (`kernelnet.hub.storage.transaction.Work`)."""

    __slots__ = ("_event", "_first", "_owner", "_plan", "author", "messageId", "size", "source")

    def __init__(self, message: NetworkMessage, plan: Plan, size: int, owner: Owner) -> None:
        self.messageId = message.message_id
        self.size = size
        self.source: object | None = owner if owner.ordered else None
        self._event: Event | None = None
        self._first = 0
        self.author = message.sender_id
        self._plan = plan
        self._owner = owner

    def __repr__(self) -> str:
        return f"<Logged {self.messageId!r} of {self.author}>"

    @property
    def seq(self) -> int:
        """Its position, once it is settled; of a repetition: the first one's."""
        return self._first if self._event is None else self._event.seq

    def withdrawn(self) -> WireProblem | None:
        return self._owner.withdrawn(self)

    def apply(self, transaction: Transaction) -> None:
        self._event = None
        before = transaction.find(self.author, self.messageId)
        if before is None:
            self._event = self._plan(transaction)
        elif before[1] == self._plan.digest():
            self._first = before[0]
        else:
            raise WireProblem(
                "conflicting_duplicate",
                f"`message_id` {self.messageId!r} was used for another content, as seq {before[0]}",
                self.messageId,
            )

    def settle(self, problem: WireProblem | None) -> None:
        if problem is not None and problem.messageId is None:
            problem = WireProblem(problem.code, problem.message, self.messageId)
        self._owner.settled(self, problem)


class _Share:
    """
    The plan for a message that goes on as it came.

    @ivar first: what is done before it is appended, in order; each may refuse.  Only the last of them may write.
    @ivar goesOn: whether anybody gets it.
    """

    __slots__ = ("_line", "_message", "_note", "_then", "first", "goesOn")

    def __init__(self, message: NetworkMessage, line: bytes, then: Then, note: tuple[str, dict[str, Any]]) -> None:
        self._message = message
        self._line = line
        self._then = then
        self._note = note
        self.first: list[Callable[[Transaction], None]] = []
        self.goesOn = True

    def __call__(self, transaction: Transaction) -> Event:
        for first in self.first:
            first(transaction)
        message = self._message
        target = message.target_ai
        recipients = () if not self.goesOn else None if target is None else (target,)
        event = transaction.append(message, self._line, recipients)
        self._then(transaction, event)
        transaction.notes.append(self._note)
        return event

    def digest(self) -> bytes:
        return digestOf(self._line)


class _Made:
    """The plan for a message of which the hub makes another one; C{store} writes that, with the digest of the first."""

    __slots__ = ("_digest", "_store")

    def __init__(self, message: NetworkMessage, store: Callable[[Transaction, bytes], Event]) -> None:
        self._digest = digest(message.message_type.value, message.target_ai, message.payload)
        self._store = store

    def __call__(self, transaction: Transaction) -> Event:
        return self._store(transaction, self._digest)

    def digest(self) -> bytes:
        return self._digest


class _ToUnknown:
    """The plan for a message to an AI that the directory doesn't know: another node may have enrolled it just now."""

    __slots__ = ("_plan", "_target", "digest")

    def __init__(self, plan: Plan, target: str) -> None:
        self._plan = plan
        self._target = target
        self.digest = plan.digest

    def __call__(self, transaction: Transaction) -> Event:
        if not transaction.tokens.ofAi(self._target):
            raise _unknown(self._target)
        return self._plan(transaction)


def _unknown(target: str, messageId: str | None = None) -> WireProblem:
    return WireProblem("unknown_target", f"`target_ai` {plain(target)!r} was never enrolled", messageId)


class Router:
    """
    @param connected: the ids that are connected now, kept up to date by who gives it.
    """

    def __init__(
        self,
        directory: Directory,
        connected: Collection[str],
        limits: collaboration_sessions.Limits,
        maxLine: int = wire.AUTHENTICATED_LINE,
        *,
        isComplete: bool = True,
        keepsBlobs: bool = True,
    ) -> None:
        """
        @param isComplete: whether the directory knows all who are enrolled; else the database is asked.
        @param keepsBlobs: whether a source may be one.
        """
        self._keepsBlobs = keepsBlobs
        self._isComplete = isComplete
        self._directory = directory
        self._connected = connected
        self._limits = limits
        self._maxLine = maxLine

    def plan(self, message: NetworkMessage) -> Plan:
        """
        The plan of what is to be written for a message of a logged type.

        The plan holds the payload encoded, and the message lets go of it: hundreds wait for a commit, each with some
        thirty objects less.

        @raise WireProblem: its payload is wrong, or its target unknown.
        """
        cls, method = self._table[message.message_type]
        payload = wire.decodePayload(message, cls)
        target = message.target_ai
        isStrange = target is not None and self._isStrange(message, target)
        plan = method(self, message, payload)
        message.payload = {}
        return _ToUnknown(plan, target) if target is not None and isStrange else plan

    def _isStrange(self, message: NetworkMessage, target: str) -> bool:
        """Whether the directory doesn't know C{target}, which another node may have enrolled."""
        if self._directory.isKnown(target):
            return False
        if self._isComplete:
            raise _unknown(target, message.message_id)
        return True

    def _encode(self, message: NetworkMessage) -> bytes:
        line = wire.encode(message)
        if len(line) > self._maxLine - _ROOM_FOR_SEQ:
            raise WireProblem(
                "invalid_message",
                f"it grows to {len(line)} bytes when it is passed on; at most {self._maxLine - _ROOM_FOR_SEQ} can be",
                message.message_id,
            )
        return line

    def _share(self, message: NetworkMessage, then: Then, note: str, **fields: Any) -> _Share:
        """The common way: append it for all others or for its target, then C{then}."""
        line = self._encode(message)
        fields["ai"] = message.sender_id
        return _Share(message, line, then, (note, fields))

    def _patternShare(self, message: NetworkMessage, share: PatternShare) -> Plan:
        pattern = share.pattern
        return self._share(
            message,
            projections.storePattern(message, pattern),
            "pattern {id} shared by {ai} (type={type}, confidence={confidence:.2f})",
            id=pattern.id,
            type=pattern.type,
            confidence=pattern.confidence,
        )

    def _codeShare(self, message: NetworkMessage, share: CodeShare) -> Plan:
        return self._share(
            message,
            projections.storeCode(message, share.code),
            "building block {id} shared by {ai}",
            id=share.code.id,
        )

    def _componentReference(self, message: NetworkMessage, reference: ComponentReference) -> Plan:
        if not self._keepsBlobs:
            raise WireProblem(
                "unsupported", "this hub keeps no payloads: send the source in the line", message.message_id
            )
        payload_bounds.checkReference(reference.component, message.message_id)
        return self._storedShare(message, ComponentShare(reference.component))

    def _componentShare(self, message: NetworkMessage, share: ComponentShare) -> Plan:
        payload_bounds.checkInline(share.component, message.message_id)
        return self._storedShare(message, share)

    def _storedShare(self, message: NetworkMessage, share: ComponentShare) -> Plan:
        component = share.component
        session = share.session_id if share.collaboration_complete else None
        if share.collaboration_complete and share.session_id is None:
            raise WireProblem(
                "invalid_message", "payload: `collaboration_complete` needs a `session_id`", message.message_id
            )
        shared = self._share(
            message,
            projections.storeComponent(message, component),
            "component {name} shared by {ai} (id={id})",
            name=component.title,
            id=component.id,
        )
        shared.first.append(partial(projections.checkComponent, author=message.sender_id, component=component))
        if session is not None:
            # First, since it may refuse; and so the initiator hears "accepted" before it gets the component.
            shared.first.append(
                partial(
                    collaboration_sessions.complete,
                    sender=message.sender_id,
                    sessionId=session,
                    share=share,
                    limits=self._limits,
                )
            )
        elif share.session_id is not None and share.transcript:
            shared.first.append(
                partial(collaboration_sessions.add, sender=message.sender_id, sessionId=share.session_id, share=share)
            )
        return shared

    def _performanceReport(self, message: NetworkMessage, report: PerformanceReport) -> Plan:
        if wrong := projections.wrongWith(report):
            raise WireProblem("invalid_message", f"payload: {wrong}", message.message_id)
        if report.observation is not None:
            return self._observation(message, report, report.observation)
        shared = self._share(
            message,
            projections.storeReport(message, report),
            "report on {id} by {ai}: {verdict}",
            id=report.component_id,
            verdict=report.verdict.value if report.verdict else "own figures",
        )
        shared.first.append(partial(projections.checkReport, reporter=message.sender_id, report=report))
        return shared

    def _observation(self, message: NetworkMessage, report: PerformanceReport, observation: Observation) -> Plan:
        """It stays here: earlier trainers would take it for a spoiled report."""
        then = projections.storeObservation(message, report, observation)
        shared = self._share(message, then, "observation of {id} by {ai}", id=report.component_id)
        shared.goesOn = False
        return shared

    def _featureRequest(self, message: NetworkMessage, request: FeatureRequest) -> Plan:
        payload_bounds.checkRequirements(request.requirements, message.message_id)
        if message.target_ai is not None:
            able = [message.target_ai]
        else:
            able = self._directory.ablest(request.feature, message.sender_id, self._connected)
        forwarded = ForwardedFeatureRequest(request, message.sender_id)
        line = self._encode(msgspec.structs.replace(message, payload=wire.encodePayload(forwarded)))

        def store(transaction: Transaction, digest: bytes) -> Event:
            event = transaction.append(message, line, able, digest)
            best = projections.bestMatch(transaction, request.feature, message.sender_id)
            if best is not None:
                self._answer(transaction, message.sender_id, {"component": best}, request)
            elif not able:
                self._answer(transaction, message.sender_id, {"reason": "nobody here can make it yet"}, request)
            transaction.note(
                "feature {feature} requested by {ai}: {found}, passed on to {count}",
                feature=request.feature,
                ai=message.sender_id,
                found="answered from what is stored" if best is not None else "nothing stored",
                count=len(able),
            )
            return event

        return _Made(message, store)

    def _answer(self, transaction: Transaction, requestor: str, found: dict[str, Any], request: FeatureRequest) -> None:
        answer = transaction.message(
            MessageType.FEATURE_RESPONSE, {"original_request": wire.encodePayload(request), **found}
        )
        line = wire.encode(answer)
        if len(line) <= self._maxLine - _ROOM_FOR_SEQ:
            transaction.append(answer, line, [requestor])

    def _featureResponse(self, message: NetworkMessage, response: FeatureResponse) -> Plan:
        if message.target_ai is None:
            raise WireProblem("invalid_message", "`target_ai` must name the requestor", message.message_id)
        payload_bounds.checkRequirements(response.original_request.requirements, message.message_id)
        payload_bounds.checkInline(response.component, message.message_id)
        return self._share(
            message,
            projections.storeNothing,
            "feature {feature} answered by {ai} for {requestor}",
            feature=response.original_request.feature,
            requestor=message.target_ai,
        )

    def _collaborationRequest(self, message: NetworkMessage, request: CollaborationRequest) -> Plan:
        payload_bounds.checkRequest(request, message.message_id)
        target = message.target_ai or request.target_ai or None
        isStrange = target is not None and self._isStrange(message, target)
        candidates = collaboration_sessions.partners(
            self._directory, self._connected, message.sender_id, request, target
        )
        known = self._directory.ais.get(message.sender_id)
        invitation = CollaborationInvitation(
            session_id=collaboration_sessions.sessionId(message),
            type=request.type,
            description=request.description,
            initiator=message.sender_id,
            partner_specialization=known.hello.specialization if known else "general",
            expertise_offered=request.expertise_offered,
            seeking_expertise=request.seeking_expertise,
            requirements=request.requirements,
        )
        line = self._encode(msgspec.structs.replace(message, payload=wire.encodePayload(invitation)))

        def store(transaction: Transaction, digest: bytes) -> Event:
            invited = collaboration_sessions.choose(transaction, message.sender_id, candidates)
            event = transaction.append(message, line, invited, digest)
            collaboration_sessions.offer(transaction, invitation, invited, self._limits)
            return event

        plan = _Made(message, store)
        return _ToUnknown(plan, target) if target is not None and isStrange else plan

    def _collaborationResponse(self, message: NetworkMessage, response: CollaborationResponse) -> Plan:
        if response.response == "expired":
            raise WireProblem("invalid_message", "payload: only the hub says `expired`", message.message_id)

        def store(transaction: Transaction, digest: bytes) -> Event:
            recipients, passedOn = collaboration_sessions.respond(
                transaction, message.sender_id, response, self._limits
            )
            forwarded = msgspec.structs.replace(message, payload=wire.encodePayload(passedOn))
            return transaction.append(forwarded, wire.encode(forwarded), recipients, digest)

        return _Made(message, store)

    _table: dict[MessageType, tuple[type[Any], Callable[[Router, NetworkMessage, Any], Plan]]] = {
        MessageType.PATTERN_SHARE: (PatternShare, _patternShare),
        MessageType.CODE_SHARE: (CodeShare, _codeShare),
        MessageType.OS_COMPONENT_SHARE: (ComponentShare, _componentShare),
        MessageType.OS_COMPONENT_REFERENCE: (ComponentReference, _componentReference),
        MessageType.PERFORMANCE_REPORT: (PerformanceReport, _performanceReport),
        MessageType.FEATURE_REQUEST: (FeatureRequest, _featureRequest),
        MessageType.FEATURE_RESPONSE: (FeatureResponse, _featureResponse),
        MessageType.COLLABORATION_REQUEST: (CollaborationRequest, _collaborationRequest),
        MessageType.COLLABORATION_RESPONSE: (CollaborationResponse, _collaborationResponse),
    }
