"""Tasks on which nothing better is found any more have fewer turns."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning.task_returns import MAX_REST, TaskReturns


def searched(returns: TaskReturns, turns: int, paid: bool, best: str | None = None) -> list[bool]:
    """A task's next turns: whether it was searched in each."""
    found = []
    for _ in range(turns):
        found.append(returns.isDue("task", best))
        if found[-1]:
            returns.ended("task", paid)
    return found


class ReturnTests(SynchronousTestCase):
    def test_fruitless(self) -> None:
        """It sits out one turn, then three, then seven, and never more in a row."""
        found = searched(TaskReturns(), 40, False)
        self.assertEqual([at for at, isDue in enumerate(found) if isDue], [0, 1, 3, 7, 15, 23, 31, 39])
        self.assertEqual(MAX_REST, 7)

    def test_pays(self) -> None:
        """A task that pays has every turn, and one that pays again has them all again."""
        returns = TaskReturns()
        self.assertTrue(all(searched(returns, 10, True)))
        searched(returns, 5, False)
        while not returns.isDue("task", None):
            pass
        returns.ended("task", True)
        self.assertTrue(all(searched(returns, 5, True)))

    def test_news(self) -> None:
        """What anybody has found there wakes it at once."""
        returns = TaskReturns()
        searched(returns, 5, False)
        self.assertFalse(returns.isDue("task", None))
        self.assertTrue(returns.isDue("task", "a peer's"))
        self.assertTrue(returns.isDue("another", None))
