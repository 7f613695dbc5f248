"""
Retention: the log's beginning is removed in time.

Rows are removed from the log's beginning when they are over the age or the size of ``--retain`` and every version 2 AI
that may come back has dealt with them; over ``--retain-hard`` they are removed in any case, and an AI that still
needed one is told C{"resumed": false} and pages the knowledge base.  The unique keys of removed rows stay, so that a
repetition is known for ever.

What an AI has dealt with is what it said itself: C{resume_after} in its hello, then C{seq} in a heartbeat, which it
says after the ping that bore that C{seq} and once all that came before the ping is durable with it.  Age and size are
told by marks (table C{log_marks}), set once a minute and every `MARK_ROWS` rows: appending a message costs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.retention_policy import RetentionPolicy
from kernelnet.hub.storage.sqlite.transaction import Transaction

__all__ = ["LogRetention"]

MARK_ROWS = 10_000
"""Rows between two marks."""
MARKS_AT_ONCE = 100
"""Maximum number of marks set in one go: a log from before there were marks gets them little by little."""
CHUNK = 2000
"""Rows removed in one transaction; messages are committed in between."""
EVERY = 60.0
"""Seconds between two rounds, and between two questions for how far an AI has read."""
PAUSE = 0.02


def newMarks(connection: sqlite3.Connection, head: int, now: float) -> list[tuple[int, float, int]]:
    """The marks (seq, time, bytes) that are missing up to C{head}."""
    row = connection.execute("SELECT seq, bytes FROM log_marks ORDER BY seq DESC LIMIT 1").fetchone()
    after, total = row or (0, 0)
    marks: list[tuple[int, float, int]] = []
    while after < head and len(marks) < MARKS_AT_ONCE:
        last, size = connection.execute(
            "SELECT MAX(seq), COALESCE(SUM(size), 0) FROM (SELECT seq, length(body) AS size FROM events"
            " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?)",
            (after, head, MARK_ROWS),
        ).fetchone()
        after, total = last or head, total + size
        marks.append((after, now, total))
    return marks


def remove(transaction: Transaction, upTo: int) -> int:
    """
    Remove the log's first rows, at most `CHUNK` and none after C{upTo}; their keys stay.

    @return: how many.
    """
    (last,) = transaction.execute(
        "SELECT MAX(seq) FROM (SELECT seq FROM events WHERE seq <= ? ORDER BY seq LIMIT ?)", (upTo, CHUNK)
    ).fetchone()
    if last is None:
        return 0
    transaction.execute(
        "INSERT OR IGNORE INTO removed_keys SELECT sender_id, message_id, seq,"
        " CASE digest WHEN x'' THEN digest_of(body) ELSE digest END FROM events WHERE seq <= ?",
        (last,),
    )
    count = transaction.execute("DELETE FROM events WHERE seq <= ?", (last,)).rowcount
    transaction.execute("DELETE FROM log_marks WHERE seq < (SELECT MAX(seq) FROM log_marks WHERE seq <= ?)", (last,))
    return count


class LogRetention:
    """
    Sets the marks, writes down how far AIs have read, and removes what may go, once a minute.

    @ivar removed: how many rows since the start.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        log: EventLog,
        readPositions: Callable[[], list[tuple[int, str]]],
        clock: IReactorTime,
        wallClock: Callable[[], float],
        policy: RetentionPolicy,
    ) -> None:
        """@param readPositions: how far each version 2 AI that is connected says it has read, with its id."""
        self.policy = policy
        self.removed = 0
        self._source = log
        self._readPositions = readPositions
        self._clock = clock
        self._wallClock = wallClock
        self._stopped = False
        self._job = LoopingCall(self._round)
        self._job.clock = clock

    @property
    def asks(self) -> bool:
        """Whether AIs are to be asked how far they have read."""
        return self.policy.soft is not None

    def start(self) -> None:
        self._stopped = False
        self._job.start(EVERY, now=False)

    def stop(self) -> None:
        self._stopped = True
        if self._job.running:
            self._job.stop()

    def _round(self) -> Deferred[None]:
        done: Deferred[None] = Deferred.fromCoroutine(self._keep())
        return done.addErrback(lambda failure: self.log.failure("keeping the log failed; it goes on", failure))

    async def _keep(self) -> None:
        source, now, head = self._source, self._wallClock(), self._source.head
        read = self._readPositions()
        marks = await source.read(lambda connection: newMarks(connection, head, now))

        def write(transaction: Transaction) -> int:
            transaction.connection.executemany("INSERT OR REPLACE INTO log_marks VALUES (?, ?, ?)", marks)
            transaction.connection.executemany(
                "UPDATE ais SET read_seq = ?1 WHERE ai_id = ?2 AND COALESCE(read_seq, 0) < ?1", read
            )
            return self.policy.removable(transaction.connection, now)

        if not marks and not read and self.policy == RetentionPolicy():
            return
        upTo = await source.write(write)
        if upTo < source.first:
            return
        # First of all: from now on nobody begins or goes on to read what is about to go.
        source.first = upTo + 1
        before = self.removed
        while not self._stopped and (count := await source.write(lambda transaction: remove(transaction, upTo))):
            self.removed += count
            if count == CHUNK:
                await deferLater(self._clock, PAUSE)
        if self.removed > before:
            self.log.info("{count} rows of the log removed, up to {upTo}", count=self.removed - before, upTo=upTo)
