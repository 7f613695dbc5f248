"""
C{/api/events}: what is logged, as server-sent events (WHATWG HTML, 9.2), for any number of pages.

An event tells who said what kind of message, to whom and when, and never the message.  Four times a second what was
committed since is read once for all streams that have kept up; one that has fallen behind, or begins further back
(C{Last-Event-ID}, or C{?after=}), reads pages of its own, and one whose reader doesn't read is not written to, and
ended after a minute: it may come back to where it was.

A page needs no more than a person can see.  With C{?most=N} a reader is told of the newest C{N} once a second; if there
were more, an event C{skipped} before them says how many, and of which types they may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from zope.interface import implementer

from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.statements.log import EventHeader
from kernelnet.hub.storage.transaction import Reader

__all__ = ["Feed", "Stream"]

EVERY = 0.25
"""Seconds between two looks at the log."""
CONDENSED_EVERY = 4
"""So many looks lie between two of those who want no more than C{most}."""
PAGE = 500
"""Events that are read at a time."""
PING_EVERY = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way takes the stream for dead."""
SLOW = 60.0
"""Seconds after which a reader that doesn't read is left."""
MAX_STREAMS = 200

_encode = msgspec.json.Encoder().encode


@implementer(IPushProducer)
class Stream:
    """
    One reader.

    @ivar position: the last event that was written to it.
    @ivar most: so many events a second; C{None}: all.
    """

    def __init__(self, feed: Feed, request: Request, position: int, most: int | None) -> None:
        self._feed = feed
        self._request = request
        self.position = position
        self.most = most
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

    def drop(self) -> None:
        """End it now: what waits for a reader that doesn't read would keep its connection."""
        self._feed.leave(self)
        if self._request.channel is not None:
            self._request.channel.forceAbortClient()


class Feed:
    """All streams of a hub."""

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, source: EventLog, clock: IReactorTime, counts: Mapping[str, int]) -> None:
        """@param counts: of messages that were received, by type."""
        self._source = source
        self._clock = clock
        self._counts = counts
        self._counted: list[Mapping[str, int]] = [dict(counts), dict(counts)]
        self._streams: set[Stream] = set()
        self._reading: set[tuple[int, int | None]] = set()
        self._looks = 0
        self._job = LoopingCall(self._look)
        self._job.clock = clock

    def __repr__(self) -> str:
        return f"<Feed {len(self._streams)} streams>"

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def full(self) -> bool:
        return len(self._streams) >= MAX_STREAMS

    def join(self, request: Request, after: int | None, most: int | None = None) -> None:
        """
        Begin to write to C{request}, whose headers are set.

        @param after: the last event that the reader has; C{None}: what comes from now on.
        @param most: see `Stream`.
        """
        head = self._source.head
        position = head if after is None else max(min(after, head), self._source.first - 1)
        stream = Stream(self, request, position, most)
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
        kinds: list[str] = []
        self._looks += 1
        condensed = self._looks % CONDENSED_EVERY == 0
        waiting = {
            (stream.position, stream.most)
            for stream in self._streams
            if stream.position < head and not stream.paused and (stream.most is None or condensed)
        }
        if condensed:
            # Since the look before the last: what was received by then may be committed only now.
            kinds = [kind for kind, count in self._counts.items() if count != self._counted[0].get(kind)]
            self._counted = [self._counted[1], dict(self._counts)]
        for position, most in waiting - self._reading:
            self._reading.add((position, most))
            page = (
                partial(_page, after=position, head=head)
                if most is None
                else partial(_newest, after=position, head=head, most=most, kinds=kinds)
            )
            reading = self._source.read(page)
            reading.addCallback(self._write, position, most).addErrback(self._failed, position, most)
        for stream in list(self._streams):
            if stream.paused and now - stream.lastWritten >= SLOW:
                stream.drop()
            elif stream.position >= head and not stream.paused and now - stream.lastWritten >= PING_EVERY:
                stream.write(b": still here\n\n", stream.position, now)

    def _write(self, page: tuple[bytes, int], position: int, most: int | None) -> None:
        self._reading.discard((position, most))
        data, upTo = page
        now = self._clock.seconds()
        for stream in list(self._streams):
            if (stream.position, stream.most) == (position, most) and not stream.paused:
                stream.write(data, upTo, now)

    def _failed(self, failure: Failure, position: int, most: int | None) -> None:
        self._reading.discard((position, most))
        self.log.failure("reading events for the dashboard failed", failure)


def _page(reader: Reader, after: int, head: int) -> tuple[bytes, int]:
    """@return: events as they are sent, and up to which they are."""
    headers = reader.log.headers(after, head, PAGE)
    return b"".join(map(_event, headers)), headers[-1].seq if len(headers) == PAGE else head


def _newest(reader: Reader, after: int, head: int, most: int, kinds: list[str]) -> tuple[bytes, int]:
    """@return: the last C{most} events up to C{head}, behind how many came before them since C{after}."""
    headers = reader.log.newestHeaders(after, head, most)
    skipped = head - after - len(headers)
    told = {"count": skipped, "types": sorted(kinds)}
    data = b"event: skipped\ndata: %b\n\n" % _encode(told) if skipped > 0 else b""
    return data + b"".join(map(_event, headers)), head


def _event(header: EventHeader) -> bytes:
    seq, sender, kind, target, timestamp = header
    body: dict[str, Any] = {"seq": seq, "sender": sender, "type": kind, "target": target, "timestamp": timestamp}
    # JSON has no raw line ends, so a stranger's words can't begin a field of their own.
    return b"id: %d\nevent: message\ndata: %b\n\n" % (seq, _encode(body))
