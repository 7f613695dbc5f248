"""
The default generator: a portfolio of all families that there are for a bench.

Genetic programming for a bench with a rank ABI, template searches where there are templates, and families that peers
have shared as guests; C{evolution.portfolio} decides who gets how much of the time.  With the objective C{fuel} it
makes confirmed components cheaper instead, if there are any; see `kernelnet.generators.fuel_reduction.search`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution import portfolio
from kernelnet.generators.evolution.search_family import Family
from kernelnet.generators.fuel_reduction.search import cheaper
from kernelnet.generators.genetic_programming import GeneticFamily, knownExpressions
from kernelnet.generators.templates.adopted import guestsFor
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.generators.templates.kept_velocity import KEPT_VELOCITY
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Template, knownSettings
from kernelnet.generators.templates.playout_margin import PLAYOUT_MARGIN
from kernelnet.generators.templates.repaint_budget import REPAINT_BUDGET
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.sized_queues import SIZED_QUEUES
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.interfaces import IKnowingGenerator, IProblem
from kernelnet.workbench.abi import Abi, rankAbiOf

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


def familiesFor(problem: IProblem, templates: Sequence[Template] = TEMPLATES, genetic: bool = True) -> list[Family]:
    """
    One of each that can write for the problem's bench, and peers'; for one ABI only if that is required.

    @param genetic: whether genetic programming is among them.
    """
    abi = rankAbiOf(problem)
    if abi is not None and problem.requirements.get("abi") == abi.identifier:
        return [GeneticFamily()]
    ours = [template for template in templates if template.fits(problem)]
    families: list[Family] = [VectorFamily(template) for template in ours]
    if abi is not None and genetic:
        families.append(GeneticFamily())
    return [*families, *guestsFor(problem, {each.family.digest for each in ours if each.family is not None})]


@implementer(IPlugin, IKnowingGenerator)
class Search:
    """
    See `IComponentGenerator`.

    @ivar evaluations: stop after so many measurements; C{None}: when the time is over.  With a number, and time enough
        for it, the result depends on the problem alone.
    """

    name = "search"
    description = "a portfolio of genetic programming and template searches; effort goes where it pays (any bench)"
    workbenches: tuple[str, ...] = ()

    def __init__(
        self,
        evaluations: int | None = None,
        also: Sequence[Family] = (),
        *,
        templates: Sequence[Template] = TEMPLATES,
        genetic: bool = True,
    ) -> None:
        """
        @param also: further families, beside those there are.
        @param templates: those of ours that it has; C{genetic}: whether it has genetic programming.
        """
        self.evaluations = evaluations
        self._also, self._templates, self._genetic = also, templates, genetic

    def generate(self, problem: IProblem) -> Candidate | None:
        if problem.objective == "fuel" and problem.parents:
            return cheaper(problem, TEMPLATES, self.evaluations)
        families = familiesFor(problem, self._templates, self._genetic)
        return portfolio.search(problem, [*families, *self._also], self.evaluations)

    def known(self, workbench: str, abis: Sequence[Abi]) -> list[tuple[str | bytes, Candidate]]:
        """Settings of our templates and expressions, in turn, so that who has little time has seen all of them."""
        families = [knownSettings(template) for template in self._templates if template.isFor(workbench, abis)]
        if self._genetic:
            families += [knownExpressions(workbench, abi) for abi in abis if abi.function]
        return [setting for rank in zip_longest(*families) for setting in rank if setting is not None]


search = Search()
"""The plugin."""
