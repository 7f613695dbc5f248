"""Report on a training as a Markdown page: the verdict, each task, each component, each collaboration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kernelnet.cli.hub_data import Listed
from kernelnet.cli.outcomes import Outcome
from kernelnet.cli.sessions import completedRows
from kernelnet.cli.verdict import verdict
from kernelnet.learning.intervals import levelText
from kernelnet.untrusted import plain

__all__ = ["madeIn", "reportPage"]

_LISTED = 20
"""Number of components of a task that a page has."""


def reportPage(
    found: Sequence[Outcome],
    completed: Sequence[dict[str, Any]],
    *,
    source: str,
    made: str,
    first: float | None = None,
    pictures: Mapping[str, str],
) -> str:
    """
    @param completed: collaboration sessions.
    @param source: which hub it is about; C{made}: when, and from what it was made.
    @param first: see `kernelnet.cli.verdict.verdict`.
    @param pictures: files beside the page, by what they show.
    """
    head, *more = verdict(found, first)
    lines = ["# kernelnet report", "", f"Of {_tame(source)}; {_tame(made)}.", "", f"**{_tame(head)}**", ""]
    lines += [line for each in more for line in (_tame(each), "")]
    lines += [line for alt, name in pictures.items() for line in (f"![{alt}]({name})", "")]
    lines += ["## Tasks", ""]
    titles = ("task", "reference", "best hand-made", "chosen on train", "best learned", "confirmed by", "component")
    lines += [*_table(titles, map(_taskRow, found)), ""]
    lines += [
        "*Level*: share of the way from the reference policy to the optimum, on held-out data, which nobody learned"
        " from; *±*: half of its 95 % interval, by the windows of that data; none where there is but one.  *Best"
        " hand-made* is so in hindsight, on the very data that it is compared on; *chosen on train* is the one that one"
        " would have taken.",
        "",
    ]
    if any(one.handMade is not None and one.handMade.levels for one in found):
        lines += ["## Hand-made policies", "", "Levels as they were measured for this report, best first.", ""]
        lines += [*_table(("task", "policies"), [row for one in found for row in _handRow(one)]), ""]
    sessions = madeIn(completed)
    lines += ["## Components", ""]
    for one in found:
        if one.components:
            lines += [f"### {_tame(one.subject)}: {_tame(one.words)}", ""]
            rows = [_componentRow(each, sessions) for each in one.components[:_LISTED]]
            lines += [*_table(("component", "author", "made in", "level", "confirmed by", "refuted by"), rows), ""]
            if len(one.components) > _LISTED:
                lines += [f"… and {len(one.components) - _LISTED} more.", ""]
    if completed:
        lines += ["## Collaborations that were completed", ""]
        lines += [*_table(("type", "component", "before", "after", "who did what"), completedRows(completed)), ""]
    return "\n".join(lines)


def madeIn(completed: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By component: of what type the session was that it was sent in, by either of the two."""
    made: dict[str, str] = {}
    for session in completed:
        sent = [step.get("component") for step in session["transcript"] if step.get("what") == "send"]
        for component in (session["component"], *sent):
            if component:
                made.setdefault(component, session["type"].replace("_", " "))
    return made


def _taskRow(one: Outcome) -> tuple[str, ...]:
    hand, best = one.handMade, one.best
    return (
        f"{one.subject}: {one.words}",
        one.reference,
        f"{hand.best} {hand.level:.3f}" if hand is not None else "–",
        f"{hand.chosen} {hand.chosenLevel:.3f}" if hand is not None else "–",
        "–" if one.level is None else levelText(one.level, one.interval) + ("" if one.isBetter else ", not better"),
        ", ".join(best.voices("confirmed")) if best is not None else "–",
        f"{best.id} of {best.author}" if best is not None else "–",
    )


def _handRow(one: Outcome) -> Iterable[tuple[str, str]]:
    if one.handMade is not None and one.handMade.levels:
        ordered = sorted(one.handMade.levels.items(), key=lambda each: -each[1])
        yield f"{one.subject}: {one.words}", ", ".join(f"{name} {level:.3f}" for name, level in ordered)


def _componentRow(each: Listed, sessions: Mapping[str, str]) -> tuple[str, ...]:
    claims = "" if each.voices("confirmed") else " claimed"
    return (
        each.id,
        each.author,
        sessions.get(each.id, "own search"),
        f"{each.level:.3f}{claims}" if each.level is not None else "–",
        ", ".join(each.voices("confirmed")) or "nobody yet",
        ", ".join(each.voices("refuted")) or "–",
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    return lines + ["| " + " | ".join(map(_tame, row)) + " |" for row in rows]


def _tame(text: str) -> str:
    """A stranger's text in Markdown: nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#~$&])", r"\\\1", plain(text, 1000))
