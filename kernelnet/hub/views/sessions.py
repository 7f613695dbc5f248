"""Collaboration sessions as people and the API are told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from kernelnet.hub.storage.statements.sessions import SESSION_STATES, SessionRecord
from kernelnet.hub.storage.transaction import Reader
from kernelnet.wire import rfc3339

__all__ = ["SESSION_STATES", "Cursor", "markHeld", "session", "sessionPage", "sessions"]

PAGE_BYTES = 1024 * 1024
"""Bytes of descriptions and transcripts in a page of sessions; each may be as long as a message."""

Cursor = tuple[float, str]
"""The time a session changed at (Unix seconds), and its id: where a page of them ends."""


def sessions(reader: Reader, state: str | None, limit: int) -> list[dict[str, Any]]:
    """
    Collaboration sessions, what changed last first.

    @param state: one of `SESSION_STATES`; C{None}: all.
    """
    found, after = sessionPage(reader, state=state, limit=limit)
    while after is not None and len(found) < limit:
        more, after = sessionPage(reader, state=state, limit=limit - len(found), after=after)
        found += more
    return found


def session(reader: Reader, beginning: str) -> list[dict[str, Any]]:
    """Those whose id begins so, at most two; C{invitation}: with all that the partner was told, as JSON."""
    return [
        {**_session(record), "invitation": msgspec.json.decode(record.invitation or b"null")}
        for record in reader.sessions.beginning(beginning, 2)
    ]


def _session(record: SessionRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "initiator": record.initiator,
        "type": record.type,
        "description": record.description,
        "state": record.state,
        "partner": record.partner,
        "invited": record.invited,
        "declined": record.declined,
        "component": record.component,
        "created": rfc3339(record.createdAt),
        "changed": rfc3339(record.changedAt),
        "transcript": msgspec.json.decode(record.transcript) if record.transcript else [],
    }


def sessionPage(
    reader: Reader,
    *,
    state: str | None,
    limit: int,
    after: Cursor | None = None,
    transcripts: bool = True,
) -> tuple[list[dict[str, Any]], Cursor | None]:
    """
    Some of them, and where the next page goes on; C{None}: nowhere.

    @param limit: the maximum number of them; they have no more than `PAGE_BYTES`, but for a single one.
    @param after: where the page before ended.
    @param transcripts: whether what happened in each is wanted.
    """
    found: list[dict[str, Any]] = []
    size, last = 0, None
    for record in reader.sessions.page(state, after, limit + 1, transcripts):
        size += len(record.description) + len(msgspec.json.encode(record.invited)) + len(record.transcript or b"")
        if found and (size > PAGE_BYTES or len(found) == limit):
            return found, last
        last = record.changedAt, record.id
        found.append(_session(record))
    return found, None


def markHeld(reader: Reader, found: Sequence[dict[str, Any]]) -> None:
    """
    Say in each session, and in each step of its transcript, which component it names: C{held}, its digest; C{None}
    where the hub has none such, as most that were built on the way were never shared.  A page links to those alone.

    @param found: as `sessionPage` gives them.
    """
    named: list[tuple[tuple[Any, Any], Any, dict[str, Any]]]
    named = [((one["partner"], one["component"]), None, one) for one in found]
    named += [
        ((step.get("by"), step.get("component")), step.get("digest"), step)
        for one in found
        for step in one["transcript"]
    ]
    held = reader.components.heldDigests({digest for _, digest, _ in named if digest})
    byName = reader.components.digestsOf({name for name, digest, _ in named if all(name) and not digest})
    for name, digest, where in named:
        where["held"] = byName.get(name) if digest is None else digest if digest in held else None
