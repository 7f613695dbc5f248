"""Task selection: what a trainer trains on, and which task a goal is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kernelnet.artifacts import Pattern, Report, TaskDescription
from kernelnet.interfaces import IComponentGenerator, IScenario, IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.task_returns import TaskReturns
from kernelnet.learning.task_rotation import dealt
from kernelnet.learning.tasks import Task, bestKnown, described, taskList
from kernelnet.learning.trace_matching import mostSimilar, patternsIn
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import Unmeasurable, WorkbenchError

__all__ = ["TaskSelection"]


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
        self._turn = 0
        self._returns = TaskReturns()

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
        self.every = [described(task.open()) for bench in able for task in self._tasks[bench.name]]

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
        Worker thread.  The task that was asked for if it is here, else the likest by its patterns, else the next in
        turn on that bench.

        @raise Unmeasurable: the workbench isn't here, or no trace for it, or our generator writes nothing for it.
        """
        asked = goal.requirements
        benches = self._benchesFor(goal)
        every = [task for bench in benches for task in self._tasksOn(bench)]
        if not every:
            raise Unmeasurable(f"there is no trace for {benches[0].name} here")
        if asked.get("trace_digest") is not None:
            for task in every:
                scenario = task.open()
                if scenario.traceDigest == asked["trace_digest"] and scenario.settings == asked.get(
                    "settings", scenario.settings
                ):
                    return scenario
            if patterns := patternsIn(asked):
                return mostSimilar([task.open() for task in every], patterns)
        for _ in every:
            self._turn += 1
            tasks = self._tasksOn(benches[self._turn % len(benches)])
            scenario = tasks[dealt(self._turn // len(benches), len(tasks), goal.place, goal.among)].open()
            if _named(scenario) in goal.avoid:
                continue
            best = bestKnown(scenario, goal.parents)
            if self._returns.isDue(_keyOf(scenario), best.digest if best is not None else None):
                break
        return scenario

    def ended(self, scenario: IScenario, paid: bool) -> None:
        """A search whose task was the next in turn has ended.  @param paid: whether it found something better."""
        self._returns.ended(_keyOf(scenario), paid)

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

    def _tasksOn(self, bench: IWorkbench) -> list[Task]:
        if bench.name not in self._tasks:
            self._tasks[bench.name] = taskList(bench, self._paths(bench))
        return self._tasks[bench.name]

    def _paths(self, bench: IWorkbench) -> Sequence[Path]:
        """The user's traces are for the first workbench."""
        if self._traces and bench.name == self.benches[0].name:
            return self._traces
        return bench.traces()


def _keyOf(scenario: IScenario) -> tuple[str, str, tuple[tuple[str, int], ...]]:
    return scenario.workbench.name, scenario.traceDigest, tuple(sorted(scenario.settings.items()))


def _named(scenario: IScenario) -> dict[str, Any]:
    """Words that tell tasks apart."""
    return {"trace_digest": scenario.traceDigest, "settings": dict(scenario.settings)}
