"""The log in SQLite: its pages, what else is asked of it, and the marks by which retention goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence

import msgspec

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.integrity import Damaged, checksum
from kernelnet.hub.storage.log_pages import PAGE_ROWS, Event, Page, fillPage, isNewOnly
from kernelnet.hub.storage.statements.log import Confirmation, EventHeader, Mark
from kernelnet.message import MessageType

__all__ = ["Execute", "SqliteLog", "SqliteMarks", "findMessage", "lastGiven", "readPage"]

Execute = Callable[..., sqlite3.Cursor]
"""As C{sqlite3.Connection.execute}."""

_HEADER = "seq, sender_id, message_type, target, timestamp"


def readPage(connection: sqlite3.Connection, after: int, upTo: int, aiId: str) -> Page:
    """The result of `kernelnet.hub.storage.engine.Engine.page`."""
    found = connection.execute(
        "SELECT seq, sender_id, recipients, body, message_type, digest, checksum FROM events"
        " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (after, upTo, PAGE_ROWS),
    )
    try:
        page = fillPage(map(_event, found), aiId, after)
    finally:
        found.close()  # what was not fetched would hold back the checkpoint
    if page.upTo == after:
        page.upTo = upTo  # nothing there: rows that retention removed
    return page


def _event(row: tuple[int, str, str | None, bytes, str, bytes, int | None]) -> Event:
    seq, sender, recipients, body, messageType, digest, stored = row
    if stored is not None and checksum(body, digest, recipients) != stored:
        raise Damaged(f"row {seq} of the log does not fit its checksum: see kernelnet doctor")
    ids = None if recipients is None else frozenset(msgspec.json.decode(recipients))
    return Event(seq, sender, ids, body, isNewOnly(messageType))


def lastGiven(execute: Execute) -> int:
    """
    The last number that was given out; 0: none was.

    It is what AUTOINCREMENT would go by: no number is ever given twice, whatever retention removes.
    """
    row = execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def findMessage(execute: Execute, sender: str, messageId: str) -> tuple[int, bytes] | None:
    """The result of `kernelnet.hub.storage.transaction.Transaction.find`."""
    found: tuple[int, bytes] | None = execute(
        "SELECT seq, CASE digest WHEN x'' THEN digest_of(body) ELSE digest END FROM events"
        " WHERE sender_id = ?1 AND message_id = ?2"
        " UNION ALL SELECT seq, digest FROM removed_keys WHERE sender_id = ?1 AND message_id = ?2",
        (sender, messageId),
    ).fetchone()
    return found


class SqliteLog:
    """`kernelnet.hub.storage.statements.log.LogQueries`."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def headers(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        sql = f"SELECT {_HEADER} FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608
        return [*map(EventHeader._make, self._execute(sql, (after, upTo, limit)))]

    def newestHeaders(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        sql = f"SELECT {_HEADER} FROM events WHERE seq > ? AND seq <= ? ORDER BY seq DESC LIMIT ?"  # noqa: S608
        return [*map(EventHeader._make, self._execute(sql, (after, upTo, limit)))][::-1]

    def hasAny(self, after: int, messageTypes: Collection[str]) -> bool:
        marks = ", ".join("?" * len(messageTypes))
        sql = f"SELECT EXISTS (SELECT 1 FROM events WHERE seq > ? AND message_type IN ({marks}))"  # noqa: S608
        (found,) = self._execute(sql, (after, *messageTypes)).fetchone()
        return bool(found)

    def firstConfirmation(self) -> Confirmation | None:
        row = self._execute(
            "SELECT e.timestamp, c.component_id, e.sender_id FROM events e JOIN shared_components c"
            " ON c.digest = json_extract(CAST(e.body AS TEXT), '$.payload.digest') AND c.ai_id != e.sender_id"
            " WHERE e.message_type = ? AND json_extract(CAST(e.body AS TEXT), '$.payload.verdict') = ?"
            " ORDER BY e.seq LIMIT 1",
            (MessageType.PERFORMANCE_REPORT.value, Verdict.CONFIRMED.value),
        ).fetchone()
        return Confirmation._make(row) if row else None


class SqliteMarks:
    """`kernelnet.hub.storage.statements.log.Marks`."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def last(self) -> Mark | None:
        row = self._execute("SELECT seq, at, bytes FROM log_marks ORDER BY seq DESC LIMIT 1").fetchone()
        return Mark._make(row) if row else None

    def reachedAt(self, at: float) -> int:
        (seq,) = self._execute("SELECT COALESCE(MAX(seq), 0) FROM log_marks WHERE at <= ?", (at,)).fetchone()
        return int(seq)

    def firstOver(self, size: int) -> int:
        (seq,) = self._execute("SELECT COALESCE(MIN(seq), 0) FROM log_marks WHERE bytes >= ?", (size,)).fetchone()
        return int(seq)

    def measure(self, after: int, upTo: int, limit: int) -> tuple[int | None, int]:
        last, size = self._execute(
            "SELECT MAX(seq), COALESCE(SUM(size), 0) FROM (SELECT seq, length(body) AS size FROM events"
            " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?)",
            (after, upTo, limit),
        ).fetchone()
        return last, size

    def add(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            self._execute("INSERT OR REPLACE INTO log_marks VALUES (?, ?, ?)", mark)

    def remove(self, upTo: int, limit: int) -> int:
        (last,) = self._execute(
            "SELECT MAX(seq) FROM (SELECT seq FROM events WHERE seq <= ? ORDER BY seq LIMIT ?)", (upTo, limit)
        ).fetchone()
        if last is None:
            return 0
        self._execute(
            "INSERT OR IGNORE INTO removed_keys SELECT sender_id, message_id, seq,"
            " CASE digest WHEN x'' THEN digest_of(body) ELSE digest END FROM events WHERE seq <= ?",
            (last,),
        )
        count = self._execute("DELETE FROM events WHERE seq <= ?", (last,)).rowcount
        self._execute("DELETE FROM log_marks WHERE seq < (SELECT MAX(seq) FROM log_marks WHERE seq <= ?)", (last,))
        return count
