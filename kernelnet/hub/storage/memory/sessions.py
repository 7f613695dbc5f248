"""Collaborations in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from kernelnet.hub.storage.memory.tables import SessionRow, Tables
from kernelnet.hub.storage.statements.sessions import NewSession, SessionOutcome, SessionRecord, SessionState

__all__ = ["MemorySessions"]


class MemorySessions:
    """`kernelnet.hub.storage.statements.sessions.Sessions`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def find(self, sessionId: str) -> SessionState | None:
        row = self._tables.sessions.get(sessionId)
        return None if row is None else _state(row)

    def transcriptOf(self, sessionId: str) -> bytes | None:
        return self._tables.sessions[sessionId].transcript

    def due(self, now: float, limit: int) -> list[SessionState]:
        timed = ((row.expiresAt, row) for row in self._tables.sessions.values() if row.expiresAt is not None)
        due = sorted((at, row.id, row) for at, row in timed if at <= now)
        return [_state(row) for _, _, row in due[:limit]]

    def activeUntil(self, until: float, limit: int) -> list[SessionState]:
        active = [row for row in self._tables.sessions.values() if row.state == "active"]
        due = sorted((row.expiresAt, row.id, row) for row in active if (row.expiresAt or 0.0) <= until)
        return [_state(row) for _, _, row in due[:limit]]

    def takenBy(self, aiId: str, limit: int) -> list[SessionState]:
        found = [row for row in self._tables.sessions.values() if row.state == "active" and row.partner == aiId]
        return [_state(row) for row in sorted(found, key=lambda row: row.id)[:limit]]

    def countOffers(self, initiator: str, limit: int) -> int:
        rows = self._tables.sessions.values()
        return min(limit, sum(row.state == "offered" and row.initiator == initiator for row in rows))

    def partners(self) -> set[str]:
        active = (row.partner for row in self._tables.sessions.values() if row.state == "active")
        return {partner for partner in active if partner is not None}

    def completedBy(self) -> dict[str, int]:
        completed = (row.partner for row in self._tables.sessions.values() if row.state == "completed")
        return dict(Counter(partner for partner in completed if partner is not None))

    def openFor(self, aiId: str, limit: int) -> list[bytes]:
        found = [
            row
            for row in self._tables.sessions.values()
            if row.state == "offered" and aiId in row.invited and aiId not in row.declined
        ]
        found.sort(key=lambda row: (-row.createdAt, row.id))
        return [row.invitation for row in found[:limit]]

    def page(
        self, state: str | None, after: tuple[float, str] | None, limit: int, transcripts: bool
    ) -> Iterator[SessionRecord]:
        found = [
            row
            for row in self._tables.sessions.values()
            if state in (None, row.state) and (after is None or (row.changedAt, row.id) < after)
        ]
        found.sort(key=lambda row: (row.changedAt, row.id), reverse=True)
        return (_record(row, transcripts, False) for row in found[:limit])

    def beginning(self, beginning: str, limit: int) -> list[SessionRecord]:
        ids = sorted(id_ for id_ in self._tables.sessions if id_.startswith(beginning))
        return [_record(self._tables.sessions[id_]) for id_ in ids[:limit]]

    def countByState(self) -> dict[str, int]:
        return dict(Counter(row.state for row in self._tables.sessions.values()))

    def outcomes(self) -> Iterator[SessionOutcome]:
        rows = sorted(self._tables.sessions.values(), key=lambda row: row.id)
        return (SessionOutcome(row.type, row.component, row.transcript) for row in rows)

    def insert(self, session: NewSession) -> None:
        row = SessionRow(
            id=session.id,
            initiator=session.initiator,
            type=session.type,
            description=session.description,
            state=session.state,
            invited=tuple(session.invited),
            invitation=session.invitation,
            createdAt=session.createdAt,
            changedAt=session.createdAt,
            expiresAt=session.expiresAt,
        )
        self._tables.sessions.add(row.id, row)

    def setDeclined(self, sessionId: str, declined: Sequence[str], now: float) -> None:
        self._set(sessionId, declined=tuple(declined), changedAt=now)

    def setComponent(self, sessionId: str, componentId: str) -> None:
        self._set(sessionId, component=componentId)

    def setTranscript(self, sessionId: str, transcript: bytes, now: float) -> None:
        self._set(sessionId, transcript=transcript, changedAt=now)

    def activate(self, sessionId: str, partner: str, expiresAt: float, now: float) -> None:
        self._set(sessionId, state="active", partner=partner, expiresAt=expiresAt, changedAt=now)

    def end(self, sessionId: str, state: str, now: float) -> None:
        self._set(sessionId, state=state, expiresAt=None, changedAt=now)

    def _set(self, sessionId: str, **columns: Any) -> None:
        row = self._tables.sessions.get(sessionId)
        if row is not None:
            self._tables.sessions[sessionId] = row._replace(**columns)


def _state(row: SessionRow) -> SessionState:
    return SessionState(row.id, row.initiator, row.type, row.state, row.partner, [*row.invited], [*row.declined])


def _record(row: SessionRow, transcript: bool = True, invitation: bool = True) -> SessionRecord:
    return SessionRecord(
        id=row.id,
        initiator=row.initiator,
        type=row.type,
        description=row.description,
        state=row.state,
        partner=row.partner,
        invited=[*row.invited],
        declined=[*row.declined],
        component=row.component,
        createdAt=row.createdAt,
        changedAt=row.changedAt,
        transcript=row.transcript if transcript else None,
        invitation=row.invitation if invitation else None,
    )
