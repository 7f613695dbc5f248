"""The limits of the protocol, each at its edge: `kernelnet.hub.connection.limits`, and admission with connections."""

from __future__ import annotations

import resource
from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from kernelnet import wire
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection.admission import Gate, TurnedAway, withinDescriptors
from kernelnet.hub.connection.limits import OPTIONS, Attempts, Bounds, Door, LimitError, Pace, Verdict, addressKey
from kernelnet.hub.connection.protocol import HubProtocol
from kernelnet.message import ErrorClass
from tests.hub.support import Client, Hub, HubTestCase, Transport, aPattern, captureLog


class BoundsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """The options' defaults are those of the class, and those that the protocol promises."""
        bounds = Bounds.fromOptions({name: default for name, _, default, _, _ in OPTIONS})
        self.assertEqual(bounds, Bounds())
        self.assertEqual((bounds.handshakeLine, bounds.line, bounds.authTimeout), (4096, 1024 * 1024, 10))
        self.assertEqual((bounds.connections, bounds.connectionsPerAddress), (10_000, 2_000))
        self.assertEqual((bounds.pending, bounds.pendingPerAddress), (4_000, 1_000))
        self.assertEqual((bounds.failures, bounds.failureEvery), (5, 6))
        self.assertEqual((bounds.rate, bounds.burst), (2_000, 10_000))

    def test_ranges(self) -> None:
        """A value out of range is refused with the option's name and what would be right, NaN included."""
        good = {name: default for name, _, default, _, _ in OPTIONS}
        for name in good:
            for bad in (0, -1, float("nan"), 10**12):
                error = self.assertRaises(LimitError, Bounds.fromOptions, {**good, name: bad})
                self.assertIn(f"--{name} must be a", str(error))

    def test_descriptors(self) -> None:
        """The process raises its limit of open files; what that does not allow is no bound."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        self.assertEqual(withinDescriptors(Bounds(connections=10)).connections, 10)
        self.assertGreater(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 256)
        if before[1] != resource.RLIM_INFINITY:
            self.assertEqual(withinDescriptors(Bounds(connections=10**9)).connections, before[1] - 64)


class AddressTests(SynchronousTestCase):
    def test_keys(self) -> None:
        """An IPv4 address is one address, of IPv6 a network of 64 bits is; what is neither is none."""
        for host, key in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("", ""),
            (b"/run/hub", ""),
            (None, ""),
        ):
            self.assertEqual(addressKey(host), key)


class DoorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bounds = Bounds(connections=5, connectionsPerAddress=3, pending=4, pendingPerAddress=2)
        self.door: Door[str] = Door(self.bounds)

    def enter(self, connection: str, address: str, proved: bool = True) -> list[str]:
        self.assertTrue(self.door.admits(address))
        leaving = self.door.entered(connection, address)
        if proved:
            self.door.proved(connection)
        return leaving

    def test_connections(self) -> None:
        """No more come in than may, of one address and in all; who leaves makes room."""
        for name in ("a1", "a2", "a3"):
            self.enter(name, "a")
        self.assertFalse(self.door.admits("a"))
        self.enter("b1", "b")
        self.enter("c1", "c")
        self.assertFalse(self.door.admits("d"))
        self.door.left("a1")
        self.door.left("a1")
        self.enter("a4", "a")
        self.assertEqual(self.door.refused, 2)

    def test_oldestOfAddressGoes(self) -> None:
        """Of one address the oldest that is not authenticated goes, one that is authenticated never."""
        self.enter("a1", "a")
        self.assertEqual(self.enter("a2", "a", False) + self.enter("b1", "b", False), [])
        self.door.left("a1")
        self.assertEqual(self.enter("a3", "a", False), [])
        self.door.left("a3")
        self.assertEqual(self.enter("a4", "a", False), [])
        self.assertEqual(self.enter("a5", "a", False), ["a2"])
        self.assertEqual((self.door.pending, self.door.displaced), (3, 1))

    def test_oldestOfAllGoes(self) -> None:
        """In all the oldest goes, whichever its address."""
        for i in range(4):
            self.assertEqual(self.enter(f"{i}", f"address {i}", False), [])
        self.assertEqual(self.enter("4", "address 4", False), ["0"])
        self.assertFalse(self.door.admits("address 5"))  # 0 is still inside, until it has left
        self.door.left("0")
        self.assertEqual(self.enter("5", "address 5", False), ["1"])

    def test_noAddress(self) -> None:
        """What has no address is limited in all only."""
        for i in range(4):
            self.assertEqual(self.enter(f"{i}", "", False), [])
        self.assertEqual(self.enter("4", "", False), ["0"])
        self.assertFalse(self.door.admits(""))

    def test_leavesNothing(self) -> None:
        """When all have left nothing of them is kept."""
        for i in range(50):
            self.enter(f"{i}", f"address {i % 3}", bool(i % 2))
            self.door.left(f"{i}")
        self.assertEqual(
            [self.door._inside, self.door._byAddress, self.door._pending, self.door._pendingByAddress], [{}] * 4
        )


class AttemptsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.attempts: Attempts[int] = Attempts(Bounds(failures=5, failureEvery=6))

    def attempt(self, key: str, now: float, fails: bool = True) -> Verdict:
        verdict = self.attempts.ask(key, 0, now)
        if verdict is Verdict.CHECK:
            self.assertEqual(self.attempts.ended(key, fails, now), ([], []))
        return verdict

    def test_bucket(self) -> None:
        """Five may fail, then one in six seconds; a rest gives back no more than five."""
        self.assertEqual([self.attempt("a", 0) for _ in range(7)], [Verdict.CHECK] * 5 + [Verdict.REFUSE] * 2)
        self.assertEqual(self.attempts.wait("a", 0), 6)
        self.assertEqual(self.attempt("a", 5.9), Verdict.REFUSE)
        self.assertEqual([self.attempt("a", 6.1) for _ in range(2)], [Verdict.CHECK, Verdict.REFUSE])
        self.assertEqual([self.attempt("a", 1e6) for _ in range(7)], [Verdict.CHECK] * 5 + [Verdict.REFUSE] * 2)
        self.assertEqual(self.attempt("b", 0), Verdict.CHECK)
        self.assertEqual((self.attempts.failed, self.attempts.refused), (12, 6))

    def test_successIsFree(self) -> None:
        """Attempts that succeed cost nothing."""
        self.assertEqual({self.attempt("a", 0, fails=False) for _ in range(100)}, {Verdict.CHECK})

    def test_atOnce(self) -> None:
        """However many are on their way at once, no more are checked than may fail; the rest waits, then is refused."""
        verdicts = [self.attempts.ask("a", i, 0) for i in range(9)]
        self.assertEqual(verdicts, [Verdict.CHECK] * 5 + [Verdict.WAIT] * 4)
        self.assertEqual(self.attempts.ended("a", False, 0), ([5], []))
        for _ in range(4):
            self.assertEqual(self.attempts.ended("a", True, 0), ([], []))
        self.assertEqual(self.attempts.ended("a", True, 0), ([], [6, 7, 8]))
        self.assertEqual(self.attempts.ask("a", 9, 0), Verdict.REFUSE)

    def test_familiar(self) -> None:
        """Who was let in from an address isn't locked out by guesses at others there; those at it count, too."""
        self.attempts.succeeded("a", "AI_1")
        for _ in range(6):
            self.attempt(self.attempts.key("a", "AI_2"), 0)
        self.assertEqual(self.attempt(self.attempts.key("a", "AI_2"), 0), Verdict.REFUSE)
        own = self.attempts.key("a", "AI_1")
        self.assertEqual([self.attempt(own, 0) for _ in range(6)], [Verdict.CHECK] * 5 + [Verdict.REFUSE])

    def test_bounded(self) -> None:
        """However many addresses and ids come, what is kept is bounded; one that is being checked is never dropped."""
        self.attempts.MAX_BUCKETS = self.attempts.MAX_FAMILIAR = 10
        self.assertEqual(self.attempts.ask("busy", 0, 0), Verdict.CHECK)
        for i in range(100):
            self.attempt(f"a{i}", 0)
            self.attempts.succeeded("a", f"AI_{i}")
        self.assertEqual((len(self.attempts._buckets), len(self.attempts._familiar)), (10, 10))
        self.assertEqual(self.attempts.ended("busy", True, 0), ([], []))

    def test_forgets(self) -> None:
        """Who only succeeds is not kept."""
        self.attempt("a", 0, fails=False)
        self.assertEqual(self.attempts._buckets, {})


class PaceTests(SynchronousTestCase):
    def test_bucket(self) -> None:
        """The burst is free; over it the wait is what the rate needs for the debt."""
        pace = Pace(2000, 10_000)
        self.assertEqual(pace.take("a", 10_000, 0), 0)
        self.assertEqual(pace.take("a", 1000, 0), 0.5)
        self.assertEqual(pace.take("a", 1000, 0.5), 0.5)
        self.assertEqual(pace.take("a", 10_000, 6), 0)
        self.assertEqual(pace.take("b", 1, 6), 0)
        self.assertEqual(pace.delays, 2)

    def test_sustained(self) -> None:
        """Who waits as told gets the rate, on the long run exactly."""
        pace, now, sent = Pace(2000, 10_000), 0.0, 0
        while sent < 50_000:
            now += pace.take("a", 300, now)
            sent += 300
        self.assertAlmostEqual(now, (sent - 10_000) / 2000, delta=0.2)

    def test_forget(self) -> None:
        """Who is as good as new is not kept."""
        pace = Pace(10, 10)
        pace.take("a", 5, 0)
        pace.forget(0.4)
        self.assertEqual(pace.take("a", 10, 0.4), 0.1)
        pace.forget(10)
        self.assertEqual(pace._levels, {})

    def test_backwards(self) -> None:
        """A clock that goes backwards gives nothing and takes nothing."""
        pace = Pace(10, 10)
        pace.take("a", 10, 100)
        self.assertEqual(pace.take("a", 1, 50), 0.1)


class GateTests(HubTestCase):
    """The limits on connections of a hub."""

    def bound(self, **bounds: Any) -> None:
        hub = self.hub
        hub.factory.gate = Gate(replace(Bounds(), **bounds), hub.clock, hub.factory._check)

    def connection(self, host: str = "192.0.2.1") -> Client:
        return FromAddress(self.hub, host)

    def wrong(self, aiId: str = "AI_1", host: str = "192.0.2.1") -> list[str]:
        client = FromAddress(self.hub, host, aiId)
        client.authenticate("wrong")
        errors = client.errors()
        client.leave()
        return errors

    def test_full(self) -> None:
        """One connection too many is cut at once, before TLS; all others stay."""
        self.bound(connectionsPerAddress=2, connections=3)
        clients = [self.connection(), self.connection()]
        address = IPv4Address("TCP", "192.0.2.1", 1)
        turnedAway = self.hub.factory.buildProtocol(address)
        self.assertIsInstance(turnedAway, TurnedAway)
        transport = Transport()
        turnedAway.makeConnection(transport)
        self.assertTrue(transport.aborted)
        clients.append(self.connection("192.0.2.2"))
        self.assertIsInstance(self.hub.factory.buildProtocol(UNIXAddress(b"/x")), TurnedAway)
        self.assertFalse(any(client.transport.aborted for client in clients))
        clients[0].leave()
        self.assertIsInstance(self.hub.factory.buildProtocol(address), HubProtocol)
        self.assertEqual(self.hub.factory.gate.counters()["refused"], 2)

    def test_oldestGoes(self) -> None:
        """When too many are not authenticated the oldest of them is cut, one that is authenticated never."""
        self.bound(pendingPerAddress=2)
        token = self.hub.issue("AI_1")
        good = FromAddress(self.hub, "192.0.2.1", "AI_1")
        good.authenticate(token)
        clients = [self.connection() for _ in range(4)]
        self.assertEqual([client.transport.aborted for client in clients], [True, True, False, False])
        self.assertFalse(good.transport.aborted)
        self.assertEqual(self.hub.factory.gate.counters()["displaced"], 2)
        self.assertEqual(self.hub.factory.gate.counters()["unauthenticated"], 2)

    def test_failures(self) -> None:
        """After five wrong tokens from an address no more are looked at, not even right ones, for six seconds."""
        token = self.hub.issue("AI_1")
        self.assertEqual([self.wrong() for _ in range(5)], [["bad_credentials"]] * 5)
        reads = self.hub.reader.calls
        self.assertEqual(self.wrong(), ["too_many_failures"])
        client = self.connection()
        client.line({"ai_id": "AI_1", "token": token})
        (error,) = client.payloads()
        self.assertEqual((error["code"], error["class"]), ("too_many_failures", "closing"))
        self.assertIn("6 s", error["message"])
        self.assertTrue(client.closing)
        self.assertEqual(self.hub.reader.calls, reads)
        self.assertEqual(self.wrong(host="192.0.2.2"), ["bad_credentials"])
        self.hub.clock.advance(6.1)
        self.assertEqual([self.wrong(), self.wrong()], [["bad_credentials"], ["too_many_failures"]])
        counters = self.hub.factory.gate.counters()
        self.assertEqual((counters["failed"], counters["unchecked"]), (7, 3))

    def test_failuresAtOnce(self) -> None:
        """A thousand wrong tokens at once get no more checks than five; a right one among the first is let in."""
        token = self.hub.issue("AI_1")
        self.hub.reader.held = True
        clients = [self.connection() for _ in range(20)]
        clients[0].line({"ai_id": "AI_1", "token": token})
        for client in clients[1:]:
            client.authenticate("wrong")
        self.hub.reader.release()
        self.hub.clock.pump([0] * 3)
        self.assertEqual(list(self.hub.factory.byId), ["AI_1"])
        codes = [code for client in clients for code in client.errors()]
        self.assertEqual(codes, ["bad_credentials"] * 5 + ["too_many_failures"] * 14)

    def test_knownAI(self) -> None:
        """An AI that was let in from an address before comes in again, whatever others guess there."""
        token = self.hub.issue("AI_1")
        for _ in range(2):
            client = self.connection()
            client.line({"ai_id": "AI_1", "token": token})
            self.assertEqual(client.errors(), [])
            client.leave()
            for _ in range(10):
                self.wrong("AI_2")

    def test_hubsOwnFailure(self) -> None:
        """A check that the hub could not make counts as nobody's failure."""

        def broken(connection: object) -> Grant:
            raise OSError("no disk")

        self.hub.issue("AI_1")
        check = self.hub.factory._check
        self.hub.factory.gate._check = lambda handshake: self.hub.log.read(broken)
        for _ in range(7):
            self.assertEqual(self.wrong(), ["shutting_down"])
        self.hub.factory.gate._check = check
        self.assertEqual(self.wrong(), ["bad_credentials"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 7)

    def test_quietLog(self) -> None:
        """A flood of failures is a hundred log lines and then one a second, not one each."""
        self.bound(failures=1000)
        seen = captureLog(self)
        for _ in range(300):
            self.wrong()
        self.assertEqual(len([line for line in seen if "bad_credentials" in line]), 100)
        self.hub.clock.advance(5)
        self.wrong()
        self.assertEqual(len([line for line in seen if "bad_credentials" in line]), 101)

    def test_timeAndLines(self) -> None:
        """The time to authenticate and the longest lines are options, too."""
        self.bound(authTimeout=3, handshakeLine=300, line=2000)
        client = self.connection()
        self.hub.clock.advance(3.1)
        self.assertEqual(client.errors(), ["auth_timeout"])
        client = self.connection()
        client.raw(b"x" * 302)
        self.assertEqual(client.errors(), ["line_too_long"])
        client = self.hub.connect("AI_1")
        client.raw(b"[" * 2001)
        self.assertEqual(client.errors(), ["line_too_long"])


class PacedTests(HubTestCase):
    """The limit on messages of one AI."""

    def setUp(self) -> None:
        super().setUp()
        gate = self.hub.factory.gate
        gate.pace = Pace(10, 20)
        self.client = self.hub.connect("AI_1")
        self.clock = self.hub.clock
        self.clock.advance(10)

    def burst(self, count: int) -> None:
        beat = wire._encoder.encode(self.client.message("heartbeat", {"nonce": 1})) + b"\n"
        self.client.raw(beat * count)

    def test_backPressure(self) -> None:
        """Over the rate its socket is not read until the debt is paid; nothing is dropped, nothing is refused."""
        self.burst(20)
        self.assertEqual(self.client.transport.producerState, "producing")
        self.burst(5)
        self.assertEqual(self.client.transport.producerState, "paused")
        self.assertEqual(len(self.client.received("heartbeat")), 25)
        self.clock.advance(0.4)
        self.assertEqual(self.client.transport.producerState, "paused")
        self.clock.advance(0.2)
        self.assertEqual(self.client.transport.producerState, "producing")
        self.client.send("pattern_share", aPattern())
        self.assertEqual(len(self.client.payloads("ack")), 1)

    def test_ofTheAI(self) -> None:
        """Who reconnects brings the debt along; other AIs have none."""
        self.burst(30)
        self.client.leave()
        again = self.hub.client("AI_1")
        again.hello()
        self.assertEqual(again.transport.producerState, "paused")
        self.hub.client("AI_2").hello()
        self.assertEqual(self.hub.factory.byId["AI_2"].transport.producerState, "producing")

    def test_moreComes(self) -> None:
        """What came in already is taken when the pause is over, and makes the next one."""
        self.burst(25)
        self.burst(5)
        self.clock.advance(0.9)
        self.assertEqual(self.client.transport.producerState, "paused")
        self.clock.advance(0.2)
        self.assertEqual(self.client.transport.producerState, "producing")

    def test_otherReasons(self) -> None:
        """The end of the pause doesn't end another reason not to read."""
        self.burst(25)
        self.client.pause()
        self.clock.advance(1)
        self.assertEqual(self.client.transport.producerState, "paused")
        self.client.resume()
        self.assertEqual(self.client.transport.producerState, "producing")

    def test_emptyLines(self) -> None:
        """Lines without anything count, too."""
        self.client.raw(b"\n" * 25)
        self.assertEqual(self.client.transport.producerState, "paused")


class ErrorTests(SynchronousTestCase):
    def test_class(self) -> None:
        """Too many failures end the connection; it is not the refusal of a token, after which a trainer gives up."""
        self.assertIs(wire.ERRORS["too_many_failures"], ErrorClass.CLOSING)


class FromAddress(Client):
    """A client at some address."""

    def __init__(self, hub: Hub, host: str, aiId: str = "AI_1") -> None:
        self.hub = hub
        self.aiId = aiId
        address = IPv4Address("TCP", host, 1)
        self.transport = Transport(peerAddress=address)
        protocol = hub.factory.buildProtocol(address)
        assert isinstance(protocol, HubProtocol)
        self.protocol = protocol
        self.protocol.makeConnection(self.transport)
        self._partial = b""
