"""A hub that has not started yet, as a balancer sees it."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from kernelnet.hub.web.connection_limits import LimitingFactory
from kernelnet.hub.web.readiness import Starting
from kernelnet.identity import KeyAndChain, ReplaceableTLS, StateDirectory
from tests.hub.support import Transport


class TcpTransport(Transport):
    def setTcpNoDelay(self, enabled: bool) -> None:
        """A site's connections ask for it."""


class StartingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.starting = Starting(TCP4ServerEndpoint(self.reactor, 6080, interface="127.0.0.1"))

    def ask(self, path: str) -> bytes:
        (_, factory, *_), *_ = self.reactor.tcpServers
        transport = Transport()
        channel = factory.buildProtocol(transport.getPeer())
        assert channel is not None
        channel.makeConnection(transport)
        channel.dataReceived(f"GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".encode())
        channel.connectionLost(Failure(ConnectionDone()))
        return bytes(transport.value())

    def test_answers(self) -> None:
        """It is alive and not ready, with the one word; all else isn't there yet either; then the port is free."""
        self.successResultOf(self.starting.start())
        self.assertTrue(self.ask("/livez").startswith(b"HTTP/1.1 200 "))
        for path in ("/readyz", "/", "/api/status", "/metrics"):
            answer = self.ask(path)
            self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), path)
            self.assertTrue(answer.endswith(b"not ready: starting\n"), path)
        self.successResultOf(self.starting.stop())
        self.successResultOf(self.starting.stop())

    def test_taken(self) -> None:
        """Where the port is taken it says nothing: the dashboard will."""
        self.reactor.listenTCP = lambda *args, **options: _taken()  # type: ignore[method-assign]
        self.successResultOf(self.starting.start())
        self.successResultOf(self.starting.stop())


class HandshakeTests(SynchronousTestCase):
    def test_browser(self) -> None:
        """Who offers HTTP/2 first, as browsers and curl do, gets HTTP/1.1 over TLS."""
        state = StateDirectory(Path(self.mktemp()))
        state.open()
        state.prepareHub([], datetime.now(UTC))
        factory = LimitingFactory(Site(Resource()))
        tls = ReplaceableTLS(KeyAndChain.ofState(state).serverOptions(None))
        server = TLSMemoryBIOFactory(tls, False, factory, Clock()).buildProtocol(None)
        transport = TcpTransport()
        server.makeConnection(transport)
        context = ssl.create_default_context(cafile=str(state.caCertificate))
        context.set_alpn_protocols(["h2", "http/1.1"])
        fromServer, toServer = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(fromServer, toServer, server_hostname="localhost")
        for _ in range(3):
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
            if said := toServer.read():
                server.dataReceived(said)
            fromServer.write(transport.value())
            transport.clear()
        self.assertEqual(client.selected_alpn_protocol(), "http/1.1")
        server.connectionLost(Failure(ConnectionDone()))


def _taken() -> None:
    raise CannotListenError("127.0.0.1", 6080, OSError("in use"))
