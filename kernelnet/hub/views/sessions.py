"""Patterns, sessions and progress, as people and the API are told; `kernelnet.hub.views.components`: components."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.artifacts import Verdict
from kernelnet.hub.views.components import reportsOn
from kernelnet.message import Hello, MessageType
from kernelnet.wire import rfc3339

__all__ = [
    "SESSION_STATES",
    "Cursor",
    "Progress",
    "ais",
    "patternTypes",
    "patterns",
    "progress",
    "session",
    "sessionPage",
    "sessions",
]

MAX_SETTINGS = 32
"""No workbench has so many: claims with more are left out of `progress`."""

WITNESSES = 2
"""So many AIs must say the same of the best hand-made policy: it is no claim that anybody confirms."""
LOOKED_AT = 20
"""On so many of a task's newest components are reports asked what they say of it."""

PAGE_BYTES = 1024 * 1024
"""Of descriptions and transcripts in a page of sessions; each may be as long as a message."""

Cursor = tuple[float, str]
"""When a session changed (Unix seconds), and its id: where a page of them ends."""

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


def patternTypes(connection: sqlite3.Connection) -> list[str]:
    """The types that there are patterns of, 100 at most."""
    rows = connection.execute("SELECT DISTINCT type FROM shared_patterns ORDER BY type LIMIT 100")
    return [kind for (kind,) in rows]


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
    optimum.  C{by_hand} is the level of the best hand-made policy, as `WITNESSES` that confirmed a component of the
    task tell it, to the bit; C{None} where they don't, or as many say something else.

    @param limit: the newest so many components.
    """
    newest = connection.execute(
        "SELECT rowid FROM shared_components"
        " WHERE kind = 'component' AND confirmed > 0 AND refuted = 0 ORDER BY seq DESC LIMIT ?",
        (limit,),
    ).fetchall()
    tasks: dict[str, dict[str, Any]] = {}
    digests: dict[str, list[str]] = {}
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
        digests.setdefault(key, []).append(digest)
        if not task["steps"] or level > task["steps"][-1]["level"]:
            task["steps"].append({"at": timestamp, "level": level, "id": component.id, "author": author})
    for key, task in tasks.items():
        task["by_hand"] = _byHand(connection, digests[key][-LOOKED_AT:])
    return sorted(tasks.values(), key=lambda task: (task["workbench"], task["trace"]))


def _byHand(connection: sqlite3.Connection, digests: list[str]) -> dict[str, Any] | None:
    """What most of those say who confirmed these components; each AI has one voice, its newest."""
    said: dict[str, tuple[str, float]] = {}
    for digest in digests:
        for report in reversed(reportsOn(connection, digest, 8)):
            told = report["performance"]
            name, level = told.get("best_by_hand"), told.get("best_by_hand_level")
            if (
                report.get("verdict") == Verdict.CONFIRMED.value
                and isinstance(name, str)
                and 0 < len(name) <= 64
                and type(level) in (int, float)
                and -1 <= level <= 1  # of NaN neither holds
            ):
                said[report["reporter"]] = name, float(level)
    first, second = (*Counter(said.values()).most_common(2), (None, 0), (None, 0))[:2]
    if first[0] is None or first[1] < WITNESSES or first[1] == second[1]:
        return None
    return {"name": first[0][0], "level": first[0][1]}


class Progress:
    """`progress`, computed anew only when the log has something that it depends on."""

    _KINDS = (MessageType.OS_COMPONENT_SHARE.value, MessageType.PERFORMANCE_REPORT.value)

    def __init__(self) -> None:
        # Together, since several readers' threads may come here at once.
        self._kept: tuple[list[dict[str, Any]] | None, int] = (None, 0)

    def tasks(self, connection: sqlite3.Connection, head: int) -> list[dict[str, Any]]:
        """
        In a reader's thread.

        @param head: the log's last position; nothing that comes later is missed by the next call.
        """
        found, upTo = self._kept
        if found is None or upTo > head or self._isNew(connection, upTo):
            found = progress(connection)
        self._kept = found, head
        return found

    def _isNew(self, connection: sqlite3.Connection, upTo: int) -> bool:
        sql = "SELECT EXISTS (SELECT 1 FROM events WHERE seq > ? AND message_type IN (?, ?))"
        (isNew,) = connection.execute(sql, (upTo, *self._KINDS)).fetchone()
        return bool(isNew)


def sessions(connection: sqlite3.Connection, state: str | None, limit: int) -> list[dict[str, Any]]:
    """
    Collaboration sessions, what changed last first.

    @param state: one of `SESSION_STATES`; C{None}: all.
    """
    found, after = sessionPage(connection, state=state, limit=limit)
    while after is not None and len(found) < limit:
        more, after = sessionPage(connection, state=state, limit=limit - len(found), after=after)
        found += more
    return found


def session(connection: sqlite3.Connection, beginning: str) -> list[dict[str, Any]]:
    """Those whose id begins so, at most two; C{invitation}: with all that the partner was told, as JSON."""
    rows = connection.execute(
        "SELECT session_id, initiator, type, description, state, partner, invited, declined, component, created_at,"
        " changed_at, transcript, body FROM collaboration_sessions"
        " WHERE substr(session_id, 1, length(?1)) = ?1 ORDER BY session_id LIMIT 2",
        (beginning,),
    )
    return [{**_session(row), "invitation": msgspec.json.decode(body)} for *row, body in rows]


def _session(row: Sequence[Any]) -> dict[str, Any]:
    id_, initiator, kind, description, now, partner, invited, declined, component, created, changed, steps = row
    return {
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
        "transcript": msgspec.json.decode(steps) if steps else [],
    }


def sessionPage(
    connection: sqlite3.Connection,
    *,
    state: str | None,
    limit: int,
    after: Cursor | None = None,
    transcripts: bool = True,
) -> tuple[list[dict[str, Any]], Cursor | None]:
    """
    Some of them, and where the next page goes on; C{None}: nowhere.

    @param limit: at most so many, and no more than `PAGE_BYTES`, but one.
    @param after: where the page before ended.
    @param transcripts: whether what happened in each is wanted.
    """
    rows = connection.execute(
        "SELECT session_id, initiator, type, description, state, partner, invited, declined, component, created_at,"
        " changed_at, CASE WHEN ?5 THEN transcript END FROM collaboration_sessions"
        " WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR (changed_at, session_id) < (?2, ?3))"
        " ORDER BY changed_at DESC, session_id DESC LIMIT ?4",
        (state, *(after or (None, None)), limit + 1, transcripts),
    )
    found: list[dict[str, Any]] = []
    size, last = 0, None
    for row in rows:
        size += len(row[3]) + len(row[6]) + len(row[11] or b"")
        if found and (size > PAGE_BYTES or len(found) == limit):
            return found, last
        last = row[10], row[0]
        found.append(_session(row))
    return found, None
