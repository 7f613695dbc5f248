"""
Partition of the tasks among trainers that have the same ones: each turns to its own group first.

Trainers that each go round all tasks find the same things first, three times over.  So tasks are dealt among those who
are there, as cards are: by their places in the order of their ids, which all know without a word.  Each brings its own
tasks further than it could bring all, and what it finds is every other's to build on.

Nobody is relied upon: every `FLOOR`-th round is for a task that was dealt to somebody else, who may be idle, may not
have that trace, or may be a liar.  Whose claim was refuted here is dealt nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kernelnet.artifacts import Verdict
from kernelnet.message import AiInfo
from kernelnet.trainer.storage.knowledge_base import KnownComponent

__all__ = ["FLOOR", "HANDS", "dealt", "placeAmong", "refutedAuthors"]

FLOOR = 8

HANDS = 4
"""
Tasks are dealt into so many hands at most, of which several trainers may have the same: however many come, each trainer
has a share of the tasks that is worth having, and nobody can leave it a single one by coming under many names.
"""


def refutedAuthors(components: Iterable[KnownComponent]) -> set[str]:
    """Authors of whom a claim was refuted here."""
    return {known.source for known in components if known.verdict is Verdict.REFUTED}


def placeAmong(
    ours: str, workbenches: Iterable[str], ais: Mapping[str, AiInfo], components: Iterable[KnownComponent]
) -> tuple[int, int]:
    """
    This trainer's place among those who are there and train on a workbench of its own, and how many they are.

    @param ais: by ai_id, as the hub tells of them.
    @param components: all that this trainer knows, with its verdicts.
    """
    benches = set(workbenches)
    peers = {id_ for id_, info in ais.items() if info.connected and benches.intersection(info.workbenches)}
    workers = sorted(peers - refutedAuthors(components) | {ours})
    return workers.index(ours), len(workers)


def dealt(turn: int, tasks: int, place: int, among: int) -> int:
    """
    The index of the task that it is this trainer's turn to search on.

    @param turn: how many searches there were before this one.
    @param tasks: how many tasks there are.
    """
    place, among = place % HANDS, min(among, HANDS)
    if among == 1:
        return turn % tasks
    ours = list(range(place, tasks, among)) or [place % tasks]
    others = [index for index in range(tasks) if index not in ours]
    if others and turn % FLOOR == FLOOR - 1:
        return others[turn // FLOOR % len(others)]
    return ours[(turn - turn // FLOOR) % len(ours)]
