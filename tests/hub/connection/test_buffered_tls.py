"""The hub's TLS port with real sockets: whatever is written arrives, in order, and closing is as with Twisted's own."""

from __future__ import annotations

import contextlib
import gc
import ssl
import tempfile
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from kernelnet.hub.connection import buffered_tls, handshake_turns
from kernelnet.hub.connection.buffered_tls import BufferedTLS, BufferedTLSEndpoint, BufferedTLSFactory
from kernelnet.hub.connection.handshake_turns import HandshakeTurns
from kernelnet.identity import StateDirectory, clientTLS, serverTLS

reactor: Any = _reactor


@implementer(IPushProducer)
class Recorder(Protocol):
    """One end: what it got, and how it ended."""

    transport: Any

    def __init__(self) -> None:
        self.data = b""
        self.pieces = 0
        self.ended: Deferred[BaseException | None] = Deferred()
        self.made: Deferred[Recorder] = Deferred()
        self.calls: list[str] = []
        self._wanted: list[tuple[int, Deferred[bytes]]] = []

    def connectionMade(self) -> None:
        self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.pieces += bool(data)
        for size, waiting in self._wanted[:]:
            if len(self.data) >= size:
                self._wanted.remove((size, waiting))
                waiting.callback(self.data)

    def got(self, size: int) -> Deferred[bytes]:
        """Fires when so much has come."""
        waiting: Deferred[bytes] = Deferred()
        self._wanted.append((size, waiting))
        self.dataReceived(b"")
        return waiting

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.ended.callback(reason.value)

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class Early(Recorder):
    """Speaks before the handshake is done."""

    def connectionMade(self) -> None:
        for piece in (b"early ", b"x" * 100_000, b" late"):
            self.transport.write(piece)
        super().connectionMade()


class BufferedTLSTests(TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = StateDirectory(Path(folder.name) / "state")
        self.state.open()
        self.state.prepareHub([], datetime.now(UTC))

    async def connect(self, serverClass: type[Recorder] = Recorder) -> tuple[Recorder, Recorder]:
        """The hub's end and the client's, connected."""
        server = serverClass()
        factory = Factory.forProtocol(lambda: server)
        listening = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        endpoint = BufferedTLSEndpoint(listening, serverTLS(self.state), reactor)
        port: Any = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        client = Recorder()
        tcp = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await connectProtocol(wrapClientTLS(clientTLS("localhost", self.state.caCertificate), tcp), client)
        await server.made
        self.assertIsInstance(server.transport, BufferedTLS)
        return server, client

    async def close(self, *ends: Recorder) -> None:
        for end in ends:
            end.transport.loseConnection()
        await gatherResults([end.ended for end in ends])

    async def test_large(self) -> None:
        """A write far larger than what a socket takes at once arrives as it was, and so does what is behind it."""
        server, client = await self.connect()
        data = bytes(range(256)) * 20_000
        server.transport.write(data)
        server.transport.write(b"the end")
        self.assertEqual(await client.got(len(data) + 7), data + b"the end")
        await self.close(server, client)

    async def test_order(self) -> None:
        """Small and large writes arrive in order, whatever waits for the reactor meanwhile."""
        server, client = await self.connect()
        client.transport.write(b"hello")
        await server.got(5)
        pieces = [bytes([i]) * size for i, size in enumerate((1, 70_000, 3, 200_000, 16_384, 16_385, 0, 65_536, 2) * 5)]
        for i, piece in enumerate(pieces):
            server.transport.write(piece)
            if i % 7 == 0:
                await deferLater(reactor, 0, lambda: None)
        whole = b"".join(pieces)
        self.assertEqual(await client.got(len(whole)), whole)
        await self.close(server, client)

    async def test_manyRecords(self) -> None:
        """What a peer sends line by line comes in few pieces, all of it and in order, also right before its goodbye."""
        server, client = await self.connect()
        lines = [b"%d\n" % i for i in range(2000)]
        for line in lines:
            TLSMemoryBIOProtocol.write(client.transport, line)  # each a record of its own
        client.transport.loseConnection()
        self.assertIsInstance(await server.ended, ConnectionDone)
        self.assertEqual(server.data, b"".join(lines))
        self.assertLess(server.pieces, 500)
        await client.ended

    async def test_beforeTheHandshake(self) -> None:
        """What is written before the handshake is done goes out after it."""
        server, client = await self.connect(Early)
        self.assertEqual(await client.got(100_011), b"early " + b"x" * 100_000 + b" late")
        await self.close(server, client)

    async def test_silent(self) -> None:
        """Who has not spoken has no TLS object; who waits for its turn neither, and is cut when it says too much."""
        self.patch(handshake_turns, "AT_ONCE", 0)
        made: list[str] = []
        turns = HandshakeTurns(Clock())
        factory = BufferedTLSFactory(serverTLS(self.state), Factory.forProtocol(Recorder), turns)
        self.patch(factory, "makeTLS", made.append)
        for words, cut in ((b"x" * 4096, False), (b"x" * 4097, True)):
            protocol: Any = factory.buildProtocol(None)
            transport = StringTransport()
            protocol.makeConnection(transport)
            for part in (words[:3000], words[3000:]):
                protocol.dataReceived(part)
            self.assertEqual(transport.disconnecting, cut)
            protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(made, [])
        self.assertEqual(repr(turns), "<HandshakeTurns 0 under way, 0 waiting>")

    async def test_noCycle(self) -> None:
        """What OpenSSL has for a handshake that is cut is gone at once, without a collection of garbage."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=str(self.state.caCertificate))
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        factory = BufferedTLSFactory(serverTLS(self.state), Factory.forProtocol(Protocol), HandshakeTurns(Clock()))
        protocol: Any = factory.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(outgoing.read())
        held = weakref.ref(protocol._tlsConnection)
        gc.disable()
        self.addCleanup(gc.enable)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertIsNone(held())

    async def test_backPressure(self) -> None:
        """A producer is paused while the peer doesn't read, and goes on when it does; nothing is lost."""
        server, client = await self.connect()
        server.transport.registerProducer(server, True)
        client.transport.write(b"hello")
        await server.got(5)
        client.transport.pauseProducing()
        written = 0
        while "pause" not in server.calls:
            self.assertLess(written, 100_000_000)
            server.transport.write(b"x" * 200_000)
            written += 200_000
            await deferLater(reactor, 0, lambda: None)
        self.assertNotIn("resume", server.calls)
        client.transport.resumeProducing()
        await client.got(written)
        self.assertEqual(server.calls[:2], ["pause", "resume"])
        server.transport.unregisterProducer()
        await self.close(server, client)

    async def test_closeAfterWrite(self) -> None:
        """What was written before the end arrives before the end, and the end is a clean one."""
        server, client = await self.connect()
        client.transport.write(b"hello")
        await server.got(5)
        server.transport.write(b"x" * 3_000_000)
        server.transport.loseConnection()
        server.transport.write(b"too late")
        self.assertIsInstance(await client.ended, ConnectionDone)
        self.assertEqual(len(client.data), 3_000_000)
        self.assertIsInstance(await server.ended, ConnectionDone)

    async def test_peerCloses(self) -> None:
        """A peer that says goodbye first gets it back, and both ends are clean."""
        server, client = await self.connect()
        server.transport.write(b"x" * 100_000)
        await client.got(100_000)
        client.transport.loseConnection()
        for end in (server, client):
            self.assertIsInstance(await end.ended, ConnectionDone)

    async def test_truncated(self) -> None:
        """A connection that ends without goodbye is lost, not done; what is written then goes nowhere."""
        server, client = await self.connect()
        client.transport.write(b"hello")
        await server.got(5)
        client.transport.abortConnection()
        self.assertNotIsInstance(await server.ended, ConnectionDone)
        server.transport.write(b"x" * 100_000)
        await client.ended

    async def test_lostWhileWriting(self) -> None:
        """A peer that vanishes while much is on its way ends the connection, and no write raises."""
        server, client = await self.connect()
        client.transport.write(b"hello")
        await server.got(5)
        client.transport.pauseProducing()
        for _ in range(20):
            server.transport.write(b"x" * 300_000)
        client.transport.abortConnection()
        for _ in range(20):
            server.transport.write(b"x" * 300_000)
            await deferLater(reactor, 0, lambda: None)
        self.assertNotIsInstance(await server.ended, ConnectionDone)
        await client.ended

    async def test_abort(self) -> None:
        """abortConnection ends it at once, whatever is still to be sent."""
        server, client = await self.connect()
        client.transport.write(b"hello")
        await server.got(5)
        client.transport.pauseProducing()
        server.transport.write(b"x" * 10_000_000)
        server.transport.abortConnection()
        await server.ended
        client.transport.resumeProducing()
        await client.ended
        self.assertLess(len(client.data), 10_000_000)

    async def test_smallBuffers(self) -> None:
        """Between OpenSSL and the socket no more than a slice is held, and nothing stays there."""
        server, client = await self.connect()
        client.transport.write(b"hello")
        await server.got(5)
        sizes: list[int] = []
        toSocket = server.transport._toSocket

        def spy(data: bytes) -> None:
            sizes.append(len(data))
            toSocket(data)

        self.patch(server.transport, "_toSocket", spy)
        before = server.transport._tlsConnection._from_ssl
        server.transport.write(b"x" * 300_000)
        self.assertLess(max(sizes), buffered_tls.SLICE + 1000)
        self.assertGreater(sum(sizes), 300_000)
        self.assertIsNot(server.transport._tlsConnection._from_ssl, before)
        await client.got(300_000)
        await self.close(server, client)
