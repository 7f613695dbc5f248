"""The search on private traces, apart from all that others are told of: it leaves nothing in what is built for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from kernelnet.artifacts import Component
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.background_search import BackgroundSearches
from kernelnet.learning.goal import Goal
from kernelnet.learning.search_run import SearchMemories, SearchRun
from kernelnet.learning.task_selection import TaskSelection

__all__ = ["KnownFirst", "PrivateSearch"]

KnownFirst = Callable[[IScenario, Goal, dict[str, Any]], Component | None]
"""Tries what is known on a scenario, with the memory of its search; C{None}: nothing of it passes, or is new."""


class PrivateSearch:
    """
    Searches on the user's private traces, in turn.

    @param bench: the one that they are for.
    @param searches: its families are asked which are worth a try, and told nothing.
    """

    def __init__(
        self,
        bench: IWorkbench,
        traces: Sequence[Path],
        *,
        searches: BackgroundSearches,
        knownFirst: KnownFirst,
        rng: random.Random,
    ) -> None:
        self._selection = TaskSelection([bench], searches.installed, traces, searches.generator)
        self._searches = searches
        self._knownFirst = knownFirst
        self._memories = SearchMemories(rng)
        self._run: SearchRun | None = None
        self._levels: dict[str, float] = {}
        self._stopping = False

    def open(self) -> None:
        """Worker thread.  Read the traces.  @raise kernelnet.workbench.errors.TraceError: one can't be read."""
        self._stopping = False
        self._selection.open()

    def cancel(self) -> None:
        """From any thread: end soon, with no result."""
        self._stopping = True
        if self._run is not None:
            self._run.cancel()

    def build(self, goal: Goal, seed: int) -> Component | None:
        """Worker thread.  Search on the next of them; what the goal says of tasks is passed over."""
        self._levels = {c.digest: self._levels[c.digest] for c in goal.parents if c.digest in self._levels}
        goal = replace(goal, feature="", requirements={}, levels=self._levels, avoid=[], place=0, among=1)
        scenario = self._selection.choose(goal)
        memory = self._memories.of(scenario, goal)
        known = self._knownFirst(scenario, goal, memory) if memory is not None else None
        if known is not None:
            return self._noted(scenario, known)
        run = self._run = self._searches.begin(scenario, goal, seed, memory)
        if self._stopping:
            run.cancel()
        component, _ = run.build()
        return self._noted(scenario, component) if component is not None else None

    def _noted(self, scenario: IScenario, component: Component) -> Component:
        """Note the level on validation of what was found."""
        self._levels[component.digest] = scenario.developmentLevel(
            scenario.measure(component.wasm, upTo="validation"), "validation"
        )
        return component
