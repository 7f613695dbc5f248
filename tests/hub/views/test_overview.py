"""The first glance: what counts as better, what is told, and that an author's clock moves nobody's words."""

from __future__ import annotations

from typing import Any

import msgspec

from kernelnet.artifacts import Component
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views import overview, progress
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase
from tests.hub.views.test_components import claiming

NOW = "2026-11-28T12:00:00+00:00"


@onEveryEngine
class OverviewTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author, *self.peers = (self.hub.connect(name) for name in ("AI_1", "AI_2", "AI_3"))

    def share(
        self, name: str, level: float, hand: float | None, trace: str = "1", *, verdict: str = "confirmed", **said: Any
    ) -> None:
        shared = claiming(name, level, trace=trace * 64)
        self.author.send("os_component_share", shared, **said)
        told: dict[str, Any] = {"development_level": level}
        if hand is not None:
            told |= {"best_in_hindsight": "s3fifo", "best_in_hindsight_level": hand}
        digest = msgspec.convert(shared["component"], Component).digest
        for peer in self.peers:
            report = {"component_id": name, "performance": told, "digest": digest, "verdict": verdict}
            peer.send("performance_report", report)

    def told(self, now: str = NOW) -> dict[str, Any]:
        def read(reader: Reader) -> dict[str, Any]:
            return overview.overview(reader, progress.progress(reader), now)

        found: dict[str, Any] = self.hub.transact(read)
        return found

    def test_counts(self) -> None:
        """Better is what is above the best in hindsight; where nobody agrees on that, a task counts as neither."""
        self.share("a", 0.5, 0.3, "1")
        self.share("b", 0.2, 0.3, "2")
        self.share("c", 0.9, None, "3")
        self.share("bad", 0.9, 0.1, "4", verdict="refuted")
        self.author.send("os_component_share", claiming("waits", 0.99, trace="5" * 64))
        told = self.told()
        self.assertEqual(
            {name: told["tasks"][name] for name in ("known", "compared", "better")},
            {"known": 3, "compared": 2, "better": 1},
        )
        self.assertAlmostEqual(told["tasks"]["median_gain"], 0.05)
        self.assertEqual(told["claims"], {"confirmed": 3, "refuted": 1, "disputed": 0, "waiting": 1})

    def test_events(self) -> None:
        """The last ten, the newest first."""
        for number in range(12):
            self.share(f"c{number}", 0.1 + number / 100, 0.1)
        self.share("bad", 0.9, 0.1, "4", verdict="refuted")
        told = self.told()
        self.assertEqual(len(told["events"]), overview.MAX_EVENTS)
        (refuted,) = [event for event in told["events"] if event["what"] == "refuted"]
        self.assertEqual((refuted["component"], refuted["by"]), ("bad", ["AI_2", "AI_3"]))
        self.assertEqual([point["better"] for point in told["gain"]], [0] + [1] * 11)

    def test_clock(self) -> None:
        """Who says that it is the year 9999 comes no later than what came after."""
        future = "9999-01-01T00:00:00+00:00"
        self.share("liar", 0.5, 0.3, "1", timestamp=future)
        self.share("honest", 0.4, 0.3, "2", timestamp="2026-11-28T11:00:00+00:00")
        first, second = self.told()["events"]
        self.assertEqual(first["component"], "honest")
        self.assertEqual([second["component"], second["at"]], ["liar", "2026-11-28T11:00:00+00:00"])
        self.share("last", 0.4, 0.3, "3", timestamp=future)
        self.assertEqual(self.told()["events"][0]["at"], NOW)
        self.assertEqual(self.told()["gain"][-1]["at"], NOW)
