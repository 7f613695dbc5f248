"""Who is pinged, who is dropped."""

from __future__ import annotations

from kernelnet.hub.connection.liveness import Liveness
from tests.hub.connection.support import FakeConnection
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase, aPattern


@onEveryEngine
class SilenceTests(HubTestCase):
    def test_idle(self) -> None:
        """A peer idle for 30 s is pinged; to version 2 the ping tells the log's position."""
        old, new = self.hub.connect("OLD", 1), self.hub.connect("NEW")
        old.send("pattern_share", aPattern())
        old.received(), new.received()
        self.hub.clock.pump([5] * 5)
        self.assertEqual(old.received("heartbeat") + new.received("heartbeat"), [])
        self.hub.clock.pump([5] * 2)
        (ping,) = new.payloads("heartbeat")
        self.assertEqual(ping["seq"], 1)
        self.assertIn("nonce", ping)
        (ping,) = old.payloads("heartbeat")
        self.assertNotIn("seq", ping)

    def test_drop(self) -> None:
        """A version 2 peer silent for 90 s is dropped; version 1 may never answer."""
        old, new, busy = self.hub.connect("OLD", 1), self.hub.connect("NEW"), self.hub.connect("BUSY")
        for _ in range(20):
            self.hub.clock.advance(5)
            busy.send("heartbeat", {"reply_to": 1})
        self.assertTrue(new.transport.aborted)
        self.assertFalse(old.closing or busy.closing)


@onEveryEngine
class LivenessTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.connection = FakeConnection(self.hub.log)
        self.remembers, self.asks = True, False
        self.connections = {"AI_1": self.connection}
        self.liveness = Liveness(self.connections, lambda after: self.remembers, lambda: self.asks, self.hub.clock)

    def sweep(self, seconds: float = 0.0, heard: bool = False) -> list[str]:
        self.hub.clock.advance(seconds)
        if heard:
            self.connection.lastHeard = self.hub.clock.seconds()
        self.liveness.sweep()
        return self.connection.kinds()

    def test_silent(self) -> None:
        """Who is silent is pinged every 30 s; after 90 s a version 2 peer is cut."""
        told = [self.sweep(10) for _ in range(9)]
        self.assertEqual(told, [[], [], ["heartbeat"], [], [], ["heartbeat"], [], [], ["abort"]])

    def test_keptWaiting(self) -> None:
        """Who is not read, since the hub owes it an answer, is pinged and not cut."""
        self.connection.isKeptWaiting = True
        told = [self.sweep(30) for _ in range(5)]
        self.assertEqual(told, [["heartbeat"]] * 5)
        self.connection.isKeptWaiting = False
        self.assertEqual(self.sweep(30), ["abort"])

    def test_asks(self) -> None:
        """Who talks all the time is pinged only where it shall be found out how far it has read, and if it is live."""
        self.assertEqual(self.sweep(40, heard=True), [])
        self.asks = True
        self.assertEqual(self.sweep(heard=True), [])
        self.connection.reader.live = True
        self.assertEqual(self.sweep(heard=True), ["heartbeat"])
        self.assertEqual(self.sweep(10, heard=True), [])

    def test_tooSlow(self) -> None:
        """A version 1 client that does not read is cut once what it misses is not in memory any more."""
        self.connection.version, self.connection.reader.paused = 1, True
        self.assertEqual(self.sweep(), [])
        self.remembers = False
        self.liveness.sweep()
        self.assertEqual(self.connection.told, [("close", "too_slow")])

    def test_leftAlone(self) -> None:
        """Who has not said hello, or is being closed, is not looked at."""
        self.connection.greeted = False
        self.assertEqual(self.sweep(100), [])
        self.connection.greeted, self.connection.closing = True, True
        self.assertEqual(self.sweep(100), [])

    def test_failure(self) -> None:
        """Where one can't be looked at that is logged, and the others are looked at all the same."""
        self.connections["AI_2"] = other = FakeConnection(self.hub.log, "AI_2")
        self.patch(self.connection, "send", None)
        self.assertEqual((self.sweep(31), other.kinds()), ([], ["heartbeat"]))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertEqual(repr(self.liveness), "<Liveness of 2 AIs>")
