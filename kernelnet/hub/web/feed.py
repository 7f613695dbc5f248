"""
C{/api/events}: what is logged, as server-sent events (WHATWG HTML, 9.2), for any number of pages.

An event tells who said what kind of message, to whom and when, and never the message.  Four times a second what was
committed since is read once for all streams that have kept up; one that has fallen behind, or begins further back
(C{Last-Event-ID}, or C{?after=}), reads pages of its own, and one whose reader doesn't read is not written to.

"""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

import msgspec
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from zope.interface import implementer

from kernelnet.hub.log import Log

__all__ = ["Feed", "Stream"]

EVERY = 0.25
"""Seconds between two looks at the log."""
PAGE = 500
"""Events that are read at a time."""
PING_EVERY = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way takes the stream for dead."""
MAX_STREAMS = 200

_encode = msgspec.json.Encoder().encode


@implementer(IPushProducer)
class Stream:
    """
    One reader.

    @ivar position: the last event that was written to it.
    """

    def __init__(self, feed: Feed, request: Request, position: int) -> None:
        self._feed = feed
        self._request = request
        self.position = position
        self.paused = False
        self.lastWritten = 0.0

    def write(self, data: bytes, position: int, now: float) -> None:
        self.position, self.lastWritten = position, now
        if data:
            self._request.write(data)

    def resumeProducing(self) -> None:
        self.paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def stopProducing(self) -> None:
        self._feed.leave(self)

    def close(self) -> None:
        self._request.unregisterProducer()
        self._request.finish()


class Feed:
    """All streams of a hub."""

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, source: Log, clock: IReactorTime) -> None:
        self._source = source
        self._clock = clock
        self._streams: set[Stream] = set()
        self._reading: set[int] = set()
        self._job = LoopingCall(self._look)
        self._job.clock = clock

    def __repr__(self) -> str:
        return f"<Feed {len(self._streams)} streams>"

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def full(self) -> bool:
        return len(self._streams) >= MAX_STREAMS

    def join(self, request: Request, after: int | None) -> None:
        """
        Begin to write to C{request}, whose headers are set.

        @param after: the last event that the reader has; C{None}: what comes from now on.
        """
        head = self._source.head
        position = head if after is None else max(min(after, head), self._source.first - 1)
        stream = Stream(self, request, position)
        request.registerProducer(stream, True)
        request.notifyFinish().addBoth(lambda _: self.leave(stream))
        stream.write(b"retry: 2000\n\n", position, self._clock.seconds())
        self._streams.add(stream)
        if not self._job.running:
            self._job.start(EVERY, now=False)

    def leave(self, stream: Stream) -> None:
        self._streams.discard(stream)
        if not self._streams and self._job.running:
            self._job.stop()

    def stop(self) -> None:
        """End all streams."""
        for stream in list(self._streams):
            self.leave(stream)
            stream.close()

    def _look(self) -> None:
        now, head = self._clock.seconds(), self._source.head
        waiting = {stream.position for stream in self._streams if stream.position < head and not stream.paused}
        for position in waiting - self._reading:
            self._reading.add(position)
            reading = self._source.read(partial(_page, after=position, head=head))
            reading.addCallback(self._write, position).addErrback(self._failed, position)
        for stream in list(self._streams):
            if stream.position >= head and not stream.paused and now - stream.lastWritten >= PING_EVERY:
                stream.write(b": still here\n\n", stream.position, now)

    def _write(self, page: tuple[bytes, int], position: int) -> None:
        self._reading.discard(position)
        data, upTo = page
        now = self._clock.seconds()
        for stream in list(self._streams):
            if stream.position == position and not stream.paused:
                stream.write(data, upTo, now)

    def _failed(self, failure: Failure, position: int) -> None:
        self._reading.discard(position)
        self.log.failure("reading events for the dashboard failed", failure)


def _page(connection: sqlite3.Connection, after: int, head: int) -> tuple[bytes, int]:
    """@return: events as they are sent, and up to which they are."""
    rows = connection.execute(
        "SELECT seq, sender_id, message_type, target, timestamp FROM events WHERE seq > ? AND seq <= ?"
        " ORDER BY seq LIMIT ?",
        (after, head, PAGE),
    ).fetchall()
    data = b"".join(_event(*row) for row in rows)
    return data, rows[-1][0] if len(rows) == PAGE else head


def _event(seq: int, sender: str, kind: str, target: str | None, timestamp: str) -> bytes:
    body: dict[str, Any] = {"seq": seq, "sender": sender, "type": kind, "target": target, "timestamp": timestamp}
    # JSON has no raw line ends, so a stranger's words can't begin a field of their own.
    return b"id: %d\nevent: message\ndata: %b\n\n" % (seq, _encode(body))
