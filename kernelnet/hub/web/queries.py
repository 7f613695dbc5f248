"""What the API reads of the database besides components (`kernelnet.hub.catalog`): patterns and sessions."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from kernelnet.wire import rfc3339

__all__ = ["SESSION_STATES", "patterns", "sessions"]

SESSION_STATES = ("offered", "active", "completed", "declined", "expired")


def patterns(connection: sqlite3.Connection, kind: str | None, limit: int) -> list[dict[str, Any]]:
    """
    Patterns, the most confident first, each as its author sent it, with C{source}, C{shared} and C{seq}.

    @param kind: of one type only.
    """
    rows = connection.execute(
        "SELECT ai_id, seq, timestamp, body FROM shared_patterns WHERE ?1 IS NULL OR type = ?1"
        " ORDER BY confidence DESC, seq DESC LIMIT ?2",
        (kind, limit),
    )
    return [
        {**msgspec.json.decode(body), "source": aiId, "shared": timestamp, "seq": seq}
        for aiId, seq, timestamp, body in rows
    ]


def sessions(connection: sqlite3.Connection, state: str | None, limit: int) -> list[dict[str, Any]]:
    """
    Collaboration sessions, what changed last first.

    @param state: one of `SESSION_STATES`; C{None}: all.
    """
    rows = connection.execute(
        "SELECT session_id, initiator, type, description, state, partner, invited, declined, component, created_at,"
        " changed_at, transcript FROM collaboration_sessions WHERE ?1 IS NULL OR state = ?1"
        " ORDER BY changed_at DESC LIMIT ?2",
        (state, limit),
    )
    return [
        {
            "id": id_,
            "initiator": initiator,
            "type": kind,
            "description": description,
            "state": now,
            "partner": partner,
            "invited": msgspec.json.decode(invited),
            "declined": msgspec.json.decode(declined),
            "component": component,
            "created": rfc3339(created),
            "changed": rfc3339(changed),
            "transcript": msgspec.json.decode(transcript) if transcript else [],
        }
        for (
            id_,
            initiator,
            kind,
            description,
            now,
            partner,
            invited,
            declined,
            component,
            created,
            changed,
            transcript,
        ) in rows
    ]
