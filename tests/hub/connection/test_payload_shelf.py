"""Payloads through a hub's connections; `tests.hub.storage.blobs` has what is kept of them."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from twisted.python.failure import Failure
from zope.interface import provider

from kernelnet.hub.admin.status import PATIENCE
from kernelnet.hub.connection import payload_shelf
from kernelnet.hub.connection.payload_shelf import PayloadShelf
from kernelnet.hub.storage.blobs.files import FileBlobs
from kernelnet.hub.storage.blobs.shelf import BlobBounds, Shelf
from kernelnet.payloads import PART, PayloadRequest
from kernelnet.untrusted import LINES_AT_ONCE
from kernelnet.wire import WireProblem
from tests.hub.support import Client, Hub, HubTestCase

T = TypeVar("T")

TRACE = "cd" * 32
DATA = bytes(range(256)) * 12 * 1024 + b"the end"
"""Three MB and some bytes."""
DIGEST = hashlib.sha256(DATA).hexdigest()


class PayloadTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.waiting: list[Callable[[], object]] = []
        self.slow = False
        self.owners: dict[str, str] = {}
        self.failures: list[Failure] = []
        self.time = Clock()
        self.hub.kill()
        self.join()

    def join(self) -> None:
        """Give the hub a shelf, and let AI_1 in."""
        shelf = Shelf(FileBlobs(self.folder), BlobBounds(), lambda: 1e9, lambda: 10**12)

        def run(function: Callable[[], T]) -> Deferred[T]:
            if not self.slow:
                return maybeDeferred(function).addErrback(self.failed)
            result: Deferred[T] = Deferred()
            self.waiting.append(lambda: maybeDeferred(function).chainDeferred(result))
            return result

        self.payloads = PayloadShelf(shelf, run, self.owners.get, self.time)
        self.hub = Hub(self.database, payloads=self.payloads)
        self.hubs.append(self.hub)
        self.client = self.hub.connect("AI_1")

    def failed(self, failure: Failure) -> Failure:
        self.failures.append(failure)
        return failure

    def test_refusedIsLetGo(self) -> None:
        """A refusal is an answer of the thread, not its failure, which has the part until a collection."""
        self.assertEqual(self.part(0)["step"], "refused")
        self.assertEqual(self.failures, [])

    def ask(self, step: str, client: Client | None = None, **fields: Any) -> dict[str, Any]:
        self.time.advance(60)  # whatever was paid for is long past
        client = client or self.client
        messageId = client.send("payload", {"step": step, **fields})
        (answer,) = client.payloads("payload")
        self.assertEqual(answer["reply_to"], messageId)
        return dict(answer)

    def part(self, number: int) -> dict[str, Any]:
        data = base64.b64encode(DATA[number * PART : (number + 1) * PART]).decode()
        return self.ask("part", digest=DIGEST, part=number, data=data)

    def begin(self) -> int:
        return int(self.ask("begin", digest=DIGEST, size=len(DATA), trace_digest=TRACE).get("have", 0))

    def test_killedThreeTimes(self) -> None:
        """Some MB through a hub that is killed three times in between: no acked part is sent again, all arrives."""
        parts = -(-len(DATA) // PART)
        sent = 0
        for upTo in (3, 7, 11, parts):
            self.assertEqual(self.begin(), sent * PART)
            for number in range(sent, upTo):
                self.assertEqual(self.part(number)["have"], min(len(DATA), (number + 1) * PART))
            sent = upTo
            if upTo < parts:
                self.hub.kill()
                self.join()
        self.assertTrue(self.ask("end", digest=DIGEST)["whole"])
        reader = self.hub.connect("AI_2")
        (offer,) = self.ask("find", reader, trace_digest=TRACE)["offers"]
        self.assertEqual(offer, {"digest": DIGEST, "size": len(DATA), "author": "AI_1", "suffix": ""})
        self.assertTrue(self.ask("begin", reader, digest=DIGEST, size=len(DATA), trace_digest=TRACE)["whole"])
        for author in ("AI_1", "AI_2"):  # whose is asked for comes first
            offers = self.ask("find", reader, trace_digest=TRACE, author=author)["offers"]
            self.assertEqual((len(offers), offers[0]["author"]), (2, author))
        got = [self.ask("get", reader, digest=DIGEST, part=number)["data"] for number in range(parts)]
        self.assertEqual(b"".join(map(base64.b64decode, got)), DATA)

    def test_oneAtATime(self) -> None:
        """While the disk works for a client it is not read; what it had said already is refused, not queued."""
        self.slow = True
        self.client.raw(
            b"".join(
                b'{"message_id":"m%d","sender_id":"AI_1","message_type":"payload","timestamp":"2026-11-22T15:00:00Z",'
                b'"payload":{"step":"get","digest":"%s","part":0}}\n' % (n, DIGEST.encode())
                for n in range(3)
            )
        )
        self.assertEqual(len(self.waiting), 1)
        self.assertEqual(self.client.errors(), ["busy", "busy"])
        self.assertEqual(self.client.transport.producerState, "paused")

    def test_keptWaiting(self) -> None:
        """A client is not dropped as silent while it is not read for its payload, nor before it is read again."""
        self.slow = True
        self.client.send("payload", {"step": "get", "digest": DIGEST})
        self.hub.clock.pump([5] * 30)
        self.assertFalse(self.client.transport.aborted)
        self.client.protocol.hold("pace")  # as what it cost may ask for
        self.waiting[0]()
        self.hub.clock.pump([5] * 17)
        self.assertFalse(self.client.transport.aborted)
        self.hub.clock.pump([5] * 2)
        self.assertTrue(self.client.transport.aborted)

    def test_refusals(self) -> None:
        """What can't be done is answered with the reason, and the connection goes on."""
        for fields, words in (
            ({"step": "get", "digest": DIGEST}, "no such blob"),
            ({"step": "end", "digest": DIGEST}, "begin must come first"),
            ({"step": "begin", "digest": DIGEST, "size": 9}, "trace_digest"),
            ({"step": "find"}, "trace_digest"),
            ({"step": "part", "digest": DIGEST, "data": "!"}, "base64"),
            ({"step": "begin", "digest": DIGEST, "size": 10**12, "trace_digest": TRACE}, "bytes"),
        ):
            answer = self.ask(**fields)
            self.assertEqual(answer["step"], "refused")
            self.assertIn(words, answer["reason"])
        self.client.send("payload", {"step": "get", "digest": "../../etc/passwd"})
        self.assertEqual(self.client.errors(), ["invalid_message"])

    def fail_(self, *arguments: object) -> bool:
        raise OSError("no space left")

    def test_diskFailed(self) -> None:
        """What the disk failed at is to be sent again, and is taken then."""
        self.begin()
        data = base64.b64encode(DATA[:PART]).decode()
        patch = self.patch(FileBlobs, "write", self.fail_)
        self.client.send("payload", {"step": "part", "digest": DIGEST, "part": 0, "data": data})
        patch.restore()
        (error,) = self.client.payloads("error")
        self.assertEqual((error["code"], error["class"]), ("busy", "retry"))
        self.assertNotIn("space", error["message"])
        self.assertEqual(self.part(0)["have"], PART)

    def test_diskFailsOften(self) -> None:
        """The time of what failed is paid for, and no flood of it fills the log."""
        lines: list[str] = []

        @provider(ILogObserver)
        def note(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        self.patch(PayloadShelf, "log", Logger(observer=note))
        seconds = 0.0
        self.patch(payload_shelf, "_timed", lambda function: (function(), seconds))
        self.patch(FileBlobs, "notes", self.fail_)
        answers: list[object] = []

        def get() -> None:
            request = PayloadRequest("get", digest=DIGEST)
            self.payloads.answer(request, "m", "AI_1", lambda answer, _: answers.append(answer))

        for _ in range(LINES_AT_ONCE + 9):
            get()
        self.assertEqual(len(answers), LINES_AT_ONCE + 9)
        self.assertIn("no space left", lines[0])
        self.assertEqual(len(lines), LINES_AT_ONCE)
        answers.clear()
        seconds = payload_shelf.SHARE + payload_shelf.BURST
        get()
        get()
        self.assertEqual(len(answers), 1)
        self.time.advance(1.1)
        self.assertEqual(len(answers), 2)

    def test_versionOne(self) -> None:
        """Version 1 has none."""
        old = self.hub.connect("AI_9", version=1)
        old.send("payload", {"step": "find", "trace_digest": TRACE})
        self.assertEqual(old.errors(), ["unsupported"])

    def test_status(self) -> None:
        """The hub's status counts them."""
        data = b"a trace"
        digest = hashlib.sha256(data).hexdigest()
        self.ask("begin", digest=digest, size=len(data), trace_digest=TRACE)
        self.ask("part", digest=digest, part=0, data=base64.b64encode(data).decode())
        self.ask("end", digest=digest)
        self.begin()
        self.part(0)
        status = self.successResultOf(self.hub.status.fullStatus())
        self.assertEqual(status["blobs"], {"count": 1, "bytes": len(data) + PART})

    def test_statusOfHungStore(self) -> None:
        """Where the store says nothing the status goes without it, in time; one count waits, however many ask."""
        self.slow = True
        asked = [self.hub.status.fullStatus() for _ in range(3)]
        self.assertEqual(len(self.waiting), 1)
        self.hub.clock.advance(PATIENCE - 0.1)
        for one in asked:
            self.assertNoResult(one)
        self.hub.clock.advance(0.1)
        self.assertEqual([self.successResultOf(one)["blobs"] for one in asked], [None] * 3)
        self.hub.status.fullStatus()
        self.assertEqual(len(self.waiting), 1)
        later = self.hub.status.fullStatus()
        self.waiting.pop()()
        self.assertEqual(self.successResultOf(later)["blobs"], {"count": 0, "bytes": 0})
        asked = [self.hub.status.fullStatus()]
        self.waiting.pop()()
        self.assertEqual(self.successResultOf(asked[0])["blobs"], {"count": 0, "bytes": 0})

    def test_statusOfBrokenStore(self) -> None:
        """Where the store fails the status goes without it."""
        self.folder.mkdir()
        self.patch(os, "listdir", mock.Mock(side_effect=OSError("no disk")))
        status = self.successResultOf(self.hub.status.fullStatus())
        self.assertIsNone(status["blobs"])

    def test_share(self) -> None:
        """One turn after the other; the next comes when payloads had no more than 10 ms at once, 0.15 s a second."""
        answered: list[str] = []

        def get(aiId: str) -> None:
            def told(answer: object, seconds: float) -> None:
                answered.append(aiId)
                self.payloads.charge(3 * 0.15 + 0.01)

            self.payloads.answer(PayloadRequest("get", digest=DIGEST), "m", aiId, told)

        self.time.advance(60)
        for aiId in ("AI_1", "AI_2", "AI_3"):
            get(aiId)
        self.assertEqual(answered, ["AI_1"])
        self.time.advance(2.9)
        self.assertEqual(answered, ["AI_1"])
        self.time.advance(0.2)
        self.assertEqual(answered, ["AI_1", "AI_2"])
        self.payloads.stop()
        self.assertEqual(self.time.getDelayedCalls(), [])

    def test_slices(self) -> None:
        """A part is decoded and encoded 48 KiB at once, with a moment in between for whoever waits."""
        worked: list[int] = []
        for name in ("b64encode", "b64decode"):
            coded = getattr(base64, name)

            def noted(data: bytes, coded: Callable[..., bytes] = coded, **options: Any) -> bytes:
                worked.append(len(data))
                return coded(data, **options)

            self.patch(base64, name, noted)
        self.patch(time, "sleep", lambda seconds: worked.append(0))
        data = bytes(range(256)) * 400
        text = payload_shelf._encoded(data)
        self.assertEqual(worked, [49152, 0, 49152, 0, 4096, 0])
        worked.clear()
        self.assertEqual(payload_shelf._decoded(text[1:-1].decode()), data)
        self.assertEqual(worked, [49152, 0, 49152, 0, 136536 - 2 * 49152, 0])

    def test_wideCharacters(self) -> None:
        """Characters count as bytes while they wait: what has wider ones doesn't."""
        self.slow = True
        self.client.send("payload", {"step": "part", "digest": DIGEST, "data": "A" * 99 + "\N{PENGUIN}"})
        self.assertEqual(self.client.errors(), ["invalid_message"])
        self.assertEqual((self.waiting, self.payloads._waiting), ([], 0))

    def test_ownersTurns(self) -> None:
        """An owner's AIs, however many, let another's wait for one of them only."""
        self.slow = True
        answered: list[str] = []
        self.owners.update(dict.fromkeys(["BOB_1", "BOB_2", "BOB_3", "BOB_4"], "bob"))
        for aiId in (*self.owners, "AI_1", "AI_2"):
            self.payloads.answer(
                PayloadRequest("get", digest=DIGEST), "m", aiId, lambda _, __, aiId=aiId: answered.append(aiId)
            )
        for waits in self.waiting:  # it grows meanwhile
            self.time.advance(60)
            waits()
        self.assertEqual(answered, ["BOB_1", "BOB_2", "AI_1", "AI_2", "BOB_3", "BOB_4"])

    def test_again(self) -> None:
        """Of an AI that comes again and again one request waits, the newest."""
        self.slow = True
        answered: list[str] = []
        for number in range(4):
            self.payloads.answer(
                PayloadRequest("get", digest=DIGEST, data="A" * number),
                *(f"m{number}", "AI_1"),
                lambda payload, _: answered.append(payload["reply_to"]),
            )
        self.assertEqual((len(self.payloads._turns), self.payloads._waiting), (1, 3))
        for waits in self.waiting:  # it grows meanwhile
            self.time.advance(60)
            waits()
        self.assertEqual(answered, ["m0", "m3"])

    def test_tooMuchWaits(self) -> None:
        """Parts that wait for their turn have a bound together, over which the next one is to come again."""
        self.patch(payload_shelf, "MAX_WAITING", 10)
        self.slow = True
        for messageId in ("m0", "m1"):  # the first doesn't wait
            self.payloads.answer(
                PayloadRequest("part", digest=DIGEST, data="A" * 8), messageId, "AI_1", lambda *_: None
            )
        part = {"step": "part", "digest": DIGEST, "part": 0, "data": "AAAA"}
        client = self.hub.connect("AI_2")
        client.send("payload", part)
        self.assertEqual(client.errors(), ["busy"])
        self.slow = False
        self.waiting[0]()
        client.send("payload", part)
        self.assertEqual(client.payloads("payload")[0]["step"], "refused")

    def test_64MiBWait(self) -> None:
        """That is 64 MiB, of however many AIs."""
        self.slow = True
        megabyte = PayloadRequest("get", digest=DIGEST, data="A" * (1 << 20))
        for number in range(1 + 64):  # the first doesn't wait
            self.payloads.answer(megabyte, f"m{number}", f"AI_{number}", lambda *_: None)
        with self.assertRaises(WireProblem) as caught:
            self.payloads.answer(PayloadRequest("get", data="A"), "m", "one more", lambda *_: None)
        self.assertEqual(caught.exception.code, "busy")
