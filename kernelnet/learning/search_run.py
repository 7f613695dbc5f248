"""
One search: a problem on a scenario, a generator that works on it, and the guard's judgement of what it found.

A run may be cancelled from any thread, and tells any how far it is.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

from kernelnet.artifacts import Candidate, Component
from kernelnet.expressions.translation import translated
from kernelnet.interfaces import IComponentGenerator, IJudgedGenerator, IScenario, IWorkbench
from kernelnet.learning.acceptance import accept
from kernelnet.learning.goal import Goal
from kernelnet.learning.low_priority import atLowPriority
from kernelnet.learning.problem import Problem
from kernelnet.learning.search_results import SearchResults
from kernelnet.learning.tasks import bestKnown

__all__ = ["MAX_MEMORIES", "MAX_MEMORIES_ASKED", "MAX_SEARCH_PARENTS", "SearchMemories", "SearchRun"]

MAX_SEARCH_PARENTS = 8
"""Maximum number of confirmed components, the best, that are given to a search."""

MAX_MEMORIES = 12
MAX_MEMORIES_ASKED = 4
"""
Maximum number of tasks on which a search goes on where it was: in our own rounds, and in those for peers; one remembers
some megabytes.
"""

_ASKED = 2
"""Times that the guard is asked about the same source in a row."""

_Key = tuple[str, tuple[tuple[str, int], ...], str | None]


class SearchMemories:
    """Memories that searches left behind of each task: those of our own rounds, and those that peers asked for."""

    def __init__(self, rng: random.Random) -> None:
        """@param rng: chooses which memory is given up for a new one."""
        self._rng = rng
        self._memories: dict[bool, dict[_Key, dict[str, Any]]] = {False: {}, True: {}}

    def of(self, scenario: IScenario, goal: Goal) -> dict[str, Any] | None:
        """Memory of the last search on a scenario, empty at first; C{None} where a search has nothing to go on with."""
        if goal.objective != "score":
            return None
        # What a peer brings along is no part of our own rounds, and takes none of their places.
        asked = bool(goal.requirements)
        abi = goal.requirements.get("abi")
        memories = self._memories[asked]
        key = (
            scenario.traceDigest,
            tuple(sorted(scenario.settings.items())),
            abi if abi in [each.identifier for each in scenario.workbench.abis] else None,
        )
        if key not in memories and len(memories) == (MAX_MEMORIES_ASKED if asked else MAX_MEMORIES):
            # Whichever it is: tasks take turns, so the one that was searched first would always be the next.
            del memories[self._rng.choice(list(memories))]
        return memories.setdefault(key, {})


class SearchRun:
    """
    @ivar scenario: the task.
    @ivar generation: how far the generator is, as it tells; C{best}: its best score on train, C{None} at first.
    """

    def __init__(
        self,
        scenario: IScenario,
        generator: IComponentGenerator,
        goal: Goal,
        *,
        seed: int,
        jobs: int = 1,
        evaluations: int | None = None,
        memory: dict[str, Any] | None = None,
        results: SearchResults | None = None,
        installed: Mapping[str, IWorkbench] | None = None,
        yields: bool = False,
        onProgress: Callable[[int, int], object] = lambda generation, best: None,
        onTried: Callable[[str, int, bool], None] = lambda family, evaluations, paid: None,
    ) -> None:
        """
        @param goal: its parts that say what the task is are passed over: that is C{scenario}.
        @param jobs: see `IProblem.jobs`.
        @param evaluations: budget besides the goal's seconds; see `IProblem.evaluationsLeft`.
        @param memory: see `IProblem.memory`.
        @param results: what was measured before, to which all is added; C{None}: nothing is kept.
        @param installed: workbenches by name, of which the goal's hints are.
        @param yields: let the generator work at low priority: others wait for what else this process does.
        @param onProgress, onTried: called with what the generator tells, in its thread.
        """
        self.scenario = scenario
        self.generation = 0
        self.best: int | None = None
        self._generator = generator
        self._goal = goal
        self._seed = seed
        self._jobs = jobs
        self._evaluations = evaluations
        self._memory = memory
        self._results = results
        self._installed = installed or {}
        self._yields = yields
        self._onProgress, self._onTried = onProgress, onTried
        self._cancelled = threading.Event()
        self._finishing = threading.Event()
        self._problem: Problem | None = None

    @property
    def measured(self) -> int:
        """Number of candidates that were measured on train; from any thread."""
        return self._problem.measured if self._problem is not None else 0

    def cancel(self) -> None:
        """From any thread: let the generator end soon, and its result be none."""
        self._cancelled.set()
        if self._problem is not None:
            self._problem.cancel()

    def finish(self) -> None:
        """From any thread: let the generator end soon, and take what it has found."""
        self._finishing.set()
        if self._problem is not None:
            self._problem.cancel()

    def prepare(self) -> None:
        """
        Worker thread.  Make the problem; its time begins.

        @raise WorkbenchError: a hand-made policy fails on the scenario.
        """
        goal, workbench = self._goal, self.scenario.workbench
        parents = [c for c in goal.parents if _isFor(c, workbench)]
        self._problem = Problem(
            self.scenario,
            seed=self._seed,
            seconds=goal.seconds,
            jobs=self._jobs,
            evaluations=self._evaluations,
            patterns=goal.patterns,
            parents=parents[:MAX_SEARCH_PARENTS],
            blocks=[*translated(goal.hints, workbench, self._installed), *goal.blocks],
            carriers=[c for c in goal.carriers if _isFor(c.component, workbench)],
            requirements=goal.requirements,
            objective=goal.objective,
            memory=self._memory,
            results=self._results,
            onProgress=self._progress,
            onTried=self._onTried,
        )
        if self._cancelled.is_set() or self._finishing.is_set():
            self._problem.cancel()

    def search(self) -> Candidate | None:
        """
        Worker thread.  Let the generator write; C{None}: it has nothing to offer, or it was cancelled.

        @raise Exception: whatever the generator raises.
        """
        if self._problem is None:
            self.prepare()
        problem = self._problem
        assert problem is not None
        if self._cancelled.is_set():
            return None
        generate = self._generator.generate
        candidate = atLowPriority(lambda: generate(problem)) if self._yields else generate(problem)
        return None if self._cancelled.is_set() else candidate

    def judge(
        self, candidate: Candidate, *, parent: Component | None = None, known: Component | None = None
    ) -> tuple[Component | None, str]:
        """
        Worker thread.  Put a candidate to the guard; see `kernelnet.learning.acceptance.accept`.

        @param parent: the component that it has to do the same as, if the goal's objective is fuel; without one it has
            to be better by its score.
        @return: the component with its claim, or C{None}; and why, for people.
        """
        component, why = accept(
            self.scenario,
            candidate,
            generator=self._generator.name,
            seed=self._seed,
            objective=self._goal.objective if parent is not None else "score",
            parent=parent,
            known=known,
        )
        if self._problem is not None and IJudgedGenerator.providedBy(self._generator):
            self._generator.judged(self._problem, candidate, component)
        return component, why

    def build(self) -> tuple[Component | None, str]:
        """
        Worker thread.  Search, and judge by what of the goal's parents is known.

        What was refused twice is refused again: where a search goes on without finding anything better the guard, which
        is dear, is asked no more.  Twice, as it may have been a busy machine that refused it.

        @return: the component with its claim, or C{None}; and why, for people, empty if nothing was found.
        """
        candidate = self.search()
        if candidate is None:
            return None, ""
        memory = self._memory if self._memory is not None else {}
        source = hashlib.sha256(candidate.source.encode()).digest()
        refused, times = memory.get("refused", (b"", 0))
        if refused == source and times >= _ASKED:
            return None, "nothing better was found than what was refused before"
        # the one that it does the same as, if the generator took up the objective fuel
        parent = next((c for c in self._goal.parents if c.digest in candidate.parents[:1]), None)
        component, why = self.judge(candidate, parent=parent, known=bestKnown(self.scenario, self._goal.parents))
        if component is None:
            memory["refused"] = source, times + 1 if refused == source else 1
        return component, why

    def _progress(self, generation: int, best: int) -> None:
        self.generation, self.best = generation, best
        self._onProgress(generation, best)


def _isFor(component: Component, workbench: IWorkbench) -> bool:
    return component.manifest is not None and component.manifest.workbench == workbench.name
