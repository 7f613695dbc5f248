"""
Returns of searches by task: a task on which nothing better is found any more is searched less often.

After each search in a row that found nothing a task sits out twice as many of its turns, `MAX_REST` at most: what it
may still bring is expected to be less each time, and its turns go to tasks that pay.  When somebody has found something
better there it is searched at once: there is something new to build on.
"""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["MAX_REST", "TaskReturns"]

MAX_REST = 7
"""Maximum number of turns in a row that a task sits out: every eighth it has, whatever came of the others."""


class _Return:
    """
    @ivar fruitless: searches in a row that found nothing; C{rest}: turns that are still to be sat out.
    @ivar best: digest of the best that was known at the last turn.
    """

    def __init__(self) -> None:
        self.fruitless = self.rest = 0
        self.best: str | None = None


class TaskReturns:
    """Returns of one trainer's own searches, by task."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, _Return] = {}

    def isDue(self, task: Hashable, best: str | None) -> bool:
        """
        Whether a task is to be searched now that it is its turn; if not, it has sat out one more.

        @param best: digest of the best that is known for it, of whomever; C{None}: nothing is.
        """
        known = self._tasks.setdefault(task, _Return())
        if best != known.best:
            known.best, known.fruitless, known.rest = best, 0, 0
        if known.rest:
            known.rest -= 1
            return False
        return True

    def ended(self, task: Hashable, paid: bool) -> None:
        """A search has ended.  @param paid: whether it found something better than all that was known."""
        known = self._tasks.setdefault(task, _Return())
        known.fruitless = 0 if paid else known.fruitless + 1
        known.rest = min(MAX_REST, 2 ** min(known.fruitless, 8) // 2 - 1) if known.fruitless else 0
