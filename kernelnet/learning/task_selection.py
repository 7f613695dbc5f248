"""Task selection: what a trainer trains on, and which task a goal is for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kernelnet.artifacts import Component, Pattern, Report, TaskDescription
from kernelnet.interfaces import IComponentGenerator, IScenario, IWorkbench
from kernelnet.learning.division_of_labour import Prospect, inLine, nextOf
from kernelnet.learning.expected_gains import ExpectedGains
from kernelnet.learning.goal import Goal
from kernelnet.learning.hindsight import bestInHindsight
from kernelnet.learning.tasks import Task, described, taskList
from kernelnet.learning.trace_matching import mostSimilar, patternsIn
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import ComponentError, Unmeasurable, WorkbenchError

__all__ = ["TaskSelection"]

MAX_LEVELS = 1000
"""Components whose level on a task is remembered; the oldest is the first to go."""

_Key = tuple[str, str, tuple[tuple[str, int], ...]]
"""Digests of the rules and the trace, and the settings: claims name a task so."""


class _Candidate(NamedTuple):
    """
    A task that may be next.

    @ivar at: its place among those of its bench.
    """

    task: Task
    told: TaskDescription
    key: _Key
    at: int


class TaskSelection:
    """
    The tasks of one trainer.

    @ivar benches: the workbenches that it trains on, the first by default.
    @ivar every: all tasks on them, in a fixed order; empty before `open`.
    """

    def __init__(
        self,
        benches: Sequence[IWorkbench],
        installed: Mapping[str, IWorkbench],
        traces: Sequence[Path],
        generator: IComponentGenerator,
    ) -> None:
        """
        @param installed: all workbenches there are, by name: others may ask for a task on any.
        @param traces: the user's, for the first of C{benches}; empty: those that ship with it.
        @param generator: it may not write for all of them.
        """
        self.benches = benches
        self.every: list[TaskDescription] = []
        self._installed = installed
        self._traces = traces
        self._generator = generator
        self._tasks: dict[str, list[Task]] = {}
        self._candidates: dict[str, list[_Candidate]] = {}
        self._gains: ExpectedGains[_Key] = ExpectedGains()
        self._levels: dict[str, float | None] = {}

    def __repr__(self) -> str:
        return f"<TaskSelection {self}>"

    def __str__(self) -> str:
        return ", ".join(f"{len(tasks)} tasks on {name}" for name, tasks in self._tasks.items()) or "not started"

    @property
    def workbenches(self) -> list[str]:
        return [bench.name for bench in self.benches]

    def open(self) -> None:
        """
        Worker thread.  Read the traces; benches that there are none for are left out.

        @raise kernelnet.workbench.errors.TraceError: one can't be read.
        @raise WorkbenchError: there is nothing to train on, or nothing that the generator writes for.
        """
        able = [bench for bench in self.benches if self._tasksOn(bench)]
        if not able:
            raise WorkbenchError(f"no trace ships with {', '.join(self.workbenches)}: give one by --trace")
        if not any(map(self._canWrite, able)):
            words = self._generator.name, ", ".join(self._generator.workbenches), ", ".join(self.workbenches)
            raise WorkbenchError("the generator {} writes for {}, not for {}".format(*words))
        self.benches = able
        self.every = [each.told for bench in able for each in self._candidatesOn(bench)]

    def patterns(self) -> list[Pattern]:
        """Worker thread.  Patterns of all traces."""
        found: dict[str, Pattern] = {}
        for bench in self.benches:
            for task in self._tasks[bench.name]:
                if len(task.parts) == 1:
                    found.update((pattern.id, pattern) for pattern in task.open().patterns())
        return list(found.values())

    def tracesOf(self, bench: IWorkbench) -> list[Path]:
        """Paths of all traces there are for a workbench: the user's, and those that ship."""
        return list(dict.fromkeys([*self._paths(bench), *bench.traces()]))

    def isOwn(self, report: Report) -> bool:
        """
        Worker thread.  Whether a report is about settings that this trainer trains at, or would if it were asked to,
        and nothing else.

        Of other benches, too: where each of few AIs has a bench of its own, no two would say how hand-made policies do.
        """
        bench = self._installed.get(report.workbench)
        ours = [settings for task in (self._tasksOn(bench) if bench else ()) for _, settings in task.parts]
        return all(part.settings in ours for part in report.parts or [report])

    def choose(self, goal: Goal) -> IScenario:
        """
        Worker thread.  The task that was asked for if it is here, else the likest by its patterns, else that on which a
        search is worth most.

        @raise Unmeasurable: the workbench isn't here, or no trace for it, or our generator writes nothing for it.
        """
        asked = goal.requirements
        benches = self._benchesFor(goal)
        every = [each for bench in benches for each in self._candidatesOn(bench)]
        if not every:
            raise Unmeasurable(f"there is no trace for {benches[0].name} here")
        if (digest := asked.get("trace_digest")) is not None:
            for each in every:
                told = each.told
                if told.trace_digest == digest and told.settings == asked.get("settings", told.settings):
                    return each.task.open()
            if patterns := patternsIn(asked):
                return mostSimilar([each.task.open() for each in every], patterns)
        if not asked:
            self._learn(every, goal)
        every = [each for each in every if _named(each.told) not in goal.avoid] or every
        benchAt = {bench.name: at for at, bench in enumerate(benches)}

        def prospect(each: _Candidate) -> Prospect:
            name = each.task.bench.name
            # Candidates and their guard take as many times as long as there are traces.
            gain = self._gains.of(each.key) / len(each.task.parts)
            order = (each.at - goal.place) % len(self._tasks[name]), benchAt[name]
            return Prospect(gain, inLine(each.at, goal.place, goal.among), self._gains.waited(each.key), order)

        chosen = every[nextOf([prospect(each) for each in every], self._gains.searches)]
        if not asked:
            self._gains.searched(chosen.key)
        return chosen.task.open()

    def dealt(self, goal: Goal) -> Iterator[IScenario]:
        """Worker thread.  The tasks of a single trace that this trainer is first in line for."""
        for bench in self._benchesFor(goal):
            for each in self._candidatesOn(bench):
                if len(each.task.parts) == 1 and _isFirst(each, goal):
                    yield each.task.open()

    def isDealt(self, scenario: IScenario, goal: Goal) -> bool:
        """Whether this trainer is first in line for a task."""
        told = described(scenario)
        return any(each.told == told and _isFirst(each, goal) for each in self._candidatesOn(scenario.workbench))

    def _learn(self, every: Sequence[_Candidate], goal: Goal) -> None:
        """Take in what the goal tells is known on our tasks."""
        best: dict[_Key, tuple[float, Component] | None] = dict.fromkeys(each.key for each in every)
        for component in goal.parents:
            key, level = _keyOf(component), goal.levels.get(component.digest)
            if key in best and level is not None:
                known = best[key]
                best[key] = (level, component) if known is None or level > known[0] else known
        tasks = {each.key: each.task for each in every}
        levels = {key: self._levelOf(tasks[key], *known[1:]) if known else None for key, known in best.items()}
        self._gains.learn(levels, lambda key: _handMade(tasks[key].open()))

    def _levelOf(self, task: Task, component: Component) -> float | None:
        """
        Level on validation of the trace as it is, which is what hand-made policies are measured on.

        Those of two modules on variants, which each draws for itself, can't be told apart from luck.
        """
        key = component.digest
        if key not in self._levels:
            scenario = task.open()
            level: float | None = None
            with contextlib.suppress(ComponentError):
                level = scenario.developmentLevel(scenario.measure(component.wasm, upTo="validation"), "validation")
            self._levels[key] = level
            if len(self._levels) > MAX_LEVELS:
                del self._levels[next(iter(self._levels))]
        return self._levels[key]

    def _benchesFor(self, goal: Goal) -> Sequence[IWorkbench]:
        """
        The one workbench that was asked for, or else all of ours that the generator writes for.

        @raise Unmeasurable: it isn't here, or our generator writes nothing for it.
        """
        asked = goal.requirements.get("workbench")
        if isinstance(asked, str) and asked not in self._installed:
            raise Unmeasurable(f"the workbench {plain(asked, 100)!r} is not installed here")
        names = [name for name in (asked, goal.feature) if isinstance(name, str)]
        benches = [self._installed[name] for name in names if name in self._installed][:1]
        if benches and not self._canWrite(benches[0]):
            raise Unmeasurable(f"the generator {self._generator.name} writes nothing for {benches[0].name}")
        return benches or list(filter(self._canWrite, self.benches))

    def _canWrite(self, bench: IWorkbench) -> bool:
        """Whether the generator writes for a bench."""
        names = getattr(self._generator, "workbenches", ())
        return not names or bench.name in names

    def _candidatesOn(self, bench: IWorkbench) -> list[_Candidate]:
        if bench.name not in self._candidates:
            found = []
            for at, task in enumerate(self._tasksOn(bench)):
                told = described(task.open())
                key = bench.digest, told.trace_digest, tuple(sorted(told.settings.items()))
                found.append(_Candidate(task, told, key, at))
            self._candidates[bench.name] = found
        return self._candidates[bench.name]

    def _tasksOn(self, bench: IWorkbench) -> list[Task]:
        if bench.name not in self._tasks:
            self._tasks[bench.name] = taskList(bench, self._paths(bench))
        return self._tasks[bench.name]

    def _paths(self, bench: IWorkbench) -> Sequence[Path]:
        """The user's traces are for the first workbench."""
        if self._traces and bench.name == self.benches[0].name:
            return self._traces
        return bench.traces()


def _keyOf(component: Component) -> _Key | None:
    """Task that a component is for, as it claims; a stranger's, so anything."""
    claim = component.claim
    if claim is None:
        return None
    return claim.workbench_digest, claim.trace_digest, tuple(sorted(claim.settings.items()))


def _handMade(scenario: IScenario) -> float:
    """Level on validation of the hand-made policy that is the best there."""
    report = scenario.baselines()[bestInHindsight(scenario, "validation")]
    return scenario.developmentLevel(report, "validation")


def _named(task: TaskDescription) -> dict[str, object]:
    """Words that tell tasks apart."""
    return {"trace_digest": task.trace_digest, "settings": task.settings}


def _isFirst(each: _Candidate, goal: Goal) -> bool:
    return inLine(each.at, goal.place, goal.among) == 1
