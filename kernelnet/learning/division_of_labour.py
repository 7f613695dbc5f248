"""
Division of labour: which task each of several trainers searches next, so that all of them are sooner, and not the same.

All know much the same of what searches bring (`kernelnet.learning.expected_gains`), so each would turn to the same
task.  But those who are there stand in line for each: it is dealt to one of them, as cards are, by their places in the
order of their ids, which all know without a word; the next is second in line, and so on.  Where k search at the same
time the k-th adds less: the greatest of k gains that are distributed exponentially is expected to be 1 + 1/2 + ... +
1/k times that of one (A. Renyi, On the theory of order statistics, Acta Mathematica Hungarica 4, 1953).  So a task
counts for the k-th in line 1/k of its gain: each searches on its own ones, and helps where there is much more to gain.

Nobody is relied upon: who was dealt a task may be idle, may not have that trace, or may be a liar.  What others do not
search stays worth as much as it was, while what is searched in vain is worth half; no place in a line counts for more
than `MAX_LINE`, under however many names somebody comes; and every `LONGEST_EVERY`-th search is for what has waited
longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["LONGEST_EVERY", "MAX_LINE", "Prospect", "inLine", "nextOf"]

MAX_LINE = 4
"""Greatest place in a line that counts, from 1."""

LONGEST_EVERY = 8
"""Number of searches of which one is for the task that has waited longest: so each has its turn, whatever it brings."""


class Prospect(NamedTuple):
    """
    Prospect of a search on one task.

    @ivar gain: expected, for what a search costs there.
    @ivar line: this trainer's place in line for it, from 1.
    @ivar waited: number of searches since its last.
    @ivar order: of equals the one with the least comes first.
    """

    gain: float
    line: int
    waited: int
    order: tuple[int, ...]


def inLine(task: int, place: int, among: int) -> int:
    """
    Place in line for a task, from 1.

    @param task: its index among those of its workbench, which is the same for all who have the same ones.
    @param place, among: this trainer's place among those who train there, and their number.
    """
    return 1 + min((place - task) % among, MAX_LINE - 1)


def nextOf(prospects: Sequence[Prospect], searches: int) -> int:
    """
    Index of the task that is next.

    @param searches: number of this trainer's searches before this one.
    """
    every = range(len(prospects))
    if searches % LONGEST_EVERY == LONGEST_EVERY - 1:
        return min(every, key=lambda at: (-prospects[at].waited, prospects[at].line, prospects[at].order))

    def place(at: int) -> tuple[object, ...]:
        gain, line, waited, order = prospects[at]
        return -gain / line, line, -waited, order

    return min(every, key=place)
