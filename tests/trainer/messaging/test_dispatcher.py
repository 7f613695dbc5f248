"""What messages from the hub do to a trainer, and what of it survives a crash."""

from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from zope.interface import implementer

from kernelnet.artifacts import Pattern, Verdict
from kernelnet.message import ComponentShare, MessageType
from kernelnet.trainer.messaging import delivery
from kernelnet.trainer.messaging.dispatcher import Dispatcher
from kernelnet.trainer.service import TrainerFailed
from kernelnet.trainer.storage.database import Changes
from tests.hub.support import captureLog
from tests.trainer.support import TrainerTestCase, component, levelOf

T = MessageType
PATTERN = {"pattern": {"id": "p1", "type": "loop", "confidence": 0.5, "data": {"length": 3}}}
INVITATION = {
    "type": "feature_development",
    "description": "help",
    "initiator": "AI_2",
    "partner_specialization": "audio",
}


def share(name: str, **more: Any) -> dict[str, Any]:
    import msgspec

    return {"component": msgspec.to_builtins(component(name)), **more}


class LearningTests(TrainerTestCase):
    @inlineCallbacks
    def test_knowledgeAndCursorTogether(self) -> Any:
        """What a message teaches and the cursor behind it are in the same transaction."""
        self.connect()
        yield self.hear(self.sync())
        commits = self.commits()
        yield self.hear(self.message(T.PATTERN_SHARE, PATTERN))
        ((changes, _),) = commits
        sql = [statement for statement, _ in changes.statements]
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
    def test_signatures(self) -> Any:
        """A peer's report is kept without its signature, which the hub has for who asks."""
        self.connect()
        signature = {"keyid": "ab", "sig": "AAAA", "certificate": "AAAA"}
        envelope = {"payload": "e30=", "payloadType": "t", "signatures": [signature]}
        told = {"component_id": "c1", "performance": {}, "verdict": "confirmed", "attestation": envelope}
        yield self.hear(self.sync(), self.message(T.PERFORMANCE_REPORT, told))
        self.assertIsNone(self.trainer.knowledge.reportsOn("c1")["AI_2"].decoded().attestation)

    @inlineCallbacks
    def test_patternsInOneLine(self) -> Any:
        """Patterns are told in one line, however many come at a start, and from how many."""
        lines: list[str] = []

        @implementer(ILogObserver)
        def note(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        self.patch(Dispatcher, "log", Logger(observer=note))
        self.connect()
        each = [{"pattern": {**PATTERN["pattern"], "id": f"p{at}"}} for at in range(30)]
        yield self.hear(
            self.sync(),
            *(self.message(T.PATTERN_SHARE, one) for one in each),
            self.message(T.PATTERN_SHARE, PATTERN, sender="AI_3"),
        )
        self.assertEqual(lines, ["Patterns: 30 from AI_2, 1 from AI_3"])

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


class RefusedTests(TrainerTestCase):
    """A component of ours that the hub won't take, such as the 101st id of one digest."""

    WHY = "this component is here under 100 ids already; use one of these"

    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        yield super().setUp()
        self.connect()
        yield self.hear(self.sync(active_ais=["AI_1", "AI_2"]))

    def refuse(self, messageId: str, code: str = "invalid_message") -> Any:
        kind = "closing" if code == "line_too_long" else "permanent"
        error = {"code": code, "message": self.WHY, "class": kind, "message_id": messageId}
        return self.hear(self.message(T.ERROR, error, sender="hub", logged=False))

    @inlineCallbacks
    def test_ownComponent(self) -> Any:
        """It is said once, the log tells that it isn't shared, and all that was said beside it stays."""
        lines = captureLog(self)
        made, changes = component("made"), Changes()
        publisher, outbox, knowledge = self.trainer.publisher, self.trainer.outbox, self.trainer.knowledge
        publisher.sharePattern(Pattern("before", "loop", 0.5), changes)
        publisher.publishComponent(ComponentShare(component=made), changes, level=levelOf(made))
        publisher.sharePattern(Pattern("behind", "loop", 0.5), changes)
        yield outbox.commit(changes)
        (share,) = self.said(T.OS_COMPONENT_SHARE)
        yield self.refuse(share.message_id)
        yield self.refuse(share.message_id)
        self.assertEqual(self.said(), [])
        self.assertEqual(len([line for line in lines if "our component made, which isn't shared: this" in line]), 1)
        self.assertEqual((yield self.storedOutbox()), ["pattern_share"] * 2)
        # what was measured is true whoever has it
        known = knowledge.components[made.digest]
        self.assertEqual((known.source, known.verdict, known.level), ("AI_1", Verdict.CONFIRMED, levelOf(made)))
        # the same again is nothing new, and the next process says it no more
        self.local.script = [component("made")]
        yield Deferred.fromCoroutine(self.trainer.rounds.run())
        self.assertEqual(self.said(T.OS_COMPONENT_SHARE), [])
        yield self.trainer.store.close()
        yield self.begin()
        self.assertIn(made.digest, self.trainer.knowledge.components)
        self.connect()
        yield self.hear(self.sync(resumed=True))
        self.assertEqual([m.payload["pattern"]["id"] for m in self.said(T.PATTERN_SHARE)], ["before", "behind"])

    @inlineCallbacks
    def test_completesNothing(self) -> Any:
        """A session that it was to complete is declined with the reason, and nobody waits; more is not said."""
        for number, code in enumerate(("invalid_message", "line_too_long")):
            session = f"s{number}"
            yield self.hear(self.message(T.COLLABORATION_REQUEST, {**INVITATION, "session_id": session}))
            changes = Changes()
            sessions = self.trainer.sessions
            sessions.complete(sessions.sessions[session], component(f"made {number}"), changes)
            yield self.trainer.outbox.commit(changes)
            (share,) = self.said(T.OS_COMPONENT_SHARE)
            yield self.refuse(share.message_id, code)
            found = sessions.sessions[session]
            self.assertEqual((found.status, found.component_id), ("declined", None))
            (answer,) = self.said()
            self.assertEqual((answer.payload["session_id"], answer.payload["response"]), (session, "declined"))
            self.assertIn(self.WHY, answer.payload["reason"])
            yield self.refuse(answer.message_id)
            self.assertEqual(self.said(), [])
            (kept,) = yield self.trainer.store.read("SELECT body FROM sessions WHERE session_id = ?", session)
            self.assertIn('"status":"declined"', kept[0])


class StrangerTests(TrainerTestCase):
    """Words of the hub, and how many lines of the log strangers cause."""

    WORDS = "\x1b[2Jend\n\u202ec" + "x" * 5000

    def error(self, **more: Any) -> Any:
        said = {"code": "busy", "message": self.WORDS, "class": "closing", **more}
        return self.message(T.ERROR, said, sender="hub", logged=False)

    @inlineCallbacks
    def test_errors(self) -> Any:
        """Whatever an error of the hub says, the log shows it in one line of bounded length that does nothing."""
        lines = captureLog(self)
        self.connect()
        yield self.hear(self.sync())
        for more in (
            {},
            {"code": self.WORDS},
            {"class": "permanent"},
            {"class": "permanent", "message_id": self.WORDS},
        ):
            yield self.hear(self.error(**more))
        told = [line for line in lines if "the hub" in line and "end" in line]
        self.assertEqual(len(told), 4)
        for line in told:
            self.assertTrue(line.isprintable(), line)
            self.assertLess(len(line), 600)

    @inlineCallbacks
    def test_ends(self) -> Any:
        """So does the reason with which it ends."""
        for code in ("bad_credentials", "taken_over"):
            reasons: list[str] = []
            self.patch(self.trainer.dispatcher, "_fail", reasons.append)
            self.connect()
            yield self.hear(self.error(code=code))
            self.assertTrue(reasons[0].isprintable() and len(reasons[0]) < 600, reasons)

    @inlineCallbacks
    def test_linesOfEachKind(self) -> Any:
        """A flood writes a hundred lines of a kind, not one for each message."""
        lines = captureLog(self)
        self.connect()
        yield self.hear(self.sync())
        self.patch(self.trainer.dispatcher, "_clock", Clock())
        for kind, payload in (
            (T.PERFORMANCE_REPORT, {"component_id": "c", "performance": {}, "verdict": "confirmed"}),
            (T.FEATURE_REQUEST, {"original_request": {"feature": "nothing of ours"}, "requestor": "AI_2"}),
            (T.FEATURE_RESPONSE, {"original_request": {"feature": "f"}, "reason": "none"}),
            (T.PATTERN_SHARE, {"pattern": "none"}),
        ):
            lines.clear()
            yield self.hear(*(self.message(kind, payload) for _ in range(300)))
            self.assertEqual(len(lines), 100, kind)
        lines.clear()
        yield self.hear(*(self.error() for _ in range(300)))
        self.assertEqual(len(lines), 100)
        senders = [self.message(T.PATTERN_SHARE, PATTERN, sender=f"AI_{i}") for i in range(3000)]
        lines.clear()
        yield self.hear(*senders)
        (line,) = [line for line in lines if line.startswith("Patterns: ")]
        self.assertLess(len(line), 400)
        self.assertIn("and of 2984 others", line)
