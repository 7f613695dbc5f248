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

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.retention_policy import RetentionPolicy
from kernelnet.hub.storage.statements.log import Mark, MarksQueries
from kernelnet.hub.storage.transaction import Transaction

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
SLACK = 120.0
"""Seconds that the clock may be set ahead at once before that is taken for a jump."""
WAIT = 3600.0
"""Seconds, by a clock that can't be set, after which a clock that jumped ahead is believed."""
PAUSED = 86400.0
"""Seconds that a hub may have been away, by the clock at its start, before that is taken for a jump."""


def newMarks(stored: MarksQueries, head: int, now: float) -> list[Mark]:
    """The marks that are missing up to C{head}."""
    last = stored.last()
    after, total = (last.seq, last.bytes) if last is not None else (0, 0)
    marks: list[Mark] = []
    while after < head and len(marks) < MARKS_AT_ONCE:
        measured, size = stored.measure(after, head, MARK_ROWS)
        after, total = measured or head, total + size
        marks.append(Mark(after, now, total))
    return marks


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
        *,
        leads: Callable[[], bool] = lambda: True,
        announce: Callable[[int], float] = lambda first: 0.0,
    ) -> None:
        """
        @param readPositions: how far each version 2 AI that is connected says it has read, with its id.
        @param leads: whether this hub is the one that removes what may go.
        @param announce: tells the others what is the first that is read from now on.  It returns the seconds after
            which it may be removed.
        """
        self._leads = leads
        self._announce = announce
        self.policy = policy
        self.removed = 0
        self._source = log
        self._readPositions = readPositions
        self._clock = clock
        self._wallClock = wallClock
        self._stopped = False
        self._believed, self._believedAt = wallClock(), clock.seconds()
        self._jumpedAt: float | None = None
        self._compared = False
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

    def _compareWithLast(self, last: Mark | None) -> None:
        """
        The clock may have been wrong when the hub started: what it says is compared with when it was last here.

        After a real pause this long nothing is lost by another hour, either.
        """
        self._compared = True
        if last is not None and self._believed > last.at + PAUSED:
            self._believed = last.at

    def _believe(self, wall: float) -> float:
        """
        The time by which rows are told to be old: a clock that jumps ahead is believed once it has stayed there.

        What a wrong clock removes is gone for good, and an hour later is early enough for what is really old.
        """
        now = self._clock.seconds()
        expected = self._believed + now - self._believedAt
        if wall > expected + SLACK:
            if self._jumpedAt is None:
                self._jumpedAt = now
                self.log.warn(
                    "the clock has jumped ahead by {seconds:.0f} s: nothing is removed from the log for its age by the "
                    "new time until it has stayed so for {wait:.0f} s",
                    seconds=wall - expected,
                    wait=WAIT,
                )
            if now - self._jumpedAt < WAIT:
                return expected
        self._jumpedAt = None
        self._believed, self._believedAt = wall, now
        return wall

    async def _keep(self) -> None:
        source, now, head, logId = self._source, self._wallClock(), self._source.head, self._source.logId
        if not self._compared:
            self._compareWithLast(await source.read(lambda reader: reader.marks.last()))
        believed = self._believe(now)
        read = self._readPositions()
        leads = self._leads()
        marks = await source.read(lambda reader: newMarks(reader.marks, head, now)) if leads else []

        def write(transaction: Transaction) -> int:
            transaction.marks.add(marks)
            transaction.ais.raiseReadSeq(read)
            return self.policy.removable(transaction, believed) if leads else 0

        if not marks and not read and self.policy == RetentionPolicy():
            return
        # A backup may be gone back to meanwhile: what was found is not about that log.
        if source.logId != logId:
            return
        upTo = await source.write(write)
        if upTo < source.first or source.logId != logId:
            return
        # First of all: from now on nobody begins or goes on to read what is about to go.
        source.first = upTo + 1
        if wait := self._announce(source.first):
            await deferLater(self._clock, wait)
        before = self.removed
        while (
            not self._stopped
            and source.logId == logId
            and (count := await source.write(lambda transaction: transaction.marks.remove(upTo, CHUNK)))
        ):
            self.removed += count
            if count == CHUNK:
                await deferLater(self._clock, PAUSE)
        if self.removed > before:
            self.log.info("{count} rows of the log removed, up to {upTo}", count=self.removed - before, upTo=upTo)
