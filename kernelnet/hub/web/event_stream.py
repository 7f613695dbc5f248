"""
C{/api/events}: what is logged, as server-sent events (WHATWG HTML, 9.2), for any number of pages.

An event tells who said what kind of message, to whom and when, and never the message.  After a commit, but at most four
times a second, what came since is read once for all streams that have kept up; one that has fallen behind, or begins
further back (C{Last-Event-ID}, or C{?after=}), reads pages of its own, and one whose reader doesn't read is not written
to, and ended after a minute: it may come back to where it was.

A page needs no more than a person can see.  With C{?most=N} a reader is told of the newest C{N} once a second; if there
were more, an event C{skipped} before them says how many, and of which types they may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from zope.interface import implementer

from kernelnet.hub.storage.engine import Committed
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.statements.log import EventHeader
from kernelnet.hub.storage.transaction import Reader

__all__ = ["EventStream", "EventStreams"]

EVERY = 0.25
"""Seconds that lie between two looks at the log, at least."""
TICK = 1.0
"""Seconds between two looks of those who want no more than C{most} a second, and at who is slow or needs a comment."""
PAGE = 500
"""Events that are read at a time."""
PING_EVERY = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way takes the stream for dead."""
SLOW = 60.0
"""Seconds after which a reader that doesn't read is left."""
MAX_STREAMS = 200

_encode = msgspec.json.Encoder().encode


@implementer(IPushProducer)
class EventStream:
    """
    One reader.

    @ivar position: the last event that was written to it.
    @ivar most: events a second that it wants; C{None}: all.
    """

    def __init__(self, streams: EventStreams, request: Request, position: int, most: int | None) -> None:
        self._streams = streams
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
        self._streams.lookSoon()

    def pauseProducing(self) -> None:
        self.paused = True

    def stopProducing(self) -> None:
        self._streams.leave(self)

    def close(self) -> None:
        self._request.unregisterProducer()
        self._request.finish()

    def drop(self) -> None:
        """End it now: what waits for a reader that doesn't read would keep its connection."""
        self._streams.leave(self)
        if self._request.channel is not None:
            self._request.channel.forceAbortClient()


class EventStreams:
    """All streams of a hub."""

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, log: EventLog, clock: IReactorTime, counts: Mapping[str, int]) -> None:
        """@param counts: of messages that were received, by type."""
        self._log = log
        self._clock = clock
        self._counts = counts
        self._counted: list[Mapping[str, int]] = [dict(counts), dict(counts)]
        self._streams: set[EventStream] = set()
        self._reading: set[tuple[int, int | None]] = set()
        self._lookedAt = float("-inf")
        self._look: IDelayedCall | None = None
        self._job = LoopingCall(self._tick)
        self._job.clock = clock

    def __repr__(self) -> str:
        return f"<EventStreams {len(self._streams)} streams>"

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def full(self) -> bool:
        return len(self._streams) >= MAX_STREAMS

    def join(self, request: Request, after: int | None, most: int | None = None) -> None:
        """
        Begin to write to C{request}, whose headers are set.

        @param after: the last event that the reader has; C{None}: what comes from now on.
        @param most: see `EventStream`.
        """
        head = self._log.head
        position = head if after is None else max(min(after, head), self._log.first - 1)
        stream = EventStream(self, request, position, most)
        request.registerProducer(stream, True)
        request.notifyFinish().addBoth(lambda _: self.leave(stream))
        stream.write(b"retry: 2000\n\n", position, self._clock.seconds())
        self._streams.add(stream)
        if not self._job.running:
            self._job.start(TICK, now=False)
            self._log.subscribe(self._committed)
        self.lookSoon()

    def leave(self, stream: EventStream) -> None:
        self._streams.discard(stream)
        if not self._streams and self._job.running:
            self._job.stop()
            self._log.unsubscribe(self._committed)
            if self._look is not None:
                self._look.cancel()
                self._look = None

    def stop(self) -> None:
        """End all streams."""
        for stream in list(self._streams):
            self.leave(stream)
            stream.close()

    def lookSoon(self) -> None:
        """Look at the log as soon as may be, if one who wants all of it is behind."""
        if self._look is None and any(stream.most is None for stream in self._behind()):
            wait = max(0.0, self._lookedAt + EVERY - self._clock.seconds())
            self._look = self._clock.callLater(wait, self._lookNow)

    def _committed(self, committed: Committed) -> None:
        if committed.events:
            self.lookSoon()

    def _behind(self) -> list[EventStream]:
        head = self._log.head
        return [stream for stream in self._streams if stream.position < head and not stream.paused]

    def _lookNow(self) -> None:
        self._look, self._lookedAt = None, self._clock.seconds()
        head = self._log.head
        for position in {stream.position for stream in self._behind() if stream.most is None}:
            self._read(position, None, partial(_page, after=position, head=head))

    def _tick(self) -> None:
        now, head = self._clock.seconds(), self._log.head
        # Since the tick before the last: what was received by then may be committed only now.
        kinds = [kind for kind, count in self._counts.items() if count != self._counted[0].get(kind)]
        self._counted = [self._counted[1], dict(self._counts)]
        for position, most in {(stream.position, stream.most) for stream in self._behind()}:
            if most is not None:
                self._read(position, most, partial(_newest, after=position, head=head, most=most, kinds=kinds))
        for stream in list(self._streams):
            stream.position = min(stream.position, head)  # a backup may have been gone back to
            if stream.paused and now - stream.lastWritten >= SLOW:
                stream.drop()
            elif stream.position >= head and not stream.paused and now - stream.lastWritten >= PING_EVERY:
                stream.write(b": still here\n\n", stream.position, now)

    def _read(self, position: int, most: int | None, page: Callable[[Reader], tuple[bytes, int]]) -> None:
        """Have what follows C{position} read for all who are there, unless that is being done."""
        if (position, most) in self._reading:
            return
        self._reading.add((position, most))
        self._log.read(page).addCallback(self._write, position, most).addErrback(self._failed, position, most)

    def _write(self, page: tuple[bytes, int], position: int, most: int | None) -> None:
        self._reading.discard((position, most))
        data, upTo = page
        now = self._clock.seconds()
        for stream in list(self._streams):
            if (stream.position, stream.most) == (position, most) and not stream.paused:
                stream.write(data, upTo, now)
        self.lookSoon()

    def _failed(self, failure: Failure, position: int, most: int | None) -> None:
        self._reading.discard((position, most))
        self.lookSoon()
        self.log.failure("reading events for the dashboard failed", failure)


def _page(reader: Reader, after: int, head: int) -> tuple[bytes, int]:
    """@return: events as they are sent, and up to which they are."""
    headers = reader.log.headers(after, head, PAGE)
    return b"".join(map(_event, headers)), headers[-1].seq if len(headers) == PAGE else head


def _newest(reader: Reader, after: int, head: int, most: int, kinds: list[str]) -> tuple[bytes, int]:
    """@return: the last C{most} events up to C{head}, behind the number of those before them since C{after}."""
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
