"""Shelf of a hub, and the exchange of a trainer that talks with it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet import wire
from kernelnet.hub.connection.payload_shelf import PayloadShelf, RunInThread
from kernelnet.hub.storage.blobs.memory import MemoryBlobs
from kernelnet.hub.storage.blobs.shelf import BlobBounds, Shelf
from kernelnet.payloads import PART, PayloadAnswer, PayloadOffer, PayloadRequest
from kernelnet.trainer.messaging.payload_exchange import (
    PayloadExchange,
)
from kernelnet.wire import WireProblem

TRACE = "cd" * 32
DATA = bytes(3 * PART) + b"the end"


class ExchangeTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.file = self.folder / "secret project.ftrace.xz"
        self.file.write_bytes(DATA)
        shelf = Shelf(MemoryBlobs(self.clock.seconds), BlobBounds(), self.clock.seconds, lambda: 10**12)
        self.hubTime = Clock()
        self.hub = PayloadShelf(shelf, cast(RunInThread, maybeDeferred), lambda aiId: None, self.hubTime)
        self.asked: list[PayloadRequest] = []
        self.waiting: list[Any] = []

    def exchange(self, aiId: str = "AI_1") -> PayloadExchange:
        exchange = PayloadExchange(self.clock, maybeDeferred)
        exchange.connected(self.say(exchange, aiId))
        return exchange

    def say(self, exchange: PayloadExchange, aiId: str = "AI_1") -> Any:
        def say(request: PayloadRequest) -> str:
            self.asked.append(request)
            self.hubTime.advance(60)
            messageId = f"m{len(self.asked)}"
            self.successResultOf(self.hub.answer(request, messageId, aiId, answered))
            return messageId

        def answered(payload: dict[str, Any] | WireProblem, seconds: float) -> None:
            if isinstance(payload, WireProblem):
                error = wire.problemPayload(payload)
                self.waiting.append(lambda: exchange.busy(error))
                return
            answer = msgspec.json.decode(msgspec.json.encode(payload), type=PayloadAnswer)
            self.waiting.append(lambda: exchange.answered(answer))

        return say

    def run_(self, steps: int | None = None) -> None:
        """Let the hub's answers arrive."""
        while self.waiting and steps != 0:
            self.waiting.pop(0)()
            steps = None if steps is None else steps - 1

    def shared(self) -> PayloadOffer:
        done = Deferred.fromCoroutine(self.exchange().share(self.file, TRACE))
        self.run_()
        self.assertEqual(self.successResultOf(done), len(DATA))
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return PayloadOffer(digest, len(DATA), "AI_1", ".ftrace.xz")
