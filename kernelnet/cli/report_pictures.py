"""Pictures of a report: where each task stands between reference and optimum, and how it came there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from kernelnet.cli.outcomes import Outcome
from kernelnet.cli.pictures import picture, tidy
from kernelnet.untrusted import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["reportPictures"]

_HAND, _LEARNED = "#0072B2", "#D55E00"
_LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of Okabe and Ito, which colour-blind people can tell apart."""

_LOWEST = -0.5
"""Lowest level that is drawn: what is far worse than the reference must not flatten the rest."""

_MOST = 60
"""Number of tasks that a picture has room for."""


def reportPictures(found: Sequence[Outcome]) -> dict[str, bytes]:
    """SVG by what it shows; those that there is nothing for are left out."""
    shown = [one for one in found if one.level is not None or one.handMade is not None][:_MOST]
    pictures: dict[str, bytes] = {}
    if shown:
        pictures["levels"] = picture(lambda figure: _levels(figure, shown), (9.0, 1.4 + 0.34 * len(shown)), "svg")
    if rises := [(one, steps) for one in shown if (steps := _steps(one))]:
        pictures["progress"] = picture(lambda figure: _progress(figure, rises), (9.0, 4.6), "svg")
    return pictures


def _levels(figure: Figure, shown: Sequence[Outcome]) -> None:
    axes = figure.subplots()
    for y, one in enumerate(reversed(shown)):
        hand = max(_LOWEST, one.handMade.level) if one.handMade is not None else None
        if hand is not None:
            axes.plot([hand], [y], "|", color=_HAND, markersize=13, markeredgewidth=2.4)
        if one.level is not None:
            level = max(_LOWEST, one.level)
            axes.plot([hand if hand is not None else 0.0, level], [y, y], color=_LEARNED, linewidth=1.2, alpha=0.5)
            if one.interval is not None:
                ends = [max(_LOWEST, end) for end in one.interval]
                axes.plot(ends, [y, y], color=_LEARNED, linewidth=5, alpha=0.35, solid_capstyle="butt")
            axes.plot([level], [y], "o", color=_LEARNED, markersize=7)
    axes.plot([], [], "|", color=_HAND, markersize=13, markeredgewidth=2.4, label="best hand-made, in hindsight")
    axes.plot([], [], "o", color=_LEARNED, markersize=7, label="best learned, confirmed; bar: 95 % interval")
    names = [plain(f"{one.subject}: {one.words}", 70) for one in reversed(shown)]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.set_xlim(min(-0.05, axes.get_xlim()[0]), 1.02)
    for place in (0.0, 1.0):
        axes.axvline(place, color="#777777", linewidth=0.9)
    axes.set_xlabel("level on held-out data: 0 is the reference policy, 1 the optimum")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.0 + 0.9 / max(1, len(shown)) + 0.06), ncols=2, frameon=False)
    tidy(axes)


def _progress(figure: Figure, rises: Sequence[tuple[Outcome, list[tuple[datetime, float]]]]) -> None:
    axes = figure.subplots()
    begin = min(steps[0][0] for _, steps in rises)
    end = max(steps[-1][0] for _, steps in rises)
    span = (end - begin).total_seconds()
    unit, size = ("seconds", 1) if span < 300 else ("minutes", 60) if span < 3 * 3600 else ("hours", 3600)
    colours = dict(zip(dict.fromkeys(one.workbench for one, _ in rises), _LINES * len(rises), strict=False))
    named: set[str] = set()
    for one, steps in rises:
        xs = [(at - begin).total_seconds() / size for at, _ in steps]
        ys = [max(_LOWEST, level) for _, level in steps]
        label = None if one.workbench in named else plain(one.subject, 40)
        named.add(one.workbench)
        xs, ys = [*xs, span / size], [*ys, ys[-1]]
        axes.step(xs, ys, where="post", color=colours[one.workbench], linewidth=1.6, label=label)
        axes.plot(xs[:-1], ys[:-1], "o", color=colours[one.workbench], markersize=4)
    axes.set_ylim(min(-0.02, axes.get_ylim()[0]), 1.02)
    axes.set_xlabel(f"{unit} since the first component was shared, by the authors' clocks")
    axes.set_ylabel("best confirmed level of each task")
    axes.legend(loc="lower right", frameon=False)
    tidy(axes)


def _steps(one: Outcome) -> list[tuple[datetime, float]]:
    """Times at which the best confirmed level rose, and to what."""
    steps: list[tuple[datetime, float]] = []
    for each in sorted(one.components, key=lambda each: each.seq):
        if each.state == "confirmed" and each.level is not None and (not steps or each.level > steps[-1][1]):
            try:
                at = datetime.fromisoformat(each.shared)
            except ValueError:  # a stranger's clock
                continue
            if at.tzinfo is not None:
                steps.append((max(at, steps[-1][0]) if steps else at, each.level))
    return steps
