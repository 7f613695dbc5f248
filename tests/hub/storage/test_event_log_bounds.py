"""Bounds of a commit, of what is kept in memory of the log, and of what is said about it, on an engine that is held."""

from __future__ import annotations

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
    """Work that does nothing."""

    def __init__(self, author: str = "", size: int = 1) -> None:
        super().__init__(lambda transaction: None)
        self.author, self.size = author, size

    def settle(self, problem: WireProblem | None) -> None: ...


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

    def release(self, notes: int = 0) -> None:
        """The commit that is under way ends; nothing of it took any time."""
        under, self._under = self._under, None
        assert under is not None
        told: list[Note] = [("line {number}", {"number": number}) for number in range(notes)]
        under.callback(Commit(Committed(), told, {}, [0.0] * len(self.commits[-1])))


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
        self.assertEqual(len(self.next(*(Sized(size=1 << 18) for _ in range(9)))), 5)

    def test_each(self) -> None:
        """Of one AI it takes works of 1 ms: twenty whose cost nobody knows yet.  Others' come beside them."""
        taken = self.next(*(Sized("AI_1") for _ in range(100)), Sized("AI_2"))
        self.assertEqual([sum(work.author == author for work in taken) for author in ("AI_1", "AI_2")], [20, 1])

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
        """A megabyte is charged with 50 ms, which it costs to write and sync it."""
        costs: list[dict[str, float]] = []
        self.log.tellCosts = costs.append
        self.next(Sized("AI_1", 1_000_000))
        self.engine.release()
        self.assertTrue(0.05 <= costs[-1]["AI_1"] < 0.1, costs)

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
