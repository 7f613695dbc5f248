"""Transcripts of collaboration sessions: steps that those who take part tell, as far as there is room for them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from kernelnet.hub.storage.transaction import Transaction
from kernelnet.message import SessionStep

__all__ = ["addSteps", "countNotes", "refusal"]

MAX_STEPS = 128
MAX_TRANSCRIPT = 128 * 1024
"""Maximum number of a session's steps, and of their bytes of JSON, that are kept: the first."""
MAX_REASON = 256
"""Characters that are kept of why one has no time."""


class _Step(Struct):
    """The part of a step by which a note is known."""

    by: str
    what: str


def countNotes(transaction: Transaction, sessionId: str, sender: str) -> int:
    """Number of notes of C{sender} in a session."""
    steps = msgspec.json.decode(transaction.sessions.transcriptOf(sessionId) or b"[]", type=list[_Step])
    return sum(step.what == "note" and step.by == sender for step in steps)


def refusal(sender: str, reason: str) -> SessionStep:
    """The step of one who has no time for a session, or gives it back."""
    return SessionStep(by=sender, what="decline", note=reason[:MAX_REASON])


def addSteps(transaction: Transaction, sessionId: str, sender: str, added: Sequence[SessionStep]) -> int:
    """
    Keep what C{sender} tells, as far as there is room.

    Whoever it says did its steps, it did them itself: else it could put words into others' mouths.  Only where it began
    from may be another's, who says nothing there.

    @return: how many are kept: the first.
    """
    before = transaction.sessions.transcriptOf(sessionId)
    steps = msgspec.json.decode(before, type=list[msgspec.Raw]) if before else []
    count = len(steps)
    size = len(before) if before and steps else 1  # of a list: one more than its items, each with a comma or the end
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
