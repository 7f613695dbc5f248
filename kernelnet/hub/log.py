"""
The durable, numbered sequence of messages, written by group commit.

All that arrives while one commit runs goes into the next: one transaction, one fsync.  Work is done in two
threads and settled in order::

    reactor's thread                      writer's thread
    submit(work, …)
                                          BEGIN; work.apply(transaction) for each; COMMIT
    head = last seq
    work.settle(None or problem) for each
    committed(events)

Nothing is acknowledged or delivered before C{COMMIT} has returned.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet import wire
from kernelnet.message import HUB_ID, ErrorClass, MessageType, NetworkMessage
from kernelnet.wire import WireProblem, newMessageId

__all__ = ["Event", "Log", "Page", "Pool", "Transaction", "Work", "hubMessage"]

T = TypeVar("T")


def hubMessage(messageType: MessageType, payload: dict[str, Any], now: float) -> NetworkMessage:
    """What the hub itself says at Unix time C{now}."""
    return NetworkMessage(newMessageId(now), HUB_ID, messageType, wire.rfc3339(now), payload)


@dataclass(slots=True, eq=False)
class Event:
    """
    One message of the log.

    @ivar recipients: ids; C{None}: all but the sender.
    @ivar line: the six-field line without a newline.
    @ivar newOnly: version 1 does not know its type.
    """

    seq: int
    sender: str
    recipients: frozenset[str] | None
    line: bytes
    newOnly: bool = False

    def concerns(self, aiId: str) -> bool:
        return aiId != self.sender if self.recipients is None else aiId in self.recipients


@dataclass(slots=True)
class Page:
    """
    A stretch of the log.

    @ivar events: those of it that concern who asked.
    @ivar upTo: the last position it covers.
    """

    events: list[Event]
    upTo: int


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
        cursor = self.execute(
            "INSERT INTO events (sender_id, message_id, message_type, target, timestamp, recipients, body, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.sender_id,
                message.message_id,
                message.message_type.value,
                message.target_ai,
                message.timestamp,
                None if ids is None else msgspec.json.encode(sorted(ids)).decode(),
                line,
                digest,
            ),
        )
        seq = cursor.lastrowid
        assert seq is not None
        self.events.append(Event(seq, message.sender_id, ids, line, _newOnly(message.message_type.value)))
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


class Pool(Protocol):
    """The part of `twisted.enterprise.adbapi.ConnectionPool` that is used."""

    def runWithConnection(self, func: Callable[..., T], *args: Any) -> Deferred[T]: ...

    def close(self) -> None: ...


class Log:
    """
    @ivar head: the last committed position.
    @ivar logId: tells this log from that of any other database.
    """

    MAX_BATCH = 2000
    """Works in one commit."""
    MAX_BATCH_BYTES = 4 * 1024 * 1024
    MAX_BACKLOG_BYTES = 64 * 1024 * 1024
    """With more than this waiting, those who submit should stop."""
    GATHER = 0.002
    """Seconds to wait for company under load."""
    RECENT_BYTES = 4 * 1024 * 1024
    """How much of the log's end is kept in memory, for readers that are only a little behind."""
    PAGE_ROWS = 1000
    PAGE_BYTES = 256 * 1024

    _log = Logger(namespace="kernelnet.hub")

    def __init__(self, writer: Pool, reader: Pool, clock: IReactorTime, wallClock: Callable[[], float]) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._wallClock = wallClock
        self.committed: Callable[[list[Event]], None] = lambda events: None
        self.head = 0
        self.first = 1
        self.logId = ""
        self._waiting: list[Work] = []
        self._waitingBytes = 0
        self._running: list[Work] = []
        self._gathering = False
        self._relief: list[Callable[[], None]] = []
        self._drained: list[Deferred[None]] = []
        self._recent: list[Event] = []
        self._recentBytes = 0
        self._recentAfter = 0

    def __repr__(self) -> str:
        return f"<Log head={self.head} waiting={len(self._waiting)} committing={len(self._running)}>"

    def open(self) -> Deferred[None]:
        """Read where the log stands; nothing may be submitted before this fires."""

        def where(connection: sqlite3.Connection) -> tuple[str, int, int]:
            (logId,) = connection.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchone()
            (last,) = connection.execute("SELECT max(seq) FROM events").fetchone()
            (first,) = connection.execute("SELECT min(seq) FROM events").fetchone()
            return logId, last or 0, first or 1

        def opened(found: tuple[str, int, int]) -> None:
            self.logId, self.head, self.first = found
            self._recentAfter = self.head

        return self._writer.runWithConnection(where).addCallback(opened)

    # --- writing

    def submit(self, works: Iterable[Work]) -> None:
        """Have C{works} written, in this order, with the next commit."""
        for work in works:
            self._waiting.append(work)
            self._waitingBytes += work.size
        if self._waiting and not self._running and not self._gathering:
            self._begin()

    def write(self, function: Callable[[Transaction], T]) -> Deferred[T]:
        """
        Have C{function} called in the writer's thread with the next commit.

        @return: fires with its result after the commit; fails with what it raised.
        """
        call = _Call(function)
        self.submit([call])
        return call.done

    @property
    def backlogged(self) -> bool:
        """Whether those who submit should wait; see `whenRelieved`."""
        return self._waitingBytes > self.MAX_BACKLOG_BYTES

    @property
    def waiting(self) -> int:
        """Works that are not committed yet."""
        return len(self._waiting) + len(self._running)

    def whenRelieved(self, callback: Callable[[], None]) -> None:
        """Call C{callback} once when the log isn't backlogged any more."""
        self._relief.append(callback)

    def drain(self) -> Deferred[None]:
        """Fires when all that was submitted is settled."""
        if not self._waiting and not self._running:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._drained.append(done)
        return done

    def _begin(self) -> None:
        self._gathering = False
        size = count = 0
        for work in self._waiting[: self.MAX_BATCH]:
            size += work.size
            count += 1
            if size > self.MAX_BATCH_BYTES:
                break
        taken = self._waiting[:count]
        del self._waiting[:count]
        self._waitingBytes -= size
        self._running = []
        for work in taken:
            if problem := work.withdrawn():
                work.settle(problem)
            else:
                self._running.append(work)
        done = self._writer.runWithConnection(_commit, self._running, self._wallClock())
        done.addCallbacks(self._commitEnded, self._commitFailed).addErrback(self._unexpected)

    def _commitEnded(self, result: tuple[Transaction, dict[int, BaseException]]) -> None:
        transaction, refused = result
        for i, error in refused.items():
            if not isinstance(error, WireProblem):
                self._log.failure("could not store {work}", Failure(error), work=self._running[i])
        problems = [_asProblem(refused[i]) if i in refused else None for i in range(len(self._running))]
        self._settle(problems, transaction)

    def _commitFailed(self, failure: Failure) -> None:
        """Nothing of the batch was written: a full disk, an I/O error."""
        self._log.error(
            "commit of {count} messages failed: {reason}", count=len(self._running), reason=failure.getErrorMessage()
        )
        self._settle([_asProblem(failure.value or Exception())] * len(self._running), None)

    def _settle(self, problems: list[WireProblem | None], transaction: Transaction | None) -> None:
        works, self._running = self._running, []
        events = transaction.events if transaction is not None else []
        if events:
            self._remember(events)
        for work, problem in zip(works, problems, strict=True):
            try:
                work.settle(problem)
            except Exception:
                self._log.failure("settling {work} failed", work=work)
        try:
            self.committed(events)
        except Exception:
            self._log.failure("delivery failed")
        if transaction is not None:
            self._writeNotes(transaction.notes)
        if self._waiting:
            # The writer was busy while these came: more are on their way.
            self._gathering = True
            self._clock.callLater(self.GATHER, self._begin)
        elif not self._running:
            drained, self._drained = self._drained, []
            for waiting in drained:
                waiting.callback(None)
        if self._relief and self._waitingBytes < self.MAX_BACKLOG_BYTES // 2:
            relief, self._relief = self._relief, []
            for callback in relief:
                callback()

    def _writeNotes(self, notes: list[tuple[str, dict[str, Any]]]) -> None:
        for format, fields in notes[:10]:
            self._log.info(format, **fields)
        if len(notes) > 10:
            self._log.info("… and {count} more in the same commit", count=len(notes) - 10)

    def _unexpected(self, failure: Failure) -> None:
        self._log.failure("unexpected failure in the log", failure)

    # --- reading

    def _remember(self, events: list[Event]) -> None:
        self.head = events[-1].seq
        self._recent += events
        self._recentBytes += sum(len(e.line) for e in events)
        drop = 0
        while self._recentBytes > self.RECENT_BYTES and drop < len(self._recent):
            self._recentBytes -= len(self._recent[drop].line)
            self._recentAfter = self._recent[drop].seq
            drop += 1
        del self._recent[:drop]

    def remembers(self, after: int) -> bool:
        """Whether all that follows C{after} is still in memory."""
        return after >= self._recentAfter

    def page(self, after: int, aiId: str) -> Page | Deferred[Page]:
        """
        The next stretch of the log after C{after}: at once if it is in memory, else from the read connection.

        It holds at most C{PAGE_BYTES}, or one message that is larger; it never covers what is not committed.
        """
        if self.remembers(after):
            start = bisect_right(self._recent, after, key=_seq)
            return _fill(self._recent[start : start + self.PAGE_ROWS], aiId, after, self.PAGE_BYTES)
        head = self.head
        return self._reader.runWithConnection(
            lambda connection: _readPage(connection, after, head, aiId, rows=self.PAGE_ROWS, limit=self.PAGE_BYTES)
        )

    def read(self, function: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """Fires with what C{function} returns for a read connection; it runs in a thread."""
        return self._reader.runWithConnection(function)

    def close(self) -> None:
        """Give the connections back; `drain` first."""
        self._writer.close()
        self._reader.close()


class _Call:
    """A function as `Work`."""

    size = 256
    source: object | None = None

    def __init__(self, function: Callable[[Transaction], T]) -> None:
        self._function = function
        self._result: Any = None
        self.done: Deferred[Any] = Deferred()

    def withdrawn(self) -> None:
        return None

    def apply(self, transaction: Transaction) -> None:
        self._result = self._function(transaction)

    def settle(self, problem: WireProblem | None) -> None:
        if problem is None:
            self.done.callback(self._result)
        else:
            self.done.errback(problem)


def _commit(
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
                if work.source is not None and _asProblem(e).errorClass is ErrorClass.RETRY:
                    held[work.source] = _asProblem(e)
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


def _asProblem(error: BaseException) -> WireProblem:
    """What a sender is told: to wait when the disk is full or busy, to give up when its message can't be stored."""
    if isinstance(error, WireProblem):
        return error
    if isinstance(error, sqlite3.OperationalError):
        if "full" in str(error):
            return WireProblem("storage_full", "the hub's disk is full; send it again later")
        return WireProblem("busy", f"the hub can't store it now ({error}); send it again later")
    return WireProblem("invalid_message", "the hub could not store this message; its log says why")


def _newOnly(messageType: str) -> bool:
    return messageType == MessageType.COLLABORATION_RESPONSE.value


def _seq(event: Event) -> int:
    return event.seq


def _fill(events: Iterable[Event], aiId: str, after: int, limit: int) -> Page:
    page = Page([], after)
    size = 0
    for event in events:
        if event.concerns(aiId):
            size += len(event.line)
            if size > limit and page.events:
                break
            page.events.append(event)
        page.upTo = event.seq
    return page


def _readPage(connection: sqlite3.Connection, after: int, head: int, aiId: str, *, rows: int, limit: int) -> Page:
    found = connection.execute(
        "SELECT seq, sender_id, recipients, body, message_type FROM events WHERE seq > ? AND seq <= ?"
        " ORDER BY seq LIMIT ?",
        (after, head, rows),
    )
    try:
        page = _fill(map(_event, found), aiId, after, limit)
    finally:
        found.close()  # what was not fetched would hold back the checkpoint
    if page.upTo == after:
        page.upTo = head  # nothing there: rows that retention removed
    return page


def _event(row: tuple[int, str, str | None, bytes, str]) -> Event:
    seq, sender, recipients, body, messageType = row
    ids = None if recipients is None else frozenset(msgspec.json.decode(recipients))
    return Event(seq, sender, ids, body, _newOnly(messageType))
