"""
Collaborations of two AIs, from offer to end.

::

    offered --accepted by one of the invited--> active --its completing share--> completed
       |  `--all invited declined--> declined <--the partner declined, or is gone for a minute--|
       `--time limit--> expired <--time limit--------------------------------------------------'

A partner that reports how its searches go, and for a minute works on nothing of the session, has declined, too.

The first accept wins; the others who were invited get ``expired``.  The initiator is told of one outcome: accepted,
declined (by all) or expired.  A version 1 partner sends no `CollaborationResponse`: its completing share counts
as its acceptance.  While it is active, each of the two may say some notes, which go to the other and stand in the
transcript.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.routing.session_transcripts import addSteps, countNotes, refusal
from kernelnet.hub.storage.statements.sessions import NewSession, SessionState
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.message import (
    CollaborationInvitation,
    CollaborationRequest,
    CollaborationResponse,
    CollaborationType,
    ComponentShare,
    MessageType,
    NetworkMessage,
    SessionStep,
)
from kernelnet.untrusted import MAX_NOTE, MAX_NOTES
from kernelnet.wire import WireProblem

__all__ = [
    "Limits",
    "add",
    "choose",
    "complete",
    "expire",
    "giveBack",
    "offer",
    "openFor",
    "partners",
    "release",
    "respond",
    "sessionId",
]

MAX_INVITED = 3
"""Maximum number of best matches that are invited."""

MAX_CANDIDATES = 12
"""Maximum number of those of whom the first are invited that have time."""
MAX_ACTIVE = 3
"""Maximum number of sessions that an AI works on as a partner."""
MAX_OFFERS = 4
"""Maximum number of an AI's offers that nobody has taken yet."""

MAX_REFUSALS = 16
"""Maximum number of those who have no time for a session that its transcript tells of: there may be thousands."""

MAX_DUE = 1000
"""Maximum number of sessions that expire in one transaction, and of those that are given back."""

MAX_OPEN = 20
MAX_OPEN_BYTES = 32 * 1024
"""Maximum number of invitations that an AI is told of when it comes, and of their bytes of JSON."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a session may stay offered, and active."""

    offered: float = 600.0
    active: float = 1800.0


def sessionId(message: NetworkMessage) -> str:
    """The id of the session that a request opens; the same for its repetitions."""
    return hashlib.blake2b(f"{message.sender_id}\0{message.message_id}".encode(), digest_size=16).hexdigest()


def partners(
    directory: Directory, connected: Collection[str], initiator: str, request: CollaborationRequest, target: str | None
) -> list[str]:
    """
    Whom to invite: a named target; else the AIs that serve most of C{seeking_expertise}; else all that are ready.

    Those who are connected come first, then who completed as many sessions as it left lying, who serves more terms, who
    completed more, who was here last.
    """
    if target is not None:
        return [target] if target != initiator else []
    ready = {aiId: known for aiId, known in directory.ais.items() if known.hello.collaboration_ready}
    ready.pop(initiator, None)
    scores = Counter({aiId: n for aiId, n in directory.able(request.seeking_expertise).items() if aiId in ready})
    completed = directory.completed
    return heapq.nsmallest(
        MAX_CANDIDATES,
        scores or ready,
        key=lambda aiId: (
            aiId not in connected,
            not directory.isReliable(aiId),
            -scores[aiId],
            -completed[aiId],
            -ready[aiId].seenAt,
            aiId,
        ),
    )


def choose(transaction: Transaction, initiator: str, candidates: Sequence[str]) -> list[str]:
    """
    The first of these that have time for another session.

    @raise WireProblem: the initiator has too many offers open.
    """
    if transaction.sessions.countOffers(initiator, MAX_OFFERS) >= MAX_OFFERS:
        raise WireProblem(
            "invalid_message", f"you have {MAX_OFFERS} offers open: wait until one is accepted or has expired"
        )
    free: list[str] = []
    for aiId in candidates:
        if len(free) < MAX_INVITED and len(transaction.sessions.takenBy(aiId, MAX_ACTIVE)) < MAX_ACTIVE:
            free.append(aiId)
    return free


def offer(
    transaction: Transaction, invitation: CollaborationInvitation, invited: Sequence[str], limits: Limits
) -> None:
    """Open a session; with nobody to invite it has expired at once, and the initiator is told."""
    now = transaction.now
    transaction.sessions.insert(
        NewSession(
            id=invitation.session_id,
            initiator=invitation.initiator,
            type=invitation.type.value,
            description=invitation.description,
            state="offered" if invited else "expired",
            invited=invited,
            invitation=msgspec.json.encode(invitation),
            createdAt=now,
            expiresAt=now + limits.offered if invited else None,
        )
    )
    if invited:
        transaction.note(
            "session {session} offered by {ai} to {invited} ({type})",
            session=invitation.session_id,
            ai=invitation.initiator,
            invited=", ".join(invited),
            type=invitation.type.value,
        )
    else:
        kind, reason = invitation.type.value, "nobody else is here yet"
        _tell(transaction, [invitation.initiator], invitation.session_id, "expired", reason, kind=kind)


def respond(
    transaction: Transaction, sender: str, response: CollaborationResponse, limits: Limits
) -> tuple[list[str], CollaborationResponse]:
    """
    An invited AI accepts or declines; or one that takes part says a note.

    @return: to whom the response goes on, and as what.
    @raise WireProblem: C{invalid_message}: no such session, or not invited to it; or the note is none that it takes.
    """
    session = transaction.sessions.find(response.session_id)
    if response.response == "note":
        return _note(transaction, session, sender, response)
    if session is None or sender not in session.invited:
        raise _notInvited(response.session_id)
    passedOn = msgspec.structs.replace(response, partner=sender, type=CollaborationType(session.type))
    passedOn.transcript = []  # it is kept, and tells the initiator nothing that it could use
    if response.response == "accepted":
        if session.state == "offered" and sender not in session.declined:
            if len(transaction.sessions.takenBy(sender, MAX_ACTIVE)) >= MAX_ACTIVE:
                _tell(transaction, [sender], session.id, "expired", f"you work on {MAX_ACTIVE} sessions already")
                return [], passedOn
            _activate(transaction, session, sender, limits)
            return [session.initiator], passedOn
        if not (session.state == "active" and session.partner == sender):
            _tell(transaction, [sender], response.session_id, "expired", f"the session is {_outcome(session)}")
        return [], passedOn
    if session.state == "active" and session.partner == sender:
        addSteps(transaction, session.id, sender, [*response.transcript, refusal(sender, response.reason)])
        _end(transaction, session, "declined", f"by {sender}")
        return [session.initiator], passedOn
    if session.state != "offered" or sender in session.declined:
        return [], passedOn
    declined = [*session.declined, sender]
    transaction.sessions.setDeclined(session.id, declined, transaction.now)
    if len(declined) <= MAX_REFUSALS:
        addSteps(transaction, session.id, sender, [refusal(sender, response.reason)])
    if set(session.invited) <= set(declined):
        _end(transaction, session, "declined", "by all")
        return [session.initiator], passedOn
    return [], passedOn


def _note(
    transaction: Transaction, session: SessionState | None, sender: str, response: CollaborationResponse
) -> tuple[list[str], CollaborationResponse]:
    """A note of one who takes part goes to the other, and into the transcript."""
    if session is None or sender not in (session.initiator, session.partner):
        raise WireProblem(
            "invalid_message", f"`session_id` {response.session_id!r} is no session that you take part in"
        )
    if session.state != "active":
        raise WireProblem("invalid_message", f"the session is {session.state}: a note is taken while it is active")
    if not response.reason.strip() or len(response.reason) > MAX_NOTE:
        raise WireProblem("invalid_message", f"payload: `reason` is the note: 1 to {MAX_NOTE} characters")
    if countNotes(transaction, session.id, sender) >= MAX_NOTES:
        raise WireProblem("invalid_message", f"a session takes {MAX_NOTES} notes of each of the two: yours are there")
    if not addSteps(transaction, session.id, sender, [SessionStep(by=sender, what="note", note=response.reason)]):
        # One that isn't there counts for nothing: there would be no bound to them.
        raise WireProblem("invalid_message", "no more notes: the session's transcript is full")
    other = session.partner if sender == session.initiator else session.initiator
    passedOn = msgspec.structs.replace(
        response, partner=session.partner, type=CollaborationType(session.type), transcript=[]
    )
    return [other] if other is not None else [], passedOn


def complete(transaction: Transaction, sender: str, sessionId: str, share: ComponentShare, limits: Limits) -> None:
    """
    The partner's completing share; what it tells of the work is kept with the session.

    From an AI whose invitation has lapsed, the share is an ordinary one: work is not thrown away.

    @raise WireProblem: C{invalid_message}: no such session, or not invited to it.
    """
    session = transaction.sessions.find(sessionId)
    if session is None or sender not in session.invited:
        raise _notInvited(sessionId)
    if session.state == "offered":
        _activate(transaction, session, sender, limits)
        session = session._replace(state="active", partner=sender)
        _tell(transaction, [session.initiator], sessionId, "accepted", "", partner=sender, kind=session.type)
    if session.state == "active" and session.partner == sender:
        transaction.sessions.setComponent(sessionId, share.component.id)
        addSteps(transaction, sessionId, sender, share.transcript)
        _end(transaction, session, "completed", f"by {sender}")
        transaction.completed.append(sender)


def add(transaction: Transaction, sender: str, sessionId: str, share: ComponentShare) -> None:
    """
    Keep with a session what a share that ends none tells of it: so the initiator tells what it got out of it.

    Of those alone who take part, while it is active or after it was completed; else it is an ordinary share.
    """
    session = transaction.sessions.find(sessionId)
    if session is None or sender not in (session.initiator, session.partner):
        return
    if session.state in ("active", "completed"):
        addSteps(transaction, sessionId, sender, share.transcript)


def expire(transaction: Transaction) -> int:
    """End the sessions whose time is over, and tell those who took part.  @return: how many."""
    due = transaction.sessions.due(transaction.now, MAX_DUE)
    for session in due:
        waiting = [session.partner] if session.partner else set(session.invited) - set(session.declined)
        _end(transaction, session, "expired", "its time is over")
        reason = f"no end in time, it was {session.state}"
        _tell(transaction, [session.initiator, *waiting], session.id, "expired", reason, kind=session.type)
    return len(due)


def giveBack(transaction: Transaction, gone: Iterable[str], seconds: float) -> list[str]:
    """
    Decline the sessions that those who are gone had accepted; they are told, too, for when they come back.

    What they initiated goes on: its partners are at work, and what these find waits for them.

    @param seconds: how long they are gone, at least.
    @return: those of C{gone} that may have more of them.
    """
    more, left = [], MAX_DUE
    for aiId in gone:
        taken = transaction.sessions.takenBy(aiId, left)
        reason = f"{aiId} has been gone for {seconds:g} s"
        for session in taken:
            _decline(transaction, session, aiId, reason)
        left -= len(taken)
        if not left:
            more.append(aiId)
    return more


def release(transaction: Transaction, idle: Iterable[tuple[str, str]], seconds: float) -> None:
    """
    Decline the sessions (id, partner) that their partners accepted and don't work on; both are told.

    @param seconds: for how long they have not, at least.
    """
    for sessionId, partner in idle:
        session = transaction.sessions.find(sessionId)
        if session is not None and session.state == "active" and session.partner == partner:
            _decline(transaction, session, partner, f"{partner} has worked on nothing of it for {seconds:g} s")


def openFor(reader: Reader, aiId: str) -> list[dict[str, Any]]:
    """The invitations that C{aiId} can still accept, newest first; what is too large stands in the log alone."""
    found, left = [], MAX_OPEN_BYTES
    for invitation in reader.sessions.openFor(aiId, MAX_OPEN):
        if len(invitation) <= left:
            left -= len(invitation)
            found.append(msgspec.json.decode(invitation))
    return found


def _decline(transaction: Transaction, session: SessionState, partner: str, reason: str) -> None:
    """In the name of its partner."""
    addSteps(transaction, session.id, partner, [refusal(partner, reason)])
    _end(transaction, session, "declined", reason)
    recipients = [session.initiator, partner]
    _tell(transaction, recipients, session.id, "declined", reason, partner=partner, kind=session.type)


def _outcome(session: SessionState) -> str:
    return f"taken by {session.partner}" if session.state == "active" else session.state


def _activate(transaction: Transaction, session: SessionState, partner: str, limits: Limits) -> None:
    transaction.sessions.activate(session.id, partner, transaction.now + limits.active, transaction.now)
    transaction.note(
        "session {session} active: {partner} accepted {ai}'s offer",
        session=session.id,
        partner=partner,
        ai=session.initiator,
    )
    if late := set(session.invited) - set(session.declined) - {partner}:
        _tell(transaction, late, session.id, "expired", f"taken by {partner}")


def _end(transaction: Transaction, session: SessionState, state: str, how: str) -> None:
    transaction.sessions.end(session.id, state, transaction.now)
    transaction.note("session {session} {state} ({how})", session=session.id, state=state, how=how)


def _tell(
    transaction: Transaction,
    recipients: Collection[str],
    sessionId: str,
    response: str,
    reason: str,
    *,
    partner: str | None = None,
    kind: str | None = None,
) -> None:
    transaction.tell(
        recipients,
        MessageType.COLLABORATION_RESPONSE,
        CollaborationResponse(sessionId, response, reason, partner, CollaborationType(kind) if kind else None),
    )


def _notInvited(sessionId: str) -> WireProblem:
    return WireProblem("invalid_message", f"`session_id` {sessionId!r} is no session that you were invited to")
