"""Tasks are dealt among those who are there, and none is left to somebody else alone."""

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Verdict
from kernelnet.message import AiInfo
from kernelnet.trainer.storage.knowledge_base import KnownComponent
from kernelnet.trainer.work.task_partition import FLOOR, HANDS, dealt, placeAmong
from tests.trainer.support import component

BENCHES = ["file_system"]


def info(connected: bool = True, benches: tuple[str, ...] = ("file_system",)) -> AiInfo:
    return AiInfo("general", connected=connected, workbenches=list(benches))


class DealtTests(SynchronousTestCase):
    def visits(self, tasks: int, place: int, among: int, turns: int) -> Counter[int]:
        return Counter(dealt(turn, tasks, place, among) for turn in range(turns))

    def test_alone(self) -> None:
        """Who is alone goes round all tasks."""
        self.assertEqual([dealt(turn, 3, 0, 1) for turn in range(6)], [0, 1, 2, 0, 1, 2])

    def test_eachItsOwn(self) -> None:
        """Nearly all rounds are for tasks of one's own, and all tasks are somebody's."""
        for tasks, among in ((3, 3), (7, 3), (12, HANDS)):
            owned = set()
            for place in range(among):
                visits = self.visits(tasks, place, among, 400 * FLOOR)
                own = {task for task in visits if task % among == place}
                self.assertEqual(sum(visits[task] for task in own), 400 * (FLOOR - 1))
                self.assertLessEqual(max(visits[t] for t in own) - min(visits[t] for t in own), 1)
                owned |= own
            self.assertEqual(owned, set(range(tasks)))

    def test_nothingStarves(self) -> None:
        """Every task comes to everyone, though its owner may do nothing."""
        for tasks, among in ((3, 3), (3, 2), (12, 5), (3, 50)):
            for place in range(among):
                visits = self.visits(tasks, place, among, tasks * FLOOR)
                self.assertEqual(len(visits), tasks, (tasks, place, among))

    def test_manyTrainers(self) -> None:
        """Where there are more trainers than tasks several have the same."""
        first = [dealt(0, 3, place, 7) for place in range(7)]
        self.assertEqual(first, [0, 1, 2, 0, 0, 1, 2])
        self.assertEqual({dealt(turn, 1, 4, 7) for turn in range(20)}, {0})

    def test_manyNames(self) -> None:
        """Whoever comes under many names leaves nobody less than a fourth of the tasks."""
        for place in (0, 11, 24):
            visits = self.visits(12, place, 25, 400 * FLOOR)
            self.assertEqual(sum(count > 400 for count in visits.values()), 3)


class PlaceTests(SynchronousTestCase):
    def test_agreed(self) -> None:
        """All who know of each other have places of their own, without a word."""
        ais = {id_: info() for id_ in ("AI_2", "AI_3", "AI_1")}
        places = [placeAmong(id_, BENCHES, ais, []) for id_ in ("AI_1", "AI_2", "AI_3")]
        self.assertEqual(places, [(0, 3), (1, 3), (2, 3)])

    def test_whoCounts(self) -> None:
        """Only who is connected, and trains on a bench that is ours too."""
        ais = {
            "AI_0": info(connected=False),
            "AI_1": info(benches=("security",)),
            "AI_2": info(benches=("security", "file_system")),
        }
        self.assertEqual(placeAmong("AI_3", BENCHES, ais, []), (1, 2))
        self.assertEqual(placeAmong("AI_3", BENCHES, {}, []), (0, 1))

    def test_liar(self) -> None:
        """Whose claim was refuted here is dealt nothing; who is accused of it by others is."""
        ais = {"AI_1": info(), "AI_2": info()}
        known = KnownComponent(component("c"), "AI_1")
        self.assertEqual(placeAmong("AI_3", BENCHES, ais, [known]), (2, 3))
        known.verdict = Verdict.REFUTED
        self.assertEqual(placeAmong("AI_3", BENCHES, ais, [known]), (1, 2))
