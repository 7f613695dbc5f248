"""The connection to the hub as a whole: credentials that go, and hubs in trouble."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.identity import StateDirectory
from kernelnet.message import MessageType, NetworkMessage
from kernelnet.trainer.connection.client import LOOK_AGAIN, HubClient
from kernelnet.trainer.connection.config import TrainerConfig
from kernelnet.trainer.connection.credentials import Credentials
from kernelnet.trainer.connection.interfaces import Connection
from kernelnet.trainer.errors import TrainerFailed
from kernelnet.wire import encode, rfc3339
from tests.trainer.support import TrainerTestCase

T = MessageType


class ClientTests(TrainerTestCase):
    @inlineCallbacks
    def test_tokenIsGone(self) -> Any:
        """A token that can't be read any more when the trainer reconnects ends it, with the reason."""
        self.state.joinToken.unlink()
        ended = self.trainer.ended
        self.connect()
        self.assertEqual(self.lines(), [])
        failure = yield self.assertFailure(ended, TrainerFailed)
        self.assertIn("join.token", str(failure))

    @inlineCallbacks
    def test_fullHubIsLeftAlone(self) -> Any:
        """After a retry error the next attempt waits as long as after many failures, though the hub had greeted us."""
        self.connect()
        yield self.hear(self.sync())
        error = {"code": "storage_full", "message": "full", "class": "retry"}
        yield self.hear(self.message(T.ERROR, error, sender="hub", logged=False))
        self.assertEqual(self.trainer.client.factory.delay, self.trainer.client.factory.maxDelay)


class Served:
    """A `ConnectionHandler` that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def openingLines(self, connection: Connection) -> list[bytes]:
        return [b"hello"]

    def received(self, batch: Sequence[NetworkMessage], connection: Connection) -> Deferred[None]:
        self.told.append([message.message_type for message in batch])
        return succeed(None)

    def skipped(self) -> None:
        self.told.append("skipped")

    def lost(self) -> None:
        self.told.append("lost")

    def refused(self, reason: str) -> None:
        self.told.append(reason)


class AloneTests(SynchronousTestCase):
    """The client without a trainer: all that it knows of whom it serves is a `ConnectionHandler`."""

    def setUp(self) -> None:
        path = Path(self.mktemp())
        path.mkdir(mode=0o700)
        self.state = StateDirectory(path)
        self.handler = Served()
        self.reactor = MemoryReactorClock()

    def client(self, **fields: Any) -> HubClient:
        config = TrainerConfig("AI_1", self.state, **fields)
        credentials = Credentials(config, self.state.trainer("AI_1"))
        return HubClient(config, credentials, self.reactor, self.handler)

    def test_waitsForAHub(self) -> None:
        """Where a hub's first start has still to make CA and token it looks again and again, then connects."""
        client = self.client()
        client.start()
        self.reactor.advance(LOOK_AGAIN)
        self.assertEqual((self.reactor.sslClients, self.handler.told), ([], []))
        self.state.prepareHub([], datetime.now(UTC))
        self.reactor.advance(LOOK_AGAIN)
        self.assertEqual([(host, port) for host, port, *_ in self.reactor.sslClients], [("localhost", 6000)])

    def test_stopsWaiting(self) -> None:
        """A client that is told to stop looks no more."""
        client = self.client()
        client.start()
        client.close()
        self.state.prepareHub([], datetime.now(UTC))
        self.reactor.advance(2 * LOOK_AGAIN)
        self.assertEqual((self.reactor.sslClients, self.reactor.getDelayedCalls()), ([], []))

    def test_refused(self) -> None:
        """What is given and can't be used is a reason for whom it serves to end."""
        self.state.prepareHub([], datetime.now(UTC))
        self.client(tokenFile=Path("nowhere")).start()
        (reason,) = self.handler.told
        self.assertIn("nowhere", str(reason))
        self.assertEqual(self.reactor.sslClients, [])

    def test_conversation(self) -> None:
        """It says the handshake, then what the handler begins with, hands over what comes, and tells of the end."""
        client = self.client(token="mine")
        protocol = client.factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        self.addCleanup(protocol.setTimeout, None)
        self.assertEqual(transport.value().split(b"\n"), [b'{"ai_id":"AI_1","token":"mine"}', b"hello", b""])
        self.assertEqual((client.isOnline, client.isGreeted, protocol.isCurrent), (True, False, True))
        sync = {"log_id": "L", "seq": 0, "resumed": False, "active_ais": []}
        line = encode(NetworkMessage("m", "hub", MessageType.TRAINING_SYNC, rfc3339(0), sync))
        protocol.dataReceived(line + b"\n")
        self.assertTrue(client.isGreeted)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.handler.told, [[MessageType.TRAINING_SYNC], "lost"])
        self.assertEqual((client.isOnline, protocol.isCurrent), (False, False))

    def test_closedForGood(self) -> None:
        """A connection that was closed from here is current no more, though it may still hear something."""
        client = self.client(token="mine")
        protocol = client.factory.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        self.addCleanup(protocol.setTimeout, None)
        client.close()
        self.assertFalse(protocol.isCurrent)
