"""
The first glance at what a hub's AIs have come to: how many tasks are better than every hand-made policy, what became
of the claims, what happened last, and the gain over time.

A task counts as better where its best confirmed level is above that of the hand-made policy that is best in hindsight,
as those say who confirmed it.  Where they don't agree on that one, nobody can tell, and the task counts as neither.
Claims under older rules of their workbench are told of elsewhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views import components
from kernelnet.hub.views.sessions import sessionPage
from kernelnet.wire import unixTime

__all__ = ["MAX_EVENTS", "MAX_POINTS", "gainOf", "overview"]

MAX_EVENTS = 10
MAX_POINTS = 200
"""Number of points of the gain over time."""


_Step = tuple[str, dict[str, Any], dict[str, Any]]
"""When, the step, and its task."""


def overview(reader: Reader, tasks: Sequence[dict[str, Any]], now: str) -> dict[str, Any]:
    """
    @param tasks: as `kernelnet.hub.views.progress.Progress` gives them.
    @param now: the hub's time, RFC 3339.
    @return: what C{/api/overview} tells of what is stored.
    """
    tasks = [task for task in tasks if not task["older_rules"]]
    gains = [gain for task in tasks if (gain := gainOf(task)) is not None]
    states = reader.components.countByState()
    steps = _inOrder(tasks, now)
    return {
        "tasks": {
            "known": len(tasks),
            "compared": len(gains),
            "better": sum(gain > 0 for gain in gains),
            "unsure": sum(_isUnsure(task) for task in tasks),
            "median_gain": statistics.median(gains) if gains else None,
        },
        "claims": {
            "confirmed": states.get("confirmed", 0),
            "refuted": states.get("refuted", 0),
            "disputed": states.get("disputed", 0),
            "waiting": states.get("unmeasured", 0),
        },
        "events": _events(reader, steps, now),
        "gain": _gainOverTime(steps),
    }


def gainOf(task: dict[str, Any], step: dict[str, Any] | None = None) -> float | None:
    """
    Gain in level of a task's best confirmed component over the hand-made policy that is best in hindsight.

    @param step: instead of the best.
    @return: C{None} where that policy isn't known.
    """
    known = task["best_in_hindsight_level"]
    return None if known is None else float((step or task["steps"][-1])["level"] - known)


def _isUnsure(task: dict[str, Any]) -> bool:
    """Whether the best is better, but by less than its level's interval, which may be luck."""
    gain, low = gainOf(task), task["steps"][-1]["level_low"]
    return gain is not None and gain > 0 and low is not None and low <= task["best_in_hindsight_level"]


def _inOrder(tasks: Sequence[dict[str, Any]], now: str) -> list[_Step]:
    """All steps in the order in which they came to the hub, the oldest first; none is later than now."""
    steps = sorted(((step["seq"], step, task) for task in tasks for step in task["steps"]), key=lambda one: one[0])
    return [(_earlier(step["at"], now), step, task) for _, step, task in steps]


def _earlier(one: str, other: str) -> str:
    return min(one, other, key=unixTime)


def _events(reader: Reader, steps: Sequence[_Step], now: str) -> list[dict[str, Any]]:
    """Events worth telling, the newest first: a new best on a task, a claim that was refuted, a session that ended."""
    found: list[tuple[str, int, dict[str, Any]]] = []
    for at, step, task in steps[-MAX_EVENTS:]:
        told = {"task": {name: task[name] for name in ("workbench", "trace", "trace_digest", "settings")}}
        told |= {name: step[name] for name in ("digest", "level")}
        best = {"at": at, "what": "best", "who": step["author"], "component": step["id"], "gain": gainOf(task, step)}
        found.append((at, step["seq"], best | told))
    for entry in components.entries(reader, state="refuted", sort="newest", limit=MAX_EVENTS):
        by = [aiId for aiId, verdict in entry.verdicts.items() if verdict is Verdict.REFUTED][:3]
        at = _earlier(entry.timestamp, now)
        refuted = {"at": at, "what": "refuted", "who": entry.author, "by": by, "component": entry.component.id}
        found.append((at, entry.seq, {**refuted, "digest": entry.digest}))
    ended, _ = sessionPage(reader, state="completed", limit=MAX_EVENTS, transcripts=False)
    for session in ended:
        at = session["changed"]
        both = {"who": session["initiator"], "with": session["partner"]}
        found.append((at, 0, {"at": at, "what": "session", **both, "type": session["type"]}))
    return [
        event for _, _, event in sorted(found, key=lambda one: (unixTime(one[0]), one[1]), reverse=True)[:MAX_EVENTS]
    ]


def _gainOverTime(steps: Sequence[_Step]) -> list[dict[str, Any]]:
    """After each step: how many tasks were better by then, and the median gain of those that had a component."""
    gains: dict[int, float] = {}
    points = []
    for at, step, task in steps:
        gain = gainOf(task, step)
        if gain is None:
            continue
        gains[id(task)] = max(gain, gains.get(id(task), gain))
        better = sum(one > 0 for one in gains.values())
        points.append({"at": at, "better": better, "median_gain": statistics.median(gains.values())})
    if len(points) <= MAX_POINTS:
        return points
    return [points[round(at * (len(points) - 1) / (MAX_POINTS - 1))] for at in range(MAX_POINTS)]
