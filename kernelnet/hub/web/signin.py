"""
Who may look: a browser by a link that works once, a program by the token of a viewer.

Links and the sessions that come of them are in memory: they end with the hub.  A viewer's token stands in table
C{tokens} like those of AIs, as its hash; no AI can log in with one.  Wrong ones are counted as on the main port: while
an address has failed too often, nothing that comes from it is looked at.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from kernelnet.hub import tokens
from kernelnet.hub.limits import Attempts, Bounds, Verdict, addressKey
from kernelnet.hub.log import Log
from kernelnet.identity import tokenHash

__all__ = ["COOKIE", "NotAllowed", "SignIn", "TooManyFailures"]

COOKIE = b"kernelnet_session"
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
        self, source: Log, bounds: Bounds, seconds: Callable[[], float], wallClock: Callable[[], float]
    ) -> None:
        self._source = source
        self._seconds = seconds
        self._wallClock = wallClock
        self._attempts: Attempts[Any] = Attempts(bounds)
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
        with _Attempt(self._attempts, addressKey(host), self._seconds()) as attempt:
            expires = self._links.pop(tokenHash(secret), 0.0)
            attempt.succeeded = expires > self._seconds()
        if not attempt.succeeded:
            raise NotAllowed("this link was used before, or is too old: kernelnet dashboard prints a new one")
        session = secrets.token_urlsafe(24)
        _keep(self._sessions, tokenHash(session), self._seconds() + SESSION_LASTS, MAX_SESSIONS)
        return session

    def check(self, host: object, session: str | None, token: str | None) -> Deferred[None]:
        """
        Fires when the request may be answered.

        @param session: the cookie's value; C{token}: the bearer's.
        @return: fails with `NotAllowed` or `TooManyFailures`.
        """
        key, now = tokenHash(session or ""), self._seconds()
        if session and self._sessions.get(key, 0.0) > now:
            self._sessions[key] = now + SESSION_LASTS
            return succeed(None)
        if token is None:
            return fail(NotAllowed("sign in by the link that kernelnet dashboard prints, or send a viewer's token"))
        address = addressKey(host)
        if self._attempts.ask(address, None, now) is not Verdict.CHECK:
            return fail(TooManyFailures(self._attempts.wait(address, now)))

        def checked(isRight: bool) -> None:
            self._attempts.ended(address, not isRight, self._seconds())
            if not isRight:
                raise NotAllowed("wrong token: kernelnet tokens issue NAME --role viewer makes one")

        def broken(failure: Any) -> Any:
            self._attempts.ended(address, False, self._seconds())
            return failure

        wall = self._wallClock()
        reading = self._source.read(lambda connection: tokens.checkViewer(connection, token, wall))
        return reading.addCallbacks(checked, broken)


class _Attempt:
    """One attempt that is settled at once."""

    def __init__(self, attempts: Attempts[Any], key: str, now: float) -> None:
        self._attempts, self._key, self._now = attempts, key, now
        self.succeeded = False

    def __enter__(self) -> _Attempt:
        if self._attempts.ask(self._key, None, self._now) is not Verdict.CHECK:
            raise TooManyFailures(self._attempts.wait(self._key, self._now))
        return self

    def __exit__(self, *_: object) -> None:
        self._attempts.ended(self._key, not self.succeeded, self._now)


def _keep(table: dict[str, float], key: str, expires: float, most: int) -> None:
    table[key] = expires
    while len(table) > most:
        del table[next(iter(table))]
