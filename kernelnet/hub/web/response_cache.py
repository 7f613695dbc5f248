"""
Answers that several viewers share.

Who says ``Cache-Control: max-age=N`` in a request (RFC 9111, 5.2.1.1) takes an answer that is up to C{N} seconds old,
as the pages do: however many are open, what they show is read and encoded once.  Who doesn't gets a fresh one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

__all__ = ["ResponseCache", "maxAge"]

MAX_AGE = 5.0
"""Seconds that an answer is kept at most."""
MAX_BYTES = 8 * 1024 * 1024
MAX_ENTRIES = 64

_MAX_AGE = re.compile(rb"(?:^|[, ])max-age=([0-9]{1,6})(?:$|[, ])")


def maxAge(header: bytes | None) -> float:
    """The seconds that a request's C{Cache-Control} allows; 0 where it says nothing of it."""
    match = _MAX_AGE.search(header or b"")
    return min(float(match[1]), MAX_AGE) if match else 0.0


class _Entry:
    """@ivar body: C{None} while it is being made, for those who wait."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.body: bytes | None = None
        self.waiting: list[Deferred[bytes]] = []


class ResponseCache:
    """@param seconds: a clock that never goes back."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._entries: dict[bytes, _Entry] = {}

    def __repr__(self) -> str:
        return f"<ResponseCache {len(self._entries)} kept>"

    def ask(self, key: bytes, age: float, make: Callable[[], Deferred[Any]]) -> Deferred[bytes]:
        """
        @param key: the whole of what is asked.
        @param age: seconds that it may be old.
        @param make: fires with what can be encoded as JSON.
        """
        now = self._seconds()
        entry = self._entries.get(key)
        if age and entry is not None and now - entry.at <= age:
            if entry.body is not None:
                return succeed(entry.body)
            shared: Deferred[bytes] = Deferred()
            entry.waiting.append(shared)
            return shared
        made = make().addCallback(msgspec.json.encode)
        if not age:
            return made
        entry = _Entry(now)
        self._entries.pop(key, None)
        self._entries[key] = entry

        def done(body: bytes) -> bytes:
            entry.body = body
            waiting, entry.waiting = entry.waiting, []
            for other in waiting:
                other.callback(body)
            self._tidy()
            return body

        def failed(failure: Failure) -> Failure:
            if self._entries.get(key) is entry:
                del self._entries[key]
            waiting, entry.waiting = entry.waiting, []
            for other in waiting:
                other.errback(failure)
            return failure

        return made.addCallbacks(done, failed)

    def _tidy(self) -> None:
        now = self._seconds()
        size = sum(len(entry.body or b"") for entry in self._entries.values())
        for key, entry in list(self._entries.items()):
            if now - entry.at > MAX_AGE or size > MAX_BYTES or len(self._entries) > MAX_ENTRIES:
                size -= len(entry.body or b"")
                del self._entries[key]
