"""Connecting again: jittered, patient with what may pass, and final with what may not."""

import random
from collections.abc import Callable
from typing import Any, cast

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConnector
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import CodeBlock
from kernelnet.message import CodeShare, Heartbeat, MessageType, NetworkMessage
from kernelnet.trainer.connection import protocol
from kernelnet.trainer.connection.addresses import GREETING, Address, AddressRotation, parseAddress
from kernelnet.trainer.connection.protocol import FIRST_WORD, SILENCE
from kernelnet.trainer.connection.reconnect import TrainerFactory
from kernelnet.trainer.service import TrainerFailed
from kernelnet.trainer.storage.database import Changes
from kernelnet.wire import AUTHENTICATED_LINE, WireProblem, decodeFromHub, encode, encodePayload, rfc3339, withSeq
from tests.trainer.support import TrainerTestCase

A, B, C = (Address(name, 6000) for name in ("a.test", "b.test", "c.test"))
WRONG_CA = SSL.Error([("SSL routines", "", "certificate verify failed")])


class Largest(random.Random):
    """Draws the largest pause, and notes the bounds."""

    def __init__(self) -> None:
        self.drawn: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.drawn.append((a, b))
        return b


class ReconnectTests(TrainerTestCase):
    def factory(self, *addresses: Address) -> TrainerFactory:
        """A factory whose attempts are noted in C{self.dialled} and go nowhere."""
        self.attempts = Clock()
        self.dialled: list[Address] = []
        dial = cast(Callable[[Address], IConnector], self.dialled.append)
        client = self.trainer.client
        factory = client.factory = TrainerFactory("AI_1", addresses or (A,), self.attempts, dial, client)
        factory._random = self.random = Largest()
        return factory

    def meet(self, factory: TrainerFactory, error: Exception | None, greeted: bool = False) -> None:
        """The attempt becomes a connection that ends with C{error}."""
        self.connect()
        if greeted:
            factory.greeted()
        self.connection.connectionLost(Failure(error or ConnectionDone()))
        factory.clientConnectionLost(cast(IConnector, None), Failure(ConnectionDone()))

    def fail(self, factory: TrainerFactory) -> None:  # type: ignore[override]
        factory.clientConnectionFailed(cast(IConnector, None), Failure(ConnectionRefusedError("refused")))

    def test_fullJitter(self) -> None:
        """Each pause is drawn evenly from nothing to a bound that doubles up to a limit."""
        factory = self.factory()
        factory.connect()
        for _ in range(9):
            self.fail(factory)
            self.attempts.advance(30)
        self.assertEqual(self.random.drawn, [(0, bound) for bound in (0.5, 1, 2, 4, 8, 16, 30, 30, 30)])
        self.assertEqual(self.dialled, [A] * 10)

    def test_inTurn(self) -> None:
        """Several addresses are tried in turn; the bound of the pause doubles with each round through all of them."""
        factory = self.factory(A, B, C)
        factory.connect()
        for _ in range(6):
            self.fail(factory)
            self.attempts.advance(1)
        self.assertEqual(self.dialled, [A, B, C, A, B, C, A])
        self.assertEqual([bound for _, bound in self.random.drawn], [0.5, 0.5, 0.5, 1, 1, 1])

    def test_whereItWentWell(self) -> None:
        """After a connection that went well the same address comes first again, after a short pause; then the next."""
        factory = self.factory(A, B)
        factory.delay = 16
        factory.connect()
        self.meet(factory, None, greeted=True)
        self.attempts.advance(0.5)
        self.fail(factory)
        self.attempts.advance(0.5)
        self.assertEqual(self.dialled, [A, A, B])

    def test_noGreeting(self) -> None:
        """Within a second it is said where no hub greets, whatever happens there; once, until one has greeted."""
        factory = self.factory()
        with capturedLogs() as logs:
            for _ in range(2):
                factory.connect()
                self.connect()
                self.attempts.advance(GREETING + 0.1)
            (said,) = [formatEvent(event) for event in logs]
            self.assertIn("no hub has greeted at a.test:6000 within 1 s", said)
            self.assertIn("over TLS? Its default port is 6000", said)
        factory.greeted()
        with capturedLogs() as later:
            for end in (factory.greeted, lambda: self.fail(factory), factory.close):
                factory.connect()
                end()
                self.attempts.advance(0)
                self.assertEqual(factory._waiting, None)
            factory.connect()
            self.attempts.advance(GREETING)
        self.assertEqual(len([event for event in later if "no hub has greeted" in formatEvent(event)]), 1)

    def test_noDelayedCallsLeft(self) -> None:
        """A factory that is told to stop waits for nothing, and tries nothing more."""
        factory = self.factory()
        self.fail(factory)
        factory.stopTrying()
        self.assertEqual(self.attempts.getDelayedCalls(), [])
        self.fail(factory)
        self.assertEqual(self.attempts.getDelayedCalls(), [])

    @inlineCallbacks
    def test_delayResetsWithTheGreeting(self) -> Any:
        """The pause starts small again only after the hub's first valid answer, not with a mere connection."""
        self.trainer.client.factory.delay = 16
        self.connect()
        self.assertEqual(self.trainer.client.factory.delay, 16)
        self.assertFalse(self.trainer.client.factory.reached)
        commits = self.commits()
        self.connection.dataReceived(encode(self.sync()) + b"\n")
        yield commits[0][1]
        self.assertEqual(self.trainer.client.factory.delay, self.trainer.client.factory.initialDelay)
        self.assertTrue(self.trainer.client.factory.reached)

    @inlineCallbacks
    def test_certificates(self) -> Any:
        """What no waiting mends about certificates ends the trainer, with the reason in one line."""
        for error, words in (
            (WRONG_CA, "not from the CA"),
            (VerificationError(errors=[]), "for another name"),
            (SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")]), "--client-cert"),
            (SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")]), "does not accept our client certificate"),
        ):
            yield self.begin()
            ended = self.trainer.ended
            self.connect()
            self.connection.connectionLost(Failure(error))
            failure = yield self.assertFailure(ended, TrainerFailed)
            self.assertIn(words, str(failure))
            self.assertEqual(len(str(failure).splitlines()), 1)

    @inlineCallbacks
    def test_untrustedAmongOthers(self) -> Any:
        """An untrusted hub is no reason to end while another address may be good; when each is, the line names all."""
        ended = self.trainer.ended
        factory = self.factory(A, B)
        factory.connect()
        self.meet(factory, WRONG_CA)
        self.attempts.advance(1)
        self.fail(factory)
        self.attempts.advance(1)
        self.meet(factory, WRONG_CA)
        self.attempts.advance(1)
        self.assertEqual(self.dialled, [A, B, A, B])
        self.assertFalse(ended.called)
        self.meet(factory, VerificationError(errors=[]))
        failure = yield self.assertFailure(ended, TrainerFailed)
        self.assertIn("a.test:6000 is not trusted: its certificate is not from the CA", str(failure))
        self.assertIn("b.test:6000 is not trusted: its certificate is for another name", str(failure))
        self.assertEqual(self.attempts.getDelayedCalls(), [])

    def test_trustedAgain(self) -> None:
        """An address that was not trusted and then is doesn't count as untrusted any more."""
        ended = self.trainer.ended
        factory = self.factory(A, B)
        factory.connect()
        self.meet(factory, WRONG_CA)
        self.attempts.advance(1)
        self.fail(factory)
        self.attempts.advance(1)
        self.meet(factory, None, greeted=True)
        self.attempts.advance(1)
        self.fail(factory)
        self.attempts.advance(1)
        self.assertEqual(factory.address, B)
        self.meet(factory, WRONG_CA)
        self.assertFalse(ended.called)
        factory.stopTrying()

    def test_noHub(self) -> None:
        """What ends a connection before it said what a hub says may be none; later it is a hub that was lost."""
        factory = self.factory()
        factory.connect()
        with capturedLogs() as events:
            self.meet(factory, SSL.Error([("SSL routines", "", "wrong version number")]))
        self.assertIn("Lost the hub at a.test:6000 before it said what a hub says", said := formatEvent(events[-1]))
        self.assertIn("Its default port is 6000", said)
        self.connect()
        beat = NetworkMessage("h1", "hub", MessageType.HEARTBEAT, rfc3339(0), encodePayload(Heartbeat(nonce="n")))
        self.connection.dataReceived(encode(beat) + b"\n")
        with capturedLogs() as events:
            self.connection.connectionLost(Failure(ConnectionDone()))
            factory.clientConnectionLost(cast(IConnector, None), Failure(ConnectionDone()))
        self.assertEqual(formatEvent(events[-1]), "Lost the hub at a.test:6000")
        factory.stopTrying()

    def test_turnedAway(self) -> None:
        """A hub that has greeted and now ends connections at once, such as a drained node, is not taken for none."""
        factory = self.factory()
        factory.connect()
        self.meet(factory, None, greeted=True)
        self.attempts.advance(1)
        with capturedLogs() as events:
            self.meet(factory, None)
        self.assertEqual(formatEvent(events[-1]), "The hub at a.test:6000 takes nobody now")
        factory.stopTrying()

    def test_othersMayPass(self) -> None:
        """Any other loss, also within TLS, is no reason to end."""
        for error in (ConnectionDone(), SSL.Error([("SSL routines", "", "wrong version number")]), SSL.Error()):
            self.connect()
            self.connection.connectionLost(Failure(error))
            self.assertFalse(self.trainer.ended.called)


class ConnectionTests(TrainerTestCase):
    def ping(self, **payload: Any) -> None:
        beat = NetworkMessage("h1", "hub", MessageType.HEARTBEAT, rfc3339(0), encodePayload(Heartbeat(**payload)))
        self.connection.dataReceived(encode(beat) + b"\n")

    def test_ping(self) -> None:
        """A ping is answered with its nonce; an answer is not answered."""
        self.connect()
        self.lines()
        self.ping(nonce=7)
        self.assertEqual([m.payload["reply_to"] for m in self.said(MessageType.HEARTBEAT)], [7])
        self.ping(reply_to=7)
        self.assertEqual(self.said(), [])

    def test_silence(self) -> None:
        """A hub that says nothing for long is taken for dead."""
        clock = Clock()
        self.trainer.client.factory._clock = clock
        self.connect()
        clock.advance(FIRST_WORD - 1)
        for _ in range(2):
            self.ping(nonce=1)
            clock.advance(SILENCE - 1)
        self.assertFalse(self.transport.disconnected)
        clock.advance(2)
        self.assertTrue(self.transport.disconnected)

    def test_neverAWord(self) -> None:
        """Whoever never says what a hub says is left sooner, for who may be one."""
        clock = Clock()
        self.trainer.client.factory._clock = clock
        self.connect()
        clock.advance(FIRST_WORD - 1)
        self.assertFalse(self.transport.disconnected)
        clock.advance(2)
        self.assertTrue(self.transport.disconnected)

    @inlineCallbacks
    def test_backPressure(self) -> Any:
        """Nothing more is read from the hub until what it sent is durable here."""
        self.connect()
        commits = self.commits()
        self.connection.dataReceived(encode(self.sync()) + b"\n")
        self.assertEqual(self.transport.producerState, "paused")
        yield commits[0][1]
        self.assertEqual(self.transport.producerState, "producing")

    def test_nonsense(self) -> None:
        """A line that is no message is passed over; the connection goes on."""
        self.connect()
        self.lines()
        self.connection.dataReceived(b"{}\nnot json\n")
        self.ping(nonce=1)
        self.assertEqual(len(self.said(MessageType.HEARTBEAT)), 1)


class StrangerTests(TrainerTestCase):
    """The hub is a stranger to a trainer."""

    def beat(self, **payload: Any) -> bytes:
        beat = NetworkMessage("h1", "hub", MessageType.HEARTBEAT, rfc3339(0), encodePayload(Heartbeat(**payload)))
        return encode(beat) + b"\n"

    def connectOnly(self) -> None:
        self.connect()
        self.lines()

    def test_longLine(self) -> None:
        """A line that is too long is skipped and told of; what comes behind it is heard, in the same connection."""
        self.connectOnly()
        long = b"x" * (AUTHENTICATED_LINE + 1) + b"\n"
        with capturedLogs() as logs:
            self.connection.dataReceived(long + self.beat(nonce=1))
        self.assertEqual([m.payload["reply_to"] for m in self.said(MessageType.HEARTBEAT)], [1])
        self.assertFalse(self.transport.disconnecting or self.transport.disconnected)
        said = [formatEvent(event) for event in logs]
        self.assertEqual(sum("a line over 1048576 bytes, which is skipped" in (line or "") for line in said), 1)
        with capturedLogs() as logs:
            for _ in range(300):
                self.connection.dataReceived(long)
        self.assertLessEqual(len(logs), 100)

    @inlineCallbacks
    def test_longGreeting(self) -> Any:
        """Where the answer to our hello is too long the trainer is not locked out: it says and hears all else."""
        changes = Changes()
        self.trainer.outbox.say(MessageType.CODE_SHARE, CodeShare(CodeBlock("a")), changes)
        yield self.trainer.outbox.commit(changes)
        self.connectOnly()
        self.connection.dataReceived(b"x" * (AUTHENTICATED_LINE + 1) + b"\n")
        self.assertTrue(self.connection.greeted)
        self.assertEqual([m.payload["code"]["id"] for m in self.said(MessageType.CODE_SHARE)], ["a"])
        pattern = {"pattern": {"id": "p1", "type": "loop", "confidence": 0.5}}
        yield self.hear(self.message(MessageType.PATTERN_SHARE, pattern))
        self.assertEqual(list(self.trainer.knowledge.patterns), [("AI_2", "p1")])

    def test_unreadAnswers(self) -> None:
        """While the hub reads nothing its pings are not answered; when it reads again the last one is."""
        self.connectOnly()
        producer: Any = self.transport.producer
        producer.pauseProducing()
        for nonce in range(1000):
            self.connection.dataReceived(self.beat(nonce=nonce))
        self.assertEqual(self.lines(), [])
        producer.resumeProducing()
        self.connection.dataReceived(self.beat(nonce=7))
        self.assertEqual([m.payload["reply_to"] for m in self.said()], [999, 7])
        producer.pauseProducing()
        producer.resumeProducing()
        self.assertEqual(self.lines(), [])

    def test_neverReads(self) -> None:
        """A hub that reads nothing and lets us say ever more is left."""
        self.connectOnly()
        self.patch(protocol, "MAX_UNREAD", 1000)
        producer: Any = self.transport.producer
        producer.pauseProducing()
        self.connection.sendLines([b"x" * 1000])
        self.assertFalse(self.transport.disconnected)
        self.connection.sendLines([b"x"])
        self.assertTrue(self.transport.disconnected)

    def test_longNonce(self) -> None:
        """A nonce comes back as it is, but for one that is longer than any that is of use."""
        self.connectOnly()
        for length, answered in ((protocol.MAX_NONCE - 2, 1), (protocol.MAX_NONCE - 1, 0)):
            self.connection.dataReceived(self.beat(nonce="n" * length))
            self.assertEqual(len(self.said()), answered, length)

    def test_words(self) -> None:
        """What the hub sends in place of a message shows in the log without what moves a cursor or turns text."""
        self.connectOnly()
        with capturedLogs() as logs:
            bad = encode(NetworkMessage("h1", "hub", MessageType.HEARTBEAT, rfc3339(0), {}))
            self.connection.dataReceived(bad.replace(b"heartbeat", "\\u001b[2J\u202e".encode()) + b"\n")
        (said,) = [formatEvent(event) or "" for event in logs]
        self.assertIn("the hub sent what is no message", said)
        self.assertTrue(said.isprintable(), said)

    def test_impossible(self) -> None:
        """What no hub says is no message: a sender that is no id, a position outside of any log."""
        good: dict[str, Any] = {"sender_id": "hub", "seq": 5}
        for field, value in (("sender_id", "\x1b"), ("sender_id", "x" * 65), ("seq", -1), ("seq", 1 << 63)):
            said = {**good, field: value}
            line = encode(NetworkMessage("h", str(said["sender_id"]), MessageType.HEARTBEAT, rfc3339(0), {}))
            problem = self.assertRaises(WireProblem, decodeFromHub, withSeq(line, said["seq"]))
            self.assertIn(field, problem.message)
        line = encode(NetworkMessage("h", "AI_2", MessageType.HEARTBEAT, rfc3339(0), {}))
        self.assertEqual(decodeFromHub(withSeq(line, (1 << 63) - 1)).seq, (1 << 63) - 1)


class AddressTests(SynchronousTestCase):
    def test_parse(self) -> None:
        """An address is host:port, an IPv6 one in brackets; its string is what was parsed."""
        for text, host in (("localhost:6000", "localhost"), ("192.0.2.7:1", "192.0.2.7"), ("[::1]:65535", "::1")):
            self.assertEqual(parseAddress(text).host, host)
            self.assertEqual(str(parseAddress(text)), text)

    def test_bad(self) -> None:
        """Anything else is refused with what would be right."""
        for text in ("localhost", "localhost:", ":6000", "localhost:0", "localhost:65536", "localhost:x", ""):
            self.assertIn("host:port", str(self.assertRaises(ValueError, parseAddress, text)))

    def test_repeated(self) -> None:
        """An address that is given twice is tried once in a round."""
        self.assertEqual(AddressRotation([A, B, A]).addresses, [A, B])
