"""C{kernelnet bench plot}: how policies compare over cache sizes, a setting or traces; as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from kernelnet.cli.pictures import picture, tidy
from kernelnet.cli.plot_plan import Plan
from kernelnet.cli.policy_comparison import Policy, Standing
from kernelnet.interfaces import IScenario
from kernelnet.untrusted import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Panel", "draw", "measured", "rendered", "styles"]

# Okabe and Ito's palette, which colour-blind people can tell apart, without its yellow, which is too pale for a line.
_BASELINES = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#CC79A7", "#777777")
_LEARNED = ("#D55E00", "#882255", "#117733")
_MARKERS = "osD^vPX<>hp"
_MOST_TICKS = 12
_TICKS = (0.1, 0.3, 1, 3, 10, 30, 100)
_FACTORS = [number * 10.0**power for power in range(-4, 7) for number in (1, 2, 5)]
_LOWEST_LEVEL = -0.5
"""Lowest level that is drawn: what is far worse than the reference must not flatten the rest."""

_APART = 0.052
"""Least distance of two names, as a share of an axis' height."""

_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1.5, 1.2)))


Panel = tuple[Plan, list[Standing]]
"""One pair of axes, and what was measured for it."""


def measured(scenarios: Sequence[IScenario], measure: Callable[[IScenario], Standing], jobs: int) -> list[Standing]:
    """C{measure} of each scenario, several at once: what runs in the sandbox lets go of the interpreter."""
    with ThreadPoolExecutor(jobs) as pool:
        try:
            return list(pool.map(measure, scenarios))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def draw(panels: Sequence[Panel], split: str, kind: str, *, level: bool = False) -> bytes:
    """
    @param split: which part's scores.
    @param level: draw shares of the distance from reference to optimum, which tell policies better apart.
    @param kind: C{"png"} or C{"svg"}.
    """

    def fill(axes: Axes, at: int) -> None:
        _panel(axes, *panels[at], split, level=level)

    return rendered(len(panels), fill, kind)


def rendered(count: int, fill: Callable[[Axes, int], None], kind: str) -> bytes:
    """
    A picture of some panels, two in a row.

    @param fill: draws one of them.
    @param kind: C{"png"} or C{"svg"}.
    """
    columns = min(2, count)
    rows = -(-count // columns)

    def panels(figure: Figure) -> None:
        # Room on the right for the names at the ends of the lines.
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr, call-arg]
        every = figure.subplots(rows, columns, squeeze=False).ravel()
        for at, axes in enumerate(every[:count]):
            fill(axes, at)
        for axes in every[count:]:
            axes.set_visible(False)

    return picture(panels, (7.6 * columns, 4.7 * rows), kind)


def _panel(axes: Axes, plan: Plan, standings: list[Standing], split: str, *, level: bool) -> None:
    numeric = bool(plan.name)
    xs = [float(place if numeric else i) for i, place in enumerate(plan.places)]
    lines = []
    drawn = styles(standings[0].policies)
    for index, (policy, style) in enumerate(drawn):
        ys = [_height(standing, policy.name, split, level=level, relative=not numeric) for standing in standings]
        if numeric:
            axes.plot(xs, ys, clip_on=level, **style)
        else:
            # Side by side, or they would cover each other.
            beside = 0.7 * ((index + 0.5) / len(drawn) - 0.5)
            axes.plot([x + beside for x in xs], ys, **{**style, "linestyle": "none"})
        lines.append((ys, policy, style))
    if numeric:
        _numbers(axes, xs, plan.percent)
    else:
        axes.set_xticks(xs, [str(place) for place in plan.places], rotation=20, ha="right")
        axes.set_xlim(-0.5, len(xs) - 0.5)
    low, high = (f(y for heights, _, _ in lines for y in heights) for f in (min, max))
    if level:
        axes.set_ylim(max(_LOWEST_LEVEL, axes.get_ylim()[0]), 1.02)
    elif numeric:
        axes.set_ylim(bottom=min(0.0, low))
    elif low > 0 and high / low > 3:
        axes.set_yscale("log")
        ticks = [tick for tick in _FACTORS if low * 0.9 <= tick <= high * 1.1]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    tidy(axes)
    axes.set_xlabel(plan.name)
    axes.set_ylabel(f"{_what(standings[0], level=level, relative=not numeric)} ({split.replace('_', '-')})")
    axes.set_title(plan.title, loc="left")
    _policyNames(axes, lines, joined=numeric)


def _numbers(axes: Axes, xs: list[float], percent: bool) -> None:
    """The x axis of a setting: logarithmic where its values are far apart."""
    ticks: list[float] = []
    if min(xs) > 0 and max(xs) / min(xs) > 20:
        axes.set_xscale("log")
    if percent:
        ticks = [tick for tick in _TICKS if min(xs) * 0.9 <= tick <= max(xs) * 1.05]
        axes.set_xticks(ticks, [f"{tick:g} %" for tick in ticks])
        axes.minorticks_off()
    elif len(xs) <= _MOST_TICKS:
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.minorticks_off()
    axes.set_xlim(min([*xs, *ticks]), max([*xs, *ticks]))


def _what(standing: Standing, *, level: bool, relative: bool) -> str:
    """Name of the heights, for people."""
    unit = plain(standing.unit)
    if level:
        return f"share of the distance from {standing.reference} to {standing.optimum}"
    if relative:
        return f"{unit}, as a multiple of {standing.reference}'s"
    return plain(standing.ratio)


def _height(standing: Standing, name: str, split: str, *, level: bool, relative: bool) -> float:
    """Level; score per event; or relative to the reference, so that traces of any length fit into one picture."""
    scores = {policy.name: policy.splits[split] for policy in standing.policies}
    score = scores[name]
    if level:
        return score.level
    if relative:
        return score.score / max(1, scores[standing.reference].score)
    return score.score / max(1, score.events)


def styles(policies: Sequence[Policy]) -> list[tuple[Policy, dict[str, Any]]]:
    """Each policy with a colour, a marker and dashes that no other one has together; what was learned stands out."""
    found: list[tuple[Policy, dict[str, Any]]] = []
    baselines = learned = 0
    for policy in policies:
        if policy.kind == "optimum":
            style = {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 1.6, "marker": "_", "zorder": 3}
        elif policy.kind == "component":
            style = {
                "color": _LEARNED[learned % len(_LEARNED)],
                "linestyle": _DASHES[learned // len(_LEARNED) % len(_DASHES)],
                "linewidth": 2.2,
                "marker": "*",
                "markersize": 9,
                "zorder": 5,
            }
            learned += 1
        else:
            style = {
                "color": _BASELINES[baselines % len(_BASELINES)],
                "linestyle": _DASHES[baselines // len(_BASELINES) % len(_DASHES)],
                "linewidth": 1.3,
                "marker": _MARKERS[baselines % len(_MARKERS)],
                "markersize": 4.5,
                "zorder": 2,
            }
            baselines += 1
        found.append((policy, style))
    return found


def _policyNames(axes: Axes, lines: list[tuple[list[float], Policy, dict[str, Any]]], *, joined: bool) -> None:
    """
    The policies' names right of the axes, the highest at the top.

    @param joined: each stands near the end of its line, and is joined to it.
    """
    lines = sorted(lines, key=lambda line: line[0][-1] if joined else sum(line[0]))
    low, high = axes.get_ylim()
    wanted = [max(0.0, (heights[-1] - low) / (high - low)) if joined else 0.0 for heights, _, _ in lines]
    for place, at, (_, policy, style) in zip(_spread(wanted, _APART), wanted, lines, strict=True):
        line = {"color": style["color"], "linewidth": 0.9, "clip_on": False, "transform": axes.transAxes}
        if joined:
            axes.plot([1.0, 1.035, 1.06], [at, place, place], zorder=1, **line)
        axes.plot([1.075], [place], marker=style["marker"], markersize=style.get("markersize", 6), **line)
        weight = "bold" if policy.kind == "component" else "normal"
        name = plain(policy.name, 28)
        axes.text(1.095, place, name, transform=axes.transAxes, va="center", fontsize=9, fontweight=weight)


def _spread(wanted: list[float], least: float) -> list[float]:
    """
    Move rising numbers as little as it takes to be at least C{least} apart.

    Those that are too close are joined to a group, which stands around its middle (pool adjacent violators).
    """
    groups: list[tuple[float, int]] = []  # the middle, and how many
    for number in wanted:
        groups.append((number, 1))
        while len(groups) > 1:
            (low, few), (high, many) = groups[-2:]
            if high - (many - 1) * least / 2 - (low + (few - 1) * least / 2) >= least:
                break
            groups[-2:] = [((low * few + high * many) / (few + many), few + many)]
    # A group must not reach below the axes: what is moved up moves those above.
    result: list[float] = []
    for middle, count in groups:
        start = max(middle - (count - 1) * least / 2, result[-1] + least if result else 0.0)
        result += [start + i * least for i in range(count)]
    return result
