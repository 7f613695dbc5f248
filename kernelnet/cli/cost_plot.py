"""The picture of C{kernelnet bench plot --cost}: quality over cost, and whom nobody beats in both."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kernelnet.cli.pictures import tidy
from kernelnet.cli.plotting import Panel, rendered, styles
from kernelnet.cli.policy_comparison import Policy, Standing
from kernelnet.untrusted import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["drawCost", "paretoFront"]

_TICKS = [number * 10.0**power for power in range(-1, 8) for number in (1, 2, 5)]
_NAME_HEIGHT = 0.045
"""Of a name, as a share of the axes' height; C{_NAME_WIDTH}: of each letter, of their width."""

_NAME_WIDTH = 0.013

Point = tuple[float, float]


def paretoFront(points: Sequence[Point]) -> list[Point]:
    """Those than which no other is both cheaper and better, or one and as much of the other; cheapest first."""
    front: list[Point] = []
    for cost, score in sorted(points):
        if not front or score < front[-1][1]:
            front.append((cost, score))
    return front


def drawCost(panels: Sequence[Panel], split: str, kind: str, *, level: bool = False) -> bytes:
    """
    @param panels: of one scenario each, with costs.
    @param split: which part's scores.
    @param level: shares of the distance to the optimum that are left, instead of scores by event.
    @param kind: C{"png"} or C{"svg"}.
    """

    def fill(axes: Axes, at: int) -> None:
        plan, (standing,) = panels[at]
        _panel(axes, standing, split, level=level)
        axes.set_title(plan.title, loc="left")

    return rendered(len(panels), fill, kind)


def _panel(axes: Axes, standing: Standing, split: str, *, level: bool) -> None:
    shown = [(policy, style) for policy, style in styles(standing.policies) if policy.ns_per_event is not None]
    points = [(policy.ns_per_event or 0.0, _height(policy, split, level=level)) for policy, _ in shown]
    optimum = next(policy for policy in standing.policies if policy.kind == "optimum")
    lowest = _height(optimum, split, level=level)
    front = paretoFront(points)
    axes.set_xscale("log")
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    # Room for the names.
    axes.set_xlim(low / 1.3, high * (high / low) ** 0.25 * 1.6)
    ys = [y for _, y in points]
    span = (max(ys) - min(ys, default=0.0)) or max(ys) or 1.0
    axes.set_ylim(max(min(min(ys) - 0.08 * span, lowest), min(ys) - 0.3 * span), max(ys) + 0.08 * span)
    if axes.get_ylim()[0] <= lowest:
        axes.axhline(lowest, color="black", linestyle=(0, (1, 1)), linewidth=1.4, zorder=1)
        text = f"{plain(optimum.name)}, offline"
        axes.annotate(text, (1.0, lowest), (-4, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
                      ha="right", fontsize=9, style="italic")  # fmt: skip
    steps = [
        point
        for (x, y), following in itertools.zip_longest(front, front[1:])
        for point in ((x, y), *([(following[0], y)] if following else []))
    ]
    edge = axes.get_xlim()[1]
    axes.plot(
        [front[0][0], *(x for x, _ in steps), edge],
        [axes.get_ylim()[1], *(y for _, y in steps), front[-1][1]],
        color="#999999", linewidth=1.0, zorder=1,
    )  # fmt: skip
    for (x, y), (_, style) in zip(points, shown, strict=True):
        axes.plot([x], [y], **{**style, "linestyle": "none", "markersize": style.get("markersize", 6) + 2})
    _names(axes, [(policy, point, point in front) for (policy, _), point in zip(shown, points, strict=True)])
    ticks = [tick for tick in _TICKS if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    tidy(axes)
    axes.set_xlabel("nanoseconds of CPU time an event, in the sandbox without metering")
    what = (
        f"share of the distance from {standing.reference} to {standing.optimum} that is left"
        if level
        else plain(standing.ratio)
    )
    axes.set_ylabel(f"{what} ({split.replace('_', '-')})")


def _height(policy: Policy, split: str, *, level: bool) -> float:
    score = policy.splits[split]
    return 1 - score.level if level else score.score / max(1, score.events)


def _names(axes: Axes, points: Sequence[tuple[Policy, Point, bool]]) -> None:
    """Each name beside its point, where it covers neither a point nor another name; the front's are bold."""
    toAxes = axes.transAxes.inverted()
    places = {policy.name: tuple(toAxes.transform(axes.transData.transform(point))) for policy, point, _ in points}
    taken = [(x - 0.01, y - 0.018, x + 0.01, y + 0.018) for x, y in places.values()]
    for policy, _, isFront in sorted(points, key=lambda each: (not each[2], -places[each[0].name][1])):
        x, y = places[policy.name]
        name = plain(policy.name, 28)
        width = _NAME_WIDTH * len(name)
        spots = [
            (left, middle, (left, middle - _NAME_HEIGHT / 2, left + width, middle + _NAME_HEIGHT / 2))
            for distance in (0.0, 0.035, 0.06, 0.09, 0.12, 0.16)
            for left, middle in (
                (x + 0.015, y + distance), (x + 0.015, y - distance), (x - 0.015 - width, y + distance),
                (x - 0.015 - width, y - distance), (x - width / 2, y + distance), (x - width / 2, y - distance),
            )
        ]  # fmt: skip
        left, middle, box = next(
            (spot for spot in spots if not any(_overlap(spot[2], other) for other in taken) and spot[2][1] > 0),
            spots[0],
        )
        taken.append(box)
        if abs(middle - y) > 0.04:
            near = left if left > x else left + width if left + width < x else x
            axes.plot([x, near], [y, middle], color="#bbbbbb", linewidth=0.7, zorder=1, transform=axes.transAxes)
        weight = "bold" if policy.kind == "component" else "normal"
        colour = "black" if isFront else "#666666"
        axes.text(
            left, middle, name, transform=axes.transAxes, va="center", fontsize=9, fontweight=weight, color=colour
        )


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
