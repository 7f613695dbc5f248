"""
The default generator: a portfolio of all families that there are for a bench.

Genetic programming for a bench with a rank ABI, template searches where there are templates; C{evolution.portfolio}
decides who gets how much of the time.  With the objective C{fuel} it makes confirmed components cheaper instead, if
there are any; see `kernelnet.generators.fuel_reduction.search`.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution import portfolio
from kernelnet.generators.evolution.search_family import Family
from kernelnet.generators.fuel_reduction.search import cheaper
from kernelnet.generators.genetic_programming import GeneticFamily
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.generators.templates.kept_velocity import KEPT_VELOCITY
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.playout_margin import PLAYOUT_MARGIN
from kernelnet.generators.templates.repaint_budget import REPAINT_BUDGET
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.sized_queues import SIZED_QUEUES
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.interfaces import IComponentGenerator, IProblem
from kernelnet.workbench.abi import rankAbiOf

__all__ = ["TEMPLATES", "Search", "familiesFor", "search"]

TEMPLATES = (
    REUSE_INTERVAL,
    TWO_QUEUES,
    DELAY_TARGET,
    SIZED_QUEUES,
    KEPT_VELOCITY,
    PLAYOUT_MARGIN,
    REPAINT_BUDGET,
)


def familiesFor(problem: IProblem) -> list[Family]:
    """One of each that can write for the problem's bench; for one ABI only if that is required."""
    abi = rankAbiOf(problem)
    if abi is not None and problem.requirements.get("abi") == abi.identifier:
        return [GeneticFamily()]
    families: list[Family] = [VectorFamily(t) for t in TEMPLATES if t.fits(problem)]
    if abi is not None:
        families.append(GeneticFamily())
    return families


@implementer(IPlugin, IComponentGenerator)
class Search:
    """
    See `IComponentGenerator`.

    @ivar evaluations: stop after so many measurements; C{None}: when the time is over.  With a number, and time enough
        for it, the result depends on the problem alone.
    """

    name = "search"
    description = "a portfolio of genetic programming and template searches; effort goes where it pays (any bench)"
    workbenches: tuple[str, ...] = ()

    def __init__(self, evaluations: int | None = None, also: Sequence[Family] = ()) -> None:
        """@param also: further families, beside those there are."""
        self.evaluations = evaluations
        self._also = also

    def generate(self, problem: IProblem) -> Candidate | None:
        if problem.objective == "fuel" and problem.parents:
            return cheaper(problem, TEMPLATES, self.evaluations)
        return portfolio.search(problem, [*familiesFor(problem), *self._also], self.evaluations)


search = Search()
"""The plugin."""
