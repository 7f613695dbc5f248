"""Strangers' text, numbers and sizes, bounded before anything is done with them; and the lines that tell of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = ["MAX_NOTE", "MAX_NOTES", "MAX_REQUIREMENTS", "Digest", "LinePace", "finite", "isSmall", "plain", "weight"]

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""SHA-256 in hex."""

MAX_REQUIREMENTS = 16 * 1024
"""Bytes of JSON: a request or an invitation with larger requirements is refused."""

MAX_REQUIREMENTS_WEIGHT = 16 * MAX_REQUIREMENTS
"""The same as `weight`: what has many small parts takes more than its text."""

MAX_NOTE = 1000
"""Characters of the longest note that somebody adds to a collaboration session."""

MAX_NOTES = 16
"""Number of notes that each of the two who take part may add to one session."""

VALUE_BYTES = 128
"""
Bytes that a value takes at most besides its text, by CPython 3.11: an object of one key is 184 and its place in the
list of the garbage collector 16, and there are two marks in its text.
"""

LINES_AT_ONCE = 100
"""Number of log lines of a kind that come at once; then there is one a second."""


class LinePace:
    """Paces log lines that strangers cause: of each kind a hundred, and then one a second, as a token bucket has it."""

    def __init__(self) -> None:
        self._full: dict[str, float] = {}

    def admits(self, kind: str, now: float) -> bool:
        """
        Whether one more line is written.

        @param kind: of a few that the program knows, none of a stranger's words.
        @param now: seconds, by any clock.
        """
        at = max(self._full.get(kind, now), now)
        if at - now > LINES_AT_ONCE - 1:
            return False
        self._full[kind] = at + 1
        return True


def plain(text: str, limit: int = 80) -> str:
    """A stranger's words for a log line: no control characters, no line breaks, nothing that turns text around."""
    text = text[:limit]
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def finite(value: object) -> float | None:
    """A stranger's number, if it is one that can be reckoned with."""
    if not isinstance(value, int | float) or not abs(value) < 1e300:
        return None
    return float(value)


def weight(body: bytes) -> int:
    """
    Bytes of memory that JSON takes at most once it is decoded, without decoding it.

    C{[[],[],…]} takes 27 times its text.  Each value has a mark before it (those within strings count too, so it may be
    less), and one character beyond Latin-1 makes a string of up to four bytes for each of its characters.
    """
    marks = body.count(b",") + body.count(b":") + body.count(b"[") + body.count(b"{")
    return len(body) * (1 if body.isascii() else 4) + VALUE_BYTES * (marks + 1)


def isSmall(requirements: dict[str, Any]) -> bool:
    """Whether a stranger's requirements are worth carrying about."""
    body = msgspec.json.encode(requirements)
    return len(body) <= MAX_REQUIREMENTS and weight(body) <= MAX_REQUIREMENTS_WEIGHT
