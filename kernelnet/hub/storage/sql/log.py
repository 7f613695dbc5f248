"""The log: its pages, what else is asked of it, and the marks by which retention goes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.integrity import Damaged, checksum
from kernelnet.hub.storage.log_pages import PAGE_ROWS, Event, Page, fillPage, isNewOnly
from kernelnet.hub.storage.sql.execution import Dialect, Execute, marks, upsert
from kernelnet.hub.storage.statements.log import Confirmation, EventHeader, Mark
from kernelnet.message import MessageType

__all__ = ["SqlLog", "SqlMarks", "findMessage", "readPage", "readRows"]

_HEADER = "seq, sender_id, message_type, target, timestamp"
_ADD = upsert("log_marks", 1, "seq", "at", "bytes")


def readPage(execute: Execute, after: int, upTo: int, aiId: str) -> Page:
    """The result of `kernelnet.hub.storage.engine.Engine.page`."""
    found = execute(
        "SELECT seq, sender_id, recipients, body, message_type, digest, checksum FROM events"
        " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (after, upTo, PAGE_ROWS),
    )
    try:
        page = fillPage(map(_event, found), aiId, after)
    finally:
        found.close()  # what was not fetched would hold back SQLite's checkpoint
    if page.upTo == after:
        page.upTo = upTo  # nothing there: rows that retention removed
    return page


def readRows(execute: Execute, after: int, upTo: int) -> list[Event]:
    """All of the log's rows with C{after < seq <= upTo}."""
    found = execute(
        "SELECT seq, sender_id, recipients, body, message_type, digest, checksum FROM events"
        " WHERE seq > ? AND seq <= ? ORDER BY seq",
        (after, upTo),
    )
    return [*map(_event, found)]


def _event(row: tuple[int, str, str | None, bytes, str, bytes, int | None]) -> Event:
    seq, sender, recipients, body, messageType, digest, stored = row
    if stored is not None and checksum(body, digest, recipients) != stored:
        raise Damaged(f"row {seq} of the log does not fit its checksum: see kernelnet doctor")
    ids = None if recipients is None else frozenset(msgspec.json.decode(recipients))
    return Event(seq, sender, ids, body, isNewOnly(messageType))


def findMessage(execute: Execute, dialect: Dialect, sender: str, messageId: str) -> tuple[int, bytes] | None:
    """The result of `kernelnet.hub.storage.transaction.Transaction.find`."""
    found: tuple[int, bytes] | None = execute(
        f"SELECT seq, {dialect.digest} FROM events WHERE sender_id = ?1 AND message_id = ?2"  # noqa: S608
        " UNION ALL SELECT seq, digest FROM removed_keys WHERE sender_id = ?1 AND message_id = ?2",
        (sender, messageId),
    ).fetchone()
    return found


class SqlLog:
    """`kernelnet.hub.storage.statements.log.LogQueries`."""

    __slots__ = ("_dialect", "_execute")

    def __init__(self, execute: Execute, dialect: Dialect) -> None:
        self._execute = execute
        self._dialect = dialect

    def headers(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        sql = f"SELECT {_HEADER} FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608
        return [*map(EventHeader._make, self._execute(sql, (after, upTo, limit)))]

    def newestHeaders(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        sql = f"SELECT {_HEADER} FROM events WHERE seq > ? AND seq <= ? ORDER BY seq DESC LIMIT ?"  # noqa: S608
        return [*map(EventHeader._make, self._execute(sql, (after, upTo, limit)))][::-1]

    def hasAny(self, after: int, messageTypes: Collection[str]) -> bool:
        if not messageTypes:
            return False
        types = marks(len(messageTypes))
        sql = f"SELECT EXISTS (SELECT 1 FROM events WHERE seq > ? AND message_type IN ({types}))"  # noqa: S608
        (found,) = self._execute(sql, (after, *messageTypes)).fetchone()
        return bool(found)

    def firstConfirmation(self) -> Confirmation | None:
        digest, verdict = (self._dialect.payload.format(field=field) for field in ("digest", "verdict"))
        row = self._execute(
            "SELECT e.timestamp, c.component_id, e.sender_id FROM events e JOIN shared_components c"  # noqa: S608
            f" ON c.digest = {digest} AND c.ai_id != e.sender_id WHERE e.message_type = ? AND {verdict} = ?"
            " ORDER BY e.seq LIMIT 1",
            (MessageType.PERFORMANCE_REPORT.value, Verdict.CONFIRMED.value),
        ).fetchone()
        return Confirmation._make(row) if row else None


class SqlMarks:
    """`kernelnet.hub.storage.statements.log.Marks`."""

    __slots__ = ("_dialect", "_execute")

    def __init__(self, execute: Execute, dialect: Dialect) -> None:
        self._execute = execute
        self._dialect = dialect

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
            " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?) AS those",
            (after, upTo, limit),
        ).fetchone()
        return last, int(size)

    def add(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            self._execute(_ADD, mark)

    def remove(self, upTo: int, limit: int) -> int:
        (last,) = self._execute(
            "SELECT MAX(seq) FROM (SELECT seq FROM events WHERE seq <= ? ORDER BY seq LIMIT ?) AS those", (upTo, limit)
        ).fetchone()
        if last is None:
            return 0
        self._execute(
            f"INSERT INTO removed_keys SELECT sender_id, message_id, seq, {self._dialect.digest} FROM events"  # noqa: S608
            " WHERE seq <= ? ON CONFLICT DO NOTHING",
            (last,),
        )
        count = self._execute("DELETE FROM events WHERE seq <= ?", (last,)).rowcount
        self._execute("DELETE FROM log_marks WHERE seq < (SELECT MAX(seq) FROM log_marks WHERE seq <= ?)", (last,))
        return count
