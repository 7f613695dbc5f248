"""What people and the API are told besides components (`kernelnet.hub.catalog`): patterns, sessions, progress."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.hub.catalog import reportsOn
from kernelnet.message import Hello
from kernelnet.wire import rfc3339

__all__ = ["SESSION_STATES", "ais", "patterns", "progress", "sessions"]

MAX_SETTINGS = 32
"""No workbench has so many: claims with more are left out of `progress`."""

SESSION_STATES = ("offered", "active", "completed", "declined", "expired")


def ais(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Who ever said hello: C{id}, what the last hello said, and C{seen_at} (Unix seconds)."""
    rows = connection.execute("SELECT ai_id, hello, protocol, seen_at FROM ais ORDER BY ai_id")
    found = []
    for aiId, body, protocol, seenAt in rows:
        hello = msgspec.json.decode(body, type=Hello)
        found.append(
            {
                "id": aiId,
                "specialization": hello.specialization,
                "capabilities": list(hello.capabilities),
                "generators": list(hello.generators),
                "workbenches": list(hello.workbenches),
                "protocol": protocol,
                "seen_at": seenAt,
            }
        )
    return found


def patterns(connection: sqlite3.Connection, kind: str | None, limit: int) -> list[dict[str, Any]]:
    """
    Patterns, the most confident first, each as its author sent it, with C{source}, C{shared} and C{seq}.

    Those of more than 64 KiB, which no trainer keeps, are left out: many of them would fill the memory.

    @param kind: of one type only.
    """
    rows = connection.execute(
        "SELECT ai_id, seq, timestamp, body FROM shared_patterns WHERE (?1 IS NULL OR type = ?1)"
        " AND length(body) <= 65536 ORDER BY confidence DESC, seq DESC LIMIT ?2",
        (kind, limit),
    )
    return [
        {**msgspec.json.decode(body), "source": aiId, "shared": timestamp, "seq": seq}
        for aiId, seq, timestamp, body in rows
    ]


class _Measured(Struct):
    """Of a component's manifest what is needed here: decoding all of ten thousand would take long."""

    class Claim(Struct):
        workbench: str
        trace: str
        trace_digest: str
        settings: dict[str, int]

    report: Claim | None = None


class _Shared(Struct):
    id: str
    manifest: _Measured | None = None


def progress(connection: sqlite3.Connection, limit: int = 5000) -> list[dict[str, Any]]:
    """
    For each task that something was confirmed on: the steps by which its best level rose, oldest first.

    Levels are claims that another AI has confirmed and nobody has refuted; 0 is the workbench's reference, 1 its
    optimum.  C{by_hand} is the level of the best hand-made policy, where a report tells it.

    @param limit: the newest so many components.
    """
    newest = connection.execute(
        "SELECT rowid FROM shared_components"
        " WHERE kind = 'component' AND confirmed > 0 AND refuted = 0 ORDER BY seq DESC LIMIT ?",
        (limit,),
    ).fetchall()
    tasks: dict[str, dict[str, Any]] = {}
    # One at a time, since each may be of a megabyte.
    for rowid in reversed(newest):
        row = connection.execute(
            "SELECT ai_id, timestamp, development_level, digest, body FROM shared_components WHERE rowid = ?", rowid
        ).fetchone()
        if row is None:
            continue  # it was shared anew meanwhile
        author, timestamp, level, digest, body = row
        component = msgspec.json.decode(body, type=_Shared)
        claim = component.manifest.report if component.manifest is not None else None
        if claim is None or len(claim.settings) > MAX_SETTINGS:
            continue
        key = f"{claim.workbench} {claim.trace_digest} {sorted(claim.settings.items())}"
        task = tasks.setdefault(
            key,
            {
                "workbench": claim.workbench,
                "trace": claim.trace[:200],
                "trace_digest": claim.trace_digest,
                "settings": claim.settings,
                "by_hand": None,
                "confirmed": 0,
                "steps": [],
            },
        )
        task["confirmed"] += 1
        task["by_hand"] = task["by_hand"] or _byHand(connection, digest)
        if not task["steps"] or level > task["steps"][-1]["level"]:
            task["steps"].append({"at": timestamp, "level": level, "id": component.id, "author": author})
    return sorted(tasks.values(), key=lambda task: (task["workbench"], task["trace"]))


def _byHand(connection: sqlite3.Connection, digest: str) -> dict[str, Any] | None:
    for report in reportsOn(connection, digest, 8):
        told = report["performance"]
        name, level = told.get("best_by_hand"), told.get("best_by_hand_level")
        if isinstance(name, str) and isinstance(level, int | float):
            return {"name": name, "level": level}
    return None


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
