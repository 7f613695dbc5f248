"""What messages from the hub do to a trainer, and what of it survives a crash."""

import json
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from zope.interface import implementer

from kernelnet.artifacts import Verdict
from kernelnet.message import MessageType
from kernelnet.trainer.messaging import delivery
from kernelnet.trainer.messaging.dispatcher import Dispatcher
from kernelnet.trainer.service import TrainerFailed
from kernelnet.trainer.storage.database import Changes
from tests.trainer.support import TrainerTestCase, component

T = MessageType
PATTERN = {"pattern": {"id": "p1", "type": "loop", "confidence": 0.5, "data": {"length": 3}}}


def share(name: str, **more: Any) -> dict[str, Any]:
    import msgspec

    return {"component": msgspec.to_builtins(component(name)), **more}


class GreetingTests(TrainerTestCase):
    def test_handshakeAndHello(self) -> None:
        """A connection begins with the handshake line and a version 2 hello."""
        self.connect()
        handshake, hello = self.lines()
        self.assertEqual(json.loads(handshake), {"ai_id": "AI_1", "token": "join"})
        payload = json.loads(hello)["payload"]
        self.assertEqual((payload["protocol"], payload["specialization"]), (2, "file_system"))
        self.assertIn("storage_management", payload["capabilities"])
        self.assertNotIn("resume_after", {k for k, v in payload.items() if v is not None})

    @inlineCallbacks
    def test_credential(self) -> Any:
        """The credential of an enrolling is kept with mode 0600 and used from then on."""
        self.connect()
        yield self.hear(self.sync(credential="own-token"))
        self.assertEqual(self.trainer.credentials.path.stat().st_mode & 0o777, 0o600)
        self.connect()
        self.assertEqual(json.loads(self.lines()[0])["token"], "own-token")

    @inlineCallbacks
    def test_resume(self) -> Any:
        """After a restart the hello names the log and how far it was read."""
        self.connect()
        yield self.hear(self.sync(), self.message(T.PATTERN_SHARE, PATTERN))
        yield self.trainer.store.close()
        yield self.begin()
        self.connect()
        payload = json.loads(self.lines()[1])["payload"]
        self.assertEqual((payload["log_id"], payload["resume_after"]), ("L", 101))

    @inlineCallbacks
    def test_pages(self) -> Any:
        """A trainer that can't resume pages the knowledge base; one that can does not."""
        self.connect()
        self.lines()
        yield self.hear(self.sync(next="c:1"))
        self.assertEqual([m.payload["after"] for m in self.said(T.TRAINING_SYNC)], ["c:1"])
        yield self.hear(self.sync())
        self.connect()
        self.lines()
        yield self.hear(self.sync(resumed=True, next="c:1"))
        self.assertEqual(self.said(T.TRAINING_SYNC), [])

    @inlineCallbacks
    def test_pagesAcrossRestart(self) -> Any:
        """A newcomer whose connection was lost while it paged goes on with the same page, another process, too."""
        self.connect()
        yield self.hear(self.sync(next="c:1"))
        yield self.hear(self.sync(next="c:2"))
        for _ in range(2):
            self.connect()
            self.lines()
            yield self.hear(self.sync(resumed=True, next="c:1"))
            self.assertEqual([m.payload["after"] for m in self.said(T.TRAINING_SYNC)], ["c:2"])
            yield self.trainer.store.close()
            yield self.begin()
        self.connect()
        yield self.hear(self.sync(resumed=True, next="c:1"))
        yield self.hear(self.sync())
        self.assertEqual((yield self.trainer.store.read("SELECT * FROM meta WHERE key = 'page'")), [])

    @inlineCallbacks
    def test_aiInfoIsLive(self) -> Any:
        """It is known of those who were there and of those who came later what the hub last told of them."""
        self.connect()
        yield self.hear(self.sync(active_ais=["AI_2"], ai_info={"AI_2": {"specialization": "security"}}))
        news = {"ai_info": {"AI_3": {"specialization": "networking"}}}
        yield self.hear(self.message(T.TRAINING_SYNC, news, sender="hub", logged=False))
        known = {aiId: info.specialization for aiId, info in self.trainer.knowledge.ais.items()}
        self.assertEqual(known, {"AI_2": "security", "AI_3": "networking"})


class LearningTests(TrainerTestCase):
    @inlineCallbacks
    def test_knowledgeAndCursorTogether(self) -> Any:
        """What a message teaches and the cursor behind it are in the same transaction."""
        self.connect()
        yield self.hear(self.sync())
        commit = self.trainer.store.commit
        seen: list[Changes] = []

        def noted(changes: Changes) -> Deferred[None]:
            seen.append(changes)
            return commit(changes)

        self.patch(self.trainer.store, "commit", noted)
        yield self.hear(self.message(T.PATTERN_SHARE, PATTERN))
        sql = [statement for statement, _ in seen[0].statements]
        self.assertEqual(len(seen), 1)
        self.assertTrue(any("INTO patterns" in s for s in sql) and any("'cursor'" in s for s in sql), sql)

    @inlineCallbacks
    def test_replayedTwice(self) -> Any:
        """A logged message that comes a second time is passed over."""
        self.connect()
        yield self.hear(self.sync())
        message = self.message(T.OS_COMPONENT_SHARE, share("c1"))
        yield self.hear(message)
        yield self.hear(message)
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM jobs")), [(1,)])

    @inlineCallbacks
    def test_poison(self) -> Any:
        """A message whose handling always raises is skipped after three tries and counted; then the next is handled."""
        self.patch(delivery, "TRY_AGAIN", 0)
        self.connect()
        yield self.hear(self.sync())

        def poisoned(dispatcher: Dispatcher, message: Any, payload: Any, changes: Any) -> None:
            changes.add("DELETE FROM meta")
            raise RuntimeError("poison")

        handlers = dict(Dispatcher._handlers)
        handlers[T.CODE_SHARE] = (poisoned, handlers[T.CODE_SHARE][1])
        self.patch(Dispatcher, "_handlers", handlers)
        code = {"code": {"id": "b", "data": {}}}
        yield self.hear(self.message(T.CODE_SHARE, code), self.message(T.PATTERN_SHARE, PATTERN))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        self.assertEqual(self.trainer.dispatcher.failed, 1)
        self.assertEqual(self.trainer.progress.now()["skipped"], 1)
        self.assertIn(("AI_2", "p1"), self.trainer.knowledge.patterns)
        meta = dict((yield self.trainer.store.read("SELECT key, value FROM meta")))
        self.assertEqual(meta, {"log_id": "L", "cursor": "102", "skipped": "1", "tries": "3 L 101"})

    @inlineCallbacks
    def test_passingFault(self) -> Any:
        """A message whose handling raises once is handled by the second try, before all that is behind it."""
        self.patch(delivery, "TRY_AGAIN", 0)
        self.connect()
        yield self.hear(self.sync())
        handle, payloadClass = Dispatcher._handlers[T.CODE_SHARE]
        taken: list[str] = []

        def once(dispatcher: Dispatcher, message: Any, payload: Any, changes: Any) -> None:
            taken.append(payload.code.id)
            if len(taken) == 1:
                raise RuntimeError("passing")
            handle(dispatcher, message, payload, changes)

        self.patch(Dispatcher, "_handlers", {**Dispatcher._handlers, T.CODE_SHARE: (once, payloadClass)})
        first = self.hear(self.message(T.CODE_SHARE, {"code": {"id": "a", "data": {}}}))
        second = self.hear(self.message(T.CODE_SHARE, {"code": {"id": "b", "data": {}}}))
        yield first
        yield second
        self.assertEqual(taken, ["a", "a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((self.trainer.dispatcher.failed, self.trainer.sync.cursor), (0, 102))
        self.assertEqual(list(self.trainer.knowledge.blocks), [("AI_2", "a"), ("AI_2", "b")])

    @inlineCallbacks
    def test_triesSurvive(self) -> Any:
        """The tries go on where they were after a restart, and the message comes again: the cursor is before it."""
        self.connect()
        yield self.hear(self.sync())

        def poisoned(dispatcher: Dispatcher, message: Any, payload: Any, changes: Any) -> None:
            raise RuntimeError("poison")

        self.patch(
            Dispatcher,
            "_handlers",
            {**Dispatcher._handlers, T.CODE_SHARE: (poisoned, Dispatcher._handlers[T.CODE_SHARE][1])},
        )
        message = self.message(T.CODE_SHARE, {"code": {"id": "b", "data": {}}})
        for tries, cursor in ((1, 100), (2, 100), (3, 101)):
            changes, left = self.trainer.dispatcher.take([message])
            self.assertEqual(left, [message] if tries < 3 else [])
            yield self.trainer.outbox.commit(changes)
            yield self.trainer.store.close()
            yield self.begin()
            self.assertEqual((self.trainer.sync.cursor, self.trainer.dispatcher.failed), (cursor, int(tries == 3)))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)

    @inlineCallbacks
    def test_reportsHowFarItRead(self) -> Any:
        """A ping with a position moves the cursor there, and is answered by it when that and all before is durable."""
        self.connect()
        yield self.hear(self.sync())
        self.said()
        committed: list[str] = []
        commit = self.trainer.store.commit

        def noted(changes: Changes) -> Deferred[None]:
            committed.extend(str(p) for sql, p in changes.statements if "'cursor'" in sql)
            self.assertEqual([m for m in self.said(T.HEARTBEAT) if "seq" in m.payload], [])
            return commit(changes)

        self.patch(self.trainer.store, "commit", noted)
        ping = self.message(T.HEARTBEAT, {"nonce": 1, "seq": 150}, sender="hub", logged=False)
        yield self.hear(self.message(T.PATTERN_SHARE, PATTERN), ping)
        self.assertEqual(committed, ["('150',)"])
        self.assertEqual([m.payload for m in self.said(T.HEARTBEAT)], [{"seq": 150}])
        self.assertEqual(self.trainer.sync.cursor, 150)

    @inlineCallbacks
    def test_wrongPayload(self) -> Any:
        """A payload of another form is passed over with a warning."""
        self.connect()
        yield self.hear(self.sync(), self.message(T.PATTERN_SHARE, {"pattern": {"id": "p"}}))
        self.assertEqual((self.trainer.dispatcher.failed, self.trainer.sync.cursor), (1, 101))

    @inlineCallbacks
    def test_strangersComponentIsUnmeasured(self) -> Any:
        """A component that came over the wire is no parent before it was measured here."""
        self.connect()
        yield self.hear(self.sync(), self.message(T.OS_COMPONENT_SHARE, share("c1")))
        self.assertEqual(self.trainer.knowledge.usable("file_system"), [])

    @inlineCallbacks
    def test_log(self) -> Any:
        """No control character of a stranger's reaches the log, and so the terminal."""
        lines: list[str] = []

        @implementer(ILogObserver)
        def note(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        self.patch(Dispatcher, "log", Logger(observer=note))
        nasty = "\x1b[2J\nforged\u202e"
        self.connect()
        request = {"feature": nasty}
        yield self.hear(
            self.sync(),
            self.message(T.PATTERN_SHARE, {"pattern": {"id": nasty, "type": nasty, "confidence": 0.5}}),
            self.message(T.OS_COMPONENT_SHARE, {"component": {"id": nasty}}),
            self.message(T.PERFORMANCE_REPORT, {"component_id": nasty, "performance": {}, "verdict": "confirmed"}),
            self.message(T.FEATURE_REQUEST, {"original_request": request, "requestor": "AI_2"}),
            self.message(T.FEATURE_RESPONSE, {"original_request": request, "reason": nasty}),
        )
        self.assertEqual(len(lines), 5)
        self.assertTrue(all(line.isprintable() for line in lines), lines)

    @inlineCallbacks
    def test_verdictSurvives(self) -> Any:
        """After a restart a verdict is still there, and only the confirmed may be built upon."""
        self.connect()
        yield self.hear(
            self.sync(),
            self.message(T.OS_COMPONENT_SHARE, share("good")),
            self.message(T.OS_COMPONENT_SHARE, share("bad")),
        )
        changes = Changes()
        self.trainer.knowledge.judge(component("good").digest, Verdict.CONFIRMED, changes)
        self.trainer.knowledge.judge(component("bad").digest, Verdict.REFUTED, changes)
        yield self.trainer.outbox.commit(changes)
        yield self.trainer.store.close()
        yield self.begin()
        self.assertEqual([k.component.id for k in self.trainer.knowledge.usable("file_system")], ["good"])

    @inlineCallbacks
    def test_knowledgeBase(self) -> Any:
        """A newcomer takes over patterns, components (unmeasured) and blocks from the pages it reads."""
        import msgspec

        base = {
            "patterns": [{"source": "AI_2", **PATTERN["pattern"]}, {"source": "AI_2", "id": "no pattern"}],
            "components": [
                {"source": "AI_2", **msgspec.to_builtins(component("c1"))},
                {"source": "AI_2", "kind": "code", "id": "b1", "type": "parameters", "data": [1]},
            ],
            "benchmarks": {},
        }
        self.connect()
        yield self.hear(self.sync(global_knowledge_base=base))
        self.assertEqual(list(self.trainer.knowledge.patterns), [("AI_2", "p1")])
        self.assertEqual([k.source for k in self.trainer.knowledge.components.values()], ["AI_2"])
        self.assertEqual(list(self.trainer.knowledge.blocks), [("AI_2", "b1")])
        self.assertEqual(self.trainer.verification.unmeasured(), 1)


class OutboxTests(TrainerTestCase):
    async def say(self, *names: str) -> None:
        from kernelnet.artifacts import CodeBlock
        from kernelnet.message import CodeShare

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
    def test_fatal(self) -> Any:
        """Refused credentials and a take-over end the trainer with a reason."""
        for code in ("bad_credentials", "taken_over"):
            yield self.begin()
            ended = self.trainer.ended
            self.connect()
            error = {"code": code, "message": "why", "class": "closing"}
            yield self.hear(self.message(T.ERROR, error, sender="hub", logged=False))
            failure = yield self.assertFailure(ended, TrainerFailed)
            self.assertIn("why", str(failure))
