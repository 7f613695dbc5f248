"""
Admission of connections, of handshakes, and the rate of messages: `kernelnet.hub.connection.limits` applied.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection.interfaces import Authenticator, Peer
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.rate_limits import (
    AuthThrottle,
    ConnectionLimiter,
    ThrottleDecision,
    TokenBucket,
    addressKey,
)
from kernelnet.message import Handshake
from kernelnet.untrusted import LinePace
from kernelnet.wire import WireProblem

__all__ = ["AdmissionControl"]

WORK_AT_ONCE = 0.1
"""Seconds that the hub may work for one AI at once."""


class AdmissionControl:
    """
    @ivar bounds: the limits.
    @ivar messageRate: rate at which each AI may send messages.
    @ivar work: share of the time that the hub may work for each AI, in seconds a second.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, bounds: Bounds, clock: IReactorTime, authenticator: Authenticator) -> None:
        self.bounds = bounds
        self._clock = clock
        self._authenticator = authenticator
        self._limiter: ConnectionLimiter[Peer] = ConnectionLimiter(bounds)
        self._throttle: AuthThrottle[Deferred[None]] = AuthThrottle(bounds)
        self.messageRate = TokenBucket(bounds.rate, bounds.burst)
        self.work = TokenBucket(bounds.share, WORK_AT_ONCE)
        self._pace = LinePace()

    def __repr__(self) -> str:
        return f"<AdmissionControl {self._limiter!r} {self._throttle!r} {self.messageRate!r}>"

    # --- connections

    def admits(self, host: object) -> bool:
        """Whether one more connection from C{host} may come in."""
        if self._limiter.admits(addressKey(host)):
            return True
        if self.mayLog("refused"):
            self.log.warn("no room for a connection from {host}", host=host)
        return False

    def entered(self, connection: Peer) -> None:
        """It is here, and not authenticated; the oldest such may have to go."""
        oldest = self._limiter.entered(connection, connection.address)
        if oldest is not None:
            if self.mayLog("displaced"):
                self.log.warn("{peer} has to go: too many are not authenticated", peer=oldest.peer)
            oldest.abort()

    def left(self, connection: Peer) -> None:
        self._limiter.left(connection)

    # --- authentication

    def authenticate(self, connection: Peer, handshake: Handshake) -> Deferred[Grant]:
        """
        Fires with how the handshake is answered, when it is its turn.

        Fails with a `WireProblem`: too many from its address failed, so its token was not looked at.
        """
        address = connection.address
        if not address:
            return self._authenticator.check(handshake).addCallback(self._settled, connection)
        key = self._throttle.key(address, handshake.ai_id)
        turn: Deferred[None] = Deferred()
        decision = self._throttle.ask(key, turn, self._clock.seconds())
        if decision is ThrottleDecision.REFUSE:
            return fail(self._tooMany(key))
        if decision is ThrottleDecision.CHECK:
            turn.callback(None)

        def checked(grant: Grant | Failure) -> Grant | Failure:
            now = self._clock.seconds()
            check, refuse = self._throttle.ended(key, grant is Grant.REFUSED, now)
            if not isinstance(grant, Failure) and grant is not Grant.REFUSED:
                self._throttle.succeeded(address, handshake.ai_id)
                self._settled(grant, connection)
            for other in check:
                self._clock.callLater(0, other.callback, None)  # not here: a thousand would be a deep stack
            for other in refuse:
                self._clock.callLater(0, other.errback, self._tooMany(key))
            return grant

        return turn.addCallback(lambda _: self._authenticator.check(handshake).addBoth(checked))

    def _settled(self, grant: Grant, connection: Peer) -> Grant:
        if grant is not Grant.REFUSED:
            self._limiter.proved(connection)
        return grant

    def _tooMany(self, key: str) -> WireProblem:
        wait = self._throttle.wait(key, self._clock.seconds())
        return WireProblem(
            "too_many_failures", f"too many failed authentications from your address; try again in {wait} s"
        )

    # --- what else

    def mayLog(self, what: str) -> bool:
        """Whether one more log line about C{what} may be written: a flood must not fill the disk."""
        return self._pace.admits(what, self._clock.seconds())

    def sweep(self) -> None:
        """Forget who has been quiet; call it now and then."""
        now = self._clock.seconds()
        self.messageRate.forget(now)
        self.work.forget(now)

    def counters(self) -> dict[str, int]:
        """For the status."""
        return {
            "unauthenticated": self._limiter.pending,
            "refused": self._limiter.refused,
            "displaced": self._limiter.displaced,
            "failed": self._throttle.failed,
            "unchecked": self._throttle.refused,
            "slowed": self.messageRate.delays + self.work.delays,
        }
