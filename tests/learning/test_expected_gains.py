"""By how much the next search on a task is likely to raise the best that is known there."""

from __future__ import annotations

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning.expected_gains import OPTIMISM, ExpectedGains

HAND_MADE = 0.4


class GainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.gains: ExpectedGains[str] = ExpectedGains()
        self.learn(a=None, b=None)

    def learn(self, **levels: float | None) -> None:
        self.gains.learn(levels, lambda task: HAND_MADE)

    def search(self, **levels: float | None) -> float:
        """Search on a, and learn what is known after that."""
        self.gains.searched("a")
        self.learn(**levels)
        return self.gains.of("a")

    def test_halved(self) -> None:
        """By each search that finds nothing: of one that has found something, and of a new task."""
        self.search(a=HAND_MADE + 0.1, b=None)
        self.search(a=HAND_MADE + 0.5, b=None)
        found = [self.gains.of("a"), *(self.search(a=HAND_MADE + 0.5, b=None) for _ in range(3))]
        for before, after in pairwise(found):
            self.assertAlmostEqual(after, before / 2)
        self.setUp()
        first = OPTIMISM / 2  # one more that was first found nothing
        self.assertEqual([self.search(a=None, b=None) for _ in range(3)], [first / 2, first / 4, first / 8])

    def test_pays(self) -> None:
        """What a search raised the best by is half of what the next is expected to; the first, above the hand-made."""
        first = (OPTIMISM + 0.1) / 2
        self.assertAlmostEqual(self.search(a=HAND_MADE + 0.1, b=None), first / 2 + 0.05)
        self.assertAlmostEqual(self.search(a=HAND_MADE + 0.5, b=None), first / 4 + 0.025 + 0.2)

    def test_others(self) -> None:
        """What somebody else has found makes a task worth more, on one that was searched in vain as well; once."""
        self.search(a=None, b=None)
        self.learn(a=HAND_MADE + 0.3, b=HAND_MADE + 0.1)
        first = OPTIMISM / 2
        self.assertAlmostEqual(self.gains.of("a"), first / 4 + 0.15)
        self.assertAlmostEqual(self.gains.of("b"), first / 2 + 0.05)
        before = self.gains.of("a")
        self.learn(a=HAND_MADE + 0.3, b=HAND_MADE + 0.1)
        self.assertEqual(self.gains.of("a"), before)

    def test_manySteps(self) -> None:
        """Who publishes ever so many, each a little better, takes half of a task's worth at most; so does a leap."""
        for step in range(1, 50):
            self.learn(a=HAND_MADE + step / 1000, b=None)
        self.assertGreaterEqual(self.gains.of("a"), OPTIMISM / 2)
        self.learn(a=HAND_MADE + 30.0, b=None)
        self.assertLess(self.gains.of("a"), 1.0)
        self.assertEqual(self.gains.of("b"), OPTIMISM)

    def test_first(self) -> None:
        """A task that nobody has searched is worth what first searches brought elsewhere: more than one more there."""
        self.assertEqual(self.gains.of("b"), OPTIMISM)
        self.assertLess(self.search(a=None, b=None), self.gains.of("b"))
        self.assertEqual(self.gains.of("b"), OPTIMISM / 2)
        self.search(a=HAND_MADE + 0.4, b=None)
        self.assertEqual(self.gains.of("b"), OPTIMISM / 2)  # it was no first one

    def test_before(self) -> None:
        """What was known before the start is nobody's search of late; nor is less than that a loss."""
        gains: ExpectedGains[str] = ExpectedGains()
        gains.learn({"a": 0.9}, lambda task: self.fail("nothing is compared with it"))
        self.assertEqual(gains.of("a"), OPTIMISM)
        gains.learn({"a": 0.2}, lambda task: HAND_MADE)
        gains.learn({"a": 0.9}, lambda task: HAND_MADE)
        self.assertEqual(gains.of("a"), OPTIMISM)

    def test_waited(self) -> None:
        for _ in range(2):
            self.gains.searched("a")
        self.gains.searched("b")
        self.assertEqual([self.gains.waited(task) for task in ("a", "b", "new")], [1, 0, 3])
