"""
One commit: all that is waiting, in one transaction, in the writer's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain
from typing import Any, Protocol

import msgspec

from kernelnet import wire
from kernelnet.hub.storage.integrity import checksum
from kernelnet.hub.storage.log_pages import Event, isNewOnly
from kernelnet.hub.storage.sqlite.errors import problemOf
from kernelnet.hub.storage.transaction import hubMessage
from kernelnet.message import ErrorClass, Hello, MessageType, NetworkMessage
from kernelnet.wire import WireProblem

__all__ = ["Transaction", "Work", "commit"]


Row = Sequence[Any]

_encode = msgspec.json.Encoder().encode

_ROWS = 32
"""So many rows are written by one statement: 7.2 µs a message with its projection instead of 8.4 one by one."""

_APPEND = (
    "INSERT INTO events (seq, sender_id, message_id, message_type, target, timestamp, recipients, body, digest,"
    " checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@cache
def _forRows(sql: str) -> str:
    """The INSERT C{sql} of one row, for `_ROWS` of them."""
    head, values = sql.split("VALUES ")
    return f"{head}VALUES {', '.join([values] * _ROWS)}"


class Transaction:
    """
    What work may do while it is applied, in the writer's thread.

    Rows to append or put are gathered, and written with few calls for each statement before anything else is read or
    written, which also makes fewer changes between the threads.

    @ivar now: Unix seconds.
    @ivar notes: (format, fields) of log lines, written once the commit stands.
    """

    def __init__(self, connection: sqlite3.Connection, now: float, *, allNew: bool = False) -> None:
        """@param allNew: take each message for one that was not appended before; `flush` finds out if one was."""
        self._connection = connection
        self._allNew = allNew
        self._rows: dict[str, list[Row]] = {}
        self._head: int | None = None
        self._appendedAfter = 0
        self.now = now
        self.events: list[Event] = []
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self.hellos: list[tuple[str, Hello, float]] = []
        self.enrolled: list[str] = []

    @property
    def connection(self) -> sqlite3.Connection:
        """For what reads: it sees all that was appended and put before."""
        self.flush()
        return self._connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, parameters)

    def put(self, sql: str, row: Row) -> None:
        """Have an INSERT executed for C{row}, in the order of the calls with the same C{sql}."""
        self._rows.setdefault(sql, []).append(row)

    def flush(self) -> None:
        """
        Write what was gathered.

        @raise sqlite3.Error: it can't be, so nothing of this transaction may stay.
        """
        if self._rows:
            rows, self._rows = self._rows, {}
            for sql, some in rows.items():
                rest = len(some) - len(some) % _ROWS
                for start in range(0, rest, _ROWS):
                    self._connection.execute(_forRows(sql), [*chain.from_iterable(some[start : start + _ROWS])])
                self._connection.executemany(sql, some[rest:])

    def forget(self, kept: tuple[int, int, int, int]) -> None:
        """The work that came after so many events, notes, hellos and enrolments is rolled back."""
        self._rows.clear()
        self._head = None
        events, notes, hellos, enrolled = kept
        del self.events[events:], self.notes[notes:], self.hellos[hellos:], self.enrolled[enrolled:]

    def find(self, sender: str, messageId: str) -> tuple[int, bytes] | None:
        """C{seq} and digest of the message if it was appended before, also when retention has removed its row since."""
        if self._allNew:
            return None
        found: tuple[int, bytes] | None = self.execute(
            "SELECT seq, CASE digest WHEN x'' THEN digest_of(body) ELSE digest END FROM events"
            " WHERE sender_id = ?1 AND message_id = ?2"
            " UNION ALL SELECT seq, digest FROM removed_keys WHERE sender_id = ?1 AND message_id = ?2",
            (sender, messageId),
        ).fetchone()
        return found

    def checkAllNew(self) -> None:
        """
        Whether all that was appended was really new.

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

    def append(
        self, message: NetworkMessage, line: bytes, recipients: Iterable[str] | None, digest: bytes = b""
    ) -> int:
        """
        Put one message at the end of the log.

        @param line: C{message} as its recipients get it.
        @param recipients: ids; C{None}: all but the sender.
        @param digest: of what its author sent; C{b""}: that is what C{line} says.
        @return: its C{seq}.
        """
        ids: frozenset[str] | None = None
        listed: str | None = None
        if recipients is not None:
            ids = frozenset(recipients) - {message.sender_id}
            listed = _encode(sorted(ids)).decode()
        type_ = message.message_type._value_
        if self._head is None:
            # What AUTOINCREMENT would go by: no number is ever given twice, whatever retention removes.
            row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
            self._head = self._appendedAfter = row[0] if row else 0
        self._head = seq = self._head + 1
        self.put(
            _APPEND,
            (
                seq,
                message.sender_id,
                message.message_id,
                type_,
                message.target_ai,
                message.timestamp,
                listed,
                line,
                digest,
                checksum(line, digest, listed),
            ),
        )
        self.events.append(Event(seq, message.sender_id, ids, line, isNewOnly(type_)))
        return seq

    def tell(self, recipients: Iterable[str], messageType: MessageType, payload: msgspec.Struct) -> int:
        """Append a message of the hub's own."""
        message = self.message(messageType, wire.encodePayload(payload))
        return self.append(message, wire.encode(message), recipients)

    def message(self, messageType: MessageType, payload: dict[str, Any]) -> NetworkMessage:
        """A message of the hub's own, not yet appended."""
        return hubMessage(messageType, payload, self.now)

    def note(self, format: str, **fields: Any) -> None:
        """A line for the hub's log file, once this is committed; `Log` makes strangers' words in it plain."""
        self.notes.append((format, fields))


class Work(Protocol):
    """
    Something to be written with the next commit.

    @ivar size: roughly how many bytes it will write.
    @ivar source: whose order must hold: after a C{retry} refusal nothing more of it is written in the same commit.
        C{None}: nobody's.
    """

    size: int
    source: object | None

    def withdrawn(self) -> WireProblem | None:
        """Reactor's thread, right before the commit: why it shall not be written any more."""

    def apply(self, transaction: Transaction) -> None:
        """
        Writer's thread; it may be called again after a rollback.

        @raise WireProblem: it is refused; nothing may have been written by then.
        """

    def settle(self, problem: WireProblem | None) -> None:
        """Reactor's thread: it is committed, or why it never will be."""


def commit(
    connection: sqlite3.Connection, works: Sequence[Work], now: float
) -> tuple[Transaction, dict[int, BaseException]]:
    """
    One transaction for all works; if one of them fails or repeats an earlier message, again with each in a savepoint
    of its own.

    Most commits hold new messages only.  They are not looked up first: the index of unique keys refuses a repetition.
    """
    # Whatever went wrong in the first attempt: the second finds out whose it is.
    with suppress(Exception):
        return _attempt(connection, works, now, careful=False)
    return _attempt(connection, works, now, careful=True)


def _attempt(
    connection: sqlite3.Connection, works: Sequence[Work], now: float, careful: bool
) -> tuple[Transaction, dict[int, BaseException]]:
    transaction = Transaction(connection, now, allNew=not careful)
    refused: dict[int, BaseException] = {}
    held: dict[object, WireProblem] = {}
    connection.execute("BEGIN IMMEDIATE")
    try:
        for i, work in enumerate(works):
            if not careful:
                try:
                    work.apply(transaction)
                except WireProblem as problem:
                    refused[i] = problem
                continue
            if work.source in held:
                refused[i] = held[work.source]
                continue
            lists = transaction.events, transaction.notes, transaction.hellos, transaction.enrolled
            kept = (len(lists[0]), len(lists[1]), len(lists[2]), len(lists[3]))
            connection.execute("SAVEPOINT work")
            try:
                work.apply(transaction)
                transaction.flush()
            except Exception as e:
                refused[i] = e
                if work.source is not None and problemOf(e).errorClass is ErrorClass.RETRY:
                    held[work.source] = problemOf(e)
                transaction.forget(kept)
                if not connection.in_transaction:
                    raise  # such as a full disk: SQLite has rolled all back
                connection.execute("ROLLBACK TO work")
            connection.execute("RELEASE work")
        transaction.checkAllNew()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return transaction, refused
