"""Connecting again: jittered, patient with what may pass, and final with what may not."""

import random
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from kernelnet.message import Heartbeat, MessageType, NetworkMessage
from kernelnet.trainer.factory import TrainerFactory
from kernelnet.trainer.protocol import SILENCE
from kernelnet.trainer.service import TrainerFailed
from kernelnet.wire import encode, encodePayload, rfc3339
from tests.trainer.support import TrainerTestCase


class Connector:
    def __init__(self) -> None:
        self.attempts = 0

    def connect(self) -> None:
        self.attempts += 1

    def stopConnecting(self) -> None:
        pass


class ReconnectTests(TrainerTestCase):
    def factory(self) -> TrainerFactory:
        self.clock = Clock()
        factory = TrainerFactory(self.trainer, "hub:1", self.clock)
        factory._random = random.Random(1)
        return factory

    def test_fullJitter(self) -> None:
        """Each pause is drawn evenly from nothing to a bound that doubles up to a limit."""
        factory, connector = self.factory(), Connector()
        drawn = []

        class Noted(random.Random):
            def uniform(self, a: float, b: float) -> float:
                drawn.append((a, b))
                return b

        factory._random = Noted()
        for _ in range(9):
            factory.retry(connector)
            self.clock.advance(30)
        self.assertEqual([b for _, b in drawn], [0.5, 1, 2, 4, 8, 16, 30, 30, 30])
        self.assertEqual({a for a, _ in drawn}, {0})
        self.assertEqual(connector.attempts, 9)

    def test_noDelayedCallsLeft(self) -> None:
        """A factory that is told to stop waits for nothing."""
        factory, connector = self.factory(), Connector()
        factory.retry(connector)
        factory.stopTrying()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @inlineCallbacks
    def test_delayResetsWithTheGreeting(self) -> Any:
        """The pause starts small again only after the hub's first valid answer, not with a mere connection."""
        self.trainer.factory.delay = 16
        self.connect()
        self.assertEqual(self.trainer.factory.delay, 16)
        commit = self.trainer.store.commit
        done = []

        def noted(changes: Any) -> Any:
            done.append(commit(changes))
            return done[-1]

        self.patch(self.trainer.store, "commit", noted)
        self.connection.dataReceived(encode(self.sync()) + b"\n")
        yield done[0]
        self.assertEqual(self.trainer.factory.delay, self.trainer.factory.initialDelay)

    @inlineCallbacks
    def test_certificates(self) -> Any:
        """A certificate of another CA or for another name ends the trainer, with the reason in one line."""
        wrongCA = SSL.Error([("SSL routines", "", "certificate verify failed")])
        for error, words in ((wrongCA, "not from the CA"), (VerificationError(errors=[]), "for another name")):
            yield self.begin()
            ended = self.trainer.ended
            self.connect()
            self.connection.connectionLost(Failure(error))
            failure = yield self.assertFailure(ended, TrainerFailed)
            self.assertIn(words, str(failure))
            self.assertEqual(len(str(failure).splitlines()), 1)

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
        self.trainer.factory._clock = clock
        self.connect()
        clock.advance(SILENCE - 1)
        self.ping(nonce=1)
        clock.advance(SILENCE - 1)
        self.assertFalse(self.transport.disconnected)
        clock.advance(2)
        self.assertTrue(self.transport.disconnected)

    @inlineCallbacks
    def test_backPressure(self) -> Any:
        """Nothing more is read from the hub until what it sent is durable here."""
        self.connect()
        commit = self.trainer.store.commit
        done = []

        def noted(changes: Any) -> Any:
            done.append(commit(changes))
            return done[-1]

        self.patch(self.trainer.store, "commit", noted)
        self.connection.dataReceived(encode(self.sync()) + b"\n")
        self.assertEqual(self.transport.producerState, "paused")
        yield done[0]
        self.assertEqual(self.transport.producerState, "producing")

    def test_nonsense(self) -> None:
        """A line that is no message is passed over; the connection goes on."""
        self.connect()
        self.lines()
        self.connection.dataReceived(b"{}\nnot json\n")
        self.ping(nonce=1)
        self.assertEqual(len(self.said(MessageType.HEARTBEAT)), 1)
