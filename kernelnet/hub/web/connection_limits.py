"""
Connections that the dashboard's port keeps, and how long it waits for a request.

The rules of the main port (`kernelnet.hub.connection.rate_limits.ConnectionLimiter`) with numbers of its own: whoever
floods this port, or sends requests by the byte, takes neither the files that the main port's connections need nor the
place of those who look.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, ITransport
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request
from twisted.web.server import Site
from zope.interface import implementer, provider

from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.rate_limits import ConnectionLimiter, addressKey

__all__ = ["BOUNDS", "REQUEST_WITHIN", "LimitingFactory", "proved"]

BOUNDS = Bounds(connections=512, connectionsPerAddress=128, pending=256, pendingPerAddress=64)
"""``pending`` are those of whom no request was allowed yet: when there are too many, the oldest of them goes."""
REQUEST_WITHIN = 15.0
"""Seconds from a connection's begin, or from the last answer, until the next request must be there, all of it."""


@provider(ILogObserver)
def _nobody(event: LogEvent) -> None:
    pass


class _Channel(HTTPChannel):
    # Connections that are closed for having nothing to ask are not worth a line each.
    _log = Logger(observer=_nobody)

    def resetTimeout(self) -> None:
        """Bytes alone buy no time: only a request that is complete does."""


class _LimitedConnection(ProtocolWrapper):
    """One connection."""

    factory: LimitingFactory

    def makeConnection(self, transport: ITransport) -> None:
        super().makeConnection(transport)
        oldest = self.factory.limiter.entered(self, _key(transport.getPeer()))
        if oldest is not None:
            oldest.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.factory.limiter.left(self)
        super().connectionLost(reason)


@implementer(IProtocolNegotiationFactory)
class LimitingFactory(WrappingFactory):
    """
    All connections to one site.

    @ivar limiter: who is in.
    """

    noisy = False
    protocol = _LimitedConnection

    def __init__(self, site: Site, bounds: Bounds = BOUNDS) -> None:
        super().__init__(site)
        self.limiter: ConnectionLimiter[_LimitedConnection] = ConnectionLimiter(bounds)
        makeChannel: Callable[[], Any] = _Channel
        site.protocol = makeChannel  # type: ignore[method-assign]
        site.timeOut = REQUEST_WITHIN

    def acceptableProtocols(self) -> list[bytes]:
        """As the site has them: a browser or curl offers others, too, and without a choice its handshake fails."""
        site: Any = self.wrappedFactory
        found: list[bytes] = site.acceptableProtocols()
        return found

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return super().buildProtocol(addr) if self.limiter.admits(_key(addr)) else None


def proved(request: Request) -> None:
    """The one who sent it may look: its connection doesn't go for others."""
    connection: Any = getattr(request.channel, "transport", None)
    if isinstance(connection, _LimitedConnection):
        connection.factory.limiter.proved(connection)


def _key(address: IAddress | None) -> str:
    """The network that an address counts as one of; nothing for this machine's own: a proxy there stands for many."""
    host = getattr(address, "host", None)
    key = addressKey(host)
    return "" if not key or ip_address(str(host).partition("%")[0]).is_loopback else key
