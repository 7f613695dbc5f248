"""
One commit: all that is waiting, in one transaction, in the writer's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from kernelnet import wire
from kernelnet.hub.events import Event, isNewOnly
from kernelnet.hub.integrity import checksum
from kernelnet.message import HUB_ID, ErrorClass, MessageType, NetworkMessage
from kernelnet.wire import WireProblem, newMessageId

__all__ = ["Transaction", "Work", "asProblem", "commit", "hubMessage"]


def hubMessage(messageType: MessageType, payload: dict[str, Any], now: float) -> NetworkMessage:
    """What the hub itself says at Unix time C{now}."""
    return NetworkMessage(newMessageId(now), HUB_ID, messageType, wire.rfc3339(now), payload)


@dataclass(slots=True)
class Transaction:
    """
    What work may do while it is applied, in the writer's thread.

    @ivar now: Unix seconds.
    @ivar notes: (format, fields) of log lines, written once the commit stands.
    """

    connection: sqlite3.Connection
    now: float
    events: list[Event] = field(default_factory=list)
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, parameters)

    def append(
        self, message: NetworkMessage, line: bytes, recipients: Iterable[str] | None, digest: bytes = b""
    ) -> int:
        """
        Put one message at the end of the log.

        @param line: C{message} as its recipients get it.
        @param recipients: ids; C{None}: all but the sender.
        @return: its C{seq}.
        """
        ids = None if recipients is None else frozenset(recipients) - {message.sender_id}
        listed = None if ids is None else msgspec.json.encode(sorted(ids)).decode()
        cursor = self.execute(
            "INSERT INTO events (sender_id, message_id, message_type, target, timestamp, recipients, body, digest,"
            " checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.sender_id,
                message.message_id,
                message.message_type.value,
                message.target_ai,
                message.timestamp,
                listed,
                line,
                digest,
                checksum(line, digest, listed),
            ),
        )
        seq = cursor.lastrowid
        assert seq is not None
        self.events.append(Event(seq, message.sender_id, ids, line, isNewOnly(message.message_type.value)))
        return seq

    def tell(self, recipients: Iterable[str], messageType: MessageType, payload: msgspec.Struct) -> int:
        """Append a message of the hub's own."""
        message = self.message(messageType, wire.encodePayload(payload))
        return self.append(message, wire.encode(message), recipients)

    def message(self, messageType: MessageType, payload: dict[str, Any]) -> NetworkMessage:
        """A message of the hub's own, not yet appended."""
        return hubMessage(messageType, payload, self.now)

    def note(self, format: str, **fields: Any) -> None:
        """A line for the hub's log file, once this is committed."""
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
    connection: sqlite3.Connection, works: list[Work], now: float
) -> tuple[Transaction, dict[int, BaseException]]:
    """One transaction for all works; if one of them fails, again with each in a savepoint of its own."""
    # Whatever went wrong in the first attempt: the second finds out whose it is.
    with suppress(Exception):
        return _attempt(connection, works, now, careful=False)
    return _attempt(connection, works, now, careful=True)


def _attempt(
    connection: sqlite3.Connection, works: list[Work], now: float, careful: bool
) -> tuple[Transaction, dict[int, BaseException]]:
    transaction = Transaction(connection, now)
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
            events, notes = len(transaction.events), len(transaction.notes)
            connection.execute("SAVEPOINT work")
            try:
                work.apply(transaction)
            except Exception as e:
                refused[i] = e
                if work.source is not None and asProblem(e).errorClass is ErrorClass.RETRY:
                    held[work.source] = asProblem(e)
                del transaction.events[events:], transaction.notes[notes:]
                if not connection.in_transaction:
                    raise  # such as a full disk: SQLite has rolled all back
                connection.execute("ROLLBACK TO work")
            connection.execute("RELEASE work")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return transaction, refused


def asProblem(error: BaseException) -> WireProblem:
    """What a sender is told: to wait when the disk is full or busy, to give up when its message can't be stored."""
    if isinstance(error, WireProblem):
        return error
    if isinstance(error, sqlite3.OperationalError):
        if "full" in str(error):
            return WireProblem("storage_full", "the hub's disk is full; send it again later")
        return WireProblem("busy", f"the hub can't store it now ({error}); send it again later")
    return WireProblem("invalid_message", "the hub could not store this message; its log says why")
