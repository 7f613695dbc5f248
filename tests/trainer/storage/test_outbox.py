"""Messages until their ack: in order, across restarts, and none that would hold up the others."""

from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from kernelnet.artifacts import CodeBlock
from kernelnet.message import CodeShare, MessageType
from kernelnet.trainer.storage import outbox
from kernelnet.trainer.storage.database import Changes
from kernelnet.wire import AUTHENTICATED_LINE, encode, newMessage
from tests.trainer.support import TrainerTestCase

T = MessageType


class OutboxTests(TrainerTestCase):
    async def say(self, *names: str) -> None:
        for name in names:
            changes = Changes()
            self.trainer.outbox.say(T.CODE_SHARE, CodeShare(CodeBlock(name)), changes)
            await self.trainer.outbox.commit(changes)

    def heard(self) -> list[str]:
        return [m.payload["code"]["id"] for m in self.said(T.CODE_SHARE)]

    @inlineCallbacks
    def test_waitsForTheGreeting(self) -> Any:
        """Nothing logged goes out before the hub has answered the hello."""
        yield Deferred.fromCoroutine(self.say("a", "b"))
        self.connect()
        self.assertEqual(self.heard(), [])
        yield self.hear(self.sync())
        self.assertEqual(self.heard(), ["a", "b"])

    @inlineCallbacks
    def test_againInOrderAcrossRestart(self) -> Any:
        """What was not acked is sent again by the next process, with the same ids, in the same order."""
        self.connect()
        yield self.hear(self.sync())
        yield Deferred.fromCoroutine(self.say("a", "b", "c"))
        first = {m.payload["code"]["id"]: m.message_id for m in self.said(T.CODE_SHARE)}
        ack = {"acked": [[first["a"], 7]]}
        yield self.hear(self.message(T.ACK, ack, sender="hub", logged=False))
        yield self.trainer.store.close()
        yield self.begin()
        self.connect()
        yield self.hear(self.sync(resumed=True))
        again = {m.payload["code"]["id"]: m.message_id for m in self.said(T.CODE_SHARE)}
        self.assertEqual(list(again.items()), [("b", first["b"]), ("c", first["c"])])

    @inlineCallbacks
    def test_permanentErrorDrops(self) -> Any:
        """A message that the hub will never take leaves the outbox; others stay."""
        self.connect()
        yield self.hear(self.sync())
        yield Deferred.fromCoroutine(self.say("a", "b"))
        ids = [m.message_id for m in self.said(T.CODE_SHARE)]
        refused = {"code": "invalid_message", "message": "no", "class": "permanent", "message_id": ids[0]}
        yield self.hear(self.message(T.ERROR, refused, sender="hub", logged=False))
        self.assertEqual(len((yield self.storedOutbox())), 1)

    @inlineCallbacks
    def test_retryErrorReconnects(self) -> Any:
        """A full hub makes the trainer come back later, with all that is unacked in its order."""
        self.connect()
        yield self.hear(self.sync())
        yield Deferred.fromCoroutine(self.say("a", "b"))
        full = {"code": "storage_full", "message": "full", "class": "retry"}
        yield self.hear(self.message(T.ERROR, full, sender="hub", logged=False))
        self.assertTrue(self.transport.disconnecting)
        self.trainer.outbox.disconnected()
        self.connect()
        yield self.hear(self.sync(resumed=True))
        self.assertEqual(self.heard(), ["a", "b"])

    @inlineCallbacks
    def test_tooLongToSend(self) -> Any:
        """A message that no line can hold is not sent; the hub would close over it, again and again."""
        self.connect()
        yield self.hear(self.sync())
        self.lines()
        for name, size in (("long", 1 << 20), ("short", 10)):
            changes = Changes()
            self.trainer.outbox.say(T.CODE_SHARE, CodeShare(CodeBlock(name, data="x" * size)), changes)
            yield self.trainer.outbox.commit(changes)
        self.assertEqual([m.payload["code"]["id"] for m in self.said(T.CODE_SHARE)], ["short"])

    @inlineCallbacks
    def test_hubWithASmallerLimit(self) -> Any:
        """When the hub closes over a line that is too long for it, the longest that was sent is dropped."""
        self.connect()
        yield self.hear(self.sync())
        self.lines()
        for name, size in (("a", 10), ("long", 1000), ("b", 10)):
            changes = Changes()
            self.trainer.outbox.say(T.CODE_SHARE, CodeShare(CodeBlock(name, data="x" * size)), changes)
            yield self.trainer.outbox.commit(changes)
        error = {"code": "line_too_long", "message": "at most 500 bytes", "class": "closing"}
        yield self.hear(self.message(T.ERROR, error, sender="hub", logged=False))
        self.lines()
        self.connect()
        yield self.hear(self.sync(resumed=True))
        self.assertEqual([m.payload["code"]["id"] for m in self.said(T.CODE_SHARE)], ["a", "b"])


class BoundTests(TrainerTestCase):
    def answer(self, count: int) -> Any:
        changes = Changes()
        for i in range(count):
            self.trainer.outbox.answer(T.CODE_SHARE, CodeShare(CodeBlock(f"a{i}", data="x" * 1000)), changes)
        return self.trainer.outbox.commit(changes)

    @inlineCallbacks
    def test_answers(self) -> Any:
        """While a hub acks nothing, no more is said that strangers cause; what is our own is said always."""
        self.patch(outbox, "MAX_ANSWERS", 5)
        yield self.answer(4)
        yield self.answer(1)
        yield self.answer(3)
        self.assertEqual(len(self.trainer.outbox), 5)
        changes = Changes()
        self.trainer.outbox.say(T.CODE_SHARE, CodeShare(CodeBlock("own")), changes)
        yield self.trainer.outbox.commit(changes)
        self.assertEqual(len(self.trainer.outbox), 6)

    @inlineCallbacks
    def test_bytesOfAnswers(self) -> Any:
        """The same by their bytes; what was acked makes room."""
        self.patch(outbox, "ANSWER_ROOM", 5000)
        self.connect()
        yield self.hear(self.sync())
        for _ in range(9):
            yield self.answer(1)
        ids = [m.message_id for m in self.said(T.CODE_SHARE)]
        self.assertEqual(len(ids), 5)
        acked = [[id_, 7] for id_ in ids] * 2
        yield self.hear(self.message(T.ACK, {"acked": acked}, sender="hub", logged=False))
        self.assertEqual(
            (len(self.trainer.outbox), self.trainer.outbox.isFull, self.trainer.outbox._bytes), (0, False, 0)
        )
        yield self.answer(1)
        self.assertEqual(len(self.trainer.outbox), 1)

    @inlineCallbacks
    def test_restart(self) -> Any:
        """What an earlier run left counts."""
        self.patch(outbox, "ANSWER_ROOM", 5000)
        yield self.answer(5)
        yield self.trainer.store.close()
        yield self.begin()
        self.assertTrue(self.trainer.outbox.isFull)

    @inlineCallbacks
    def test_acksOfNothing(self) -> Any:
        """A hub that acks what was never said makes us write nothing."""
        self.connect()
        yield self.hear(self.sync())
        commits = self.commits()
        acked = [[f"none{i}", 7] for i in range(1000)]
        yield self.hear(self.message(T.ACK, {"acked": acked}, sender="hub", logged=False))
        self.assertEqual([changes.statements for changes, _ in commits], [[]])

    @inlineCallbacks
    def test_window(self) -> Any:
        """So many bytes are under way at once; acks let the next go."""
        self.patch(outbox, "WINDOW_BYTES", 2500)
        self.connect()
        yield self.hear(self.sync())
        yield self.answer(6)
        first = [m.message_id for m in self.said(T.CODE_SHARE)]
        self.assertEqual(len(first), 3)
        acks = {"acked": [[id_, 7] for id_ in first[:2]]}
        yield self.hear(self.message(T.ACK, acks, sender="hub", logged=False))
        self.assertEqual(len(self.said(T.CODE_SHARE)), 2)
        self.connect()
        yield self.hear(self.sync(resumed=True))
        self.assertEqual(len(self.said(T.CODE_SHARE)), 3)

    @inlineCallbacks
    def test_windowOfMessages(self) -> Any:
        """So many messages are under way at once, and not one more."""
        self.patch(outbox, "WINDOW", 4)
        self.connect()
        yield self.hear(self.sync())
        yield self.answer(7)
        self.assertEqual(len(self.said(T.CODE_SHARE)), 4)

    @inlineCallbacks
    def test_exactly(self) -> Any:
        """A bound is reached with exactly so many bytes."""
        yield self.answer(2)
        size = self.trainer.outbox._bytes
        for room, isFull in ((size + 1, False), (size, True)):
            self.patch(outbox, "ANSWER_ROOM", room)
            self.assertEqual(self.trainer.outbox.isFull, isFull)
        changes = Changes()
        empty = len(encode(newMessage("AI_1", T.CODE_SHARE, CodeShare(CodeBlock("a", data="")))))
        for more, said in ((0, 1), (1, 1)):
            block = CodeBlock("a", data="x" * (AUTHENTICATED_LINE - empty + more))
            self.trainer.outbox.say(T.CODE_SHARE, CodeShare(block), changes)
            self.assertEqual(len(changes.statements), said, more)
        self.patch(outbox, "ANSWER_ROOM", 10 * size)
        for room, sent in ((size // 2, 1), (size // 2 + 1, 2), (size, 2)):  # both are as long
            self.patch(outbox, "WINDOW_BYTES", room)
            self.connect()
            yield self.hear(self.sync(resumed=True))
            self.assertEqual(len(self.said(T.CODE_SHARE)), sent)
        yield self.answer(1)
        self.assertEqual(self.said(T.CODE_SHARE), [])
