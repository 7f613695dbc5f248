"""Options of sockets, and how many files a process may open."""

from __future__ import annotations

import resource
import socket

from twisted.internet.interfaces import ITCPTransport
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.sockets import TurnedAway, setUpSocket, withinDescriptors
from tests.hub.support import Transport


@implementer(ITCPTransport)
class TCP(StringTransport):
    """@ivar options: what was set."""

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[object, object] = {}
        self.socket = self

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.options["noDelay"] = enabled

    def getTcpNoDelay(self) -> bool:
        return bool(self.options.get("noDelay"))

    def getTcpKeepAlive(self) -> bool:
        return bool(self.options.get("keepAlive"))

    def loseWriteConnection(self) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.options["keepAlive"] = enabled

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value


class SocketTests(SynchronousTestCase):
    def test_options(self) -> None:
        """Small lines go out at once, and a dead peer is found within two minutes."""
        transport = TCP()
        setUpSocket(transport)
        self.assertEqual((transport.getTcpNoDelay(), transport.getTcpKeepAlive()), (True, True))
        self.assertEqual(transport.options[socket.IPPROTO_TCP, socket.TCP_KEEPIDLE], 60)
        self.assertEqual(transport.options[socket.IPPROTO_TCP, socket.TCP_KEEPINTVL], 15)
        self.assertEqual(transport.options[socket.IPPROTO_TCP, socket.TCP_KEEPCNT], 4)

    def test_others(self) -> None:
        """A transport that is no TCP is left as it is."""
        setUpSocket(StringTransport())

    def test_turnedAway(self) -> None:
        """Who is turned away is cut with nothing said."""
        transport = Transport()
        TurnedAway().makeConnection(transport)
        self.assertEqual((transport.aborted, transport.value()), (True, b""))

    def test_descriptors(self) -> None:
        """The process raises its limit of open files; what that does not allow is no bound."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        self.assertEqual(withinDescriptors(Bounds(connections=10)).connections, 10)
        self.assertGreater(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 256)
        if before[1] != resource.RLIM_INFINITY:
            self.assertEqual(withinDescriptors(Bounds(connections=10**9)).connections, before[1] - 64)
