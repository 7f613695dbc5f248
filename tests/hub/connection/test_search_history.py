"""What AIs tell of their searches: kept in memory, bounded, and forgotten."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import MAX_PROGRESS, ModelCosts, SearchProgress
from kernelnet.hub.connection import search_history
from kernelnet.hub.connection.search_history import MAX_SAMPLES, SearchHistory
from tests.hub.databases import onEveryEngine
from tests.hub.support import Client, HubTestCase
from tests.wire_examples import SEARCH_PROGRESS


def telling(evaluations: int, trace: int = 1, **fields: Any) -> SearchProgress:
    task = {**SEARCH_PROGRESS["task"], "trace_digest": f"{trace:064x}"}
    return msgspec.convert({**SEARCH_PROGRESS, "task": task, "evaluations": evaluations, **fields}, SearchProgress)


class SearchHistoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 1000.0
        self.here: set[str] = set()
        self.history = SearchHistory(self.here, lambda: self.now)

    def tell(self, aiId: str, progress: SearchProgress) -> bool:
        self.now += 1
        return self.history.told(aiId, progress)

    def test_thins(self) -> None:
        """However much is told, some hundred samples stay: the first, the newest, and those between evenly."""
        for number in range(5000):
            self.tell("a", telling(number, train=number / 5000, validation=None))
        (series,) = self.history.newest(9)
        samples = series.samples()
        self.assertTrue(MAX_SAMPLES / 4 < len(samples) <= MAX_SAMPLES, len(samples))
        self.assertEqual((samples[0], samples[-1]), ((1001.0, 0, 0.0, None), (6000.0, 4999, 0.9998, None)))
        steps = {later[1] - one[1] for one, later in itertools.pairwise(samples[:-1])}
        self.assertEqual(len(steps), 1)
        few = series.samples(5)
        self.assertEqual((len(few), few[0], few[-1]), (5, samples[0], samples[-1]))
        self.assertEqual(series.samples(1), samples[-1:])

    def test_tooOften(self) -> None:
        """Of what an AI tells within a second the first is taken, whatever the task; a clock set back is none."""
        self.assertTrue(self.tell("a", telling(1)))
        self.now += 0.5
        self.assertFalse(self.history.told("a", telling(2, 2)))
        self.assertTrue(self.history.told("b", telling(2)))
        self.now -= 100
        self.assertTrue(self.history.told("a", telling(3)))

    def test_boundedTasks(self) -> None:
        """Of an AI, and of all together, those stay that were told of last."""
        self.patch(search_history, "MAX_TASKS", 3)
        self.patch(search_history, "MAX_SEARCHES", 5)
        for trace in (1, 2, 3, 1, 4):
            self.tell("a", telling(1, trace))
        kept = [int(s.last.task.trace_digest, 16) for s in self.history.newest(9)]
        self.assertEqual(kept, [4, 1, 3])
        for ai in "bcd":
            self.tell(ai, telling(1, 9))
        self.assertEqual([s.aiId for s in self.history.newest(9)], ["d", "c", "b", "a", "a"])
        self.assertEqual([s.aiId for s in self.history.newest(2, f"{9:064x}")], ["d", "c"])
        self.assertIsNone(self.history.lastOf("x"))
        self.assertFalse(
            self.tell(
                "a", telling(1, task={**SEARCH_PROGRESS["task"], "settings": dict.fromkeys(map(str, range(33)), 1)})
            )
        )

    def test_forgotten(self) -> None:
        """What an AI told is forgotten when it is away and has told nothing for an hour."""
        for ai in "ab":
            self.tell(ai, telling(1))
        self.here.add("b")
        self.now += search_history.REMEMBERED - 2
        self.history.sweep()
        self.assertEqual(len(self.history.newest(9)), 2)
        self.now += 2
        self.history.sweep()
        self.assertEqual([s.aiId for s in self.history.newest(9)], ["b"])

    def test_evaluations(self) -> None:
        """Evaluations of all are added up; fewer than before are those of a trainer that has started anew."""
        for ai, number in (("a", 10), ("a", 15), ("b", 7), ("a", 4), ("a", 5)):
            self.tell(ai, telling(number, rounds=number // 5))
        self.assertEqual((self.history.evaluations, self.history.rounds), (27, 3 + 1 + 1))

    def test_samples(self) -> None:
        """511 samples are kept as they are; the newest is told once, and whatever it told last, too."""
        for number in range(1, 512):
            self.tell("a", telling(number))
            (series,) = self.history.newest(9)
            self.assertEqual([evaluations for _, evaluations, *_ in series.samples()], [*range(1, number + 1)])
        self.tell("a", telling(512))
        samples = series.samples()
        self.assertEqual((len(samples), samples[-1][1]), (257, 512))

    def test_settings(self) -> None:
        """A task has 32 settings at most."""
        for count in (32, 33):
            settings = dict.fromkeys(map(str, range(count)), 1)
            task = {**SEARCH_PROGRESS["task"], "settings": settings}
            self.assertEqual(self.tell("a", telling(1, task=task)), count == 32)

    def test_often(self) -> None:
        """What comes within a second of the last report is dropped, and no clock that was set back holds anybody up."""
        told = []
        for seconds in (0, 0, 0.9, 1, -0.5, 0.4):
            self.now += seconds
            told.append(self.history.told("a", telling(1)))
        self.assertEqual(told, [True, False, False, True, True, False])

    def test_same(self) -> None:
        """Who tells of as many evaluations as before has made none; and is forgotten an hour later, not before."""
        for _ in range(2):
            self.tell("a", telling(7))
        self.assertEqual(self.history.evaluations, 7)
        for seconds, left in ((3599.5, 1), (0.5, 0)):
            self.now += seconds
            self.history.sweep()
            self.assertEqual(len(self.history.newest(9)), left)

    def test_costs(self) -> None:
        """What AIs told last of their language models is added up; USD of those that know them."""
        for ai, costs in (
            ("a", {"calls": 9, "tokens": 9000, "usd": 9.0}),
            ("a", {"calls": 10, "accepted": 2, "tokens": 10_000, "usd": 0.5}),
            ("b", {"calls": 3, "accepted": 1, "tokens": 300}),
            ("c", None),
        ):
            self.tell(ai, telling(1, costs=costs))
        self.assertEqual(self.history.costs(), ModelCosts(13, 3, 10_300, 0.5))
        self.here.add("b")
        self.now += search_history.REMEMBERED
        self.history.sweep()
        self.assertEqual(self.history.costs(), ModelCosts(3, 1, 300, 0.0))


@onEveryEngine
class HeartbeatTests(HubTestCase):
    def beat(self, client: Client, progress: Any) -> list[str]:
        client.send("heartbeat", {"progress": progress})
        return client.errors()

    def test_told(self) -> None:
        """A version 2 client tells how its search goes; nothing is logged, and nobody else hears it."""
        client, other = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        head = self.hub.log.head
        self.assertEqual(self.beat(client, SEARCH_PROGRESS), [])
        last = self.hub.searches.lastOf("AI_1")
        assert last is not None
        self.assertEqual(msgspec.to_builtins(last.last), SEARCH_PROGRESS)
        self.assertEqual((self.hub.log.head, other.received()), (head, []))

    def test_wrong(self) -> None:
        """What is wrong, too long or no number that can be is an error that names the field, and is not kept."""
        client = self.hub.connect("AI_1")
        task = SEARCH_PROGRESS["task"]
        wrongs: list[Any] = [
            [],
            {},
            {**SEARCH_PROGRESS, "evaluations": -1},
            {**SEARCH_PROGRESS, "evaluations": 1 << 60},
            {**SEARCH_PROGRESS, "train": "0.5"},
            {**SEARCH_PROGRESS, "validation": 1e300},
            {**SEARCH_PROGRESS, "sessions": ["x"] * 17},
            {**SEARCH_PROGRESS, "task": {**task, "trace_digest": "x"}},
            {**SEARCH_PROGRESS, "costs": {"calls": -1}},
            {**SEARCH_PROGRESS, "costs": {"calls": 1, "usd": 1e10}},
            {**SEARCH_PROGRESS, "costs": {"calls": 1, "tokens": 1 << 60}},
            {**SEARCH_PROGRESS, "task": {**task, "trace": "x" * MAX_PROGRESS}},
        ]
        for wrong in wrongs:
            client.send("heartbeat", {"progress": wrong})
            (error,) = client.payloads("error")
            self.assertEqual(error["code"], "invalid_message")
            self.assertIn("progress", error["message"])
        self.assertIsNone(self.hub.searches.lastOf("AI_1"))

    def test_version1(self) -> None:
        """Of a version 1 client nothing is taken, and nothing refused."""
        client = self.hub.connect("OLD", 1)
        for progress in (SEARCH_PROGRESS, "nonsense"):
            self.assertEqual(self.beat(client, progress), [])
        self.assertIsNone(self.hub.searches.lastOf("OLD"))
