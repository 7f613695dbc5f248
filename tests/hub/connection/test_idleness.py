"""Which partners work on nothing of their sessions, and how much is remembered of what they say."""

from __future__ import annotations

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SearchProgress
from kernelnet.hub.connection.idleness import Idleness
from kernelnet.hub.storage.statements.sessions import SessionState
from tests.wire_examples import SEARCH_PROGRESS

SESSION = SessionState("s", "AI_1", "feature_development", "active", "AI_2", ["AI_2"], [])


class IdlenessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.here = {"AI_2"}
        self.idleness = Idleness(self.here, self.clock)

    def report(self, *sessions: str, until: float) -> None:
        """Report every other second, till the clock shows C{until}."""
        while self.clock.seconds() < until:
            self.tell(*sessions)
            self.clock.advance(2)

    def tell(self, *sessions: str) -> None:
        self.idleness.told("AI_2", msgspec.convert({**SEARCH_PROGRESS, "sessions": sessions}, SearchProgress))

    def isIdle(self) -> bool:
        found = self.idleness.idle([SESSION])
        self.assertIn(found, ([], [("s", "AI_2")]))
        return bool(found)

    def test_idle(self) -> None:
        """Who has named a session in no report for a minute is idle: not a moment before, and not while it names it."""
        self.report("s", until=100)
        self.report("other", until=158 - 1)
        self.assertEqual((self.clock.seconds(), self.isIdle()), (158, True))
        self.clock.advance(-0.1)
        self.assertFalse(self.isIdle())
        self.tell("s")
        self.clock.advance(2)
        self.assertFalse(self.isIdle())

    def test_whoBegins(self) -> None:
        """Who has reported for less than a minute is not idle yet, nor who began anew after 15 s of silence."""
        self.report(until=60)
        self.assertTrue(self.isIdle())
        self.clock.advance(-0.1)
        self.assertFalse(self.isIdle())
        self.clock.advance(13.1)  # the last report was at 58
        self.tell()
        self.assertTrue(self.isIdle())
        self.clock.advance(15.1)
        self.tell()
        self.assertFalse(self.isIdle())

    def test_silent(self) -> None:
        """Of who says nothing, has said nothing for 15 s, or is away, nobody knows: it is not idle."""
        self.assertFalse(self.isIdle())
        self.report(until=100)
        self.clock.advance(13)
        self.assertTrue(self.isIdle())
        self.here.clear()
        self.assertFalse(self.isIdle())
        self.here.add("AI_2")
        self.clock.advance(0.1)
        self.assertFalse(self.isIdle())

    def test_remembered(self) -> None:
        """Of an AI's earlier reports 16 sessions are remembered, the last, for a minute, beside those that it names."""
        for i in range(30):
            self.tell(f"s{i}")
        self.assertEqual(list(self.idleness._reports["AI_2"].worked), [f"s{i}" for i in range(13, 30)])
        self.clock.advance(60)
        self.tell("s")
        self.assertEqual(list(self.idleness._reports["AI_2"].worked), ["s"])
