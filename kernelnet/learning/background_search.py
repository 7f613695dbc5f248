"""Searches that a trainer begins of itself, again and again, beside all else that its process does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from kernelnet.interfaces import IComponentGenerator, IScenario, IWorkbench
from kernelnet.learning.family_trials import FamilyTrials
from kernelnet.learning.goal import Goal
from kernelnet.learning.search_run import SearchRun

__all__ = ["BackgroundSearches"]


@dataclass(frozen=True)
class BackgroundSearches:
    """
    Parts that all searches of one trainer have in common.

    @ivar installed: workbenches by name.
    @ivar families: says which peers' families are worth a try.
    @ivar jobs: number of modules that are measured at once.
    """

    generator: IComponentGenerator
    installed: Mapping[str, IWorkbench]
    families: FamilyTrials
    jobs: int

    def begin(
        self,
        scenario: IScenario,
        goal: Goal,
        seed: int,
        memory: dict[str, Any] | None,
        *,
        onProgress: Callable[[int, int], object] = lambda generation, best: None,
        onTried: Callable[[str, int, bool], None] = lambda family, evaluations, paid: None,
    ) -> SearchRun:
        """Search that yields to others, with those of the goal's carriers that are worth it; see `SearchRun`."""
        return SearchRun(
            scenario,
            self.generator,
            replace(goal, carriers=self.families.worthTrying(goal.carriers)),
            seed=seed,
            jobs=self.jobs,
            memory=memory,
            installed=self.installed,
            yields=True,
            onProgress=onProgress,
            onTried=onTried,
        )
