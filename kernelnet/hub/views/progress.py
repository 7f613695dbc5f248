"""The progress on each task, as people and the API are told of it."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views.confirmations import Confirmation, confirmation, handMade
from kernelnet.message import MessageType
from kernelnet.wire import unixTime

__all__ = ["Progress", "progress"]

MAX_SETTINGS = 32
"""Maximum number of a task's settings: no workbench has so many, and claims with more are left out of `progress`."""

MAX_NAME = 256
"""Characters of the longest name by which a task is told; claims with longer ones are left out, too."""

LOOKED_AT = 20
"""Number of a task's newest components whose reports are asked about hand-made policies."""


class _Measured(Struct):
    """The part of a component's manifest that is needed here: decoding all of ten thousand would take long."""

    class Claim(Struct):
        workbench: str
        trace: str
        trace_digest: str
        settings: dict[str, int]

    report: Claim | None = None


class _Shared(Struct):
    id: str
    manifest: _Measured | None = None


class Step(Struct):
    """
    A confirmed component on a task.

    @ivar at: when it was shared, as its author's clock said, as far as that is believed (RFC 3339).
    """

    id: str
    author: str
    digest: str
    at: str
    level: float
    seq: int = 0
    confirmation: Confirmation = Confirmation()


class _Task(Struct):
    """A task, by what is said of it, with the steps on it and the newest of all confirmed components."""

    described: dict[str, Any]
    confirmed: int = 0
    steps: list[Step] = []
    newest: deque[Step] = msgspec.field(default_factory=lambda: deque(maxlen=LOOKED_AT))


def progress(reader: Reader, limit: int = 5000) -> list[dict[str, Any]]:
    """
    For each task that something was confirmed on: the steps by which its best level rose, oldest first.

    Levels are those of AIs that confirmed a claim, which nobody has refuted; 0 is the workbench's reference, 1 its
    optimum.  What was claimed under older rules of its workbench has tasks of its own, with C{older_rules}, which stand
    last.  What hand-made policies reach is there as `kernelnet.hub.views.confirmations` has it.

    @param limit: the newest so many components.
    """
    tasks: dict[str, _Task] = {}
    for stored in reader.components.confirmedOnly(limit):
        component = msgspec.json.decode(stored.body, type=_Shared)
        claim = component.manifest.report if component.manifest is not None else None
        if claim is None or not _canBeTold(claim):
            continue
        key = f"{stored.olderRules} {claim.workbench} {claim.trace_digest} {sorted(claim.settings.items())}"
        task = tasks.setdefault(
            key,
            _Task(
                {
                    "workbench": claim.workbench,
                    "trace": claim.trace[:200],
                    "trace_digest": claim.trace_digest,
                    "settings": claim.settings,
                    "older_rules": stored.olderRules,
                }
            ),
        )
        step = Step(component.id, stored.author, stored.digest, stored.timestamp, stored.level, stored.seq)
        task.confirmed += 1
        task.newest.append(step)
        if not task.steps or step.level > task.steps[-1].level:
            task.steps.append(step)
    _correctClocks([step for task in tasks.values() for step in task.steps])
    found = [_described(reader, task) for task in tasks.values()]
    return sorted(found, key=lambda task: (task["older_rules"], task["workbench"], task["trace"]))


def _canBeTold(claim: _Measured.Claim) -> bool:
    """Whether its task is bounded: all tasks are told in one answer, and a claim may have a megabyte of names."""
    names = (claim.workbench, claim.trace_digest, *claim.settings)
    return len(claim.settings) <= MAX_SETTINGS and max(map(len, names)) <= MAX_NAME


def _correctClocks(steps: list[Step]) -> None:
    """
    Have times go with the order in which steps came to the hub.

    Each is of its author's clock.  Those of the most that agree with the order are believed; a step between them gets
    that of the last one before, so that no single clock, be it of the year 1 or 9999, moves anybody else's.
    """
    steps.sort(key=lambda step: step.seq)
    kept = _longestRun([unixTime(step.at) for step in steps])
    at = steps[kept[0]].at if kept else ""
    believed = set(kept)
    for i, step in enumerate(steps):
        at = step.at = step.at if i in believed else at


def _longestRun(values: Sequence[float]) -> list[int]:
    """The places of as many values as possible of which none is lower than the one before; of several the lowest."""
    # For each length the run that ends lowest: its last value and place.
    tails: list[float] = []
    ends: list[int] = []
    before: list[int | None] = []
    for place, value in enumerate(values):
        length = bisect_right(tails, value)
        before.append(ends[length - 1] if length else None)
        tails[length : length + 1] = [value]
        ends[length : length + 1] = [place]
    found: list[int] = []
    last = ends[-1] if ends else None
    while last is not None:
        found.append(last)
        last = before[last]
    return found[::-1]


def _described(reader: Reader, task: _Task) -> dict[str, Any]:
    for step in task.steps:
        step.confirmation = confirmation(reader, step.digest, step.author)
    return {
        **task.described,
        **_handMade(reader, task.steps[-1], [*task.newest]),
        "confirmed": task.confirmed,
        "steps": [_describedStep(step) for step in task.steps],
    }


def _describedStep(step: Step) -> dict[str, Any]:
    told = step.confirmation
    return {
        "at": step.at,
        "level": step.level if told.level is None else told.level,
        "level_low": told.low,
        "level_high": told.high,
        "id": step.id,
        "author": step.author,
        "digest": step.digest,
        "seq": step.seq,
    }


def _handMade(reader: Reader, best: Step, others: list[Step]) -> dict[str, Any]:
    """
    Words on hand-made policies: from those who confirmed the best component, since it was measured on the
    same variants as that; where they say nothing, from those who confirmed the newest others.
    """
    found = best.confirmation
    for step in reversed(others):
        if found.chosenOnTrain is not None and found.bestInHindsight is not None:
            break
        more = confirmation(reader, step.digest, step.author)
        found = Confirmation(
            chosenOnTrain=found.chosenOnTrain or more.chosenOnTrain,
            bestInHindsight=found.bestInHindsight or more.bestInHindsight,
        )
    return handMade(found)


class Progress:
    """`progress`, computed anew only when the log has something that it depends on."""

    _KINDS = (
        MessageType.OS_COMPONENT_SHARE.value,
        MessageType.OS_COMPONENT_REFERENCE.value,
        MessageType.PERFORMANCE_REPORT.value,
    )

    def __init__(self) -> None:
        # Together, since several readers' threads may come here at once.
        self._kept: tuple[list[dict[str, Any]] | None, int] = (None, 0)

    def tasks(self, reader: Reader, head: int) -> list[dict[str, Any]]:
        """
        In a reader's thread.

        @param head: the log's last position; nothing that comes later is missed by the next call.
        """
        found, upTo = self._kept
        if found is None or upTo > head or reader.log.hasAny(upTo, self._KINDS):
            found = progress(reader)
        self._kept = found, head
        return found
