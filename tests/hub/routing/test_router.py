"""Each row of the protocol's table of logged types, both ways."""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from kernelnet import wire
from kernelnet.hub.routing.collaboration_sessions import Limits
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.routing.router import Router
from kernelnet.wire import WireProblem
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase, aComponent, anEvent, aPattern

SHA = hashlib.sha256


def digestOf(source: str, wasm: bytes = b"", claim: bytes = b"") -> str:
    """@param claim: report and level as JSON; empty: nothing is claimed."""
    parts = [source.encode(), wasm] + ([claim] if claim else [])
    return SHA(b"".join(SHA(part).digest() for part in parts)).hexdigest()


@onEveryEngine
class ShareTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author = self.hub.connect("AI_1", specialization="file_system", capabilities=["file_operations"])
        self.old = self.hub.connect("OLD", 1, capabilities=["audio mixing"])
        self.third = self.hub.connect("AI_3", specialization="networking")
        for client in (self.author, self.old, self.third):
            client.received()

    def goesToAllOthers(self, type: str, payload: object) -> None:
        id_ = self.author.send(type, payload)
        self.assertEqual([m["message_type"] for m in self.author.received()], ["ack"])
        (old,), (third,) = self.old.received(), self.third.received()
        self.assertEqual(third.pop("seq"), self.hub.log.head)
        self.assertEqual(old, third)
        self.assertEqual(
            old,
            {
                "message_id": id_,
                "sender_id": "AI_1",
                "message_type": type,
                "timestamp": "2026-11-22T15:00:00Z",
                "payload": payload,
                "target_ai": None,
            },
        )
        # … and with a target only to that.
        self.author.send(type, payload, "AI_3")
        self.assertEqual(len(self.third.received(type)), 1)
        self.assertEqual(self.old.received(), [])
        self.author.send(type, payload, "AI_1")  # the sender never
        self.assertEqual(self.author.received(type), [])

    def test_patternShare(self) -> None:
        """A pattern is stored, and goes to all others with whatever it holds."""
        self.goesToAllOthers("pattern_share", aPattern(data={"length": 7}, more="kept"))
        self.assertEqual(
            [(one.author, one.confidence, one.body) for one in self.hub.stored.patterns.best("loop", 9, 999)],
            [("AI_1", 0.5, b'{"id":"p1","type":"loop","confidence":0.5,"data":{"length":7},"more":"kept"}')],
        )

    def test_codeShare(self) -> None:
        """A building block is stored among the components, and goes to all others."""
        self.goesToAllOthers("code_share", {"code": {"id": "b1", "data": [1, 2]}})
        self.assertEqual(
            [(one.author, one.id, one.kind) for one in self.hub.stored.components.after(None)], [("AI_1", "b1", "code")]
        )

    def test_componentShare(self) -> None:
        """A component is stored, and goes to all others or to its target."""
        self.goesToAllOthers("os_component_share", aComponent())
        self.assertEqual(
            [(one.author, one.id, one.kind, one.digest) for one in self.hub.stored.components.after(None)],
            [("AI_1", "c1", "component", digestOf("int x;"))],
        )

    def test_componentName(self) -> None:
        """A version 1 component may be called component_name."""
        self.old.send("os_component_share", {"component": {"id": "x", "component_name": "n", "implementation": "#"}})
        self.assertIsNotNone(self.hub.stored.components.best("n", "nobody"))

    def test_performanceReport(self) -> None:
        """A report is stored, and goes to all others."""
        self.goesToAllOthers("performance_report", {"component_id": "c1", "performance": {"miss_ratio": 0.25}})
        self.assertEqual([one[:2] for one in self.hub.stored.reports.ofComponent("c1", 9, 999)], [("AI_1", None)])

    def test_verdicts(self) -> None:
        """Verdicts are counted by AI, the newest of each; the author's own does not count."""
        self.author.send("os_component_share", aComponent())
        report = {"component_id": "c1", "performance": {}, "digest": digestOf("int x;")}

        def counts() -> tuple[int, int]:
            (found,) = self.hub.stored.components.inOrder()
            return found.confirmed, found.refuted

        self.author.send("performance_report", {**report, "verdict": "confirmed"})
        self.assertEqual(counts(), (0, 0))
        self.third.send("performance_report", {**report, "verdict": "confirmed"})
        self.third.send("performance_report", {**report, "verdict": "confirmed"})
        self.assertEqual(counts(), (1, 0))
        self.old.send("performance_report", {**report, "verdict": "unmeasurable"})
        self.third.send("performance_report", {**report, "verdict": "refuted"})
        self.assertEqual(counts(), (0, 1))

    def test_verdictFirst(self) -> None:
        """A verdict counts also if it was there before the component, or if the author shares it anew."""
        report = {"component_id": "c1", "performance": {}, "digest": digestOf("int x;"), "verdict": "confirmed"}
        self.third.send("performance_report", report)
        for _ in range(2):
            self.author.send("os_component_share", aComponent())
            self.assertEqual([one.confirmed for one in self.hub.stored.components.inOrder()], [1])

    def test_newestCounts(self) -> None:
        """What an author shares again under the same id replaces what it was; another author's is another's."""
        self.author.send("pattern_share", aPattern(confidence=0.1))
        self.author.send("pattern_share", aPattern(confidence=0.9))
        self.old.send("pattern_share", aPattern(confidence=0.2))
        self.assertEqual([one[:2] for one in self.hub.stored.patterns.after(None)], [("AI_1", 0.9), ("OLD", 0.2)])
        self.assertEqual(self.hub.log.head, 3)


@onEveryEngine
class FeatureTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author = self.hub.connect("AI_1", specialization="file_system")
        self.old = self.hub.connect("OLD", 1, specialization="audio", capabilities=["sound synthesis"])
        for client in (self.author, self.old):
            client.received()

    def test_toTheAble(self) -> None:
        """A request goes on to those whose capabilities match, in the form made for them."""
        id_ = self.author.send("feature_request", {"feature": "Sound-Synthesis", "requirements": {"hz": 44100}})
        (forwarded,) = self.old.received()
        self.assertEqual((forwarded["message_id"], forwarded["sender_id"]), (id_, "AI_1"))
        self.assertEqual(
            forwarded["payload"],
            {
                "original_request": {"feature": "Sound-Synthesis", "requirements": {"hz": 44100}},
                "requestor": "AI_1",
            },
        )
        self.assertEqual(self.author.received("feature_response"), [])

    def test_toTheAway(self) -> None:
        """An AI that is able but away gets the request when it is back."""
        reader = self.hub.connect("AI_5", capabilities=["ghost lists"])
        reader.leave()
        self.author.send("feature_request", {"feature": "ghost lists"})
        back = self.hub.resume("AI_5", 0)
        self.assertEqual([m["message_type"] for m in back.received()], ["training_sync", "feature_request"])

    def test_anyWord(self) -> None:
        """Version 1's words for a feature reach who has any of them among its capabilities: it decides itself."""
        able = self.hub.connect("AI_2", capabilities=["file_operations"])
        first = self.hub.connect("V1", 1)
        first.send("feature_request", {"feature": "file operations cache", "requirements": {"pages": 900}})
        (forwarded,) = able.payloads("feature_request")
        self.assertEqual(forwarded["requestor"], "V1")
        self.assertEqual(self.old.received("feature_request"), [])

    def test_bestThree(self) -> None:
        """
        At most three are asked: by the share of their words, then by the sessions that they completed, also those
        that an earlier hub has seen.
        """
        for number in range(2):
            partner = self.hub.connect("AI_10", specialization="tree", capabilities=["index"])
            self.author.send("collaboration_request", {"type": "performance_optimization"}, "AI_10")
            (invitation,) = partner.payloads("collaboration_request")
            share = {"session_id": invitation["session_id"], "collaboration_complete": True}
            partner.send("os_component_share", {**aComponent(f"made{number}"), **share})
        for i in range(1, 5):
            self.hub.connect(f"AI_1{i}", specialization="tree", capabilities=["index"])
        self.hub.connect("AI_20", specialization="tree", capabilities=["index", *(f"word{i}" for i in range(50))])
        for makeHub in (lambda: self.hub, self.restart):
            hub = makeHub()
            asking = hub.connect("AI_9", specialization="audio")
            id_ = asking.send("feature_request", {"feature": "tree of an index"})
            (recipients,) = [row.recipients for row in hub.logged() if row.messageId == id_]
            self.assertEqual(recipients, ["AI_10", "AI_13", "AI_14"])

    def test_fromStock(self) -> None:
        """The best stored match answers at once: confirmed by most, then the highest level."""
        for name, level in (("weak", 0.1), ("strong", 0.9), ("proved", 0.5)):
            self.old.send(
                "os_component_share",
                aComponent(name, specialization="file_system", implementation=name, development_level=level),
            )
        request = {"feature": "file_system"}
        self.author.received()
        self.author.send("feature_request", request)
        (answer,) = self.author.received("feature_response")
        self.assertEqual((answer["sender_id"], answer["seq"]), ("hub", self.hub.log.head))
        self.assertEqual(answer["payload"]["component"]["id"], "strong")
        self.assertEqual(answer["payload"]["original_request"], request)
        self.author.send(
            "performance_report",
            {
                "component_id": "proved",
                "performance": {},
                "digest": digestOf("proved", claim=b"[null,0.5]"),
                "verdict": "confirmed",
            },
        )
        self.author.send("feature_request", request)
        (answer,) = self.author.payloads("feature_response")
        self.assertEqual(answer["component"]["id"], "proved")

    def test_notItsOwn(self) -> None:
        """Nobody is offered its own component; where there is nothing and nobody, the answer says so."""
        self.author.send("os_component_share", aComponent(specialization="file_system"))
        self.author.send("feature_request", {"feature": "file_system"})
        (answer,) = self.author.payloads("feature_response")
        self.assertNotIn("component", answer)
        self.assertIn("nobody", answer["reason"])

    def test_response(self) -> None:
        """A response goes to the requestor, and to nobody else."""
        third = self.hub.connect("AI_3")
        response = {"original_request": {"feature": "x"}, "reason": "too hard"}
        id_ = self.old.send("feature_response", response, "AI_1")
        (answer,) = self.author.received("feature_response")
        self.assertEqual((answer["message_id"], answer["sender_id"], answer["payload"]), (id_, "OLD", response))
        self.assertEqual(third.received("feature_response"), [])
        self.old.send("feature_response", response)
        self.assertEqual(self.old.errors(), ["invalid_message"])


@onEveryEngine
class SyncTests(HubTestCase):
    def test_hello(self) -> None:
        """A hello is answered by what all know, who is here, and where the log stands."""
        author = self.hub.connect("AI_1", specialization="audio", capabilities=["sound"], workbenches=["file_system"])
        author.send("pattern_share", aPattern())
        author.send("os_component_share", aComponent())
        author.send("performance_report", {"component_id": "c1", "performance": {"miss_ratio": 0.5}})
        client = self.hub.client("AI_2")
        client.hello(1)
        (sync,) = client.payloads()
        self.assertEqual(sync["global_knowledge_base"]["patterns"], [{**aPattern()["pattern"], "source": "AI_1"}])
        self.assertEqual(sync["global_knowledge_base"]["components"], [{**aComponent()["component"], "source": "AI_1"}])
        self.assertEqual(
            sync["global_knowledge_base"]["benchmarks"]["c1"],
            [
                {
                    "reporter": "AI_1",
                    "timestamp": "2026-11-22T15:00:00Z",
                    "component_id": "c1",
                    "performance": {"miss_ratio": 0.5},
                }
            ],
        )
        self.assertEqual(sync["active_ais"], ["AI_1", "AI_2"])
        self.assertEqual(sync["collaboration_opportunities"], [])
        self.assertEqual(
            sync["ai_info"]["AI_1"],
            {
                "specialization": "audio",
                "capabilities": ["sound"],
                "since": "2027-01-15T08:00:00.000000Z",
                "workbenches": ["file_system"],
            },
        )
        self.assertEqual((sync["log_id"], sync["seq"], sync["resumed"]), (self.hub.log.logId, 3, False))
        self.assertIsNone(sync["next"])
        self.assertNotIn("credential", sync)

    def test_pages(self) -> None:
        """The knowledge base comes in pages, each item once, best first; what is stored meanwhile shifts nothing."""
        author = self.hub.connect("AI_1")
        for i in range(7):
            author.send("pattern_share", aPattern(f"p{i}", confidence=i / 10))
        client = self.hub.connect("AI_2")
        found: list[str] = []
        cursor = None
        while True:
            client.send("training_sync", {"limit": 3, **({"after": cursor} if cursor else {})})
            (sync,) = client.payloads("training_sync")
            found += [pattern["id"] for pattern in sync["global_knowledge_base"]["patterns"]]
            self.assertEqual("ai_info" in sync, cursor is None)
            cursor = sync["next"]
            if cursor is None:
                break
            author.send("pattern_share", aPattern("late", confidence=1.0))
        self.assertEqual(found, [f"p{i}" for i in reversed(range(7))])

    def test_whose(self) -> None:
        """The knowledge base says whose each item and report is, whatever its author wrote there."""
        liar = self.hub.connect("AI_1")
        liar.send("pattern_share", aPattern(source="AI_9"))
        liar.send("os_component_share", aComponent(source="AI_9"))
        liar.send("performance_report", {"component_id": "c1", "performance": {}, "reporter": "AI_9"})
        liar.send("training_sync", {})
        (sync,) = liar.payloads("training_sync")
        base = sync["global_knowledge_base"]
        self.assertEqual([item["source"] for item in base["patterns"] + base["components"]], ["AI_1", "AI_1"])
        self.assertEqual([report["reporter"] for report in base["benchmarks"]["c1"]], ["AI_1"])

    def test_oneAtATime(self) -> None:
        """A client can't pile up pages that it doesn't take."""
        client = self.hub.connect("AI_1")
        self.hub.reader.held = True
        for _ in range(3):
            client.send("training_sync", {})
        self.assertEqual(client.errors(), ["busy", "busy"])
        self.hub.reader.release()
        self.assertEqual(len(client.payloads("training_sync")), 1)


class LineTests(SynchronousTestCase):
    def test_toTheByte(self) -> None:
        """What just fits a line with its position is passed on; a byte less room, and it is refused."""
        sent = wire.encode(anEvent("AI_1", "m", aPattern(data="é")))
        for room, isTaken in ((len(sent) + 32, True), (len(sent) + 31, False)):
            router = Router(Directory(), (), Limits(), room)
            message = anEvent("AI_1", "m", aPattern(data="é"))
            if isTaken:
                router.plan(message)
            else:
                with self.assertRaisesRegex(WireProblem, f"grows to {len(sent)} bytes .*; at most {len(sent) - 1} can"):
                    router.plan(message)
