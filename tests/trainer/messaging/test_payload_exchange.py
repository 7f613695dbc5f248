"""A trainer's blobs on their way, to and from a shelf of a hub that loses connections."""

from __future__ import annotations

import base64
import os

from msgspec.structs import replace
from twisted.internet.defer import Deferred, maybeDeferred

from kernelnet.hub.storage.blobs.memory import MemoryBlobs
from kernelnet.message import ErrorClass, WireError
from kernelnet.payloads import PART, PayloadAnswer, PayloadOffer
from kernelnet.trainer.messaging.payload_exchange import (
    AGAIN_AFTER,
    ANSWER_WITHIN,
    PayloadExchange,
    PayloadFailed,
)
from tests.trainer.messaging.support import DATA, TRACE, ExchangeTestCase


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
        self.clock.advance(4.9)
        self.assertEqual(self.waiting, [])
        self.clock.advance(0.1)
        self.assertEqual(self.asked[-1], self.asked[-2])
        self.run_()
        self.successResultOf(done)
        offers = Deferred.fromCoroutine(exchange.offers(TRACE, "AI_1"))
        for _ in range(20):
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
        self.clock.advance(59.9)
        self.assertEqual(len(self.asked), 1)
        self.clock.advance(0.1)
        self.assertEqual([request.step for request in self.asked], ["begin", "begin"])
        late()
        self.assertEqual(len(self.asked), 2)
        self.run_()
        self.assertEqual(self.successResultOf(done), len(DATA))

    def test_noMore(self) -> None:
        """A hub that takes a part and has no more than before gets no other: that would never end."""
        exchange = PayloadExchange(self.clock, maybeDeferred)
        exchange.connected(lambda request: "m")
        done = Deferred.fromCoroutine(exchange.share(self.file, TRACE))
        for have in (PART, 2 * PART):
            exchange.answered(PayloadAnswer("have", "m", have=have))
        self.assertNoResult(done)
        exchange.answered(PayloadAnswer("have", "m", have=2 * PART))
        self.assertIn("no more than before", str(self.failureResultOf(done, PayloadFailed).value))

    def test_wrongPart(self) -> None:
        """What is no part, or one of another size, is not written."""
        offer, path = PayloadOffer("ab" * 32, PART + 1, "AI_1", ""), self.folder / "fetched" / "x"
        for step, size in (("part", 5), ("have", PART)):
            exchange = PayloadExchange(self.clock, maybeDeferred)
            exchange.connected(lambda request: "m")
            done = Deferred.fromCoroutine(exchange.fetch(offer, path))
            exchange.answered(PayloadAnswer(step, "m", data=base64.b64encode(bytes(size)).decode()))
            self.assertIn("another size", str(self.failureResultOf(done, PayloadFailed).value))
        self.assertFalse(path.parent.exists())

    def test_private(self) -> None:
        """What is fetched is its owner's to read, and nobody else's; whatever the umask."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        offer, path = self.shared(), self.folder / "fetched" / "x"
        done = Deferred.fromCoroutine(self.exchange("AI_2").fetch(offer, path))
        self.run_()
        self.successResultOf(done)
        self.assertEqual([one.stat().st_mode & 0o777 for one in (path.parent, path)], [0o700, 0o600])

    def test_suffixes(self) -> None:
        """Two suffixes leave at most."""
        self.file = self.file.rename(self.folder / "a.secret.ftrace.xz")
        Deferred.fromCoroutine(self.exchange().share(self.file, TRACE))
        self.assertEqual(self.asked[0].suffix, ".ftrace.xz")

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
