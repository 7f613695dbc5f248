"""Transcripts of collaborations: the steps that those who take part tell of, and the notes that they write."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from kernelnet.hub.storage.statements.sessions import SessionState
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.message import CollaborationResponse, CollaborationType, ComponentShare, SessionStep
from kernelnet.untrusted import MAX_NOTE, MAX_NOTES
from kernelnet.wire import WireProblem

__all__ = ["MAX_REFUSALS", "add", "addSteps", "note", "refusal"]

MAX_STEPS = 128
MAX_TRANSCRIPT = 128 * 1024
"""Maximum number of a session's steps, and of their bytes of JSON, that are kept: the first."""

MAX_REFUSALS = 16
"""Maximum number of those who have no time for a session that its transcript tells of: there may be thousands."""


class _Step(Struct):
    """The part of a step by which a note is known."""

    by: str
    what: str


def note(
    transaction: Transaction, session: SessionState | None, sender: str, response: CollaborationResponse
) -> tuple[list[str], CollaborationResponse]:
    """
    A note of one who takes part, which goes to the other and into the transcript.

    @return: to whom it goes on, and as what.
    @raise WireProblem: C{invalid_message}: it is none that the session takes.
    """
    if session is None or sender not in (session.initiator, session.partner):
        raise WireProblem(
            "invalid_message", f"`session_id` {response.session_id!r} is no session that you take part in"
        )
    if session.state != "active":
        raise WireProblem("invalid_message", f"the session is {session.state}: a note is taken while it is active")
    if not response.reason.strip() or len(response.reason) > MAX_NOTE:
        raise WireProblem("invalid_message", f"payload: `reason` is the note: 1 to {MAX_NOTE} characters")
    steps = msgspec.json.decode(transaction.sessions.transcriptOf(session.id) or b"[]", type=list[_Step])
    if sum(step.what == "note" and step.by == sender for step in steps) >= MAX_NOTES:
        raise WireProblem("invalid_message", f"a session takes {MAX_NOTES} notes of each of the two: yours are there")
    if not addSteps(transaction, session.id, sender, [SessionStep(by=sender, what="note", note=response.reason)]):
        # One that isn't there counts for nothing: there would be no bound to them.
        raise WireProblem("invalid_message", "no more notes: the session's transcript is full")
    other = session.partner if sender == session.initiator else session.initiator
    passedOn = msgspec.structs.replace(
        response, partner=session.partner, type=CollaborationType(session.type), transcript=[]
    )
    return [other] if other is not None else [], passedOn


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


def refusal(sender: str, reason: str) -> SessionStep:
    """The step of who declines."""
    return SessionStep(by=sender, what="decline", note=reason[:256])


def addSteps(transaction: Transaction, sessionId: str, sender: str, added: Sequence[SessionStep]) -> int:
    """
    Keep what C{sender} tells, as far as there is room.

    Whoever it says did its steps, it did them itself: else it could put words into others' mouths.  Only where it began
    from may be another's, who says nothing there.

    @return: how many are kept: the first.
    """
    before = transaction.sessions.transcriptOf(sessionId)
    steps = msgspec.json.decode(before, type=list[msgspec.Raw]) if before else []
    size, count = len(before or b""), len(steps)
    for step in added[: max(0, MAX_STEPS - count)]:
        if step.what == "start" and step.by != sender:
            own = msgspec.structs.replace(step, note="")
        else:
            own = msgspec.structs.replace(step, by=sender)
        encoded = msgspec.json.encode(own)
        size += len(encoded) + 1
        if size > MAX_TRANSCRIPT:
            break
        steps.append(msgspec.Raw(encoded))
    if before is None or len(steps) > count:
        transaction.sessions.setTranscript(sessionId, msgspec.json.encode(steps), transaction.now)
    return len(steps) - count
