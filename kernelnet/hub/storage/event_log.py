"""
The durable, numbered sequence of messages, written by group commit.

All that arrives while one commit runs goes into the next: one transaction, one fsync; a large work has one of its own.
Work is done in two threads and settled in order::

    reactor's thread                      the engine's thread
    submit(work, …)
                                          BEGIN; work.apply(transaction) for each; COMMIT
    head = last seq
    subscribers with first=True
    work.settle(None or problem) for each
    the other subscribers

Nothing is acknowledged or delivered before C{COMMIT} has returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.storage.engine import Commit, Committed, Engine, Identity, Place, Standing
from kernelnet.hub.storage.fair_queue import FairQueue
from kernelnet.hub.storage.latency_histogram import LatencyHistogram
from kernelnet.hub.storage.log_pages import Event, Page, Recent
from kernelnet.hub.storage.transaction import Note, Reader, Transaction, Work
from kernelnet.message import ErrorClass
from kernelnet.untrusted import plain
from kernelnet.wire import WireProblem

__all__ = ["EventLog"]

T = TypeVar("T")
Follower = Callable[[Committed], None]


class EventLog:
    """
    The log on an engine, for everybody else.

    @ivar engine: for what is done to the database as a whole: backups, checks.
    @ivar head: the last committed position.
    @ivar logId: tells this log from that of any other database.
    @ivar first: the first position that can still be read.
    @ivar standing: where it stands, replaced as a whole: other threads read it.
    @ivar damaged: called when a commit finds the database damaged.
    @ivar findStorageProblem: asked before each commit why the disk can't take messages.
    @ivar storageProblem: what it said last.
    @ivar whenOpened: what is written each time the log is opened, also after going back to a backup.
    @ivar findLoss: asked before and after each commit why nothing is kept of what is written.
    @ivar tellCosts: told after each commit how many seconds the hub has worked for whom.
    @ivar catchUp: fires when the head is where the database's is, which others may write, too.
    @ivar commits: how long each commit took, from its begin until the reactor's thread had heard of it.
    """

    MAX_BATCH = 2000
    """Works in one commit."""
    MAX_BATCH_BYTES = 1024 * 1024
    LARGE = 64 * 1024
    """
    Bytes from which on a work has a commit of its own, which begins at the end of the reactor's turn: of a megabyte it
    takes 7 ms, for which none of those waits who have spoken meanwhile, if their turn comes before its end.
    """
    EACH = 0.0005
    """Seconds of one AI's works in one commit: whoever comes meanwhile waits for that one and for the next."""
    MAX_BACKLOG_BYTES = 64 * 1024 * 1024
    MAX_OWN_BYTES = 2 * 1024 * 1024
    """With more than this waiting of its own an AI should submit no more."""
    FEW_BYTES = 64 * 1024
    """With less than this waiting of its own an AI may go on, however much waits of others."""
    REST = 3.0
    """
    A commit waits this many times as long as it took to tell everybody of the last one.

    Each connection that is told costs a write, however much is in it.  So at most a quarter of the time goes there, and
    what comes meanwhile shares the next one.  Where few are told, nobody waits.  With 100 subscribers and 1,000
    messages a second: 3.6 µs a delivery, acks within 9 ms (99 %); with 2: 4.1 µs, and no earlier acks.
    """
    GATHER = 0.005
    """Seconds that it waits at most."""
    LEAST_REST = 0.0005
    """Seconds below which it does not wait at all: a timer's turn takes a millisecond."""
    WRITE_BYTES = 64 * 1024
    """Bytes of a commit at which telling takes as long for them as for the writes: for bytes nobody need wait."""
    ENOUGH = 250
    """Messages that do not wait any longer."""
    RECENT_BYTES = 4 * 1024 * 1024
    """Bytes of the log's end that are kept in memory, for readers that are only a little behind."""

    BYTE_SECONDS = 50e-9
    """Seconds that each byte is taken to cost beside the time of its work: to write and sync it, which many share."""
    ALONE_SECONDS = 200e-9
    """The same of a large work, whose commit nobody shares, and for which all others wait."""

    MAX_NOTES = 20
    """Lines about messages in the log file in one second."""

    _log = Logger(namespace="kernelnet.hub")

    def __init__(self, engine: Engine, clock: IReactorTime, wallClock: Callable[[], float]) -> None:
        self.engine = engine
        self._clock = clock
        self._wallClock = wallClock
        self.damaged: Callable[[BaseException], None] = lambda error: None
        self.findStorageProblem: Callable[[], WireProblem | None] = lambda: None
        self.storageProblem: WireProblem | None = None
        self.whenOpened: Callable[[Transaction], object] | None = None
        self.findLoss: Callable[[], WireProblem | None] = lambda: None
        self.tellCosts: Callable[[dict[str, float]], None] = lambda costs: None
        self.commits = LatencyHistogram()
        self.head = 0
        self.catchUp: Callable[[], Deferred[None]] = lambda: succeed(None)
        self.former = ("", 0)
        self._openedAt = 0
        self._renewed = False
        self._over: WireProblem | None = None
        self.first = 1
        self.logId = ""
        self.standing = Standing("", Place(0), Place(0))
        self._toldFirst: list[Follower] = []
        self._toldLast: list[Follower] = []
        self._waiting = FairQueue()
        self._running: list[Work] = []
        self._began = 0.0
        self._resting: IDelayedCall | None = None
        self._restUntil = 0.0
        self._relief: dict[str, list[Callable[[], None]]] = {}
        self._costs: dict[str, float] = {}
        self._drained: list[Deferred[None]] = []
        self._recent = Recent(self.RECENT_BYTES)
        self._notesSince = clock.seconds()
        self._notesWritten = 0
        self._notesLeftOut = 0

    def __repr__(self) -> str:
        return f"<EventLog head={self.head} waiting={len(self._waiting)} committing={len(self._running)}>"

    def open(self) -> Deferred[None]:
        """Read where the log stands, also once a backup was gone back to; nothing may be submitted before it fires."""

        def opened(found: Identity) -> None:
            self.logId, self.head, self.first = found.logId, found.head, found.first
            self.former, self._openedAt = found.former, found.head
            if found.lost:
                self._warn(f"this hub had given numbers up to {found.lost}, and its database ends at {found.head}")
            self._recent = Recent(self.RECENT_BYTES)
            self._recent.startAfter(self.head)
            self.standing = Standing(self.logId, Place(self.head), Place(self.head))

        def failed(failure: Failure) -> None:
            # Such as a full disk, with which a hub can live.
            self._log.warn("can't write what is written at each start: {reason}", reason=failure.getErrorMessage())

        def write(_: object) -> Deferred[None] | None:
            if self.whenOpened is None:
                return None
            return self.write(self.whenOpened).addCallbacks(lambda _: None, failed)

        return self.engine.open().addCallback(opened).addCallback(write)

    def _warn(self, why: str) -> None:
        self._log.warn(
            "the database is an older copy, or has lost its end: {why}.  Trainers that were further are told so, and "
            "read the knowledge base again; what they shared meanwhile and was acknowledged may be missing here",
            why=why,
        )

    def isFurther(self, logId: str | None, after: int | None) -> bool:
        """Whether a cursor of this very log lies beyond its head, which nobody can have been told."""
        return logId == self.logId and after is not None and after > self.head

    def renew(self, who: str, after: int) -> Deferred[None]:
        """
        C{who} has a cursor beyond the head: give the log another id, so that nobody goes on in it where it is another.

        Once at most in a process: a copy can't take the database's place while one runs, and anybody may claim it.
        Cursors up to where this process began stay good, so nothing is lost to whoever has one.
        """
        return self.catchUp().addCallback(lambda _: self._renew(who, after))

    def _renew(self, who: str, after: int) -> Deferred[None] | None:
        if self._renewed or after <= self.head:
            return None
        self._renewed = True
        self._warn(f"{who} has read up to {after}, and it ends at {self.head}")

        def renewed(found: Identity) -> None:
            self.logId, self.former = found.logId, found.former
            self.standing = self.standing._replace(logId=found.logId)

        return self.engine.renew(self._openedAt).addCallback(renewed)

    def position(self, logId: str | None, after: int | None) -> int | None:
        """The position after which who has this cursor may go on; C{None}: it is none of this log, or too old."""
        former, upTo = self.former
        known = logId == self.logId or (logId == former != "" and after is not None and after <= upTo)
        return after if known and after is not None and self.first - 1 <= after <= self.head else None

    # --- following

    def subscribe(self, callback: Follower, *, first: bool = False) -> None:
        """
        Have C{callback} called with what each batch wrote, in the reactor's thread, when it is durable; also when that
        was nothing, since all of it was refused or the commit failed.

        @param first: before the works of the batch are settled, so for what an answer depends on; else after that, so
            for who passes it on.  Among themselves they are called in the order in which they came.
        """
        (self._toldFirst if first else self._toldLast).append(callback)

    def unsubscribe(self, callback: Follower) -> None:
        """Call it no more."""
        for followers in (self._toldFirst, self._toldLast):
            if callback in followers:
                followers.remove(callback)

    def _next(self, events: list[Event]) -> list[Event]:
        """Those of C{events} that follow the head, which moves on; none, if others come before, which are not here."""
        if events and events[0].seq <= self.head:
            events = [event for event in events if event.seq > self.head]
        if not events or events[0].seq != self.head + 1:
            return []
        self.head = events[-1].seq
        self._recent.add(events)
        self.standing = self.standing._replace(last=_place(events))
        return events

    def follow(self, events: list[Event], first: int) -> None:
        """
        Move on to what the database has, whoever wrote it.

        @param events: those that follow the head, or did so.
        @param first: the first position that it has.
        """
        self.first = max(self.first, first)
        if first > self.head + 1:
            # The operator's hard limit has removed what comes next: who had not read it is told so.
            self.head = first - 1
            self._recent = Recent(self.RECENT_BYTES)
            self._recent.startAfter(self.head)
            self.standing = self.standing._replace(last=Place(self.head))
        if new := self._next(events):
            self._tell(self._toldLast, Committed(new))

    def lasts(self, upTo: Place) -> None:
        """A commit has shown that all up to there lasts, which was passed on before."""
        if self.standing.lasting.seq < upTo.seq <= self.head:
            self.standing = self.standing._replace(lasting=upTo)

    def _tell(self, followers: list[Follower], committed: Committed) -> None:
        for callback in tuple(followers):
            try:
                callback(committed)
            except Exception:
                self._log.failure("delivery failed")

    # --- writing

    def submit(self, works: Iterable[Work]) -> None:
        """Have C{works} written, in this order, with the next commit."""
        for work in works:
            self._waiting.put(work)
        self._beginInTime()

    def write(self, function: Callable[[Transaction], T]) -> Deferred[T]:
        """
        Have C{function} called in the engine's thread with the next commit.

        @return: fires with its result after the commit; fails with a `WireProblem` if it raised or the commit failed.
        """
        call = _Call(function)
        self.submit([call])
        return call.done

    @property
    def backlogged(self) -> bool:
        """Whether more waits than is good."""
        return self._waiting.size > self.MAX_BACKLOG_BYTES

    def mustWait(self, author: str, part: int = 1) -> bool:
        """Whether C{author} should submit no more for now; see `whenRelieved`.  @param part: of what it may have."""
        own = self._waiting.sizeOf(author) * part
        return own > (self.FEW_BYTES if self.backlogged else self.MAX_OWN_BYTES)

    @property
    def waiting(self) -> int:
        """Works that are not committed yet."""
        return len(self._waiting) + len(self._running)

    def whenRelieved(self, author: str, callback: Callable[[], None]) -> None:
        """Call C{callback} once when C{author} may submit again."""
        self._relief.setdefault(author, []).append(callback)

    def refuse(self, problem: WireProblem) -> None:
        """Settle all that waits with C{problem}; what is being committed goes on."""
        for work in self._waiting.take(len(self._waiting), self._waiting.size):
            self._settle(work, problem)
        if not self._running:
            self._settleAll([], Committed())

    def giveUp(self, problem: WireProblem) -> None:
        """
        Settle all with C{problem}, from now on, and wait for nothing: the database says nothing, and the hub ends.

        Whether what is being committed will stand nobody knows; who sent it sends it again.
        """
        self._over = problem
        self.refuse(problem)
        if self._running:
            self._settleAll([problem] * len(self._running), Committed())

    def drain(self) -> Deferred[None]:
        """Fires when all that was submitted is settled."""
        if not self._waiting and not self._running:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._drained.append(done)
        return done

    def _beginInTime(self) -> None:
        """Begin a commit now, or when the rest after the last one is over."""
        if not self._waiting or self._running:
            return
        if self._resting is None:
            rest = self._restUntil - self._clock.seconds()
            if rest < self.LEAST_REST:
                if self._waiting.size < self.LARGE:
                    self._begin()
                    return
                rest = 0
            self._resting = self._clock.callLater(rest, self._rested)
        if len(self._waiting) >= self.ENOUGH:
            self._resting.reset(0)  # at the end of this turn of the reactor: more may be there to be read

    def _rested(self) -> None:
        self._resting = None
        self._begin()

    def _begin(self) -> None:
        if self._running or not self._waiting:
            return
        lost = self._over or self.findLoss()
        self.storageProblem = lost or self.findStorageProblem()
        for work in self._waiting.take(self.MAX_BATCH, self.MAX_BATCH_BYTES, self.EACH, self.LARGE):
            if problem := lost or work.withdrawn():
                self._settle(work, problem)
            else:
                self._running.append(work)
        if not self._running:
            self._settleAll([], Committed())
            return
        self._began = self._clock.seconds()
        done = self.engine.commit(self._running, self._wallClock())
        done.addCallbacks(self._commitEnded, self._commitFailed).addErrback(self._unexpected)

    def _commitEnded(self, done: Commit) -> None:
        if self._over is not None:
            return
        self.commits.add(self._clock.seconds() - self._began)
        self._waiting.putBack(self._running[len(done.costs) :])
        del self._running[len(done.costs) :]
        for work, applied in zip(self._running, done.costs, strict=True):
            seconds = applied + work.size * (self.BYTE_SECONDS if work.size < self.LARGE else self.ALONE_SECONDS)
            self._waiting.charge(work.author, seconds)
            self._costs[work.author] = self._costs.get(work.author, 0.0) + seconds
        if lost := self.findLoss():
            self._settleAll([lost] * len(self._running), Committed())
            return
        problems: list[WireProblem | None] = [None] * len(self._running)
        for i, error in done.refused.items():
            problems[i] = self.engine.problemOf(error)
            if not isinstance(error, WireProblem):
                self._log.failure("could not store {work}", Failure(error), work=self._running[i])
            if self.engine.isDamage(error):
                self.damaged(error)
        committed = msgspec.structs.replace(done.committed, events=self._next(done.committed.events))
        if done.committed.events:
            self.lasts(_place(done.committed.events))
        self._settleAll(problems, committed)
        self._writeNotes(done.notes)

    def _commitFailed(self, failure: Failure) -> None:
        """Nothing of the batch was written: a full disk, an I/O error."""
        if self._over is not None:
            return
        if lost := self.findLoss():
            self._settleAll([lost] * len(self._running), Committed())
            return
        self._log.error(
            "commit of {count} messages failed: {reason}", count=len(self._running), reason=failure.getErrorMessage()
        )
        error = failure.value or Exception()
        if self.engine.isDamage(error):
            self.damaged(error)
        self._settleAll([self.engine.problemOf(error)] * len(self._running), Committed())

    def _settle(self, work: Work, problem: WireProblem | None) -> None:
        try:
            work.settle(problem)
        except Exception:
            self._log.failure("settling {work} failed", work=work)

    def _settleAll(self, problems: list[WireProblem | None], committed: Committed) -> None:
        works, self._running = self._running, []
        heard = perf_counter()
        self._tell(self._toldFirst, committed)
        for work, problem in zip(works, problems, strict=True):
            self._settle(work, problem)
        began = self._clock.seconds()
        self._tell(self._toldLast, committed)
        now = self._clock.seconds()
        told = sum(len(event.line) for event in committed.events)
        writes = (now - began) * self.WRITE_BYTES / (self.WRITE_BYTES + told)
        self._restUntil = now + min(self.REST * writes, self.GATHER)
        self._share(works, perf_counter() - heard)
        self._beginInTime()
        if self.waiting == 0:
            drained, self._drained = self._drained, []
            for waiting in drained:
                waiting.callback(None)
        for author in [author for author in self._relief if not self.mustWait(author, 2)]:
            for callback in self._relief.pop(author):
                callback()

    def _share(self, works: list[Work], seconds: float) -> None:
        """Tell what each AI's works have cost: their own time, and of that of telling everybody their part by bytes."""
        total = sum(work.size + 200 for work in works)
        for work in works:
            part = seconds * (work.size + 200) / total
            self._waiting.charge(work.author, part, taken=False)
            self._costs[work.author] = self._costs.get(work.author, 0.0) + part
        costs, self._costs = self._costs, {}
        costs.pop("", None)
        if costs:
            self.tellCosts(costs)

    def _writeNotes(self, notes: list[Note]) -> None:
        # A line costs more than the message that it is about: beyond some they are only counted.
        now = self._clock.seconds()
        if now - self._notesSince >= 1:
            if self._notesLeftOut:
                self._log.info("… and {count} more like these", count=self._notesLeftOut)
            self._notesSince, self._notesWritten, self._notesLeftOut = now, 0, 0
        some = notes[: self.MAX_NOTES - self._notesWritten]
        for format, fields in some:
            self._log.info(format, **{k: plain(v, 300) if isinstance(v, str) else v for k, v in fields.items()})
        self._notesWritten += len(some)
        self._notesLeftOut += len(notes) - len(some)

    def _unexpected(self, failure: Failure) -> None:
        self._log.failure("unexpected failure in the log", failure)

    # --- reading

    def remembers(self, after: int) -> bool:
        """Whether all that follows C{after} is still in memory."""
        return self._recent.reaches(after)

    def page(self, after: int, aiId: str) -> Page | Deferred[Page]:
        """
        The next stretch of the log after C{after}: at once if it is in memory, else from the engine.

        It is bounded in bytes, or holds one message that is larger; it never covers what is not committed.
        """
        if self.remembers(after):
            return self._recent.page(after, aiId)
        return self.engine.page(after, self.head, aiId).addErrback(self._asProblem)

    def read(self, function: Callable[[Reader], T]) -> Deferred[T]:
        """Fires with what C{function} returns for what was committed; it runs in a thread."""
        return self.engine.read(function).addErrback(self._asProblem)

    def _asProblem(self, failure: Failure) -> Failure:
        """Such as a server that can't be reached now: who asked is told to come back; no fault of ours is logged."""
        error = failure.value
        if error is None or isinstance(error, WireProblem) or self.engine.isDamage(error):
            return failure
        problem = self.engine.problemOf(error)
        return Failure(problem) if problem.errorClass is ErrorClass.RETRY else failure

    def close(self) -> None:
        """Close the engine; `drain` first."""
        self.engine.close()


def _place(events: list[Event]) -> Place:
    return Place(events[-1].seq, events[-1].line)


class _Call:
    """A function as `Work`."""

    author = ""
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
