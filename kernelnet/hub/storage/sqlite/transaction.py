"""The reader and the transaction in SQLite, and the commit itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import chain
from typing import Any

import msgspec

from kernelnet.hub.storage.engine import Commit, Committed
from kernelnet.hub.storage.group_commit import applyAll, applyEach
from kernelnet.hub.storage.integrity import checksum
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sqlite.access import SqliteAis, SqliteTokens
from kernelnet.hub.storage.sqlite.errors import problemOf
from kernelnet.hub.storage.sqlite.knowledge import SqliteComponents, SqlitePatterns, SqliteReports
from kernelnet.hub.storage.sqlite.log import Execute, SqliteLog, SqliteMarks, findMessage, lastGiven
from kernelnet.hub.storage.sqlite.observations import SqliteObservations
from kernelnet.hub.storage.sqlite.sessions import SqliteSessions
from kernelnet.hub.storage.transaction import Transaction, Work
from kernelnet.message import NetworkMessage

__all__ = ["SqliteReader", "SqliteTransaction", "commit"]

Row = Sequence[Any]

_encode = msgspec.json.Encoder().encode

_ROWS = 32
"""Rows written by one statement: 7.2 µs a message with its projection instead of 8.4 one by one."""

_APPEND = (
    "INSERT INTO events (seq, sender_id, message_id, message_type, target, timestamp, recipients, body, digest,"
    " checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@cache
def _forRows(sql: str) -> str:
    """The INSERT C{sql} of one row, for `_ROWS` of them."""
    head, values = sql.split("VALUES ")
    return f"{head}VALUES {', '.join([values] * _ROWS)}"


class SqliteReader:
    """A `kernelnet.hub.storage.transaction.Reader` of a connection."""

    __slots__ = ("ais", "components", "log", "marks", "observations", "patterns", "reports", "sessions", "tokens")

    def __init__(self, connection: sqlite3.Connection) -> None:
        execute: Execute = connection.execute
        self.log = SqliteLog(execute)
        self.marks = SqliteMarks(execute)
        self.tokens = SqliteTokens(execute)
        self.ais = SqliteAis(execute)
        self.sessions = SqliteSessions(execute)
        self.patterns = SqlitePatterns(execute, execute)
        self.components = SqliteComponents(execute, execute)
        self.reports = SqliteReports(execute, execute)
        self.observations = SqliteObservations(execute)


class _Writer:
    """
    A connection that gathers rows, and writes them with few calls for each statement before anything else is read or
    written, which also makes fewer changes between the threads.
    """

    __slots__ = ("_connection", "_rows")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, list[Row]] = {}

    def execute(self, sql: str, parameters: Row = ()) -> sqlite3.Cursor:
        """Execute it after all that was put before."""
        if self._rows:
            self.flush()
        return self._connection.execute(sql, parameters)

    def put(self, sql: str, row: Row) -> None:
        """Have an INSERT executed for C{row}, in the order of the calls with the same C{sql}."""
        rows = self._rows.get(sql)
        if rows is None:
            self._rows[sql] = [row]
        else:
            rows.append(row)

    def flush(self) -> None:
        """
        Write what was gathered.

        @raise sqlite3.Error: it can't be, so nothing of this transaction may stay.
        """
        rows, self._rows = self._rows, {}
        for sql, some in rows.items():
            rest = len(some) - len(some) % _ROWS
            for start in range(0, rest, _ROWS):
                self._connection.execute(_forRows(sql), [*chain.from_iterable(some[start : start + _ROWS])])
            self._connection.executemany(sql, some[rest:])

    def forget(self) -> None:
        """Never write what was gathered."""
        self._rows.clear()


class SqliteTransaction(Transaction):
    """A transaction that its user has begun, and ends; `flush` comes before that."""

    def __init__(self, connection: sqlite3.Connection, now: float, *, allNew: bool = False) -> None:
        """@param allNew: take each message for one that was not appended before; `checkAllNew` finds out if one was."""
        super().__init__(now)
        self._connection = connection
        self._allNew = allNew
        self._head: int | None = None
        self._appendedAfter = 0
        # An object of its own, so that the groups don't refer back: a commit leaves no circle to the garbage collector.
        self._writer = writer = _Writer(connection)
        execute, put = writer.execute, writer.put
        self.log = SqliteLog(execute)
        self.marks = SqliteMarks(execute)
        self.tokens = SqliteTokens(execute)
        self.ais = SqliteAis(execute)
        self.sessions = SqliteSessions(execute)
        self.patterns = SqlitePatterns(execute, put)
        self.components = SqliteComponents(execute, put)
        self.reports = SqliteReports(execute, put)
        self.observations = SqliteObservations(execute)

    def flush(self) -> None:
        """
        Write what was gathered.

        @raise sqlite3.Error: it can't be, so nothing of this transaction may stay.
        """
        self._writer.flush()

    def find(self, sender: str, messageId: str) -> tuple[int, bytes] | None:
        return None if self._allNew else findMessage(self._writer.execute, sender, messageId)

    def _write(self, event: Event, message: NetworkMessage, digest: bytes) -> None:
        ids, line = event.recipients, event.line
        listed = None if ids is None else _encode(sorted(ids)).decode()
        if self._head is None:
            self._head = self._appendedAfter = lastGiven(self._connection.execute)
        self._head = event.seq = self._head + 1
        self._writer.put(
            _APPEND,
            (
                event.seq,
                event.sender,
                message.message_id,
                message.message_type._value_,
                message.target_ai,
                message.timestamp,
                listed,
                line,
                digest,
                checksum(line, digest, listed),
            ),
        )

    def checkAllNew(self) -> None:
        """
        See that all that was appended was really new.

        @raise sqlite3.IntegrityError: it was not.
        """
        self.flush()
        if not self._allNew or self._head is None:
            return
        again = self._connection.execute(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM removed_keys) AND EXISTS (SELECT 1 FROM events CROSS JOIN"
            " removed_keys USING (sender_id, message_id) WHERE events.seq > ?)",
            (self._appendedAfter,),
        ).fetchone()
        if again is not None:
            raise sqlite3.IntegrityError("a message whose row retention has removed")

    def savepoint(self) -> None:
        super().savepoint()
        self._connection.execute("SAVEPOINT work")

    def undo(self) -> bool:
        super().undo()
        self._writer.forget()
        self._head = None
        if not self._connection.in_transaction:
            return False  # such as with a full disk: SQLite has rolled all back
        self._connection.execute("ROLLBACK TO work")
        self._connection.execute("RELEASE work")
        return True

    def release(self) -> None:
        self.flush()
        self._connection.execute("RELEASE work")


def commit(connection: sqlite3.Connection, works: Sequence[Work], now: float) -> Commit:
    """
    One transaction for all works; if one of them fails or repeats an earlier message, again with each in a savepoint
    of its own.

    Most commits hold new messages only.  They are not looked up first: the index of unique keys refuses a repetition.
    """
    # Whatever went wrong in the first attempt: the second finds out whose it is.
    with suppress(Exception):
        return _attempt(connection, works, now, careful=False)
    return _attempt(connection, works, now, careful=True)


def _attempt(connection: sqlite3.Connection, works: Sequence[Work], now: float, careful: bool) -> Commit:
    transaction = SqliteTransaction(connection, now, allNew=not careful)
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = applyEach(transaction, works, problemOf) if careful else applyAll(transaction, works)
        transaction.checkAllNew()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return Commit(Committed.of(transaction), transaction.notes, done.refused, done.costs)
