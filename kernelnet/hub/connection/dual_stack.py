"""
The hub's port for IPv4 and for IPv6, two sockets with the same number.

One socket for both would show every IPv4 peer as C{::ffff:…}, and there are machines without IPv6: there the hub
listens for IPv4 alone.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from zope.interface import implementer

__all__ = ["DualStackEndpoint"]

LOOPBACK = {"127.0.0.1": "::1"}


@implementer(IListeningPort)
class _Both:
    """Two ports as one; its address is the IPv4 one's."""

    def __init__(self, first: IListeningPort, second: IListeningPort) -> None:
        self._ports = (first, second)

    def startListening(self) -> None:
        """They do, already."""

    def stopListening(self) -> Deferred[None]:
        ended = gatherResults([maybeDeferred(port.stopListening) for port in self._ports])
        return ended.addCallback(lambda _: None)

    def getHost(self) -> IAddress:
        return self._ports[0].getHost()


@implementer(IStreamServerEndpoint)
class DualStackEndpoint:
    """A TCP port of this machine, of all its addresses or of its own alone."""

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, reactor: Any, port: int, backlog: int, interface: str = "") -> None:
        """@param interface: C{""} or C{"127.0.0.1"}; the other family's address is the like of it."""
        self._reactor = reactor
        self._backlog = backlog
        self._other = LOOPBACK.get(interface, "::")
        self._first = TCP4ServerEndpoint(reactor, port, backlog, interface)

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See C{IStreamServerEndpoint.listen}; fails as IPv4 does."""
        listening: Deferred[IListeningPort] = self._first.listen(factory)
        return listening.addCallback(self._also, factory)

    def _also(self, first: IListeningPort, factory: IProtocolFactory) -> IListeningPort:
        number = getattr(first.getHost(), "port", 0)
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as made:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.setblocking(False)
                made.bind((self._other, number))
                made.listen(self._backlog)
                second = self._reactor.adoptStreamPort(made.fileno(), socket.AF_INET6, factory)
        except OSError as error:
            self.log.info(
                "not listening on port {port} for IPv6: {error}", port=number, error=error.strerror or str(error)
            )
            return first
        return _Both(first, second)
