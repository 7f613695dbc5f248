"""A trainer's blobs on their way, to and from a shelf of a hub that loses connections."""

from __future__ import annotations

import hashlib
import lzma
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet import wire
from kernelnet.artifacts import Component, Report
from kernelnet.hub.connection.payload_shelf import PayloadShelf, RunInThread
from kernelnet.hub.storage.blobs.memory import MemoryBlobs
from kernelnet.hub.storage.blobs.shelf import BlobBounds, Shelf
from kernelnet.message import ErrorClass, WireError
from kernelnet.payloads import PART, PayloadAnswer, PayloadOffer, PayloadRequest
from kernelnet.trainer.messaging import trace_fetching
from kernelnet.trainer.messaging.payload_exchange import (
    AGAIN_AFTER,
    ANSWER_WITHIN,
    TRIES,
    PayloadExchange,
    PayloadFailed,
)
from kernelnet.trainer.messaging.trace_fetching import InThread, TraceFetching
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
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


class PayloadExchangeTests(ExchangeTestCase):
    def test_resumed(self) -> None:
        """After a lost connection no acked part is sent again; a silent hub is as good as lost."""
        exchange = self.exchange()
        done = Deferred.fromCoroutine(exchange.share(self.file, TRACE))
        self.run_(3)
        exchange.lost()
        self.waiting.clear()
        exchange.connected(self.say(exchange))
        self.waiting.clear()
        self.clock.advance(ANSWER_WITHIN)
        exchange.connected(self.say(exchange))
        self.run_()
        self.assertEqual(self.successResultOf(done), 3 * PART + len(b"the end") - PART)
        steps = [request.part for request in self.asked if request.step == "part"]
        self.assertEqual(steps, [0, 1, 2, 3])

    def test_busy(self) -> None:
        """A hub that is busy for now is asked the same again; what is about something else is another's matter."""
        exchange = self.exchange()
        done = Deferred.fromCoroutine(exchange.share(self.file, TRACE))
        self.run_(2)
        self.waiting.clear()
        error = WireError("busy", "later", ErrorClass.RETRY, f"m{len(self.asked)}")
        self.assertFalse(exchange.busy(replace(error, message_id="m1")))
        self.assertFalse(exchange.busy(replace(error, class_=ErrorClass.PERMANENT)))
        self.assertTrue(exchange.busy(error))
        self.assertFalse(exchange.busy(error))
        self.clock.advance(AGAIN_AFTER)
        self.assertEqual(self.asked[-1], self.asked[-2])
        self.run_()
        self.successResultOf(done)
        offers = Deferred.fromCoroutine(exchange.offers(TRACE, "AI_1"))
        for _ in range(TRIES):
            self.assertNoResult(offers)
            exchange.busy(replace(error, message_id=f"m{len(self.asked)}"))
            self.clock.advance(AGAIN_AFTER)
        self.assertEqual(self.successResultOf(offers), [])

    def test_diskFailedOnce(self) -> None:
        """A share outlives that the hub's disk, or its database, fails for a while."""
        done = Deferred.fromCoroutine(self.exchange().share(self.file, TRACE))
        self.run_(2)
        failing = self.patch(MemoryBlobs, "write", lambda *arguments: 1 / 0)
        self.run_()
        failing.restore()
        self.assertNoResult(done)
        self.clock.advance(AGAIN_AFTER)
        self.run_()
        self.assertEqual(self.successResultOf(done), len(DATA))

    def test_late(self) -> None:
        """An answer that comes after all to what was given up says nothing of what was asked since."""
        exchange = self.exchange()
        done = Deferred.fromCoroutine(exchange.share(self.file, TRACE))
        late = self.waiting.pop(0)
        self.clock.advance(ANSWER_WITHIN)
        self.assertEqual([request.step for request in self.asked], ["begin", "begin"])
        late()
        self.assertEqual(len(self.asked), 2)
        self.run_()
        self.assertEqual(self.successResultOf(done), len(DATA))

    def test_name(self) -> None:
        """Of a file's name nothing leaves but its suffixes."""
        offer = self.shared()
        exchange = self.exchange("AI_2")
        found = Deferred.fromCoroutine(exchange.offers(TRACE, "AI_1"))
        self.run_()
        self.assertEqual(self.successResultOf(found), [offer])
        self.assertNotIn("secret", repr(self.asked))

    def test_fetched(self) -> None:
        """What is fetched is the same bytes, gone on with where an earlier try ended."""
        offer, path = self.shared(), self.folder / "fetched" / "x"
        exchange = self.exchange("AI_2")
        done = Deferred.fromCoroutine(exchange.fetch(offer, path))
        self.run_(2)
        exchange.lost()
        self.failureResultOf(done, PayloadFailed)
        self.waiting.clear()
        self.asked.clear()
        exchange.connected(self.say(exchange, "AI_2"))
        done = Deferred.fromCoroutine(exchange.fetch(offer, path))
        self.run_()
        self.successResultOf(done)
        self.assertEqual(path.read_bytes(), DATA)
        self.assertEqual([request.part for request in self.asked], [2, 3])

    def test_otherBytes(self) -> None:
        """A hub that gives other bytes than the digest's is found out, and nothing is left of them."""
        offer, path = self.shared(), self.folder / "fetched" / "x"
        path.parent.mkdir()
        path.with_name("x.part").write_bytes(b"!" * PART)
        done = Deferred.fromCoroutine(self.exchange("AI_2").fetch(offer, path))
        self.run_()
        self.assertIn("digest", str(self.failureResultOf(done, PayloadFailed).value))
        self.assertEqual(list(path.parent.iterdir()), [])


class TraceFetchingTests(ExchangeTestCase):
    owner: str | None = "bob"
    isTrace = True

    def setUp(self) -> None:
        super().setUp()
        self.here: set[str] = set()
        self.added: list[str] = []

    def fetching(self, budget: int = 10**9, owners: tuple[str, ...] = ()) -> TraceFetching:
        ais = {"AI_1": SimpleNamespace(owner=self.owner)}
        return TraceFetching(
            folder=self.folder / "fetched",
            budget=budget,
            owners=owners,
            reader=self,
            exchange=self.exchange("AI_2"),
            knowledge=cast(KnowledgeBase, SimpleNamespace(ais=ais)),
            inThread=cast(InThread, maybeDeferred),
            clock=Clock(),
        )

    def fetch(self, budget: int = 10**9, owners: tuple[str, ...] = (), traces: Sequence[str] = (TRACE,)) -> bool:
        self.here.clear()  # a new trainer each time
        parts = [SimpleNamespace(parts=[], trace_digest=one, trace="t", workbench="w") for one in traces]
        report = parts[0] if len(parts) == 1 else SimpleNamespace(parts=parts)
        component = SimpleNamespace(manifest=SimpleNamespace(report=report))
        fetching = self.fetching(budget, owners)
        done = Deferred.fromCoroutine(fetching.fetch("AI_1", cast(Component, component)))
        self.run_()
        return self.successResultOf(done)

    def addTrace(self, workbench: str, traceDigest: str, path: Path) -> bool:
        self.assertEqual((workbench, path.read_bytes()[: len(DATA)]), ("w", DATA))
        self.assertTrue(path.name.endswith(".ftrace.xz"))
        self.added.append(traceDigest)
        if self.isTrace:
            self.here.add(traceDigest)
        return self.isTrace

    def lacking(self, claim: Report) -> list[Report]:
        return [part for part in claim.parts or [claim] if part.trace_digest not in self.here]

    def test_fetched(self) -> None:
        """The trace of a claim comes; a later run has it without a hub, and reads it with the same distrust."""
        self.shared()
        self.assertTrue(self.fetch())
        (self.folder / "fetched").joinpath("x.traces").write_bytes(b"no note")
        self.asked.clear()
        self.assertTrue(self.fetch())
        self.assertEqual((self.asked, self.added), ([], [TRACE, TRACE]))

    def test_nobody(self) -> None:
        """A trace that nobody offers does not come."""
        self.assertFalse(self.fetch())

    def test_otherTrace(self) -> None:
        """A file that is not the trace that it was said to be is removed."""
        self.shared()
        self.isTrace = False
        self.assertFalse(self.fetch())
        self.assertEqual(list((self.folder / "fetched").iterdir()), [])

    def test_bounds(self) -> None:
        """What is over the budget, or another owner's, is not asked for; what was fetched first makes room."""
        self.shared()
        self.assertFalse(self.fetch(budget=len(DATA) - 1))
        self.assertFalse(self.fetch(owners=("carol",)))
        self.assertNotIn("get", [request.step for request in self.asked])
        (self.folder / "fetched").mkdir()
        (self.folder / "fetched" / "older").write_bytes(b"!" * 10)
        self.assertTrue(self.fetch(budget=len(DATA) + 9, owners=("bob",)))
        self.assertEqual(len(list((self.folder / "fetched").glob("*.xz"))), 1)
        self.assertFalse((self.folder / "fetched" / "older").exists())

    def test_whoFillsMost(self) -> None:
        """Who offers much takes the place of his own, and of others' only where he has nothing else."""
        folder = self.folder / "fetched"
        folder.mkdir()
        for age, (name, owner) in enumerate((("new", "bob"), ("old", "bob"), ("oldest", "carol"))):
            (folder / name).write_bytes(b"!" * 10)
            os.utime(folder / name, (1e9 - age, 1e9 - age))
            (folder / f"{name}.traces").write_bytes(msgspec.json.encode({"owner": owner, "traces": []}))
        self.shared()
        self.assertTrue(self.fetch(budget=len(DATA) + 20))
        self.assertEqual({path.name for path in folder.iterdir() if len(path.name) < 9}, {"new", "oldest"})
        (folder / "new").unlink()
        self.share(b"more", "ef" * 32)
        self.assertTrue(self.fetch(budget=len(DATA) + 14, traces=("ef" * 32,)))
        self.assertEqual(sorted(path.name for path in folder.iterdir() if path.suffix == ""), ["oldest"])

    def test_names(self) -> None:
        """What has the name of a note, or of a part, would count for nothing: it is not asked for."""
        for trace, suffix in (("ab" * 32, ".traces"), ("ef" * 32, ".txt.part")):
            self.file = self.file.rename(self.file.with_name(f"mine{suffix}"))
            self.share(suffix.encode(), trace)
            self.assertFalse(self.fetch(traces=(trace,)))
        self.assertNotIn("get", [request.step for request in self.asked])

    def test_alsoAnother(self) -> None:
        """A file that is one trace stays, whoever says that it is another one, too."""
        self.shared()
        self.assertTrue(self.fetch())
        self.isTrace = False
        self.share(b"", "ef" * 32)
        self.assertFalse(self.fetch(traces=("ef" * 32,)))
        self.assertEqual(len(list((self.folder / "fetched").glob("*.xz"))), 1)

    def test_noted(self) -> None:
        """However many traces one file is read as, 64 of them are noted with it."""
        self.shared()
        self.assertTrue(self.fetch())
        (note,) = (self.folder / "fetched").glob("*.traces")
        many = [("w", f"{number:064x}") for number in range(64)]
        note.write_bytes(msgspec.json.encode({"owner": "bob", "traces": many}))
        self.assertTrue(self.fetch())
        self.assertEqual(len(msgspec.json.decode(note.read_bytes())["traces"]), 64)

    def share(self, more: bytes, trace: str) -> None:
        self.file.write_bytes(DATA + more)
        done = Deferred.fromCoroutine(self.exchange().share(self.file, trace))
        self.run_()
        self.successResultOf(done)

    def test_generalist(self) -> None:
        """A claim on several traces is measured when all of them are here, and none makes room for another."""
        other = "ef" * 32
        self.share(b"", TRACE)
        self.assertFalse(self.fetch(traces=(TRACE, other)))
        self.share(b"more", other)
        self.assertFalse(self.fetch(traces=(TRACE, other), budget=len(DATA) + 4))
        self.assertTrue(self.fetch(traces=(TRACE, other)))
        self.assertEqual(len(list((self.folder / "fetched").glob("*.xz"))), 2)
        self.assertFalse(self.fetch(traces=(TRACE,) * 17))

    def test_decoderMemory(self) -> None:
        """A file whose decompression would take more memory than the bound, also of its second stream, is not read."""
        path = self.folder / "t.xz"
        small, large = lzma.compress(bytes(1000), preset=0), lzma.compress(bytes(1000), preset=6)
        path.write_bytes(small + b"\0" * 4 + small)
        self.assertTrue(trace_fetching._decodes(path))
        self.patch(trace_fetching, "DECODER_MEMORY", 4 << 20)
        self.assertTrue(trace_fetching._decodes(path))
        path.write_bytes(small + large)
        self.assertFalse(trace_fetching._decodes(path))
        path.write_bytes(lzma.compress(bytes(5 << 20), preset=0))
        self.assertTrue(trace_fetching._decodes(path))
        self.patch(trace_fetching, "MAX_DECODED", 4 << 20)
        self.assertFalse(trace_fetching._decodes(path))
        path.write_bytes(small[:-9])
        self.assertFalse(trace_fetching._decodes(path))
