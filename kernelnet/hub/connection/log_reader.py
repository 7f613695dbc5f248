"""
A connection as a reader of the log.

A reader is live while its connection keeps up: what is committed goes out at once, in a buffer that is shared with
all other connections.  When the transport asks to pause, the reader falls behind, and holds nothing but its position;
when the transport resumes, it reads on from there in pages, from memory or from the database, until it has caught up.
So a slow reader costs no memory, and a reconnect is a reader that starts further back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.log_pages import Event, Page
from kernelnet.wire import WireProblem, withSeq

__all__ = ["Broadcast", "LineSink", "LogReader"]


class LineSink(Protocol):
    """Where a reader's lines go."""

    aiId: str
    version: int

    def writeLines(self, data: bytes) -> None:
        """Send complete lines."""

    def outputChanged(self, paused: bool) -> None:
        """The transport asked to pause, or to go on."""

    def failed(self, failure: Failure) -> None:
        """The log could not be read."""


def _lineFor(event: Event, version: int) -> bytes:
    """The line that a client of C{version} gets; C{b""}: none."""
    if version >= 2:
        return withSeq(event.line, event.seq)
    return b"" if event.newOnly else event.line


def _join(lines: Iterable[bytes]) -> bytes:
    some = [line for line in lines if line]
    some.append(b"")
    return b"\n".join(some)


def render(events: Iterable[Event], version: int) -> bytes:
    """Events as the lines that a client of C{version} gets."""
    return _join(_lineFor(event, version) for event in events)


class Broadcast:
    """
    A commit, or a part of a large one, as connections get it: encoded once for each protocol version, then shared.

    @ivar upTo: the position it ends at.
    """

    MAX_BYTES = 256 * 1024
    """A larger commit is several of these, so that a connection that gets too much can pause in between."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self.upTo = events[-1].seq
        # Whoever isn't named here gets exactly the shared buffer.
        self._special = {event.sender for event in events if event.recipients is None}.union(
            *(event.recipients for event in events if event.recipients is not None)
        )
        self._toAll = any(event.recipients is None for event in events)
        self._lines: dict[int, list[bytes]] = {}
        self._shared: dict[int, bytes] = {}

    @classmethod
    def of(cls, events: Sequence[Event]) -> Iterator[Broadcast]:
        """One commit, cut where it grows too large for one write."""
        start = size = 0
        for i, event in enumerate(events):
            size += len(event.line)
            if size > cls.MAX_BYTES and i > start:
                yield cls(events[start:i])
                start, size = i, len(event.line)
        if start < len(events):
            yield cls(events[start:])

    def render(self, aiId: str, version: int) -> bytes:
        """The lines that the client C{aiId} gets."""
        if aiId not in self._special:
            if not self._toAll:
                return b""
            if version in self._shared:
                return self._shared[version]
        if version not in self._lines:
            self._lines[version] = [_lineFor(event, version) for event in self._events]
            self._shared[version] = _join(
                line for event, line in zip(self._events, self._lines[version], strict=True) if event.recipients is None
            )
        if aiId not in self._special:
            return self._shared[version]
        return _join(
            line
            for event, line in zip(self._events, self._lines[version], strict=True)
            if (aiId != event.sender if event.recipients is None else aiId in event.recipients)
        )


@implementer(IPushProducer)
class LogReader:
    """
    @ivar position: everything up to here was handed to the transport.
    @ivar live: whether it is at the log's head and stays there.
    @ivar paused: whether the transport can't take more now.
    """

    def __init__(self, sink: LineSink, log: EventLog) -> None:
        self._sink = sink
        self._log = log
        self._reading = False
        self._started = False
        self._stopped = False
        self.position = 0
        self.live = False
        self.paused = False

    def __repr__(self) -> str:
        state = "stopped" if self._stopped else "paused" if self.paused else "live" if self.live else "behind"
        return f"<LogReader of {self._sink.aiId} at {self.position}, {state}>"

    def start(self, after: int) -> None:
        """Read on from C{after}."""
        self._started = True
        self.position = after
        self._read()

    def take(self, broadcast: Broadcast, before: bytes) -> None:
        """
        Something was committed.

        @param before: lines for this connection alone (acks), which go out in the same write.
        """
        # A reader that started or resumed within this very commit has read these events already.
        if self.live and self.position < broadcast.upTo and not self._isTooLate():
            self.position = broadcast.upTo
            before += broadcast.render(self._sink.aiId, self._sink.version)
        if before:
            self._sink.writeLines(before)

    def pauseProducing(self) -> None:
        self.paused = True
        self.live = False
        self._sink.outputChanged(True)

    def resumeProducing(self) -> None:
        self.paused = False
        self._sink.outputChanged(False)
        self._read()

    def stopProducing(self) -> None:
        self._stopped = True
        self.live = False

    def _read(self) -> None:
        while self._started and not (self.paused or self._stopped or self.live or self._reading):
            if self.position >= self._log.head:
                self.live = True
                return
            if self._isTooLate():
                return
            page = self._log.page(self.position, self._sink.aiId)
            if isinstance(page, Deferred):
                self._reading = True
                page.addCallback(self._pageRead).addErrback(self._sink.failed)
            else:
                self._write(page)

    def _pageRead(self, page: Page) -> None:
        self._reading = False
        if not self._stopped and not self._isTooLate():
            self._write(page)
            self._read()

    def _isTooLate(self) -> bool:
        """Whether the operator's hard limit has removed what comes next: nothing may be passed over in silence."""
        if self.position + 1 >= self._log.first:
            return False
        self._stopped = True
        self._sink.failed(Failure(WireProblem("too_slow", "what comes next for you was removed from the log")))
        return True

    def _write(self, page: Page) -> None:
        self.position = page.upTo
        if data := render(page.events, self._sink.version):
            self._sink.writeLines(data)
