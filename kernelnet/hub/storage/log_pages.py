"""
Stretches of the log as its readers see them: from memory, or from the database.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from kernelnet.message import SINCE_VERSION_2

__all__ = ["PAGE_ROWS", "Event", "Page", "Recent", "fillPage", "isNewOnly"]

PAGE_ROWS = 1000
PAGE_BYTES = 256 * 1024
"""Bounds of one page; a single message may be larger."""


class Event(msgspec.Struct, eq=False, gc=False):
    """
    One message of the log.

    @ivar recipients: ids; C{None}: all but the sender.
    @ivar line: the six-field line without a newline.
    @ivar newOnly: version 1 does not know its type.
    """

    seq: int
    sender: str
    recipients: frozenset[str] | None
    line: bytes
    newOnly: bool = False

    def concerns(self, aiId: str) -> bool:
        return aiId != self.sender if self.recipients is None else aiId in self.recipients


@dataclass(slots=True)
class Page:
    """
    A stretch of the log.

    @ivar events: those of it that concern who asked.
    @ivar upTo: the last position it covers.
    """

    events: list[Event]
    upTo: int


class Recent:
    """The log's end in memory, for readers that are only a little behind."""

    def __init__(self, maxBytes: int) -> None:
        self._maxBytes = maxBytes
        self._events: list[Event] = []
        self._bytes = 0
        self._after = 0

    def __repr__(self) -> str:
        return f"<Recent after={self._after} events={len(self._events)} bytes={self._bytes}>"

    def startAfter(self, position: int) -> None:
        self._after = position

    def add(self, events: list[Event]) -> None:
        self._events += events
        self._bytes += sum(len(event.line) for event in events)
        drop = 0
        while self._bytes > self._maxBytes and drop < len(self._events):
            self._bytes -= len(self._events[drop].line)
            self._after = self._events[drop].seq
            drop += 1
        del self._events[:drop]

    def reaches(self, after: int) -> bool:
        """Whether all that follows C{after} is here."""
        return after >= self._after

    def page(self, after: int, aiId: str) -> Page:
        start = bisect_right(self._events, after, key=_seq)
        return fillPage(self._events[start : start + PAGE_ROWS], aiId, after)


def isNewOnly(messageType: str) -> bool:
    """Whether version 1 does not know the type."""
    return messageType in _NEW


_NEW = frozenset(kind.value for kind in SINCE_VERSION_2)


def _seq(event: Event) -> int:
    return event.seq


def fillPage(events: Iterable[Event], aiId: str, after: int) -> Page:
    """
    The page after C{after}: what concerns C{aiId} of C{events}, which follow each other, as far as it has room.

    @param events: at most `PAGE_ROWS`.
    """
    page = Page([], after)
    size = 0
    for event in events:
        if event.concerns(aiId):
            size += len(event.line)
            if size > PAGE_BYTES and page.events:
                break
            page.events.append(event)
        page.upTo = event.seq
    return page
