"""
The default generator: a portfolio of all families that there are for a bench.

Genetic programming for a bench with a rank ABI, template searches where there are templates, and families that peers
have shared as guests; C{evolution.portfolio} decides who gets how much of the time.  With the objective C{fuel} it
makes confirmed components cheaper instead, if there are any; see `kernelnet.generators.fuel_reduction.search`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import zip_longest

from twisted.logger import Logger
from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution import portfolio
from kernelnet.generators.evolution.search_family import Family
from kernelnet.generators.fuel_reduction.search import cheaper
from kernelnet.generators.genetic_programming import GeneticFamily, knownExpressions
from kernelnet.generators.templates.adopted import guestsFor
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Template, knownSettings
from kernelnet.interfaces import IKnowingGenerator, IProblem, ITemplate
from kernelnet.plugins import available
from kernelnet.workbench.abi import Abi, rankAbiOf

__all__ = ["Search", "familiesFor", "search", "templates"]

_log = Logger()


@functools.cache
def templates() -> tuple[Template, ...]:
    """All templates that are installed and can be used: those that come with kernelnet, and other packages'."""
    return tuple(each for each in available(ITemplate) if isinstance(each, Template) and _works(each))


def _works(template: Template) -> bool:
    """Whether a template can be read: another package's that can't must not end every search of its workbench."""
    try:
        return bool(knownSettings(template))
    except Exception as error:
        _log.error(
            "the template {name} can't be used: {why}", name=template.name, why=f"{type(error).__name__}: {error}"
        )
        return False


def familiesFor(problem: IProblem, among: Sequence[Template] | None = None, genetic: bool = True) -> list[Family]:
    """
    One of each that can write for the problem's bench, and peers'; for one ABI only if that is required.

    @param among: templates; C{None}: all that are installed.
    @param genetic: whether genetic programming is among them.
    """
    abi = rankAbiOf(problem)
    if abi is not None and problem.requirements.get("abi") == abi.identifier:
        return [GeneticFamily()]
    ours = [template for template in (templates() if among is None else among) if template.fits(problem)]
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
        templates: Sequence[Template] | None = None,
        genetic: bool = True,
    ) -> None:
        """
        @param also: further families, beside those there are.
        @param templates: those that it has; C{None}: all that are installed.
        @param genetic: whether it has genetic programming.
        """
        self.evaluations = evaluations
        self._also, self._templates, self._genetic = also, templates, genetic

    def generate(self, problem: IProblem) -> Candidate | None:
        if problem.objective == "fuel" and problem.parents:
            return cheaper(problem, templates(), self.evaluations)
        families = familiesFor(problem, self._templates, self._genetic)
        return portfolio.search(problem, [*families, *self._also], self.evaluations)

    def known(self, workbench: str, abis: Sequence[Abi]) -> list[tuple[str | bytes, Candidate]]:
        """Settings of our templates and expressions, in turn, so that who has little time has seen all of them."""
        among = templates() if self._templates is None else self._templates
        families = [knownSettings(template) for template in among if template.isFor(workbench, abis)]
        if self._genetic:
            families += [knownExpressions(workbench, abi) for abi in abis if abi.function]
        return [setting for rank in zip_longest(*families) for setting in rank if setting is not None]


search = Search()
"""The plugin."""
