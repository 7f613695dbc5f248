"""The picture of C{kernelnet bench train --plot}: the best so far over evaluations, on train and on validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kernelnet.cli.pictures import tidy
from kernelnet.cli.plotting import rendered
from kernelnet.interfaces import IScenario
from kernelnet.learning.hindsight import bestInHindsight
from kernelnet.learning.search_results import CurvePoint
from kernelnet.untrusted import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["drawSearch"]

_COLOURS = {"train": "#0072B2", "validation": "#D55E00"}
_LABELS = {"train": "best so far on train", "validation": "the same policies on validation"}


def drawSearch(scenario: IScenario, curve: Sequence[CurvePoint], evaluations: int, kind: str) -> bytes:
    """
    @param curve: see `kernelnet.learning.search_results.searchCurve`; C{evaluations}: how many there were in all.
    @param kind: C{"png"} or C{"svg"}.
    """
    bench = scenario.workbench
    hand = {}
    for split in _COLOURS:
        name = bestInHindsight(scenario, split)
        hand[split] = name, scenario.developmentLevel(scenario.baselines()[name], split)

    def fill(axes: Axes, at: int) -> None:
        xs = [*(point.evaluations for point in curve), evaluations]
        levels = {"train": [p.train for p in curve], "validation": [p.validation for p in curve]}
        for split, colour in _COLOURS.items():
            ys = levels[split]
            if ys:
                axes.step(xs, [*ys, ys[-1]], where="post", color=colour, linewidth=1.8, label=_LABELS[split])
                axes.plot(xs[:-1], ys, "o", color=colour, markersize=3.5)
            name, level = hand[split]
            label = f"best hand-made on {split}: {plain(name)}"
            axes.axhline(level, color=colour, linestyle=(0, (4, 2)), linewidth=1.1, label=label)
        axes.set_xlim(0, max(1, evaluations))
        # What a search begins with may be far worse than all that is hand-made.
        low = min((min(ys) for ys in levels.values() if ys), default=0.0)
        shown = [level for _, level in hand.values()]
        axes.set_ylim(bottom=max(low, min(shown) - 1.0) - 0.03)
        tidy(axes)
        axes.set_xlabel("evaluations")
        axes.set_ylabel(f"share of the distance from {bench.reference} to {bench.optimumName}")
        axes.set_title(f"{bench.name}: {plain(scenario.trace, 60)}", loc="left")
        axes.legend(loc="lower right", fontsize=9, framealpha=0.9)

    return rendered(1, fill, kind)
