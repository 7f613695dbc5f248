"""Tasks, one trace at one setting or several at once, and the workbenches that a trainer has them on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from kernelnet.artifacts import Component, TaskDescription
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.specializations import featureOf
from kernelnet.plugins import available
from kernelnet.workbench.suite import Suite

__all__ = ["EVERYWHERE", "FALLBACK", "Task", "benchesFor", "bestKnown", "described", "hasBench", "taskList"]

FALLBACK = "file_system"
"""The workbench of a specialization that has none of its own, and of a general trainer that was given traces."""

EVERYWHERE = ("general", "performance")
"""Specializations that work on every bench there is."""


def benchesFor(specialization: str, traces: bool = False, chosen: Sequence[str] = ()) -> list[IWorkbench]:
    """
    The workbenches that a trainer trains on.

    @param traces: whether the user gave traces: they are for one bench.
    @param chosen: names that the user chose; empty: those of the specialization.
    @raise KeyError: there is no workbench of a name in C{chosen}.
    """
    benches = {bench.name: bench for bench in available(IWorkbench)}
    if chosen:
        return [benches[name] for name in chosen]
    if specialization in EVERYWHERE and not traces:
        return [benches.pop(FALLBACK), *benches.values()]
    return [benches.get(featureOf(specialization)) or benches[FALLBACK]]


def hasBench(specialization: str) -> bool:
    """Whether what a specialization is for can be made: there is a workbench of its own, or it works on all of them."""
    feature = featureOf(specialization)
    return specialization in EVERYWHERE or any(bench.name == feature for bench in available(IWorkbench))


@dataclass(frozen=True)
class Task:
    """
    @ivar parts: (trace, settings): one for a specialist, several for a generalist.
    """

    bench: IWorkbench
    parts: tuple[tuple[Path, dict[str, int]], ...]

    def open(self) -> IScenario:
        """
        Worker thread.

        @return: an `IScenario`; the bench keeps what it read.
        @raise kernelnet.workbench.errors.TraceError: a trace can't be read.
        """
        scenarios = [self.bench.scenario(path, settings) for path, settings in self.parts]
        return scenarios[0] if len(scenarios) == 1 else Suite(scenarios)


def described(scenario: IScenario) -> TaskDescription:
    """Name of a scenario, as people and peers are told of it."""
    return TaskDescription(scenario.workbench.name, scenario.trace, scenario.traceDigest, dict(scenario.settings))


def taskList(bench: IWorkbench, paths: Sequence[Path]) -> list[Task]:
    """
    Worker thread.  All tasks on some traces, those that come first in C{IWorkbench.tasks} first.

    Of each rank of settings: a specialist for each trace, and a generalist for all of them if there are several.

    @raise kernelnet.workbench.errors.TraceError: a trace can't be read.
    """
    each = [[(path, settings) for settings in bench.tasks(path)] for path in paths]
    tasks = []
    for rank in zip_longest(*each):
        parts = tuple(part for part in rank if part is not None)
        tasks += [Task(bench, (part,)) for part in parts]
        if len(parts) > 1:
            tasks.append(Task(bench, parts))
    return tasks


def bestKnown(scenario: IScenario, components: Iterable[Component]) -> Component | None:
    """
    First of the components that is for a scenario's task; C{None}: there is none.

    @param components: best first, as goals have them.
    """
    task = scenario.workbench.digest, scenario.traceDigest, scenario.settings
    for component in components:
        report = component.claim
        if report is not None and (report.workbench_digest, report.trace_digest, report.settings) == task:
            return component
    return None
