"""The template C{two_queues.c} as a family: what patterns suggest for it, and the generator C{template}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution.pattern_seeds import MANY, Numbers
from kernelnet.generators.evolution.portfolio import search
from kernelnet.generators.templates.parameter_search import Template, VectorFamily
from kernelnet.generators.templates.parameters import HAND_MADE, PARAMETERS, Vector, bake, describe, tunable
from kernelnet.interfaces import IComponentGenerator

__all__ = ["BLOCK_TYPE", "TWO_QUEUES", "TemplateSearch", "suggested", "template"]

BLOCK_TYPE = "file_system/search"
"""The C{type} of a `kernelnet.artifacts.CodeBlock` whose data is C{{"parameters": […]}}, a vector of this family."""


def suggested(kind: str, number: Numbers) -> Iterator[Vector]:
    """What a pattern makes worth trying; see `Template.suggested`."""
    relative = number("relative")
    if kind == "one_hit_share" and number("share") >= MANY:
        # The more blocks come only once, the less room they should get; who comes back soon was no such block.
        share = number("share")
        yield (max(0.01, 0.1 * (1 - share)), 2, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0)
        yield (max(0.01, 0.5 * (1 - share)), 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0)
    elif kind == "loop" and relative > 1:
        # Of a loop that does not fit, keep a part, and let the rest pass through quickly; the hand keeps what is old.
        yield (0.01, relative, 1, 0, 0, 2, 7, 2, 2, 0, 0, 0)
        yield (0.01, 0, 4, 0, 0, 2, 7, 0, 0, 0, 0, 0)
    elif kind == "sequential_runs":
        # Runs pass through quickly, and what is requested twice in one is still the same use.
        yield (0.02, 1, 1, 0.02, 0, 2, 2, 0, 0, 0, 0, 0)


TWO_QUEUES = Template(
    "two_queues",
    "file_system",
    PARAMETERS,
    HAND_MADE,
    tunable,
    bake,
    describe,
    suggested,
    frozenset((BLOCK_TYPE, "file_system/template")),
)


@implementer(IPlugin, IComponentGenerator)
class TemplateSearch:
    """
    See `IComponentGenerator`.

    @ivar evaluations: stop after so many measurements; C{None}: when the time is over.
    """

    name = "template"
    description = "evolutionary search over two-queue policies with ghosts (page caches)"
    workbenches = ("file_system",)

    def __init__(self, evaluations: int | None = None) -> None:
        self.evaluations = evaluations

    def generate(self, problem: Any) -> Candidate | None:
        return search(problem, [VectorFamily(TWO_QUEUES)], self.evaluations)


template = TemplateSearch()
"""The plugin."""
