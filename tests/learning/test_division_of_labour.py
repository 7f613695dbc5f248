"""Several trainers and their tasks: effort goes where it pays, and not all of it to the same task."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning.division_of_labour import LONGEST_EVERY, MAX_LINE, Prospect, inLine, nextOf
from kernelnet.learning.expected_gains import ExpectedGains


class Trainer:
    """Chooses as `kernelnet.learning.task_selection.TaskSelection` does."""

    def __init__(self, tasks: int, place: int, among: int) -> None:
        self.tasks, self.place, self.among = tasks, place, among
        self.gains: ExpectedGains[int] = ExpectedGains()

    def next(self, levels: dict[int, float | None]) -> int:
        self.gains.learn(levels, lambda task: 0.0)
        prospects = [
            Prospect(
                self.gains.of(task),
                inLine(task, self.place, self.among),
                self.gains.waited(task),
                ((task - self.place) % self.tasks,),
            )
            for task in range(self.tasks)
        ]
        chosen = nextOf(prospects, self.gains.searches)
        self.gains.searched(chosen)
        return chosen


def searched(
    tasks: int, among: int, rounds: int, pays: dict[int, float], idle: tuple[int, ...] = ()
) -> list[list[int]]:
    """
    The tasks that trainers search at once, round by round.

    @param pays: by task, by how much each search raises its best; for whoever finds it first in a round.
    @param idle: places of those who do nothing.
    """
    trainers = [Trainer(tasks, place, among) for place in range(among) if place not in idle]
    levels: dict[int, float | None] = dict.fromkeys(range(tasks))
    found = []
    for _ in range(rounds):
        found.append([trainer.next(levels) for trainer in trainers])
        for task in set(found[-1]) & pays.keys():
            levels[task] = (levels[task] or 0.0) + pays[task]
    return found


class DivisionTests(SynchronousTestCase):
    def test_pays(self) -> None:
        """A task that pays is searched more often than all others together."""
        counts = Counter(task for (task,) in searched(6, 1, 200, {4: 0.1}))
        self.assertGreater(counts[4], 100)

    def test_fruitless(self) -> None:
        """One that doesn't has its turn nevertheless."""
        rounds = [task for (task,) in searched(6, 1, 200, {4: 0.1})]
        for task in range(6):
            turns = [0, *(at for at, each in enumerate(rounds) if each == task), 200]
            waited = max(later - before for before, later in pairwise(turns))
            self.assertLessEqual(waited, 6 * LONGEST_EVERY, task)

    def test_apart(self) -> None:
        """However many there are, none searches what another does while there are tasks enough; nor later, mostly."""
        for tasks, among in ((7, 2), (7, 4), (21, 8), (8, 8)):
            rounds = searched(tasks, among, 5 * LONGEST_EVERY, {})
            self.assertTrue(all(len(set(each)) == among for each in rounds[: LONGEST_EVERY // 2]), (tasks, among))
            apart = sum(len(set(each)) for each in rounds) / (among * len(rounds))
            self.assertGreater(apart, 0.75, (tasks, among))

    def test_sooner(self) -> None:
        """All tasks have been searched in as many rounds as there are tasks for each."""
        for among in (1, 2, 4, 8):
            rounds = searched(16, among, 16 // among, {})
            self.assertEqual({task for each in rounds for task in each}, set(range(16)), among)

    def test_help(self) -> None:
        """Where there is much more to gain than elsewhere others help; where there is as much everywhere they don't."""
        late = searched(8, 4, 60, {2: 0.2})[20:]
        helped = sum(each.count(2) for each in late) / len(late)
        self.assertGreater(helped, 2.0)
        late = searched(8, 4, 60, dict.fromkeys(range(8), 0.1))[20:]
        self.assertLess(sum(each.count(2) for each in late) / len(late), 1.0)

    def test_nobodyIsReliedUpon(self) -> None:
        """What was dealt to those who do nothing is searched by the others, and soon where it pays."""
        rounds = searched(8, 4, 64, {3: 0.2}, idle=(1, 2, 3))
        (first, *_), counts = [at for at, (task,) in enumerate(rounds) if task == 3], Counter(t for (t,) in rounds)
        self.assertLess(first, 12)
        self.assertGreater(counts[3], 32)
        self.assertEqual(len(counts), 8)

    def test_manyNames(self) -> None:
        """Whoever comes under many names leaves nobody a single task: none counts for less than a fourth."""
        self.assertEqual({inLine(task, 40, 1000) for task in range(12)}, {MAX_LINE})
        self.assertEqual(inLine(40, 40, 1000), 1)
        trainer = Trainer(12, 5, 1000)
        counts = Counter(trainer.next(dict.fromkeys(range(12))) for _ in range(36))
        self.assertEqual(len(counts), 12)
        self.assertLess(counts[5], 12)

    def test_repeatable(self) -> None:
        self.assertEqual(searched(9, 3, 50, {1: 0.1}), searched(9, 3, 50, {1: 0.1}))
