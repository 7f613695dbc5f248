"""
Who may come in, and how fast: `kernelnet.hub.connection.limits` applied to connections.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection.limits import Attempts, Bounds, Door, Pace, Verdict, addressKey
from kernelnet.message import Handshake
from kernelnet.wire import WireProblem

if TYPE_CHECKING:
    from kernelnet.hub.connection.protocol import HubProtocol

__all__ = ["Gate", "TurnedAway", "setUpSocket", "withinDescriptors"]

OWN_DESCRIPTORS = 64
"""What the hub needs itself: database, log, control connections."""


def setUpSocket(transport: Any) -> None:
    """Send small lines at once, and find a dead peer within minutes: the system's default is two hours."""
    if not ITCPTransport.providedBy(transport):
        return
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    handle = getattr(transport, "socket", None)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if handle is not None and hasattr(socket, option):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


class TurnedAway(Protocol):
    """A connection that there is no room for.  It ends before TLS: a handshake would cost what shall be saved."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.abortConnection()


class Gate:
    """
    @ivar pace: how fast each AI may send.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, bounds: Bounds, clock: IReactorTime, check: Callable[[Handshake], Deferred[Grant]]) -> None:
        self.bounds = bounds
        self._clock = clock
        self._check = check
        self._door: Door[HubProtocol] = Door(bounds)
        self._attempts: Attempts[Deferred[None]] = Attempts(bounds)
        self.pace = Pace(bounds.rate, bounds.burst)
        self._chatter = Pace(1.0, 100)

    def __repr__(self) -> str:
        return f"<Gate {self._door!r} {self._attempts!r} {self.pace!r}>"

    # --- connections

    def admits(self, host: object) -> bool:
        """Whether one more connection from C{host} may come in."""
        if self._door.admits(addressKey(host)):
            return True
        if self.mayLog("refused"):
            self.log.warn("no room for a connection from {host}", host=host)
        return False

    def entered(self, connection: HubProtocol) -> None:
        """It is here, and not authenticated; the oldest such may have to go."""
        for oldest in self._door.entered(connection, connection.address):
            if self.mayLog("displaced"):
                self.log.warn("{peer} has to go: too many are not authenticated", peer=oldest.peer)
            oldest.transport.abortConnection()

    def left(self, connection: HubProtocol) -> None:
        self._door.left(connection)

    # --- authentication

    def authenticate(self, connection: HubProtocol, handshake: Handshake) -> Deferred[Grant]:
        """
        Fires with how the handshake is answered, when it is its turn.

        Fails with a `WireProblem`: too many from its address failed, so its token was not looked at.
        """
        address = connection.address
        if not address:
            return self._check(handshake).addCallback(self._settled, connection)
        key = self._attempts.key(address, handshake.ai_id)
        turn: Deferred[None] = Deferred()
        verdict = self._attempts.ask(key, turn, self._clock.seconds())
        if verdict is Verdict.REFUSE:
            return fail(self._tooMany(key))
        if verdict is Verdict.CHECK:
            turn.callback(None)

        def checked(grant: Grant | Failure) -> Grant | Failure:
            now = self._clock.seconds()
            check, refuse = self._attempts.ended(key, grant is Grant.REFUSED, now)
            if not isinstance(grant, Failure) and grant is not Grant.REFUSED:
                self._attempts.succeeded(address, handshake.ai_id)
                self._settled(grant, connection)
            for other in check:
                self._clock.callLater(0, other.callback, None)  # not here: a thousand would be a deep stack
            for other in refuse:
                self._clock.callLater(0, other.errback, self._tooMany(key))
            return grant

        return turn.addCallback(lambda _: self._check(handshake).addBoth(checked))

    def _settled(self, grant: Grant, connection: HubProtocol) -> Grant:
        if grant is not Grant.REFUSED:
            self._door.proved(connection)
        return grant

    def _tooMany(self, key: str) -> WireProblem:
        wait = self._attempts.wait(key, self._clock.seconds())
        return WireProblem(
            "too_many_failures", f"too many failed authentications from your address; try again in {wait} s"
        )

    # --- what else

    def mayLog(self, what: str) -> bool:
        """Whether one more log line about C{what} may be written: a flood must not fill the disk."""
        return self._chatter.takeIfThere(what, self._clock.seconds())

    def sweep(self) -> None:
        """Forget who has been quiet; call it now and then."""
        now = self._clock.seconds()
        self.pace.forget(now)
        self._chatter.forget(now)

    def counters(self) -> dict[str, int]:
        """For the status."""
        return {
            "unauthenticated": self._door.pending,
            "refused": self._door.refused,
            "displaced": self._door.displaced,
            "failed": self._attempts.failed,
            "unchecked": self._attempts.refused,
            "slowed": self.pace.delays,
        }


def withinDescriptors(bounds: Bounds) -> Bounds:
    """Let this process open as many files as it may; C{bounds}, with no more connections than that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, bounds.connections + OWN_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
    return replace(bounds, connections=max(1, min(bounds.connections, hard - OWN_DESCRIPTORS)))
