"""The progress on each task, as people and the API are told of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views.components import reportsOn
from kernelnet.message import MessageType

__all__ = ["Progress", "progress"]

MAX_SETTINGS = 32
"""Maximum number of a task's settings: no workbench has so many, and claims with more are left out of `progress`."""

WITNESSES = 2
"""AIs that must say the same of the best hand-made policy: it is no claim that anybody confirms."""
LOOKED_AT = 20
"""Number of a task's newest components on which reports are asked what they say of it."""


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


def progress(reader: Reader, limit: int = 5000) -> list[dict[str, Any]]:
    """
    For each task that something was confirmed on: the steps by which its best level rose, oldest first.

    Levels are claims that another AI has confirmed and nobody has refuted; 0 is the workbench's reference, 1 its
    optimum.  C{by_hand} is the level of the best hand-made policy, as `WITNESSES` that confirmed a component of the
    task tell it, to the bit; C{None} where they don't, or as many say something else.

    @param limit: the newest so many components.
    """
    tasks: dict[str, dict[str, Any]] = {}
    digests: dict[str, list[str]] = {}
    for stored in reader.components.confirmedOnly(limit):
        component = msgspec.json.decode(stored.body, type=_Shared)
        claim = component.manifest.report if component.manifest is not None else None
        if claim is None or len(claim.settings) > MAX_SETTINGS:
            continue
        key = f"{claim.workbench} {claim.trace_digest} {sorted(claim.settings.items())}"
        task = tasks.setdefault(
            key,
            {
                "workbench": claim.workbench,
                "trace": claim.trace[:200],
                "trace_digest": claim.trace_digest,
                "settings": claim.settings,
                "by_hand": None,
                "confirmed": 0,
                "steps": [],
            },
        )
        task["confirmed"] += 1
        digests.setdefault(key, []).append(stored.digest)
        if not task["steps"] or stored.level > task["steps"][-1]["level"]:
            step = {"at": stored.timestamp, "level": stored.level, "id": component.id, "author": stored.author}
            task["steps"].append(step)
    for key, task in tasks.items():
        task["by_hand"] = _byHand(reader, digests[key][-LOOKED_AT:])
    return sorted(tasks.values(), key=lambda task: (task["workbench"], task["trace"]))


def _byHand(reader: Reader, digests: list[str]) -> dict[str, Any] | None:
    """The word of most of those who confirmed these components; each AI has one voice, its newest."""
    said: dict[str, tuple[str, float]] = {}
    for digest in digests:
        for report in reversed(reportsOn(reader, digest, 8)):
            told = report["performance"]
            name, level = told.get("best_by_hand"), told.get("best_by_hand_level")
            if (
                report.get("verdict") == Verdict.CONFIRMED.value
                and isinstance(name, str)
                and 0 < len(name) <= 64
                and type(level) in (int, float)
                and -1 <= level <= 1  # of NaN neither holds
            ):
                said[report["reporter"]] = name, float(level)
    first, second = (*Counter(said.values()).most_common(2), (None, 0), (None, 0))[:2]
    if first[0] is None or first[1] < WITNESSES or first[1] == second[1]:
        return None
    return {"name": first[0][0], "level": first[0][1]}


class Progress:
    """`progress`, computed anew only when the log has something that it depends on."""

    _KINDS = (MessageType.OS_COMPONENT_SHARE.value, MessageType.PERFORMANCE_REPORT.value)

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
