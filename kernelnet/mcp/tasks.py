"""Tasks by name, and all that an agent should know of one before it writes a line."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernelnet.artifacts import Pattern, SplitScore
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.practice import practised
from kernelnet.learning.tasks import Task, taskList
from kernelnet.mcp.errors import AgentError
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.suite import Suite
from kernelnet.workbench.words import inWords

__all__ = ["BaselineFacts", "FuelFacts", "NamedTask", "TaskFacts", "TaskList", "fuelOf"]

_SPLITS = ("train", "validation")
"""Parts that an agent is told of."""


@dataclass(frozen=True)
class FuelFacts:
    """
    Fuel up to the end of validation, and the limit for so many events; beyond it a policy is stopped.

    @ivar eventsLimit: units an event that the limit comes to.
    """

    used: int
    limit: int
    per_event: float
    limit_per_event: float


@dataclass(frozen=True)
class BaselineFacts:
    """A hand-made policy on the trace as it is; levels: 0 is the reference, 1 the optimum."""

    name: str
    idea: str
    train_level: float
    validation_level: float
    train_score: int
    fuel_per_event: float
    source: str = ""


@dataclass(frozen=True)
class TaskFacts:
    """All that an agent should know of a task."""

    task: str
    what: str
    score: str
    level: str
    events: dict[str, int]
    settings: dict[str, int]
    fuel: str
    memory: str
    reference: str
    optimum: str
    baselines: list[BaselineFacts]
    patterns: list[str]
    statistics: dict[str, Any]
    header: str
    marks: str
    best_known: list[dict[str, Any]] = field(default_factory=list)


class NamedTask:
    """
    One task, opened when it is first needed; for any number of threads.

    @ivar name: such as C{file_system/compiler/59-blocks}.
    """

    def __init__(self, name: str, task: Task) -> None:
        self.name = name
        self.bench: IWorkbench = task.bench
        self._task = task
        self._lock = threading.Lock()
        self._variants: list[IScenario] | None = None
        self._windows: dict[str, dict[str, list[SplitScore]]] = {}

    def open(self) -> IScenario:
        """Worker thread.  The scenario; the bench keeps what it read."""
        return self._task.open()

    def practice(self) -> list[IScenario]:
        """Worker thread.  The task on its variants for practice; empty: it has none."""
        with self._lock:
            if self._variants is None:
                self._variants = practised(self.open())
            return self._variants

    def baselineWindows(self, split: str, count: int) -> dict[str, list[SplitScore]]:
        """Worker thread.  Windows of each hand-made policy, measured once and kept."""
        with self._lock:
            key = f"{split} {count}"
            if key not in self._windows:
                scenario = self.open()
                self._windows[key] = {
                    name: scenario.measureWindows(self.bench.baselineModule(name), split, count)
                    for name in self.bench.baselineNames
                }
            return self._windows[key]


class TaskList:
    """
    The tasks that an agent may work on.

    @param traces: paths that the user gave, for the first of the benches; empty: those that ship.
    """

    def __init__(self, benches: Sequence[IWorkbench], traces: Sequence[Path] = ()) -> None:
        self.benches = {bench.name: bench for bench in benches}
        self._traces = list(traces)
        self._lock = threading.Lock()
        self._tasks: dict[str, NamedTask] = {}

    def tracesOf(self, bench: IWorkbench) -> list[Path]:
        """Paths of the traces that there are for a bench."""
        first = next(iter(self.benches), None)
        return list(self._traces) if self._traces and bench.name == first else list(bench.traces())

    def all(self) -> list[NamedTask]:
        """
        Worker thread.  All of them, in a fixed order.

        @raise kernelnet.workbench.errors.TraceError: a trace can't be read.
        """
        with self._lock:
            if not self._tasks:
                for bench in self.benches.values():
                    for task in taskList(bench, self.tracesOf(bench)):
                        name = _nameOf(task.open())
                        self._tasks.setdefault(name, NamedTask(name, task))
            return list(self._tasks.values())

    def find(self, name: str) -> NamedTask:
        """Worker thread.  @raise AgentError: there is none of that name; says which there are."""
        tasks = {task.name: task for task in self.all()}
        if name not in tasks:
            raise AgentError(f"there is no task {name[:80]!r}; there are: {', '.join(tasks)}")
        return tasks[name]

    def nameFor(self, scenario: IScenario) -> str:
        """Name that a task has here, or would have."""
        return _nameOf(scenario)

    def facts(self, name: str, sources: Sequence[str] | None = None, header: bool = True) -> TaskFacts:
        """
        Worker thread.  See `TaskFacts`.

        @param sources: names of the hand-made policies whose source is wanted; C{None}: the two that are best on train.
        @raise AgentError: one of C{sources} is none.
        """
        task = self.find(name)
        bench, scenario = task.bench, task.open()
        for wanted in sources or ():
            if wanted not in bench.baselineNames:
                there = ", ".join(bench.baselineNames)
                raise AgentError(f"{wanted[:40]!r} is no hand-made policy of {bench.name}; there are: {there}")
        reports = scenario.baselines()
        ranked = sorted(reports, key=lambda each: (reports[each].splits["train"].score, each))
        shown = ranked[:2] if sources is None else sources
        end = sum(scenario.events[split] for split in _SPLITS)
        baselines = []
        for each in ranked:
            report, source = reports[each], bench.baselineSource(each)
            levels = {split: round(scenario.developmentLevel(report, split), 4) for split in _SPLITS}
            fuel = sum(report.splits[split].fuel for split in _SPLITS)
            baselines.append(
                BaselineFacts(
                    each,
                    _ideaOf(source),
                    levels["train"],
                    levels["validation"],
                    report.splits["train"].score,
                    round(fuel / max(1, end), 1),
                    source if each in shown else "",
                )
            )
        return TaskFacts(
            task=name,
            what=f"{bench.description}; trace {scenario.trace} {inWords(bench, scenario.settings)}".strip(),
            score=f"{bench.unit}, less is better; claims are measured on variants of the trace under other keys",
            level=f"level = (score of {bench.reference} - score) / (score of {bench.reference} - score of"
            f" {bench.optimumName}): 0 is {bench.reference}, 1 is {bench.optimumName}",
            events={split: scenario.events[split] for split in _SPLITS},
            settings=dict(scenario.settings),
            fuel=_fuelInWords(scenario, baselines, bench.reference),
            memory=_memoryInWords(scenario),
            reference=bench.reference,
            optimum=bench.optimumName,
            baselines=baselines,
            patterns=[_patternInWords(pattern) for pattern in scenario.patterns()[:20]],
            statistics=statisticsOf(scenario),
            header=bench.header if header else "",
            marks=(
                "tune searches the numbers that stand, a line each, between /* begin parameters */ and"
                " /* end parameters */ after the #include lines: #define HALF_LIFE 64.0 /* 1..4096 log: meaning */;"
                " words after the range: whole, log, zero"
            ),
        )


def fuelOf(scenario: IScenario, splits: dict[str, SplitScore]) -> FuelFacts:
    """Fuel of a report up to the end of validation, beside its limit."""
    used = sum(splits[split].fuel for split in _SPLITS)
    events = sum(scenario.events[split] for split in _SPLITS)
    limit = sum(
        part.machine.fuelLimit(sum(part.events[split] for split in _SPLITS), part.settings)
        for part in _parts(scenario)
        if isinstance(part, BaseScenario)
    )
    return FuelFacts(used, limit, round(used / max(1, events), 1), round(limit / max(1, events), 1))


def statisticsOf(scenario: IScenario) -> dict[str, Any]:
    """Worker thread.  Figures of the training part; of a suite by trace."""
    told = {
        f"{part.trace} {inWords(part.workbench, part.settings)}".strip(): part.trainStatistics()
        for part in _parts(scenario)
        if isinstance(part, BaseScenario)
    }
    return next(iter(told.values())) if len(told) == 1 else told


def _parts(scenario: IScenario) -> Sequence[IScenario]:
    return scenario.parts if isinstance(scenario, Suite) else [scenario]


def _nameOf(scenario: IScenario) -> str:
    bench = scenario.workbench
    words = f"{scenario.trace} {inWords(bench, scenario.settings)}"
    return "/".join((bench.name, _slug(words)))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text.replace("µs", "us").replace("‰", "permille")).strip("-.")[:80]


def _ideaOf(source: str) -> str:
    """First sentences of the comment that a source begins with."""
    comment = re.match(r"\s*/\*(.*?)\*/", source, re.DOTALL)
    words = " ".join(re.sub(r"^\s*\*", "", line).strip() for line in comment[1].splitlines()) if comment else ""
    return words.strip()[:300]


def _fuelInWords(scenario: IScenario, baselines: list[BaselineFacts], reference: str) -> str:
    events = sum(scenario.events[split] for split in _SPLITS)
    limits = [fuelOf(part, {split: SplitScore(0, 0, 0) for split in _SPLITS}) for part in _parts(scenario)]
    least = min((limit.limit_per_event for limit in limits), default=0.0)
    its = next(each.fuel_per_event for each in baselines if each.name == reference)
    return (
        f"about {least:.0f} units an event at most (all of a run together, {events} events here), or the policy is"
        f" stopped; {reference} takes {its:g}; a compared candidate costs about 36; fuel is no part of the score"
    )


def _memoryInWords(scenario: IScenario) -> str:
    limits = [part.machine.memoryLimit(part.settings) for part in _parts(scenario) if isinstance(part, BaseScenario)]
    return f"at most {min(limits) >> 20} MiB of linear memory; the module at most 64 KiB" if limits else "unknown"


def _patternInWords(pattern: Pattern) -> str:
    data = pattern.data if isinstance(pattern.data, dict) else {}
    told = ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in data.items()
        if key not in ("trace_digest", "trace")
    )
    return f"{pattern.type} (confidence {pattern.confidence:.2f}): {told}"
