"""
Sign-in of those who look: a browser by a link that works once, a program by the token of a viewer.

Links and the sessions that come of them are in memory: they end with the hub.  A viewer's token stands in table
C{tokens} like those of AIs, as its hash; no AI can log in with one.  Wrong ones are counted as on the main port: while
an address has failed too often, no token from it is looked at but those that were right there before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from kernelnet.hub.auth import tokens
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.rate_limits import AuthThrottle, ThrottleDecision, addressKey
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.identity import tokenHash

__all__ = ["NotAllowed", "SignIn", "TooManyFailures"]

LINK_LASTS = 600.0
"""Seconds in which a link can be used, once."""
SESSION_LASTS = 12 * 3600.0
"""Seconds after which a browser that hasn't been heard of has to sign in again."""
MAX_LINKS = 100
MAX_SESSIONS = 1000
_WHO = "viewer"


class NotAllowed(Exception):
    """No session, no token, or a wrong one; the text says what to do."""


class TooManyFailures(Exception):
    """@ivar wait: seconds until it may be tried again."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"too many failed attempts from your address; try again in {wait} s")
        self.wait = wait


class SignIn:
    """
    @param seconds: a clock that never goes back; C{wallClock}: Unix seconds.
    """

    def __init__(
        self, log: EventLog, bounds: Bounds, seconds: Callable[[], float], wallClock: Callable[[], float]
    ) -> None:
        self._log = log
        self._seconds = seconds
        self._wallClock = wallClock
        self._throttle: AuthThrottle[Deferred[None]] = AuthThrottle(bounds)
        self._links: dict[str, float] = {}
        self._sessions: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<SignIn {len(self._sessions)} sessions>"

    def link(self) -> str:
        """A secret that signs one browser in."""
        secret = secrets.token_urlsafe(24)
        _keep(self._links, tokenHash(secret), self._seconds() + LINK_LASTS, MAX_LINKS)
        return secret

    def enter(self, host: object, secret: str) -> str:
        """
        Use a link.

        @return: the value of the session's cookie.
        @raise NotAllowed: it was used before, is too old, or was never made.
        @raise TooManyFailures: it was not looked at.
        """
        # Apart from tokens, and settled at once: nobody waits here.
        key, now = f"{addressKey(host)} link", self._seconds()
        if self._throttle.ask(key, Deferred(), now) is not ThrottleDecision.CHECK:
            raise TooManyFailures(self._throttle.wait(key, now))
        isRight = self._links.pop(tokenHash(secret), 0.0) > now
        self._throttle.ended(key, not isRight, now)
        if not isRight:
            raise NotAllowed("this link was used before, or is too old: kernelnet dashboard prints a new one")
        session = secrets.token_urlsafe(24)
        _keep(self._sessions, tokenHash(session), self._seconds() + SESSION_LASTS, MAX_SESSIONS)
        return session

    def isSignedIn(self, session: str | None) -> bool:
        """Whether a cookie's value is a session's, which then lasts on."""
        key, now = tokenHash(session or ""), self._seconds()
        if not session or self._sessions.get(key, 0.0) <= now:
            return False
        self._sessions[key] = now + SESSION_LASTS
        return True

    def check(self, host: object, session: str | None, token: str | None) -> Deferred[None]:
        """
        Fires when the request may be answered.

        @param session: the cookie's value; C{token}: the bearer's.
        @return: fails with `NotAllowed` or `TooManyFailures`.
        """
        if self.isSignedIn(session):
            return succeed(None)
        if token is None:
            return fail(NotAllowed("sign in by the link that kernelnet dashboard prints, or send a viewer's token"))
        now = self._seconds()
        address, hashed = addressKey(host), tokenHash(token)
        key = self._throttle.key(address, hashed)
        turn: Deferred[None] = Deferred()
        match self._throttle.ask(key, turn, now):
            case ThrottleDecision.REFUSE:
                return fail(TooManyFailures(self._throttle.wait(key, now)))
            case ThrottleDecision.CHECK:
                turn.callback(None)

        def ended(failed: bool) -> None:
            now = self._seconds()
            go, refused = self._throttle.ended(key, failed, now)
            for waiting in go:
                waiting.callback(None)
            for waiting in refused:
                waiting.errback(TooManyFailures(self._throttle.wait(key, now)))

        def checked(isRight: bool) -> None:
            if isRight:
                self._throttle.succeeded(address, hashed)
            ended(not isRight)
            if not isRight:
                raise NotAllowed("wrong token: kernelnet tokens issue NAME --role viewer makes one")

        def broken(failure: Failure) -> Failure:
            ended(False)
            return failure

        def look(_: None) -> Deferred[None]:
            wall = self._wallClock()
            reading = self._log.read(lambda reader: tokens.checkViewer(reader, token, wall))
            return reading.addCallbacks(checked, broken)

        return turn.addCallback(look)


def _keep(table: dict[str, float], key: str, expires: float, most: int) -> None:
    table[key] = expires
    while len(table) > most:
        del table[next(iter(table))]
