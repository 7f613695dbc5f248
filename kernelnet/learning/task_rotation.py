"""
Which task a trainer's own search turns to, where several trainers have the same ones.

Trainers that each go round all tasks find the same things first, three times over.  So tasks are dealt among those who
are there, as cards are: by their places in the order of their ids, which all know without a word.  Each brings its own
tasks further than it could bring all, and what it finds is every other's to build on.

Nobody is relied upon: every `OTHERS_EVERY`-th round is for a task that was dealt to somebody else, who may be idle, may
not have that trace, or may be a liar.
"""

from __future__ import annotations

__all__ = ["MAX_GROUPS", "OTHERS_EVERY", "dealt"]

OTHERS_EVERY = 8
"""Number of rounds of which one is for a task that was dealt to somebody else."""

MAX_GROUPS = 4
"""
Maximum number of groups that tasks are dealt into, of which several trainers may have the same: however many come, each
trainer has a share of the tasks that is worth having, and nobody can leave it a single one by coming under many names.
"""


def dealt(turn: int, tasks: int, place: int, among: int) -> int:
    """
    Index of the task that it is this trainer's turn to search on.

    @param turn: number of searches before this one.
    @param tasks: number of tasks there are.
    @param place, among: this trainer's place among those who have the same tasks, and their number.
    """
    # Those of a group go round the same tasks, each from another one on: so two of them seldom search the same at once.
    ahead, place, among = place // MAX_GROUPS, place % MAX_GROUPS, min(among, MAX_GROUPS)
    if among == 1:
        return turn % tasks
    ours = list(range(place, tasks, among)) or [place % tasks]
    others = [index for index in range(tasks) if index not in ours]
    if others and turn % OTHERS_EVERY == OTHERS_EVERY - 1:
        return others[turn // OTHERS_EVERY % len(others)]
    return ours[(ahead + turn - turn // OTHERS_EVERY) % len(ours)]
