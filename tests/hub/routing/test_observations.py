"""Reports with an observation: kept beside verdicts, and taken for nothing else by anybody."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.artifacts import Digest, Name, Text, Verdict
from kernelnet.hub.views import components, projections
from kernelnet.observations import MAX_OBSERVATION
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase
from tests.hub.views.test_components import claiming

OBSERVATION = {
    "environment": "real",
    "site": "5" * 32,
    "wasm_sha256": "3" * 64,
    "workbench": "file_system",
    "unit": "misses",
    "component": {"policy": "component", "score": 900.0, "simulated": 901.0},
    "beside": [{"policy": "built-in", "score": 1000.0}],
    "target": "sqlite",
    "system": "Linux 6.18",
    "settings": {"capacity": 4},
}


class EarlierReport(Struct, omit_defaults=True):
    """`kernelnet.artifacts.PerformanceReport` as it was before there were observations."""

    component_id: Name
    performance: dict[str, Any]
    digest: Digest | None = None
    verdict: Verdict | None = None
    reason: Text = ""


@onEveryEngine
class ObservationTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author, self.peer, self.other = (self.hub.connect(name) for name in ("AI_1", "AI_2", "AI_3"))
        self.author.send("os_component_share", claiming("a", 0.5))
        self.report = {"component_id": "a", "digest": self.entry().digest, "observation": OBSERVATION}
        for client in (self.author, self.peer, self.other):
            client.received()

    def entry(self) -> components.Entry:
        found = components.entryOf(self.hub.stored, "a")
        assert found is not None
        return found

    def observations(self) -> list[dict[str, Any]]:
        return components.observationsOf(self.hub.stored, self.entry())

    def test_besideVerdicts(self) -> None:
        """What an AI saw stands beside its verdict: neither changes the other, whichever comes last."""
        verdict = {"component_id": "a", "performance": {}, "digest": self.entry().digest, "verdict": "confirmed"}
        for last in (verdict, self.report):
            self.peer.send("performance_report", self.report)
            self.peer.send("performance_report", verdict)
            self.peer.send("performance_report", last)
            self.assertEqual((self.entry().confirmed, self.entry().refuted), (1, 0))
            self.assertEqual(self.entry().verdicts, {"AI_2": Verdict.CONFIRMED})
            self.assertEqual([one["reporter"] for one in self.observations()], ["AI_2"])
        self.assertEqual(self.hub.stored.reports.count(), 1)

    def test_whole(self) -> None:
        """It is shown as it was told, with who told it."""
        self.peer.send("performance_report", self.report)
        when = {"reporter": "AI_2", "timestamp": "2026-11-22T15:00:00Z"}
        self.assertEqual(self.observations(), [{**OBSERVATION, **when}])

    def test_staysHere(self) -> None:
        """It is acked once it is durable, and goes to nobody, not even to its target."""
        for target in (None, "AI_1"):
            self.peer.send("performance_report", self.report, target)
        self.assertEqual([m["message_type"] for m in self.peer.received()], ["ack", "ack"])
        self.assertEqual((self.author.received(), self.other.received()), ([], []))

    def test_otherModule(self) -> None:
        """What was seen of another module is not shown under this digest."""
        self.peer.send("performance_report", {**self.report, "observation": {**OBSERVATION, "wasm_sha256": "4" * 64}})
        self.assertEqual(self.observations(), [])

    def test_refused(self) -> None:
        """What is no observation, or a verdict at once, or too long, is refused by name; nothing of it is kept."""
        long = [{"policy": "é" * 64, "score": 1.0}] * 16
        settings = {f"{i:064}": 2**53 for i in range(32)}
        for wrong, word in (
            ({"verdict": "confirmed"}, "no verdict"),
            ({"performance": {}}, "no verdict"),
            ({"digest": None}, "digest"),
            ({"observation": None}, "performance"),
            ({"observation": {**OBSERVATION, "site": "here"}}, "site"),
            ({"observation": {**OBSERVATION, "environment": "dream"}}, "environment"),
            ({"observation": {**OBSERVATION, "beside": [*long, long[0]]}}, "beside"),
            ({"observation": {**OBSERVATION, "beside": long, "settings": settings}}, str(MAX_OBSERVATION)),
        ):
            self.peer.send("performance_report", {**self.report, **wrong})
            (error,) = self.peer.received("error")
            self.assertEqual((error["payload"]["code"], error["payload"]["class"]), ("invalid_message", "permanent"))
            self.assertIn(word, error["payload"]["message"])
        self.assertEqual(projections.counts(self.hub.stored)["stored"]["observations"], 0)

    def test_earlierHub(self) -> None:
        """A hub, or trainer, that knows of no observations refuses the payload: it can't be taken for a report."""
        with self.assertRaisesRegex(msgspec.ValidationError, "missing required field `performance`"):
            msgspec.convert(self.report, EarlierReport)

    def test_hubSaysSo(self) -> None:
        """Version 2 is told that the hub takes observations; version 1 is told nothing new."""
        for version, takes in ((2, ["observations"]), (1, None)):
            client = self.hub.client(f"V{version}")
            client.hello(version)
            sync = client.received("training_sync")[0]
            self.assertEqual(sync["payload"].get("takes"), takes)
