"""Fields of a demo: their order, in which others have confirmed something and since when, and collaborations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kernelnet.artifacts import SPECIALIZATIONS
from kernelnet.cli.hub_data import HubData
from kernelnet.cli.outcomes import Outcome
from kernelnet.hub.storage.offline import databaseOf
from kernelnet.interfaces import IWorkbench
from kernelnet.learning.specializations import complementaryOrder
from kernelnet.learning.tasks import EVERYWHERE, FALLBACK, hasBench
from kernelnet.untrusted import plain
from kernelnet.workbench.words import subjectOf

__all__ = ["Fields", "acrossLine", "fieldsInOrder", "firstConfirmed", "withoutAny"]


def fieldsInOrder() -> list[str]:
    """Specializations that there is a workbench for, so that the first few can help each other; then those of all."""
    own = [one for one in SPECIALIZATIONS if one not in EVERYWHERE and hasBench(one)]
    return [*complementaryOrder(own, FALLBACK), *reversed(EVERYWHERE)]


def firstConfirmed(state: Path) -> tuple[datetime, str, str] | None:
    """By the hub's log: when the first component was confirmed by another AI than its author, which, and by whom."""
    with databaseOf(state).reading() as reader:
        first = reader.log.firstConfirmation()
    return (datetime.fromisoformat(first.timestamp), first.componentId, first.reporter) if first else None


class Fields:
    """
    Which fields the trainers of a demo have, and when each had its first component that another AI confirmed.

    A trainer with tasks on one workbench alone is there for that field; one that works everywhere is there for none.

    @ivar first: by workbench, seconds after the start.
    """

    def __init__(self, benches: Mapping[str, IWorkbench]) -> None:
        self._benches = benches
        self._own: dict[str, str] = {}
        self.first: dict[str, float] = {}

    def update(self, progress: Iterable[Mapping[str, Any]], data: HubData, seconds: float) -> None:
        """
        Look what there is now.

        @param progress: of the trainers, as their C{progress.json} has it.
        @param seconds: since the start.
        """
        for one in progress:
            names = {str(task.get("workbench", "")) for task in one.get("tasks", ())}
            if len(names) == 1:
                self._own[one["ai_id"]] = names.pop()
        for component in data.components():
            if component.workbench and component.state == "confirmed":
                self.first.setdefault(component.workbench, seconds)

    def areAll(self, trainers: int) -> bool:
        """
        Whether something is confirmed in each field.

        @param trainers: number that are there for a field of theirs; as long as not all have told of it, there is more.
        """
        return len(self._own) >= trainers and self.first.keys() >= set(self._own.values())

    def line(self) -> str:
        """When each had its first; empty: none has any."""
        each = sorted(self.first.items(), key=lambda one: one[1])
        told = (f"{plain(subjectOf(self._benches.get(name), name))} {after:.0f} s" for name, after in each)
        return f"first confirmed component of each field, after the start: {', '.join(told)}" if each else ""


def acrossLine(completed: Sequence[Mapping[str, Any]], specializations: Mapping[str, str]) -> str:
    """
    Number of completed collaborations, and between which specializations they were; empty: none was completed.

    @param completed: sessions, as `HubData.completed` gives them.
    @param specializations: of each AI.
    """
    pairs: dict[str, int] = {}
    for session in completed:
        both = [specializations.get(session.get(who) or "", "another") for who in ("initiator", "partner")]
        if both[0] != both[1]:
            words = " with ".join(plain(one) for one in both)
            pairs[words] = pairs.get(words, 0) + 1
    if not completed:
        return ""
    each = ", ".join(f"{words} {count}" if count > 1 else words for words, count in pairs.items())
    across = f"{sum(pairs.values())} of them across specializations: {each}" if pairs else "none across specializations"
    return f"{len(completed)} collaborations completed, {across}"


def withoutAny(found: Sequence[Outcome]) -> list[str]:
    """Lines on the fields in which nothing is confirmed, and how far each has come."""
    fields: dict[str, list[Outcome]] = {}
    for one in found:
        fields.setdefault(one.subject, []).append(one)
    lines = []
    for subject, each in fields.items():
        if any(one.best is not None for one in each):
            continue
        shared = sum(len(one.components) for one in each)
        why = f"{shared} shared, which no peer has confirmed yet" if shared else "nothing passed the guard so far"
        tasks = f"{len(each)} task{'s' if len(each) > 1 else ''}"
        lines.append(f"{plain(subject)}: nothing is confirmed on {tasks}: {why}; more --minutes may help")
    return lines
