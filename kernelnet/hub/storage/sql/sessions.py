"""Collaborations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from kernelnet.hub.storage.sql.execution import Dialect, Execute
from kernelnet.hub.storage.statements.sessions import NewSession, SessionOutcome, SessionRecord, SessionState

__all__ = ["SqlSessions"]

_STATE = "session_id, initiator, type, state, partner, invited, declined"
_RECORD = (
    "session_id, initiator, type, description, state, partner, invited, declined, component, created_at, changed_at"
)


class SqlSessions:
    """`kernelnet.hub.storage.statements.sessions.Sessions`."""

    __slots__ = ("_dialect", "_execute")

    def __init__(self, execute: Execute, dialect: Dialect) -> None:
        self._execute = execute
        self._dialect = dialect

    def find(self, sessionId: str) -> SessionState | None:
        sql = f"SELECT {_STATE} FROM collaboration_sessions WHERE session_id = ?"  # noqa: S608
        row = self._execute(sql, (sessionId,)).fetchone()
        return _state(row) if row else None

    def transcriptOf(self, sessionId: str) -> bytes | None:
        ((transcript,),) = self._execute(
            "SELECT transcript FROM collaboration_sessions WHERE session_id = ?", (sessionId,)
        ).fetchall()
        return _bytes(transcript)

    def due(self, now: float, limit: int) -> list[SessionState]:
        rows = self._execute(
            f"SELECT {_STATE} FROM collaboration_sessions WHERE expires_at <= ?"  # noqa: S608
            " ORDER BY expires_at, session_id LIMIT ?",
            (now, limit),
        ).fetchall()
        return [*map(_state, rows)]

    def activeUntil(self, until: float, limit: int) -> list[SessionState]:
        rows = self._execute(
            f"SELECT {_STATE} FROM collaboration_sessions WHERE expires_at <= ? AND state = 'active'"  # noqa: S608
            " ORDER BY expires_at, session_id LIMIT ?",
            (until, limit),
        ).fetchall()
        return [*map(_state, rows)]

    # What is active has a time limit, so these two look at those alone that have not ended: there is an index for them.

    def takenBy(self, aiId: str, limit: int) -> list[SessionState]:
        rows = self._execute(
            f"SELECT {_STATE} FROM collaboration_sessions WHERE expires_at IS NOT NULL"  # noqa: S608
            " AND state = 'active' AND partner = ? ORDER BY session_id LIMIT ?",
            (aiId, limit),
        ).fetchall()
        return [*map(_state, rows)]

    def countOffers(self, initiator: str, limit: int) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM collaboration_sessions WHERE expires_at IS NOT NULL"
            " AND state = 'offered' AND initiator = ? LIMIT ?) AS those",
            (initiator, limit),
        ).fetchone()
        return int(count)

    def partners(self) -> set[str]:
        sql = "SELECT DISTINCT partner FROM collaboration_sessions WHERE expires_at IS NOT NULL AND state = 'active'"
        return {partner for (partner,) in self._execute(sql).fetchall()}

    def completedBy(self) -> dict[str, int]:
        sql = (
            "SELECT partner, COUNT(*) FROM collaboration_sessions WHERE state = 'completed' AND partner IS NOT NULL"
            " GROUP BY partner"
        )
        return dict(self._execute(sql).fetchall())

    def openFor(self, aiId: str, limit: int) -> list[bytes]:
        invited, declined = (self._dialect.listHas.format(list=column) for column in ("invited", "declined"))
        rows = self._execute(
            "SELECT body FROM collaboration_sessions WHERE state = 'offered' AND expires_at IS NOT NULL"  # noqa: S608
            f" AND {invited} AND NOT {declined}"
            " ORDER BY created_at DESC, session_id LIMIT ?2",
            (aiId, limit),
        )
        return [body for (body,) in rows]

    def page(
        self, state: str | None, after: tuple[float, str] | None, limit: int, transcripts: bool
    ) -> Iterator[SessionRecord]:
        rows = self._execute(
            f"SELECT {_RECORD}, CASE WHEN ?5 THEN transcript END, NULL FROM collaboration_sessions"  # noqa: S608
            " WHERE (state = ?1 OR ?1 IS NULL) AND ((changed_at, session_id) < (?2, ?3) OR ?2 IS NULL)"
            " ORDER BY changed_at DESC, session_id DESC LIMIT ?4",
            (state, *(after or (None, None)), limit, transcripts),
        )
        return map(_record, rows)

    def beginning(self, beginning: str, limit: int) -> list[SessionRecord]:
        rows = self._execute(
            f"SELECT {_RECORD}, transcript, body FROM collaboration_sessions"  # noqa: S608
            " WHERE substr(session_id, 1, length(?1)) = ?1 ORDER BY session_id LIMIT ?2",
            (beginning, limit),
        )
        return [*map(_record, rows)]

    def countByState(self) -> dict[str, int]:
        return dict(self._execute("SELECT state, COUNT(*) FROM collaboration_sessions GROUP BY state").fetchall())

    def outcomes(self) -> Iterator[SessionOutcome]:
        rows = self._execute("SELECT type, component, transcript FROM collaboration_sessions ORDER BY session_id")
        return (SessionOutcome(kind, component, _bytes(transcript)) for kind, component, transcript in rows)

    def insert(self, session: NewSession) -> None:
        id_, initiator, kind, description, state, invited, invitation, createdAt, expiresAt = session
        self._execute(
            "INSERT INTO collaboration_sessions (session_id, initiator, type, description, state, invited, declined,"
            " body, created_at, changed_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, '[]', ?, ?, ?, ?)",
            (id_, initiator, kind, description, state, _list(invited), invitation, createdAt, createdAt, expiresAt),
        )

    def setDeclined(self, sessionId: str, declined: Sequence[str], now: float) -> None:
        self._execute(
            "UPDATE collaboration_sessions SET declined = ?, changed_at = ? WHERE session_id = ?",
            (_list(declined), now, sessionId),
        )

    def setComponent(self, sessionId: str, componentId: str) -> None:
        self._execute("UPDATE collaboration_sessions SET component = ? WHERE session_id = ?", (componentId, sessionId))

    def setTranscript(self, sessionId: str, transcript: bytes, now: float) -> None:
        self._execute(
            "UPDATE collaboration_sessions SET transcript = ?, changed_at = ? WHERE session_id = ?",
            (transcript, now, sessionId),
        )

    def activate(self, sessionId: str, partner: str, expiresAt: float, now: float) -> None:
        self._execute(
            "UPDATE collaboration_sessions SET state = 'active', partner = ?, changed_at = ?, expires_at = ?"
            " WHERE session_id = ?",
            (partner, now, expiresAt, sessionId),
        )

    def end(self, sessionId: str, state: str, now: float) -> None:
        self._execute(
            "UPDATE collaboration_sessions SET state = ?, changed_at = ?, expires_at = NULL WHERE session_id = ?",
            (state, now, sessionId),
        )


def _state(row: tuple[Any, ...]) -> SessionState:
    id_, initiator, kind, state, partner, invited, declined = row
    lists = msgspec.json.decode(invited), msgspec.json.decode(declined)
    return SessionState(id_, initiator, kind, state, partner, *lists)


def _record(row: tuple[Any, ...]) -> SessionRecord:
    id_, initiator, kind, description, state, partner, invited, declined, component, at, changed, steps, body = row
    lists = msgspec.json.decode(invited), msgspec.json.decode(declined)
    return SessionRecord(
        id_, initiator, kind, description, state, partner, *lists, component, at, changed, _bytes(steps), body
    )


def _list(ids: Sequence[str]) -> str:
    return msgspec.json.encode(ids).decode()


def _bytes(value: bytes | str | None) -> bytes | None:
    """A column without affinity gives what somebody's shell put there as text."""
    return value.encode() if isinstance(value, str) else value
