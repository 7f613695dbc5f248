"""Bounds of a commit, of what is kept in memory of the log, and of what is said about it, on an engine that is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.engine import Commit, Committed, Engine
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.transaction import Note, Work
from kernelnet.wire import WireProblem
from tests.hub.storage.conformance.support import FunctionWork
from tests.hub.support import captureLog


class Sized(FunctionWork):
    """
    Work that does nothing.

    @ivar settled: with what it was.
    """

    def __init__(self, author: str = "", size: int = 1) -> None:
        super().__init__(lambda transaction: None)
        self.author, self.size = author, size
        self.settled: list[WireProblem | None] = []

    def settle(self, problem: WireProblem | None) -> None:
        self.settled.append(problem)


class HeldEngine:
    """
    Engine whose commits end when a test says so.

    @ivar commits: the works of each.
    """

    def __init__(self) -> None:
        self.commits: list[list[Work]] = []
        self._under: Deferred[Commit] | None = None

    def commit(self, works: list[Work], now: float) -> Deferred[Commit]:
        self.commits.append([*works])
        self._under = Deferred()
        return self._under

    def release(self, notes: int = 0, events: Sequence[Event] = ()) -> None:
        """The commit that is under way ends; nothing of it took any time."""
        under, self._under = self._under, None
        assert under is not None
        told: list[Note] = [("line {number}", {"number": number}) for number in range(notes)]
        under.callback(Commit(Committed([*events]), told, {}, [0.0] * len(self.commits[-1])))


class BoundTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.engine = HeldEngine()
        self.log = EventLog(cast(Engine, self.engine), self.clock, float)

    def next(self, *works: Sized) -> list[Work]:
        """@return: those of C{works} that come into one commit, when they were all there before it began."""
        self.log.submit([Sized()])
        self.log.submit(works)
        self.engine.release()
        self.clock.advance(1)
        return self.engine.commits[-1]

    def test_messages(self) -> None:
        """A commit takes 2,000 works."""
        self.assertEqual(len(self.next(*(Sized() for _ in range(2001)))), 2000)

    def test_bytes(self) -> None:
        """A commit takes no more once it has over 1 MiB."""
        self.assertEqual(len(self.next(*(Sized(size=1 << 15) for _ in range(99)))), 33)

    def test_large(self) -> None:
        """A work of 64 KiB is committed by itself, after what came behind it in the same turn of the reactor."""
        large, small, other = Sized("AI_1", 64 << 10), Sized("AI_2"), Sized("AI_3", 100)
        self.log.submit([large])
        self.log.submit([small])
        self.log.submit([other])
        self.assertEqual(self.engine.commits, [])
        self.clock.advance(0)
        self.assertEqual(self.engine.commits, [[small, other]])
        self.engine.release()
        self.assertEqual(len(self.engine.commits), 1)  # what is there to be read is read first
        self.clock.advance(0)
        self.assertEqual(self.engine.commits[1:], [[large]])

    def test_notLarge(self) -> None:
        """One byte less, and a commit begins at once, with others."""
        works = [Sized("AI_1", (64 << 10) - 1)]
        self.log.submit(works)
        self.assertEqual(self.engine.commits, [works])
        self.engine.release()
        works = [Sized("AI_1", (64 << 10) - 1), Sized("AI_2", (64 << 10) - 1)]
        self.assertCountEqual(self.next(*works), works)

    def test_largeRefused(self) -> None:
        """What is refused before the turn's end is settled once and not committed; what comes then is."""
        large, small = Sized("AI_1", 64 << 10), Sized("AI_2")
        self.log.submit([large])
        drained = self.log.drain()
        self.assertNoResult(drained)
        problem = WireProblem("busy", "no")
        self.log.refuse(problem)
        self.assertIsNone(self.successResultOf(drained))
        self.log.submit([small])
        self.clock.advance(0)
        self.assertEqual((large.settled, self.engine.commits), ([problem], [[small]]))
        self.engine.release()
        self.assertEqual((small.settled, self.clock.getDelayedCalls()), ([None], []))

    def test_largeGivenUp(self) -> None:
        """Once the hub has given up nothing is committed at a turn's end any more, and all of it is settled."""
        problem = WireProblem("busy", "no")
        running, large, later = Sized(), Sized("AI_1", 64 << 10), Sized("AI_1", 64 << 10)
        self.log.submit([running])
        self.log.submit([large])
        self.log.giveUp(problem)
        self.log.submit([later])
        drained = self.log.drain()
        self.clock.advance(0)
        self.assertEqual([work.settled for work in (running, large, later)], [[problem]] * 3)
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(self.engine.commits, [[running]])

    def test_largeDrained(self) -> None:
        """Who waits for the end waits for all large works, each in its commit."""
        works = [Sized(f"AI_{i}", 1 << 20) for i in range(3)]
        self.log.submit(works)
        drained = self.log.drain()
        for _ in works:
            self.assertNoResult(drained)
            self.clock.advance(0)
            self.engine.release()
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(self.engine.commits, [[work] for work in works])

    def rest(self, seconds: float, told: int = 0) -> float:
        """@return: seconds that the next commit waits after one of C{told} bytes that took C{seconds} to be told."""
        self.log.subscribe(tell := lambda committed: self.clock.advance(seconds))
        self.log.submit([Sized()])
        self.engine.release(events=[Event(self.log.head + 1, "AI_1", None, b"x" * told)])
        self.log.unsubscribe(tell)
        count = len(self.engine.commits)
        self.log.submit([Sized()])
        calls = self.clock.getDelayedCalls()
        found = calls[0].getTime() - self.clock.seconds() if calls else 0.0
        self.clock.advance(found)
        self.assertEqual(len(self.engine.commits), count + 1)
        self.engine.release()
        return found

    def test_leastRest(self) -> None:
        """A rest that is shorter than half a millisecond, which no timer keeps, is none."""
        self.assertEqual(self.rest(0.00016), 0)
        self.assertAlmostEqual(self.rest(0.00017), 0.00051)

    def test_writeBytes(self) -> None:
        """A commit rests for the writes by which it was told, not for the bytes: with 64 KiB they are half of it."""
        for told, rest in ((0, 0.003), (64 << 10, 0.0015), (192 << 10, 0.00075), (1 << 20, 0.0)):
            self.assertAlmostEqual(self.rest(0.001, told), rest, msg=str(told))

    def test_each(self) -> None:
        """Of one AI it takes works of half a millisecond: ten whose cost nobody knows yet.  Others' come beside."""
        taken = self.next(*(Sized("AI_1") for _ in range(100)), Sized("AI_2"))
        self.assertEqual([sum(work.author == author for work in taken) for author in ("AI_1", "AI_2")], [10, 1])

    def test_enough(self) -> None:
        """While telling everybody takes its time, 250 works don't wait any longer, and fewer do."""
        self.log.subscribe(lambda committed: self.clock.advance(0.001))
        self.log.submit([Sized()])
        self.engine.release()
        self.log.submit(Sized() for _ in range(249))
        self.clock.advance(0)
        self.assertEqual(len(self.engine.commits), 1)
        self.log.submit([Sized()])
        self.clock.advance(0)
        self.assertEqual([len(works) for works in self.engine.commits], [1, 250])

    def test_byteSeconds(self) -> None:
        """Of small works a megabyte is charged with 50 ms, which it costs to write and sync it."""
        costs: list[dict[str, float]] = []
        self.log.tellCosts = costs.append
        self.next(*(Sized("AI_1", 50_000) for _ in range(10)))
        self.engine.release()
        self.assertEqual(len(self.engine.commits[-1]), 10)
        self.assertTrue(0.025 <= costs[-1]["AI_1"] < 0.05, costs)

    def test_aloneSeconds(self) -> None:
        """A work of a megabyte is charged with 200 ms, since all others wait for its commit; one of 64 KiB likewise."""
        costs: list[dict[str, float]] = []
        self.log.tellCosts = costs.append
        for size in (1_000_000, 64 * 1024):
            self.next(Sized("AI_1", size))
            self.engine.release()
            least = size * 200e-9
            self.assertTrue(least <= costs[-1]["AI_1"] < 1.5 * least, costs)

    def test_recent(self) -> None:
        """The last 4 MiB of the log are in memory, also where it goes on behind a gap."""
        for first in (1, 100):
            self.log.follow([Event(first + n, "AI_1", None, b"x" * (1 << 20)) for n in range(5)], first)
            self.assertEqual((self.log.remembers(first - 1), self.log.remembers(first)), (False, True))

    def test_notes(self) -> None:
        """Twenty lines about messages in a second; what is over them is counted."""
        seen = captureLog(self)
        for seconds, lines in ((0.0, 20), (0.9, 0), (0.1, 21)):
            self.clock.advance(seconds)
            seen.clear()
            self.log.submit([Sized()])
            self.engine.release(notes=30)
            self.assertEqual(len(seen), lines, seen)
        self.assertEqual(seen[0], "… and 40 more like these")
