"""
Requests for payloads answered: the disk's work in a thread of its own, one request at a time of each connection.

Of each AI at most one request waits, and owners have their turns one after the other, however many AIs they have.
The next one's turn comes when what the last one cost is within the share of the hub's time that payloads have, all
together; what each AI costs is within its own besides.  So neither many parts nor large ones hold up anybody's acks.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from msgspec import Raw
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from kernelnet import wire
from kernelnet.hub.connection.rate_limits import TokenBucket
from kernelnet.hub.storage.blobs.shelf import BlobRefused, Shelf
from kernelnet.payloads import PayloadAnswer, PayloadOffer, PayloadRequest
from kernelnet.untrusted import LinePace
from kernelnet.wire import WireProblem

__all__ = ["MAX_WAITING", "SHARE", "Answered", "PayloadShelf", "RunInThread"]

SHARE = 0.15
"""Seconds a second that the hub works for payloads, of whatever AIs."""
BURST = 0.01
"""Seconds that it may work for them at once."""
MAX_WAITING = 64 << 20
"""Bytes of requests that wait for their turn."""
_SLICE = 48 * 1024
"""Bytes that are encoded or decoded at once, or others would wait for that: a multiple of three, and of four."""

T = TypeVar("T")

_Turn = tuple[int, Callable[[], Deferred[None]]]
"""Bytes of a request that waits, and what does it."""


class RunInThread(Protocol):
    """Runs a function behind those that were given before; what it returns fires in the reactor's thread."""

    def __call__(self, function: Callable[[], T]) -> Deferred[T]: ...


class Answered(Protocol):
    """Takes the payload of an answer, or why there is none for now, and the seconds that the thread worked for it."""

    def __call__(self, answer: dict[str, Any] | WireProblem, seconds: float, /) -> None: ...


class PayloadShelf:
    """
    Requests for blobs, answered.

    @param run: all that blocks is done by it.
    @param ownerOf: whose an AI is.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(
        self, shelf: Shelf, run: RunInThread, ownerOf: Callable[[str], str | None], clock: IReactorTime
    ) -> None:
        self._shelf = shelf
        self._run = run
        self._ownerOf = ownerOf
        self._clock = clock
        self._share = TokenBucket(SHARE, BURST)
        self._turns: dict[str, dict[str, _Turn]] = {}
        self._waiting = 0
        self._pace = LinePace()
        self._isBusy = False
        self._isStopped = False
        self._pause: IDelayedCall | None = None

    def sweep(self) -> Deferred[int]:
        """Remove what nobody has used for long.  @return: fires with how many blobs."""
        return self._run(self._shelf.sweep)

    def count(self) -> Deferred[tuple[int, int]]:
        """Fires with how many blobs are whole, and the bytes of all."""
        return self._run(self._shelf.count)

    def charge(self, seconds: float) -> None:
        """The hub has worked so long for a payload in the reactor's thread: the next one comes later."""
        self._share.take("", seconds, self._clock.seconds())

    def answer(self, request: PayloadRequest, messageId: str, author: str, answered: Answered) -> Deferred[None]:
        """
        Do what C{author} asks when its turn comes, and have C{answered} tell it, also of a refusal; what the disk or
        the database failed at is to be sent again.

        @return: fires when C{answered} has returned.
        @raise WireProblem: too much waits, or the data can't be base64.
        """
        if not request.data.isascii():  # each character may be four bytes of memory then
            raise WireProblem("invalid_message", "payload: `data` must be base64", messageId)
        size = len(request.data)
        if self._waiting + size > MAX_WAITING:
            raise WireProblem("busy", "too many payloads wait; send it again later", messageId)

        def refused(reason: str) -> dict[str, Any]:
            return wire.encodePayload(PayloadAnswer("refused", messageId, digest=request.digest, reason=reason))

        owner = self._ownerOf(author)

        def do() -> dict[str, Any] | WireProblem:
            # Not left to the thread pool, whose Failure is a cycle that has the part until the collector comes.
            try:
                return self._do(request, messageId, author, owner)
            except BlobRefused as problem:
                return refused(str(problem))
            except Exception as problem:
                if self._pace.admits("", self._clock.seconds()):
                    self.log.error("a payload of {ai} failed: {reason!r}", ai=author, reason=problem)
                return WireProblem("busy", "the hub's disk failed; send it again later", messageId)

        done: Deferred[None] = Deferred()

        def turn() -> Deferred[None]:
            doing = self._run(lambda: _timed(do))
            return doing.addCallback(lambda said: self._told(said, answered)).addBoth(done.callback)

        # Of a former connection of it nobody waits for the answer any more.
        turns = self._turns.setdefault(owner or author, {})
        former, _ = turns.pop(author, (0, None))
        self._waiting += size - former
        turns[author] = size, turn
        self._next()
        return done

    def _told(self, said: tuple[dict[str, Any] | WireProblem, float], answered: Answered) -> None:
        answer, seconds = said
        self.charge(seconds)
        answered(answer, seconds)

    def _next(self) -> None:
        """Whose turn it is now, unless another's has not ended or payloads have had their share."""
        if self._isBusy or not self._turns:
            return
        self._isBusy = True
        owner = next(iter(self._turns))
        turns = self._turns.pop(owner)
        size, turn = turns.pop(next(iter(turns)))
        if turns:
            self._turns[owner] = turns  # behind all others
        self._waiting -= size
        turn().addCallback(lambda _: self._ended())

    def _ended(self) -> None:
        wait = self._share.take("", 0.0, self._clock.seconds())
        if not wait:
            self._goOn()
        elif not self._isStopped:
            self._pause = self._clock.callLater(wait, self._goOn)

    def _goOn(self) -> None:
        self._isBusy = False
        self._next()

    def stop(self) -> None:
        """No more turns; whoever waits is told by the end of its connection."""
        self._isStopped = True
        self._turns.clear()
        if self._pause is not None and self._pause.active():
            self._pause.cancel()

    def _do(self, request: PayloadRequest, messageId: str, author: str, owner: str | None) -> dict[str, Any]:
        if request.step == "get" and request.digest is not None:
            size, data = self._shelf.read(request.digest, request.part)
            payload = wire.encodePayload(PayloadAnswer("part", messageId, request.digest, size=size, part=request.part))
            return {**payload, "data": Raw(_encoded(data))}
        return wire.encodePayload(self._done(request, messageId, author, owner))

    def _done(self, request: PayloadRequest, messageId: str, author: str, owner: str | None) -> PayloadAnswer:
        shelf = self._shelf
        if request.step == "find":
            if request.trace_digest is None:
                raise BlobRefused("a find names the trace_digest")
            found = shelf.find(request.trace_digest, request.author or "")
            offers = [PayloadOffer(each.digest, each.size, each.author, each.suffix) for each in found]
            return PayloadAnswer("found", messageId, offers=offers)
        if (digest := request.digest) is None:
            raise BlobRefused(f"a {request.step} names the digest")
        if request.step == "begin":
            if request.trace_digest is None:
                raise BlobRefused("a begin names the trace_digest of the trace in it")
            have = shelf.begin(digest, author, owner, request.size, request.trace_digest, request.suffix)
            whole = shelf.isWhole(digest)
            return PayloadAnswer("have", messageId, digest, size=request.size, have=have, whole=whole)
        if request.step == "part":
            have = shelf.write(digest, author, request.part, _decoded(request.data))
            return PayloadAnswer("have", messageId, digest, have=have)
        size = shelf.end(digest, author)
        return PayloadAnswer("have", messageId, digest, size=size, have=size, whole=True)


def _timed(function: Callable[[], T]) -> tuple[T, float]:
    """Result of C{function}, and the seconds for which it worked: what it waited for the disk nobody else missed."""
    began = time.thread_time()
    return function(), time.thread_time() - began


def _encoded(data: bytes) -> bytes:
    """C{data} as a string of JSON, in base64, which takes no second look at each character."""
    pieces = [b'"']
    for start in range(0, len(data), _SLICE):
        pieces.append(base64.b64encode(data[start : start + _SLICE]))
        time.sleep(0)  # whoever waits for the interpreter goes on now
    return b"".join([*pieces, b'"'])


def _decoded(text: str) -> bytes:
    """@raise BlobRefused: it is no base64."""
    pieces = []
    for start in range(0, len(text), _SLICE):
        try:
            pieces.append(base64.b64decode(text[start : start + _SLICE], validate=True))
        except (binascii.Error, ValueError):
            raise BlobRefused("the data of a part must be base64") from None
        time.sleep(0)
    return b"".join(pieces)
