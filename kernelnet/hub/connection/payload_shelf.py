"""
Requests for payloads answered: the disk's work in a thread of its own, one request at a time of each connection.

All requests wait in one queue, in which each connection has at most one: they have their turns by that alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.storage.blobs.shelf import BlobRefused, Shelf
from kernelnet.payloads import PayloadAnswer, PayloadOffer, PayloadRequest

__all__ = ["PayloadShelf", "RunInThread"]

T = TypeVar("T")


class RunInThread(Protocol):
    """Runs a function behind those that were given before; what it returns fires in the reactor's thread."""

    def __call__(self, function: Callable[[], T]) -> Deferred[T]: ...


class PayloadShelf:
    """
    Requests for blobs, answered.

    @param run: all that blocks is done by it.
    @param ownerOf: whose an AI is.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, shelf: Shelf, run: RunInThread, ownerOf: Callable[[str], str | None]) -> None:
        self._shelf = shelf
        self._run = run
        self._ownerOf = ownerOf

    def sweep(self) -> Deferred[int]:
        """Remove what nobody has used for long.  @return: fires with how many blobs."""
        return self._run(self._shelf.sweep)

    def answer(self, request: PayloadRequest, messageId: str, author: str) -> Deferred[PayloadAnswer]:
        """Do what C{author} asks.  @return: fires with the answer, also where it is a refusal."""

        def refused(reason: str) -> PayloadAnswer:
            return PayloadAnswer("refused", messageId, digest=request.digest, reason=reason)

        def failed(failure: Failure) -> PayloadAnswer:
            self.log.error("a payload of {ai} failed: {reason}", ai=author, reason=failure.getErrorMessage())
            return refused("the hub's disk failed; try again later")

        owner = self._ownerOf(author)

        def do() -> PayloadAnswer:
            # Not left to the thread pool, whose Failure is a cycle that has the part until the collector comes.
            try:
                return self._do(request, messageId, author, owner)
            except BlobRefused as problem:
                return refused(str(problem))

        return self._run(do).addErrback(failed)

    def _do(self, request: PayloadRequest, messageId: str, author: str, owner: str | None) -> PayloadAnswer:
        shelf = self._shelf
        if request.step == "find":
            if request.trace_digest is None:
                raise BlobRefused("a find names the trace_digest")
            found = shelf.find(request.trace_digest, request.author or "")
            offers = [PayloadOffer(each.digest, each.size, each.author, each.suffix) for each in found]
            return PayloadAnswer("found", messageId, offers=offers)
        if (digest := request.digest) is None:
            raise BlobRefused(f"a {request.step} names the digest")
        if request.step == "get":
            size, data = shelf.read(digest, request.part)
            text = base64.b64encode(data).decode()
            return PayloadAnswer("part", messageId, digest, size=size, part=request.part, data=text)
        if request.step == "begin":
            if request.trace_digest is None:
                raise BlobRefused("a begin names the trace_digest of the trace in it")
            have = shelf.begin(digest, author, owner, request.size, request.trace_digest, request.suffix)
            whole = shelf.isWhole(digest)
            return PayloadAnswer("have", messageId, digest, size=request.size, have=have, whole=whole)
        if request.step == "part":
            try:
                data = base64.b64decode(request.data, validate=True)
            except binascii.Error:
                raise BlobRefused("the data of a part must be base64") from None
            return PayloadAnswer("have", messageId, digest, have=shelf.write(digest, author, request.part, data))
        size = shelf.end(digest, author)
        return PayloadAnswer("have", messageId, digest, size=size, have=size, whole=True)
