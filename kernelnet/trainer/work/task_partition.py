"""
Partition of the tasks among those who are there and train on the same workbenches, in the order of their ids.

All know that order without a word; what comes of a place in it says `kernelnet.learning.division_of_labour`.  Whose
claim was refuted here is dealt nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kernelnet.artifacts import Verdict
from kernelnet.message import AiInfo
from kernelnet.trainer.storage.knowledge_base import KnownComponent

__all__ = ["placeAmong", "refutedAuthors"]


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
