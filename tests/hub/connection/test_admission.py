"""The limits of a hub, as its clients meet them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from kernelnet import wire
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection import admission
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.protocol import HubProtocol
from kernelnet.hub.connection.rate_limits import (
    TokenBucket,
)
from kernelnet.hub.connection.sockets import TurnedAway
from kernelnet.message import ErrorClass
from tests.hub.databases import onEveryEngine
from tests.hub.support import Client, Hub, HubTestCase, Transport, aPattern, captureLog


@onEveryEngine
class AdmissionTests(HubTestCase):
    """The limits on connections of a hub."""

    def bound(self, **bounds: Any) -> None:
        self.restart(replace(Bounds(), **bounds))

    def connection(self, host: str = "192.0.2.1") -> Client:
        return FromAddress(self.hub, host)

    def wrong(self, aiId: str = "AI_1", host: str = "192.0.2.1") -> list[str]:
        client = FromAddress(self.hub, host, aiId)
        client.authenticate("wrong")
        errors = client.errors()
        client.leave()
        return errors

    def test_workAtOnce(self) -> None:
        """Of what the hub works for one AI it lends 0.1 s; over that the AI is read more slowly."""
        self.patch(admission, "WORK_AT_ONCE", 0.1)  # the one that it has but in tests
        self.bound()
        client = self.hub.connect("AI_1")
        self.hub.clock.advance(9)
        client.protocol.charge(0.09)
        self.assertEqual(client.transport.producerState, "producing")
        client.protocol.charge(0.02)
        self.assertEqual(client.transport.producerState, "paused")
        self.hub.clock.advance(0.11)
        self.assertEqual(client.transport.producerState, "producing")

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
        self.assertEqual(self.hub.admission.counters()["refused"], 2)

    def test_oldestGoes(self) -> None:
        """When too many are not authenticated the oldest of them is cut, one that is authenticated never."""
        self.bound(pendingPerAddress=2)
        token = self.hub.issue("AI_1")
        good = FromAddress(self.hub, "192.0.2.1", "AI_1")
        good.authenticate(token)
        clients = [self.connection() for _ in range(4)]
        self.assertEqual([client.transport.aborted for client in clients], [True, True, False, False])
        self.assertFalse(good.transport.aborted)
        self.assertEqual(self.hub.admission.counters()["displaced"], 2)
        self.assertEqual(self.hub.admission.counters()["unauthenticated"], 2)

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
        counters = self.hub.admission.counters()
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
        self.assertEqual(list(self.hub.connections.byId), ["AI_1"])
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
        authenticator, check = self.hub.authenticator, self.hub.authenticator.check
        self.patch(authenticator, "check", lambda handshake: self.hub.log.read(broken))
        for _ in range(7):
            self.assertEqual(self.wrong(), ["shutting_down"])
        self.patch(authenticator, "check", check)
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

    def test_logOfConnections(self) -> None:
        """So has it of connections that are turned away, and of those that have to go."""
        self.bound(connectionsPerAddress=120, pendingPerAddress=10)
        seen = captureLog(self)
        for _ in range(120):
            self.connection()
        for _ in range(120):
            self.hub.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
        for told in ("no room for a connection from 192.0.2.1", "has to go: too many are not authenticated"):
            self.assertEqual(len([line for line in seen if told in line]), 100, told)

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


@onEveryEngine
class PacedTests(HubTestCase):
    """The limit on messages of one AI."""

    def setUp(self) -> None:
        super().setUp()
        self.hub.admission.messageRate = TokenBucket(10, 20)
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
        other = self.hub.client("AI_2")
        other.hello()
        self.assertEqual(other.transport.producerState, "producing")

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
