"""Blobs sent to the hub and read from it, part by part: one request at a time, gone on with on the next connection."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.message import ErrorClass, WireError
from kernelnet.payloads import PART, PayloadAnswer, PayloadOffer, PayloadRequest

__all__ = ["PayloadExchange", "PayloadFailed"]

T = TypeVar("T")

Say = Callable[[PayloadRequest], str]
InThread = Callable[[Callable[[], T]], Awaitable[T]]

ANSWER_WITHIN = 60.0
"""Seconds that a hub has for an answer."""
AGAIN_AFTER = 5.0
"""Seconds after which a hub is asked again that was busy with others' payloads."""
TRIES = 20
"""Number of times that it is."""


class PayloadFailed(Exception):
    """A blob was not taken, or not given; the text says why."""


class _Lost(Exception):
    """The connection went, or the hub doesn't answer."""


class _Busy(Exception):
    """The hub takes it later."""


class PayloadExchange:
    """
    The blobs of one trainer on their way.

    @param inThread: runs what waits for the disk.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, inThread: Callable[[Callable[[], object]], Awaitable[object]]) -> None:
        self._clock = clock
        self._inThread = inThread
        self._say: Say | None = None
        self._pending: Deferred[PayloadAnswer] | None = None
        self._asked = ""
        self._waiting: list[Deferred[None]] = []
        self._lock = DeferredLock()

    # -- the connection

    def connected(self, say: Say) -> None:
        """There is a hub that takes payloads, and C{say} sends it a request, whose id it returns."""
        self._say = say
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def lost(self) -> None:
        """There is none any more."""
        self._say = None
        self._end(Failure(_Lost()))

    def answered(self, answer: PayloadAnswer) -> None:
        """The hub's word to what was asked last; to anything else it says nothing."""
        if answer.reply_to == self._asked:
            self._end(answer)

    def busy(self, error: WireError) -> bool:
        """The hub has refused something for now.  @return: whether it was what was asked last, which is asked again."""
        if self._pending is None or error.class_ is not ErrorClass.RETRY or error.message_id != self._asked:
            return False
        self._end(Failure(_Busy()))
        return True

    def _end(self, result: PayloadAnswer | Failure) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.callback(result)  # a failure is one

    # -- what is done with it

    async def share(self, path: Path, traceDigest: str) -> int:
        """
        Send a file to the hub, which goes on with it over any number of connections.

        @return: how many bytes were sent now; the hub had the rest.
        @raise PayloadFailed: the hub refuses it, or the file changed meanwhile.
        @raise OSError: it can't be read.
        """
        digest = str(await self._inThread(lambda: _digestOf(path)))
        size, sent = path.stat().st_size, 0
        while True:
            await self._greeted()
            try:
                begin = PayloadRequest(
                    "begin", digest=digest, size=size, trace_digest=traceDigest, suffix=_suffix(path)
                )
                answer = await self._ask(begin)
                while not answer.whole:
                    if answer.have >= size:
                        answer = await self._ask(PayloadRequest("end", digest=digest))
                        continue
                    number = answer.have // PART
                    data = await self._inThread(lambda number=number: _read(path, number))  # type: ignore[misc]
                    assert isinstance(data, bytes)
                    if not data:
                        raise PayloadFailed(f"{path} became shorter while it was sent")
                    text = base64.b64encode(data).decode()
                    before = answer.have
                    answer = await self._ask(PayloadRequest("part", digest=digest, part=number, data=text))
                    if answer.have <= before:
                        raise PayloadFailed("the hub took a part, and has no more than before")
                    sent += len(data)
                return sent
            except _Lost:
                continue

    async def offers(self, traceDigest: str, author: str) -> list[PayloadOffer]:
        """
        Blobs in which a trace is said to be; nothing where no hub is connected.

        @param author: whose comes first.
        """
        if self._say is None:
            return []
        try:
            return (await self._ask(PayloadRequest("find", trace_digest=traceDigest, author=author))).offers
        except (_Lost, PayloadFailed):
            return []

    async def fetch(self, offer: PayloadOffer, path: Path) -> None:
        """
        Read a blob into C{path}, which has it once it is whole and was checked; what an earlier try left in
        C{path}.part is not read again.

        @raise PayloadFailed: the hub has not got it, another hub is there, or its bytes are not those of its digest.
        @raise OSError: it can't be written.
        """
        part = path.with_name(f"{path.name}.part")
        have = part.stat().st_size // PART * PART if part.exists() else 0
        try:
            while have < offer.size:
                answer = await self._ask(PayloadRequest("get", digest=offer.digest, part=have // PART))
                data = _decoded(answer)
                if answer.step != "part" or len(data) != min(PART, offer.size - have):
                    raise PayloadFailed("the hub sent a part of another size")
                await self._inThread(lambda have=have, data=data: _write(part, have, data))  # type: ignore[misc]
                have += len(data)
        except _Lost:
            raise PayloadFailed("the connection was lost; what came is kept") from None
        if await self._inThread(lambda: _digestOf(part)) != offer.digest:
            part.unlink()
            raise PayloadFailed("its bytes are not those of its digest")
        part.rename(path)

    async def read(self, digest: str, size: int) -> bytes:
        """
        The bytes of a blob, in memory.

        @param size: how many there must be.
        @raise PayloadFailed: the hub has not got it, or it is another one.
        """
        data = b""
        try:
            while len(data) < size:
                answer = await self._ask(PayloadRequest("get", digest=digest, part=len(data) // PART))
                part = _decoded(answer)
                if answer.step != "part" or len(part) != min(PART, size - len(data)):
                    raise PayloadFailed("the hub sent a part of another size")
                data += part
        except _Lost:
            raise PayloadFailed("the connection was lost") from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise PayloadFailed("its bytes are not those of its digest")
        return data

    async def _greeted(self) -> None:
        while self._say is None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    async def _ask(self, request: PayloadRequest) -> PayloadAnswer:
        for _ in range(TRIES):
            try:
                return await self._askOnce(request)
            except _Busy:
                await deferLater(self._clock, AGAIN_AFTER)
        raise _Lost

    async def _askOnce(self, request: PayloadRequest) -> PayloadAnswer:
        await self._lock.acquire()
        try:
            if self._say is None:
                raise _Lost
            pending: Deferred[PayloadAnswer] = Deferred()
            self._pending = pending
            # It may be that many others' turns come first; the connection has its own ways to find out that it is lost.
            timer = self._clock.callLater(ANSWER_WITHIN, self._end, Failure(_Lost()))
            self._asked = self._say(request)
            try:
                answer = await pending
            finally:
                if timer.active():
                    timer.cancel()
        finally:
            self._lock.release()
        if answer.step == "refused":
            raise PayloadFailed(f"the hub refuses it: {answer.reason}")
        return answer


def _suffix(path: Path) -> str:
    """The last two suffixes: the name itself stays here."""
    found = ""
    for each in reversed(path.suffixes[-2:]):
        if not re.fullmatch(r"\.[a-z0-9_]{1,16}", each.lower(), re.ASCII):
            break
        found = each.lower() + found
    return found


def _decoded(answer: PayloadAnswer) -> bytes:
    try:
        return base64.b64decode(answer.data, validate=True)
    except ValueError:
        raise PayloadFailed("the hub sent what is no base64") from None


def _digestOf(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, number: int) -> bytes:
    with path.open("rb") as file:
        return os.pread(file.fileno(), PART, number * PART)


def _write(path: Path, offset: int, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(data)
