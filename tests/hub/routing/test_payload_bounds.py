"""Bounds of what a hello, a request and an invitation may hold, and of every line that they end up in."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec
from twisted.internet import task
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import MAX_PROGRESS, MAX_SOURCE
from kernelnet.hub.auth.token_commands import tokenCommand
from kernelnet.hub.connection.payload_shelf import PayloadShelf, RunInThread
from kernelnet.hub.routing import collaboration_sessions
from kernelnet.hub.routing.payload_bounds import (
    MAX_HELLO,
    MAX_REQUIREMENTS,
    MAX_WORDS,
    checkHeartbeat,
    checkHello,
    checkRequirements,
    cutHello,
)
from kernelnet.hub.storage.blobs.memory import MemoryBlobs
from kernelnet.hub.storage.blobs.shelf import BlobBounds, Shelf
from kernelnet.hub.storage.statements.access import StoredAi
from kernelnet.hub.views import projections
from kernelnet.hub.views.projections import MAX_COPIES
from kernelnet.message import Hello
from kernelnet.wire import WireProblem
from tests.hub.databases import onEveryEngine
from tests.hub.support import Hub, HubTestCase, aComponent

PAGE = 256 * 1024
"""Bytes that an answer to a hello may have, as docs/reference/protocol.rst promises."""


@onEveryEngine
class HelloTests(HubTestCase):
    def refusal(self, **hello: object) -> str:
        client = self.hub.client("AI_1")
        client.hello(2, **hello)
        answer = client.payloads()
        if answer[0].get("code") is None:
            return ""
        self.assertEqual(answer[0]["code"], "invalid_message")
        self.assertNotIn("AI_1", self.hub.directory.ais)
        return str(answer[0]["message"])

    def test_words(self) -> None:
        """The lists of a hello have 64 words together."""
        self.assertIn(
            "65 words in capabilities, features_supported, generators, workbenches; at most 64",
            self.refusal(capabilities=["a"] * 32, workbenches=["b"] * 32, generators=["c"]),
        )
        self.assertEqual(self.refusal(capabilities=["a"] * 32, workbenches=["b"] * 32), "")

    def test_bytes(self) -> None:
        """A hello has 8 KiB, whatever few words it is of."""
        self.assertIn(f"at most {MAX_HELLO} bytes", self.refusal(capabilities=["é" * 128] * 40))

    def test_goesOn(self) -> None:
        """After a hello that was refused the same connection may say a better one."""
        client = self.hub.client("AI_1")
        client.hello(2, capabilities=["a"] * 999)
        client.hello(2, capabilities=["a"])
        self.assertEqual([m["message_type"] for m in client.received()], ["error", "training_sync"])

    def test_stored(self) -> None:
        """A hello of a megabyte from before there were bounds is cut when the hub starts: answers are small again."""
        large = Hello(specialization="audio", capabilities=[f"{i:0128}" for i in range(8000)])
        many = Hello(specialization="audio", capabilities=["few"] * 99)
        self.assertEqual(len(cutHello(many).capabilities), MAX_WORDS)
        body = msgspec.json.encode(large)
        self.hub.transact(lambda transaction: transaction.ais.save(StoredAi("OLD", body, 2, 5.0, None)))
        self.restart()
        client = self.hub.client("AI_1")
        client.hello(2)
        (line,) = client.lines()
        self.assertLess(len(line), 4096)
        self.assertIn(b'"OLD":{"specialization":"audio"', line)

    def test_answer(self) -> None:
        """However much those who are here say, the answer to a hello is a page; nobody is told in longer lines."""
        listener = self.hub.connect("LISTENER")
        words = [f"{i:0128}" for i in range(58)]
        for i in range(60):
            self.hub.client(f"AI_{i}").hello(2, capabilities=words)
        listener.received()
        self.hub.clock.advance(self.hub.presence.newsDelay)
        news = listener.lines()
        self.assertEqual(sum(line.count(b'"specialization":') for line in news), 60)
        self.assertLess(max(map(len, news)), PAGE)
        client = self.hub.client("LATE")
        client.hello(2)
        self.assertLess(max(map(len, client.lines())), PAGE)

    def test_pausedNews(self) -> None:
        """Who doesn't read for a while is told of all who came meanwhile in lines that it takes."""
        listener = self.hub.connect("LISTENER")
        listener.pause()
        words = [f"{i:0128}" for i in range(58)]
        for i in range(150):
            self.hub.client(f"AI_{i}").hello(2, capabilities=words)
        self.hub.clock.advance(self.hub.presence.newsDelay)
        listener.resume()
        news = listener.lines()
        self.assertEqual(sum(line.count(b'"specialization":') for line in news), 150)
        self.assertLess(max(map(len, news)), PAGE)

    def test_revoked(self) -> None:
        """Nobody is told of an AI that was locked out, nor is it asked for anything; also not after a restart."""
        self.hub.connect("EVIL", capabilities=["audio"])
        self.hub.transact(tokenCommand({"command": "tokens revoke", "ai_id": "EVIL"}))
        for _ in range(2):
            self.assertNotIn("EVIL", self.hub.directory.ais)
            self.assertEqual(self.hub.directory.ablest("audio", "X", ()), [])
            self.assertEqual(self.hub.directory._byWord.get("audio"), None)
            self.assertTrue(self.hub.directory.isKnown("EVIL"))
            self.restart()

    def test_saidMeanwhile(self) -> None:
        """A hello that was on its way while its AI was locked out is not kept."""
        client = self.hub.connect("EVIL", capabilities=["audio"])
        self.hub.transact(tokenCommand({"command": "tokens revoke", "ai_id": "EVIL"}))
        client.hello(2, capabilities=["video"])
        self.assertEqual(client.errors(), ["bad_credentials"])
        self.assertNotIn("EVIL", self.hub.directory.ais)

    def test_everNewWords(self) -> None:
        """Of words that nobody names any more nothing is kept."""
        client = self.hub.connect("EVIL")
        for i in range(100):
            client.hello(2, capabilities=[f"w{i}x{j}" for j in range(60)])
            self.hub.clock.advance(10)
        self.assertLessEqual(len(self.hub.directory._byWord), 61)


@onEveryEngine
class RequestTests(HubTestCase):
    def test_requirements(self) -> None:
        """Requirements of a request have 16 KiB, of which type it may be."""
        client = self.hub.connect("AI_1")
        large = {"text": "x" * MAX_REQUIREMENTS}
        offer = {"type": "cross_specialization", "description": "d"}
        answer = {"original_request": {"feature": "f", "requirements": large}, "reason": "none"}
        client.send("collaboration_request", {**offer, "requirements": large})
        client.send("feature_request", {"feature": "f", "requirements": large})
        client.send("feature_response", answer, "AI_1")
        self.assertEqual(client.errors(), ["invalid_message"] * 3)
        client.send("collaboration_request", {**offer, "requirements": {"text": "x" * 16000}})
        self.assertEqual(client.errors(), [])

    def test_words(self) -> None:
        """Each list of words of a collaboration request has 64."""
        client = self.hub.connect("AI_1")
        for name in ("expertise_offered", "seeking_expertise"):
            client.send("collaboration_request", {"type": "cross_specialization", name: ["a"] * 65})
            (error,) = client.payloads("error")
            self.assertIn(f"`{name}` may have at most 64 words, not 65", error["message"])
            client.send("collaboration_request", {"type": "cross_specialization", name: ["a"] * 64})
            self.assertEqual(client.errors(), [])

    def test_nonce(self) -> None:
        """A ping is answered by what it says, so that may not be long."""
        client = self.hub.connect("AI_1")
        client.send("heartbeat", {"nonce": "x" * 2000})
        self.assertEqual(client.errors(), ["invalid_message"])

    def test_opened(self) -> None:
        """Who comes is told of 20 invitations, and of 32 KiB of them: the newest that have room."""
        invited = self.hub.connect("AI_1")
        invited.leave()
        for i in range(6):
            for j in range(4):
                self.hub.connect(f"FROM_{i}").send(
                    "collaboration_request", {"type": "cross_specialization", "description": f"{i} {j}"}, "AI_1"
                )
                self.hub.clock.advance(1)
        told = self.invitations()
        self.assertEqual((len(told), told[0]), (20, "5 3"))
        for i in range(4):
            self.hub.connect(f"LARGE_{i}").send(
                "collaboration_request",
                {"type": "cross_specialization", "description": f"large {i}", "requirements": {"x": "x" * 15000}},
                "AI_1",
            )
            self.hub.clock.advance(1)
        told = self.invitations()
        self.assertEqual([one for one in told if "large" in one], ["large 3", "large 2"])
        self.assertLessEqual(len(told), 18)

    def test_openedToTheByte(self) -> None:
        """An invitation that just has room is told of."""
        self.hub.connect("AI_1").leave()
        self.hub.connect("AI_2").send(
            "collaboration_request", {"type": "cross_specialization", "description": "fits"}, "AI_1"
        )
        (invitation,) = self.hub.stored.sessions.openFor("AI_1", 9)
        for room, told in ((len(invitation), ["fits"]), (len(invitation) - 1, [])):
            self.patch(collaboration_sessions, "MAX_OPEN_BYTES", room)
            self.assertEqual(self.invitations(), told)

    def invitations(self) -> list[str]:
        client = self.hub.client("AI_1")
        client.hello(2)
        (answer,) = client.payloads("training_sync")
        client.leave()
        return [one["description"] for one in answer["collaboration_opportunities"]]


@onEveryEngine
class IdsTests(HubTestCase):
    def test_components(self) -> None:
        """An author has the same bytes under 16 ids; more are refused, a new version of one of them is not."""
        author, other = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        for i in range(17):
            author.send("os_component_share", aComponent(f"c{i}"))
        author.send("os_component_share", aComponent("c3"))
        other.send("os_component_share", aComponent("c16"))
        (error,) = author.payloads("error")
        self.assertIn("under 16 other ids", error["message"])
        self.assertEqual(other.errors(), [])
        self.assertEqual(self.hub.stored.components.countByKind(), {"component": 17})

    def test_copies(self) -> None:
        """All authors have the same bytes under so many ids together; who has it already shares it again."""
        self.patch(projections, "MAX_COPIES", 3)
        self.assertLessEqual(MAX_COPIES, 100)
        clients = [self.hub.connect(f"AI_{i}") for i in range(4)]
        for client in (*clients, clients[0]):
            client.send("os_component_share", aComponent("c"))
        self.assertEqual([len(client.errors()) for client in clients], [0, 0, 0, 1])
        self.assertEqual(self.hub.stored.components.countByKind(), {"component": 3})

    def test_reports(self) -> None:
        """A reporter judges a digest under 16 ids, and one that it judged before once more."""
        reporter = self.hub.connect("AI_1")
        for i in [*range(17), 3]:
            reporter.send(
                "performance_report",
                {"component_id": f"c{i}", "performance": {}, "digest": "0" * 64, "verdict": "confirmed"},
            )
        (error,) = reporter.payloads("error")
        self.assertIn("under 16 other ids", error["message"])
        self.assertEqual(self.hub.stored.reports.count(), 16)

    def test_counted(self) -> None:
        """A component that is shared when its digest was judged already has that verdict; the author's own never."""
        author, judge = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        author.send("os_component_share", aComponent("c1"))
        (one,) = self.hub.stored.components.inOrder()
        for client in (author, judge):
            client.send(
                "performance_report",
                {"component_id": "c1", "performance": {}, "digest": one.digest, "verdict": "confirmed"},
            )
        author.send("os_component_share", aComponent("c2"))
        judge.send("os_component_share", aComponent("c2"))
        found = {(one.author, one.id): one.confirmed for one in self.hub.stored.components.inOrder()}
        self.assertEqual(found, {("AI_1", "c1"): 1, ("AI_1", "c2"): 1, ("AI_2", "c2"): 1})


class EdgeTests(SynchronousTestCase):
    """Each bound to the byte: what has just as much is taken, what has one more is refused."""

    def edge(self, check: Callable[[str], None], limit: int, around: int) -> None:
        """@param around: bytes of JSON that stand around the text."""
        check("x" * (limit - around))
        with self.assertRaises(WireProblem):
            check("x" * (limit - around + 1))

    def test_edges(self) -> None:
        hello = Hello(capabilities=[""])
        self.edge(
            lambda text: checkHello(msgspec.structs.replace(hello, capabilities=[text]), ""),
            8192,
            len(msgspec.json.encode(hello)),
        )
        self.edge(lambda text: checkHeartbeat({"nonce": text}, ""), 1024, len('["",null]'))
        self.edge(lambda text: checkHeartbeat({"progress": text}, ""), MAX_PROGRESS, len('""'))
        self.edge(lambda text: checkRequirements({"a": text}, ""), 16384, len('{"a":""}'))

    def test_cut(self) -> None:
        """A stored hello that has just as many bytes keeps its words."""
        hello = Hello(capabilities=[""])
        words = ["x" * (8192 - len(msgspec.json.encode(hello)))]
        self.assertEqual(cutHello(msgspec.structs.replace(hello, capabilities=words)).capabilities, words)
        self.assertEqual(cutHello(msgspec.structs.replace(hello, capabilities=[words[0] + "x"])).capabilities, [])


@onEveryEngine
class ReferenceTests(HubTestCase):
    """Components whose source is a blob."""

    manifest = {"source_sha256": "ab" * 32, "wasm_sha256": "cd" * 32, "abi": "file_system/rank/1", "workbench": "b"}
    component = {"id": "c", "source_size": 500_000, "manifest": manifest}

    def setUp(self) -> None:
        super().setUp()
        shelf = Shelf(MemoryBlobs(lambda: 0.0), BlobBounds(), lambda: 0.0, lambda: 10**12)
        self.join(PayloadShelf(shelf, cast(RunInThread, maybeDeferred), lambda aiId: None, task.Clock()))

    def join(self, payloads: PayloadShelf | None) -> None:
        self.hub.kill()
        self.hubs.remove(self.hub)
        self.hub = Hub(self.database, payloads=payloads)
        self.hubs.append(self.hub)

    def test_form(self) -> None:
        """It names its blob and nothing else; and what has such a source is said in no other way."""
        author = self.hub.connect("AI_1")
        self.hub.connect("AI_2")
        form = self.component
        for kind, payload, why in (
            ("os_component_reference", {"component": {**form, "source_size": 0}}, "`source_size` is missing"),
            ("os_component_reference", {"component": {**form, "implementation": "x"}}, "must be empty"),
            ("os_component_reference", {"component": {**form, "manifest": None}}, "`manifest` is missing"),
            ("os_component_reference", {"component": {**form, "source_size": MAX_SOURCE + 1}}, "source_size"),
            ("os_component_share", {"component": form}, "os_component_reference"),
        ):
            author.send(kind, payload)
            (error,) = author.payloads("error")
            self.assertEqual(error["code"], "invalid_message")
            self.assertIn(why, error["message"])
        author.send("feature_response", {"original_request": {"feature": "f"}, "component": form}, "AI_2")
        self.assertIn("os_component_reference", author.payloads("error")[0]["message"])

    def test_version1(self) -> None:
        """Who speaks version 1 is sent none: not as it is shared, in no page, and as no answer."""
        author, peer, old = self.hub.connect("AI_1"), self.hub.connect("AI_2"), self.hub.connect("OLD", version=1)
        old.received()
        peer.received()
        author.send("os_component_reference", {"component": self.component})
        self.assertEqual([m["message_type"] for m in peer.received()], ["os_component_reference"])
        for client in (peer, old):
            client.send("training_sync", {})
        (page,), (former,) = peer.payloads("training_sync"), old.payloads("training_sync")
        (told,) = page["global_knowledge_base"]["references"]
        self.assertEqual(told, {**self.component, "source": "AI_1"})
        self.assertEqual(page["global_knowledge_base"]["components"], [])
        self.assertEqual(former["global_knowledge_base"], {"patterns": [], "components": [], "benchmarks": {}})
        for client in (peer, old):
            client.send("feature_request", {"feature": "b"})
            self.assertNotIn("component", client.payloads("feature_response")[0])
        author.send("os_component_share", aComponent("inline", specialization="b"))
        peer.send("feature_request", {"feature": "b"})
        self.assertEqual(peer.payloads("feature_response")[0]["component"]["id"], "inline")

    def test_noBlobs(self) -> None:
        """A hub that keeps none says so."""
        self.join(None)
        author = self.hub.connect("AI_1")
        author.send("os_component_reference", {"component": self.component})
        self.assertEqual(author.errors(), ["unsupported"])
