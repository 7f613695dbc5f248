"""The generator C{llm}, and with a model the generator C{search}: language models beside all other families."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Candidate, Component, ModelCosts
from kernelnet.generators.evolution import portfolio
from kernelnet.generators.llm.family import ModelFamily
from kernelnet.generators.llm.ledger import Ledger
from kernelnet.generators.llm.settings import Settings, SettingsError, keyOf
from kernelnet.generators.llm.writer import Models
from kernelnet.generators.search import Search
from kernelnet.interfaces import IComponentGenerator, IPaidGenerator, IProblem
from kernelnet.workbench.compiler import canJail

__all__ = ["Llm", "ModelsAlone", "SearchWithModels", "llm", "modelsOf", "withModels"]


def modelsOf(settings: Settings, ledger: Path) -> Models:
    """
    Models that can be asked on this machine.

    @param ledger: file of the calls.
    @raise SettingsError: something for it is missing here.
    @raise kernelnet.generators.llm.ledger.LedgerError: the ledger can't be used.
    """
    if importlib.util.find_spec("openai") is None:
        raise SettingsError("openai is missing: pip install 'kernelnet[llm]'")
    if not canJail():
        raise SettingsError("a model's code is compiled in the jail alone, and the kernel has no Landlock (Linux 5.13)")
    for model in settings.models:
        keyOf(model)
    return Models(settings, Ledger(ledger))


def withModels(name: str, models: Models) -> IPaidGenerator:
    """
    Generator of that name with models.

    @raise SettingsError: it is none that asks any.
    """
    known = {one.name: one for one in (ModelsAlone, SearchWithModels)}
    if name not in known:
        raise SettingsError(f"the generator {name} asks no language model; {' and '.join(sorted(known))} do")
    return known[name](models)


class _Asking:
    """Families, of which one asks models."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def costs(self) -> ModelCosts:
        told = self._models.ledger.latest
        return ModelCosts(told.calls, told.accepted, told.tokens, told.usd)

    def judged(self, problem: IProblem, candidate: Candidate, component: Component | None) -> None:
        for family in portfolio.familiesIn(problem):
            if isinstance(family, ModelFamily):
                family.judged(candidate, component.digest if component is not None else None)


@implementer(IPlugin, IComponentGenerator)
class Llm:
    """See `IComponentGenerator`; as a plugin it has no models yet, and says how it gets them."""

    name = "llm"
    description = "language models write the structure, the search tunes the numbers (needs --llm-model or llm.toml)"
    workbenches: tuple[str, ...] = ()

    def generate(self, problem: IProblem) -> Candidate | None:
        raise SettingsError("no model is chosen: name one by --llm-model, or write llm.toml (kernelnet llm --help)")


@implementer(IPaidGenerator)
class ModelsAlone(_Asking):
    """The generator C{llm} with its models."""

    name = "llm"
    description = Llm.description
    workbenches: tuple[str, ...] = ()

    def generate(self, problem: IProblem) -> Candidate | None:
        return portfolio.search(problem, [ModelFamily(self._models)])


@implementer(IPaidGenerator)
class SearchWithModels(_Asking):
    """The generator C{search} with models as one more family."""

    name = "search"
    description = Search.description
    workbenches: tuple[str, ...] = ()

    def generate(self, problem: IProblem) -> Candidate | None:
        return Search(also=[ModelFamily(self._models)]).generate(problem)


llm = Llm()
"""The plugin."""
