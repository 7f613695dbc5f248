"""The template C{repaint_budget.c} as a family: budgets with which frames like the next one would have cost least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kernelnet.generators.templates.marked_source import marked
from kernelnet.generators.templates.parameters import Template, Vector

__all__ = ["REPAINT_BUDGET"]

_KNOWN: tuple[Vector, ...] = (
    # by frames of the same surfaces, nearly alone; with others, more careful; by all frames alone, as compositors do
    (0.01, 0.01, 0.3, 0.0, 0.1, 1, 1, 0.1, 0.1, 0, 0, 0.9, 0),
    (0.005, 0.005, 4, 1, 0.05, 2, 1.1, 0.2, 0.1, 0.3, 0, 0.9, 0),
    (0.02, 0.01, 2, 0.5, 0.2, 1, 1, 0.3, 0.2, 0.5, 1, 0.8, 0.1),
    (0.01, 0.02, 0, 20, 0.1, 1, 1, 0.2, 0.1, 0, 0, 0.9, 0),
)


def _summary(value: Mapping[str, float]) -> str:
    return (
        f"cheapest by frames of the same surfaces, {value['RELATED']:.3g} related and {value['OTHERS']:.3g} others;"
        f" a miss costs {value['PRICE']:.2g} times its price, {value['MARGIN']:.2g} ms besides"
    )


def _template() -> Template:
    found = marked(Path(__file__).with_suffix(".c").read_text(encoding="utf-8"), "graphics", "repaint_budget")
    assert found is not None
    return replace(
        found,
        known=(*found.known, *_KNOWN),
        summary=_summary,
        blockTypes=frozenset(("graphics/search", "graphics/template")),
    )


REPAINT_BUDGET = _template()
