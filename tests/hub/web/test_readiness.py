"""A hub that has not started yet, as a balancer sees it."""

from __future__ import annotations

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.web.readiness import Starting
from tests.hub.support import Transport


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


def _taken() -> None:
    raise CannotListenError("127.0.0.1", 6080, OSError("in use"))
