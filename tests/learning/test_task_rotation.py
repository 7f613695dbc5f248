"""Tasks are dealt among trainers, and none is left to somebody else alone."""

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning.task_rotation import MAX_GROUPS, OTHERS_EVERY, dealt


class DealtTests(SynchronousTestCase):
    def visits(self, tasks: int, place: int, among: int, turns: int) -> Counter[int]:
        return Counter(dealt(turn, tasks, place, among) for turn in range(turns))

    def test_alone(self) -> None:
        """Who is alone goes round all tasks."""
        self.assertEqual([dealt(turn, 3, 0, 1) for turn in range(6)], [0, 1, 2, 0, 1, 2])

    def test_eachItsOwn(self) -> None:
        """Nearly all rounds are for tasks of one's own, and all tasks are somebody's."""
        for tasks, among in ((3, 3), (7, 3), (12, MAX_GROUPS)):
            owned = set()
            for place in range(among):
                visits = self.visits(tasks, place, among, 400 * OTHERS_EVERY)
                own = {task for task in visits if task % among == place}
                self.assertEqual(sum(visits[task] for task in own), 400 * (OTHERS_EVERY - 1))
                self.assertLessEqual(max(visits[t] for t in own) - min(visits[t] for t in own), 1)
                owned |= own
            self.assertEqual(owned, set(range(tasks)))

    def test_nothingStarves(self) -> None:
        """Every task comes to everyone, though its owner may do nothing."""
        for tasks, among in ((3, 3), (3, 2), (12, 5), (3, 50)):
            for place in range(among):
                visits = self.visits(tasks, place, among, tasks * OTHERS_EVERY)
                self.assertEqual(len(visits), tasks, (tasks, place, among))

    def test_manyTrainers(self) -> None:
        """Where there are more trainers than tasks several have the same."""
        first = [dealt(0, 3, place, 7) for place in range(7)]
        self.assertEqual(first, [0, 1, 2, 0, 0, 1, 2])
        self.assertEqual({dealt(turn, 1, 4, 7) for turn in range(20)}, {0})

    def test_groups(self) -> None:
        """Two that have the same tasks search no task at the same time, as long as they go on alike."""
        for turn in range(50):
            if turn % OTHERS_EVERY != OTHERS_EVERY - 1:
                self.assertNotEqual(dealt(turn, 12, 1, 8), dealt(turn, 12, 1 + MAX_GROUPS, 8), turn)

    def test_manyNames(self) -> None:
        """Whoever comes under many names leaves nobody less than a fourth of the tasks."""
        for place in (0, 11, 24):
            visits = self.visits(12, place, 25, 400 * OTHERS_EVERY)
            self.assertEqual(sum(count > 400 for count in visits.values()), 3)
