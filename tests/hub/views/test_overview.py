"""The first glance: what counts as better, what is told, and that an author's clock moves nobody's words."""

from __future__ import annotations

from typing import Any

import msgspec

from kernelnet.artifacts import Component
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views import overview, progress
from kernelnet.wire import unixTime
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
        self,
        name: str,
        level: float,
        hand: float | None,
        trace: str = "1",
        *,
        verdict: str = "confirmed",
        wide: float | None = None,
        **said: Any,
    ) -> None:
        shared = claiming(name, level, trace=trace * 64)
        self.author.send("os_component_share", shared, **said)
        told: dict[str, Any] = {"development_level": level}
        if wide is not None:
            told |= {"level_low": level - wide, "level_high": level + wide}
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

    def test_unsure(self) -> None:
        """A gain that is less than the level's interval counts as better, and is told of as unsure."""
        for trace, (hand, wide) in enumerate(((0.45, 0.1), (0.3, 0.1), (0.45, None), (0.6, 0.2)), 1):
            self.share(f"c{trace}", 0.5, hand, str(trace), wide=wide)
        tasks = self.told()["tasks"]
        self.assertEqual((tasks["better"], tasks["unsure"]), (3, 1))

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

    def test_clocks(self) -> None:
        """One clock that is wrong, whether ahead or behind, moves the times of nobody else; zones are no clocks."""
        for number, at in enumerate(("08:00:00+00:00", "09:00:00", "13:00:00+03:00", "11:00:00Z")):
            if number == 2:
                for name, wrong in (("past", "0001-01-01T00:00:00"), ("future", "9999-01-01T00:00:00z")):
                    self.share(name, 0.5, 0.3, "1" if name == "past" else "2", timestamp=wrong)
            self.share(f"c{number}", 0.4 + number / 10, 0.3, "a", timestamp=f"2026-11-28T{at}")
        told = self.told()
        times = [unixTime(point["at"]) - unixTime("2026-11-28T00:00:00Z") for point in told["gain"]]
        self.assertEqual([time / 3600 for time in times], [8, 9, 9, 9, 10, 11])
        (task,) = [task for task in self.hub.transact(progress.progress) if task["trace_digest"] == "a" * 64]
        self.assertEqual([step["at"][11:16] for step in task["steps"]], ["08:00", "09:00", "13:00", "11:00"])
        self.assertEqual([event["component"] for event in told["events"]][:2], ["c3", "c2"])


class OverviewBoundsTests(HubTestCase):
    def test_points(self) -> None:
        """However many steps there were, the gain over time has 200 points, the first and the last among them."""
        steps = [
            {"at": NOW, "seq": n, "level": n / 1000, "level_low": None, "author": "a", "id": f"c{n}", "digest": "d"}
            for n in range(1, 252)
        ]
        task = {"workbench": "w", "trace": "t", "trace_digest": "1" * 64, "settings": {}, "older_rules": False}
        tasks = [{**task, "best_in_hindsight_level": 0.0, "steps": steps}]
        points = overview.overview(self.hub.stored, tasks, NOW)["gain"]
        self.assertEqual([points[0]["median_gain"], points[-1]["median_gain"]], [0.001, 0.251])
        self.assertEqual(len(points), 200)
        self.assertEqual(len({point["median_gain"] for point in points}), 200)
