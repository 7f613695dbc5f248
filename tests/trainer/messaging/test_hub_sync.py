"""The hello, the cursor, who is there, and the pages that a newcomer reads."""

import json
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from kernelnet.message import MessageType
from kernelnet.trainer.messaging.hub_sync import MAX_CREDENTIALS, MAX_PAGES
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import MAX_AI
from tests.hub.support import captureLog
from tests.trainer.support import TrainerTestCase, component

T = MessageType
PATTERN = {"pattern": {"id": "p1", "type": "loop", "confidence": 0.5, "data": {"length": 3}}}


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


class ReadingTests(TrainerTestCase):
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


class StrangerTests(TrainerTestCase):
    """What a hub says is kept, and said again to it and to the next one: only what they take."""

    def hello(self) -> dict[str, Any]:
        self.connect()
        payload: dict[str, Any] = json.loads(self.lines()[1])["payload"]
        return payload

    @inlineCallbacks
    def test_credential(self) -> Any:
        """A credential that could not be read again is not kept; the trainer goes on with what it has."""
        lines = captureLog(self)
        for bad in ("a\nb", "", " ", "a b", "\x1b", "ü", "x" * 1025):
            self.connect()
            yield self.hear(self.sync(credential=bad))
            self.assertFalse(self.trainer.credentials.path.exists(), repr(bad))
            self.assertTrue(self.connection.greeted or self.trainer.sync.logId == "L")
        self.assertEqual(sum("a credential that is no line of ASCII" in line for line in lines), 7)
        self.connect()
        yield self.hear(self.sync(credential="x" * 1024))
        self.assertEqual(self.trainer.credentials.token(), "x" * 1024)

    @inlineCallbacks
    def test_manyCredentials(self) -> Any:
        """A connection gives some credentials, as tokens are rotated, and no more: each is a file that is written."""
        self.connect()
        for number in range(MAX_CREDENTIALS + 2):
            yield self.hear(self.sync(credential=f"token{number}"))
        self.assertEqual(self.trainer.credentials.token(), f"token{MAX_CREDENTIALS - 1}")

    @inlineCallbacks
    def test_unusable(self) -> Any:
        """A log's name, a position or a page that no hub would take from us is not kept."""
        for bad in (
            {"log_id": "x" * 65},
            {"log_id": "a\n"},
            {"log_id": ""},
            {"seq": -1},
            {"seq": 1 << 63},
            {"next": "c" * 257},
        ):
            self.connect()
            yield self.hear(self.sync(**bad))
            self.assertEqual((self.trainer.sync.logId, self.trainer.sync.cursor), (None, None), bad)
            stored = yield self.trainer.store.read("SELECT key FROM meta WHERE key IN ('log_id', 'cursor', 'page')")
            self.assertEqual(stored, [], bad)
        self.assertEqual(self.trainer.dispatcher.failed, 6)
        self.connect()
        yield self.hear(self.sync(log_id="x" * 64, seq=(1 << 63) - 1, next="c" * 256))
        hello = self.hello()
        self.assertEqual((len(hello["log_id"]), hello["resume_after"]), (64, (1 << 63) - 1))

    @inlineCallbacks
    def test_positionOfAPing(self) -> Any:
        """Nor does a ping move the cursor out of any log."""
        self.connect()
        yield self.hear(self.sync())
        for bad in (-1, 1 << 63):
            yield self.hear(self.message(T.HEARTBEAT, {"nonce": 1, "seq": bad}, sender="hub", logged=False))
        self.assertEqual(self.trainer.sync.cursor, 100)

    @inlineCallbacks
    def test_whoIsThere(self) -> Any:
        """Of who is there so many are kept, and so much of each; what is no id is nobody."""
        known = self.trainer.knowledge
        known._ais.most = 50
        self.connect()
        yield self.hear(self.sync(ai_info={"\x1b[2J": {"specialization": "security"}}))
        yield self.hear(self.sync(ai_info={"AI_2": {"specialization": "x" * (MAX_AI + 1)}}))
        self.assertEqual(known.ais, {})
        for page in range(10):
            info = {f"AI_{page}_{i}": {"specialization": "security"} for i in range(20)}
            news = {"ai_info": info}
            yield self.hear(self.message(T.TRAINING_SYNC, news, sender="hub", logged=False))
        self.assertEqual(len(known.ais), 50)
        self.assertIn("AI_9_19", known.ais)

    @inlineCallbacks
    def test_skippedGreeting(self) -> Any:
        """After an answer that nobody could hear the log is read on, wherever it is now; the cursor is not lost."""
        self.connect()
        yield self.hear(self.sync(), self.message(T.PATTERN_SHARE, PATTERN))
        self.connect()
        self.trainer.client.skipped()
        self.seq = 3  # another log, of which nobody has told us
        other = {"pattern": {**PATTERN["pattern"], "id": "p2"}}
        message = self.message(T.PATTERN_SHARE, other)
        self.assertEqual(self.hello()["resume_after"], 101)
        self.trainer.client.skipped()
        yield self.hear(message)
        self.assertIn(("AI_2", "p2"), self.trainer.knowledge.patterns)
        self.assertEqual(self.trainer.sync.cursor, 4)
        yield self.hear(message)
        self.assertEqual(self.trainer.dispatcher.failed, 0)

    @inlineCallbacks
    def test_skippedLater(self) -> Any:
        """A line that is skipped once we are in step changes nothing."""
        self.connect()
        yield self.hear(self.sync())
        self.trainer.client.skipped()
        self.assertTrue(self.trainer.sync.isRead(100))
        self.assertFalse(self.trainer.sync.isRead(101))

    @inlineCallbacks
    def test_pagesWithoutEnd(self) -> Any:
        """A hub that always has a next page is asked for so many in a connection, and no more."""
        self.connect()
        self.lines()
        for page in range(2 * MAX_PAGES):
            yield self.hear(self.sync(resumed=False, next=f"c:{page}"))
        self.assertEqual([m.payload["after"] for m in self.said(T.TRAINING_SYNC)], [f"c:{n}" for n in range(MAX_PAGES)])
        self.assertEqual((yield self.trainer.store.read("SELECT * FROM meta WHERE key = 'page'")), [])

    @inlineCallbacks
    def test_whoIsAway(self) -> Any:
        """Whom a full answer does not name is away, and since no time; news without names changes nobody."""
        info = {name: {"specialization": "security", "since": "2026-11-22T12:00:00Z"} for name in ("AI_2", "AI_3")}
        self.connect()
        yield self.hear(self.sync(active_ais=["AI_2"], ai_info=info))
        yield self.hear(self.sync(active_ais=None))
        told = {aiId: (each.connected, each.since) for aiId, each in self.trainer.knowledge.ais.items()}
        self.assertEqual(told, {"AI_2": (True, "2026-11-22T12:00:00Z"), "AI_3": (False, None)})

    @inlineCallbacks
    def test_pingWhileUnsure(self) -> Any:
        """After a greeting that nobody could hear a ping says where the log is, be it before where we were."""
        self.connect()
        yield self.hear(self.sync())
        self.connect()
        self.trainer.client.skipped()
        yield self.hear(self.message(T.HEARTBEAT, {"nonce": 1, "seq": 7}, sender="hub", logged=False))
        self.assertEqual(self.trainer.sync.cursor, 7)
        yield self.hear(self.message(T.HEARTBEAT, {"nonce": 1, "seq": 5}, sender="hub", logged=False))
        self.assertEqual(self.trainer.sync.cursor, 7)

    @inlineCallbacks
    def test_nobodysEntries(self) -> Any:
        """What a page has of nobody, of no id, or as our own is passed over."""
        self.connect()
        patterns = [{"source": source, **PATTERN["pattern"]} for source in (None, 7, "\x1b", "", "x" * 65, "AI_1")]
        yield self.hear(self.sync(global_knowledge_base={"patterns": patterns, "components": [], "benchmarks": {}}))
        self.assertEqual(self.trainer.knowledge.patterns, {})
