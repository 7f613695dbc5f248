"""
Turns of TLS handshakes: so many are under way at once, and the others wait.

A connection that has only been accepted costs the hub a few kilobytes; from its ClientHello to the end of the handshake
OpenSSL needs 54 KB for it (measured: 17 for the connection's object, 36 for keys and buffers).  So the object is made
when it is the connection's turn, in the order in which they began to speak.  Nobody loses a place by waiting; but while
others wait, who has taken longer than `PATIENCE` for a handshake has to go.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["AT_ONCE", "PATIENCE", "HandshakeTurns", "Waiting"]

AT_ONCE = 1000
"""
Maximum number of handshakes that are under way: 54 MB.  As many as may be unauthenticated have had their turn within
4 s, which is less than the time to authenticate.
"""
PATIENCE = 1.0
"""Seconds that a handshake may take while others wait: many times the longest round trip between two continents."""


class Waiting(Protocol):
    """A connection that has begun to speak."""

    def beginTLS(self) -> None:
        """It is its turn."""

    def abortConnection(self) -> None:
        """It has to go."""


class HandshakeTurns:
    """
    Account of who is in a handshake, and who waits for one.

    @ivar displaced: number of those that had to go since the start, as they took too long while others waited.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        # Dicts, since they keep the order: the first is the oldest.
        self._underWay: dict[Waiting, float] = {}
        self._waiting: dict[Waiting, None] = {}
        self._timer: IDelayedCall | None = None
        self.displaced = 0

    def __repr__(self) -> str:
        return f"<HandshakeTurns {len(self._underWay)} under way, {len(self._waiting)} waiting>"

    def enter(self, connection: Waiting) -> None:
        """Its handshake begins now, or when it is its turn."""
        self._waiting[connection] = None
        self._next()

    def leave(self, connection: Waiting) -> None:
        """Its handshake is over, or it is gone; whoever is not here may be named, too."""
        self._waiting.pop(connection, None)
        if self._underWay.pop(connection, None) is not None:
            self._next()

    def _next(self) -> None:
        while self._waiting and len(self._underWay) < AT_ONCE:
            connection = next(iter(self._waiting))
            del self._waiting[connection]
            self._underWay[connection] = self._clock.seconds()
            connection.beginTLS()
        if self._waiting and self._underWay and self._timer is None:
            left = next(iter(self._underWay.values())) + PATIENCE - self._clock.seconds()
            self._timer = self._clock.callLater(max(0.0, left), self._findLate)

    def _findLate(self) -> None:
        now = self._clock.seconds()
        late = [connection for connection, since in self._underWay.items() if since + PATIENCE <= now]
        # What has come of them meanwhile is read first: it may be the hub that is slow.
        self._timer = self._clock.callLater(0, self._displace, late)

    def _displace(self, late: list[Waiting]) -> None:
        self._timer = None
        now = self._clock.seconds()
        there = [connection for connection in late if connection in self._underWay]
        for connection in there[: len(self._waiting)]:
            # It keeps its place until it is gone, with all that OpenSSL has for it.
            del self._underWay[connection]
            self._underWay[connection] = now
            self.displaced += 1
            connection.abortConnection()
        self._next()
