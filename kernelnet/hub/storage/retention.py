"""
How long the log is kept.

Rows are removed from the log's beginning when they are over the age or the size of ``--retain`` and every version 2 AI
that may come back has dealt with them; over ``--retain-hard`` they are removed in any case, and an AI that still
needed one is told C{"resumed": false} and pages the knowledge base.  The unique keys of removed rows stay, so that a
repetition is known for ever.

What an AI has dealt with is what it said itself: C{resume_after} in its hello, then C{seq} in a heartbeat, which it
says after the ping that bore that C{seq} and once all that came before the ping is durable with it.  Age and size are
told by marks (table C{log_marks}), set once a minute and every `MARK_ROWS` rows: appending a message costs nothing.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from kernelnet.hub.storage.group_commit import Transaction

if TYPE_CHECKING:
    from kernelnet.hub.connection.factory import HubFactory

__all__ = ["Keeper", "Limit", "Policy", "parseSize"]

MARK_ROWS = 10_000
MARKS_AT_ONCE = 100
"""So many marks are set in one go: a log from before there were marks gets them little by little."""
CHUNK = 2000
"""Rows removed in one transaction; messages are committed in between."""
EVERY = 60.0
"""Seconds between two rounds, and between two questions for how far an AI has read."""
PAUSE = 0.02

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parseSize(text: str) -> int:
    """
    C{50MB} and the like → bytes.

    @raise ValueError: it is none.
    """
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]?B)?", text.strip(), re.ASCII)
    if match is None:
        raise ValueError(f"a size such as 10GB or 50MB, not {text!r}")
    return int(match[1]) * _SIZES[match[2] or "B"]


@dataclass(frozen=True)
class Limit:
    """
    @ivar seconds: rows older than this are over it; C{None}: age doesn't matter.
    @ivar bytes: what makes the messages in the log more than this is over it.
    """

    seconds: float | None = None
    bytes: int | None = None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """
        C{30d}, C{10GB} or C{30d,10GB}.

        @raise ValueError: it is something else.
        """
        seconds = size = None
        for part in text.split(","):
            age = re.fullmatch(r"\s*([0-9]{1,6})([smhdw])\s*", part, re.ASCII)
            if age is not None and seconds is None and int(age[1]) > 0:
                seconds = float(int(age[1]) * _UNITS[age[2]])
            elif age is None and size is None and re.search(r"[1-9]", part):
                size = parseSize(part)
            else:
                raise ValueError(f"an age, a size or both, such as 30d,10GB, not {text!r}")
        return cls(seconds, size)

    def reached(self, connection: sqlite3.Connection, now: float) -> int:
        """Up to which row the log is over this limit; 0: it isn't."""
        upTo = 0
        if self.seconds is not None:
            (mark,) = connection.execute(
                "SELECT MAX(seq) FROM log_marks WHERE at <= ?", (now - self.seconds,)
            ).fetchone()
            upTo = mark or 0
        if self.bytes is not None:
            row = connection.execute("SELECT bytes FROM log_marks ORDER BY seq DESC LIMIT 1").fetchone()
            total = row[0] if row else 0
            if total > self.bytes:
                (mark,) = connection.execute(
                    "SELECT MIN(seq) FROM log_marks WHERE bytes >= ?", (total - self.bytes,)
                ).fetchone()
                upTo = max(upTo, mark or 0)
        return upTo


@dataclass(frozen=True)
class Policy:
    """
    @ivar soft: what it is over waits for its readers.
    @ivar hard: what it is over goes.
    """

    soft: Limit | None = None
    hard: Limit | None = None

    def removable(self, connection: sqlite3.Connection, now: float) -> int:
        """Up to which row the log may be removed now."""
        upTo = 0
        if self.soft is not None:
            upTo = min(self.soft.reached(connection, now), readByAll(connection))
        if self.hard is not None:
            upTo = max(upTo, self.hard.reached(connection, now))
        return upTo


def readByAll(connection: sqlite3.Connection) -> int:
    """
    What every known version 2 AI has dealt with.

    An AI that can't come back, since all its tokens were revoked, does not count.
    """
    (least,) = connection.execute(
        "SELECT MIN(COALESCE(read_seq, 0)) FROM ais WHERE protocol >= 2 AND NOT ("
        " EXISTS (SELECT 1 FROM tokens WHERE tokens.ai_id = ais.ai_id)"
        " AND NOT EXISTS (SELECT 1 FROM tokens WHERE tokens.ai_id = ais.ai_id AND revoked_at IS NULL))"
    ).fetchone()
    return (1 << 62) if least is None else int(least)


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


class Keeper:
    """
    Sets the marks, writes down how far AIs have read, and removes what may go, once a minute.

    @ivar removed: how many rows since the start.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, hub: HubFactory, policy: Policy) -> None:
        self.policy = policy
        self.removed = 0
        self._hub = hub
        self._stopped = False
        self._job = LoopingCall(self._round)
        self._job.clock = hub.clock

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
        hub, now = self._hub, self._hub.wallClock()
        head = hub.source.head
        read = [(c.readSeq, aiId) for aiId, c in hub.byId.items() if c.version >= 2 and c.readSeq]
        marks = await hub.source.read(lambda connection: newMarks(connection, head, now))

        def write(transaction: Transaction) -> int:
            transaction.connection.executemany("INSERT OR REPLACE INTO log_marks VALUES (?, ?, ?)", marks)
            transaction.connection.executemany(
                "UPDATE ais SET read_seq = ?1 WHERE ai_id = ?2 AND COALESCE(read_seq, 0) < ?1", read
            )
            return self.policy.removable(transaction.connection, now)

        if not marks and not read and self.policy == Policy():
            return
        upTo = await hub.source.write(write)
        if upTo < hub.source.first:
            return
        # First of all: from now on nobody begins or goes on to read what is about to go.
        hub.source.first = upTo + 1
        before = self.removed
        while not self._stopped and (count := await hub.source.write(lambda transaction: remove(transaction, upTo))):
            self.removed += count
            if count == CHUNK:
                await deferLater(hub.clock, PAUSE)
        if self.removed > before:
            self.log.info("{count} rows of the log removed, up to {upTo}", count=self.removed - before, upTo=upTo)
