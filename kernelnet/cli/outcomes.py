"""Outcome of a training, task by task: the best that was confirmed, beside the best hand-made policy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct

from kernelnet.artifacts import TaskDescription
from kernelnet.cli.hub_data import HubData, Listed, Told, Whole
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.intervals import Interval
from kernelnet.learning.recommendation import recommend
from kernelnet.learning.tasks import described, taskList
from kernelnet.plugins import available
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.suite import scenarioOf
from kernelnet.workbench.words import subjectOf, taskInWords

__all__ = ["HandMade", "Outcome", "outcomes"]

WITNESSES = 2
"""AIs that must say the same of hand-made policies to be believed: nobody confirms that."""

MAX_NAME = 64
MOST_TASKS = 100
"""Maximum number of tasks that are told of."""


class HandMade(Struct):
    """
    Hand-made policies on held-out, by name and level.

    @ivar best: the best in hindsight; C{chosen}: the one that is best on train.
    @ivar levels: of all, where they were measured here; else empty.
    """

    best: str
    level: float
    chosen: str
    chosenLevel: float
    levels: dict[str, float] = {}


class Outcome(Struct):
    """
    One task.

    @ivar subject: of its workbench, in words; C{words}: the task.
    @ivar reference: the hand-made policy of level 0; C{optimum}: what has level 1.
    @ivar components: all that were shared for it, best first.
    @ivar best: of those that others confirmed and nobody refuted.
    @ivar interval: of its level; C{gained}: of how far it is ahead of every hand-made policy, by the same windows if
        both were measured here; C{None}: there is none.
    @ivar handMade: C{None}: nobody has measured them.
    """

    workbench: str
    trace: str
    settings: dict[str, int]
    subject: str
    words: str
    reference: str = ""
    optimum: str = ""
    components: list[Listed] = []
    best: Listed | None = None
    interval: Interval | None = None
    gained: Interval | None = None
    handMade: HandMade | None = None

    @property
    def level(self) -> float | None:
        return self.best.level if self.best is not None else None

    @property
    def gain(self) -> float | None:
        """Share of the way to the optimum by which the best is ahead of every hand-made policy, or, below 0, behind."""
        if self.level is None or self.handMade is None:
            return None
        return self.level - self.handMade.level

    @property
    def isBetter(self) -> bool:
        return self.gain is not None and self.gain > 0

    @property
    def isSure(self) -> bool:
        """Whether it is better by more than the interval; where there is none nobody knows."""
        return self.isBetter and self.gained is not None and self.gained[0] > 0


_Key = tuple[str, str, tuple[tuple[str, int], ...]]


def outcomes(
    data: HubData,
    tasks: Sequence[TaskDescription] = (),
    traces: Sequence[Path] = (),
    *,
    measure: bool = True,
    tell: Callable[[int, int], object] = lambda done, total: None,
) -> list[Outcome]:
    """
    Outcome of each task that there is a component for, and of further ones.

    Of hand-made policies that counts which two say who confirmed the best component: they have measured all on the very
    variants that it was measured on.  What they don't tell is measured here in the same way, if the trace is here.

    @param tasks: those that there may be none for.
    @param traces: where to look for a task's trace, besides the traces that ship.
    @param measure: C{False}: nothing is measured here.
    @param tell: called with how many tasks are measured, and of how many.
    """
    benches = {bench.name: bench for bench in available(IWorkbench)}
    found: dict[_Key, Outcome] = {}
    descriptions: dict[_Key, TaskDescription] = {}
    for task in tasks:
        key = _key(task.workbench, task.trace_digest, task.settings)
        found[key] = _outcome(benches.get(task.workbench), task.workbench, task.trace, task.settings)
        descriptions[key] = task
    for one in data.components():
        assert one.workbench is not None
        bench = benches.get(one.workbench)
        if one.older_rules or (bench is not None and one.workbench_digest not in (None, bench.digest)):
            continue  # measured by other rules: no level of it can be compared with one of today
        settings = one.settings or {}
        key = _key(one.workbench, one.trace_digest or "", settings)
        outcome = found.setdefault(key, _outcome(bench, one.workbench, one.trace or "", settings))
        outcome.components.append(one)
        if outcome.best is None and one.state == "confirmed":
            outcome.best = one
    # Strangers may claim things of any number of tasks: those that were asked for come first, then confirmed ones.
    first = sorted(found, key=lambda key: (key not in descriptions, found[key].best is None))
    found = {key: found[key] for key in first[:MOST_TASKS]}
    wholes: dict[_Key, Whole] = {}
    for key, outcome in found.items():
        shown = outcome.best or next(iter(outcome.components), None)
        whole = data.whole(shown.digest) if shown is not None else None
        if whole is not None:
            wholes[key] = whole
            _hear(outcome, whole.reports)
    if measure:
        waiting = [(key, its) for key, its in found.items() if its.handMade is None and its.workbench in benches]

        def compare(job: tuple[_Key, Outcome]) -> None:
            key, outcome = job
            bench = benches[outcome.workbench]
            _measure(outcome, bench, wholes.get(key), descriptions.get(key), traces)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            try:
                for done, _ in enumerate(pool.map(compare, waiting), 1):
                    tell(done, len(waiting))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return sorted(found.values(), key=lambda its: (its.workbench, its.words.count(" + "), its.words))


def _key(workbench: str, digest: str, settings: Mapping[str, int]) -> _Key:
    return workbench, digest, tuple(sorted(settings.items()))


def _outcome(bench: IWorkbench | None, name: str, trace: str, settings: Mapping[str, int]) -> Outcome:
    return Outcome(
        workbench=name,
        trace=trace,
        settings=dict(settings),
        subject=subjectOf(bench, name),
        words=taskInWords(bench, trace, settings),
        reference=bench.reference if bench is not None else "",
        optimum=bench.optimumName if bench is not None else "",
    )


def _hear(outcome: Outcome, reports: Sequence[Told]) -> None:
    """Take up what those who confirmed the best say of it, if they agree."""
    if outcome.best is None:
        return
    said = [told.performance for told in reports if told.reporter in outcome.best.who("confirmed")]
    interval = _agreed([(_level(one, "level_low"), _level(one, "level_high")) for one in said], 1)
    if interval is not None and interval[0] <= interval[1]:
        outcome.interval = interval
    hands = [
        (
            *(_name(one, "best_in_hindsight"), _level(one, "best_in_hindsight_level")),
            *(_name(one, "chosen_on_train"), _level(one, "chosen_on_train_level")),
        )
        for one in said
    ]
    if (hand := _agreed(hands, WITNESSES)) is not None:
        outcome.handMade = HandMade(*hand)
        if outcome.interval is not None:
            low, high = outcome.interval
            outcome.gained = (low - outcome.handMade.level, high - outcome.handMade.level)


def _agreed(said: Sequence[tuple[Any, ...]], witnesses: int) -> Any:
    """The one thing that all say who say anything, if there are so many; C{None}: there is none."""
    whole = [one for one in said if None not in one]
    return whole[0] if len(whole) >= witnesses and len(set(whole)) == 1 else None


def _level(performance: Mapping[str, Any], name: str) -> float | None:
    value = performance.get(name)
    # of NaN neither holds
    return float(value) if isinstance(value, int | float) and -1e6 <= value <= 1e6 else None


def _name(performance: Mapping[str, Any], name: str) -> str | None:
    value = performance.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_NAME else None


def _measure(
    outcome: Outcome, bench: IWorkbench, whole: Whole | None, task: TaskDescription | None, traces: Sequence[Path]
) -> None:
    """Worker thread.  Measure the hand-made policies as the best meets them, or, where there is none, on the trace."""
    report = whole.component.manifest.report if whole is not None and whole.component.manifest is not None else None
    try:
        scenario: IScenario | None = None
        if report is not None:
            scenario = scenarioOf(bench, report, [*traces, *bench.traces()])
        elif task is not None:
            scenario = _scenario(bench, task, traces)
        if scenario is None:
            return
        # what nobody has confirmed is not measured here either, but what there is to beat is
        component = whole.component if whole is not None and outcome.best is not None else None
        met = scenario.forModule(component.wasm) if component is not None else scenario
        levels = {name: met.developmentLevel(theirs) for name, theirs in met.baselines().items()}
        best, chosen = bestInHindsight(met), chosenOnTrain(met)
        told = recommend(scenario, component) if component is not None else None
    except (WorkbenchError, ImportError):
        return  # the trace isn't here, a stranger's module fails, or nothing runs modules here
    outcome.handMade = HandMade(best, levels[best], chosen, levels[chosen], levels)
    if told is not None:
        outcome.gained = told.gainInterval
        outcome.interval = told.use.interval if told.use.interval is not None else outcome.interval


def _scenario(bench: IWorkbench, task: TaskDescription, traces: Sequence[Path]) -> IScenario | None:
    """Worker thread.  The scenario of a task that there is no claim on; C{None}: it isn't among these traces."""
    for paths in (traces, bench.traces()):
        with contextlib.suppress(WorkbenchError):  # traces of another workbench
            for each in taskList(bench, paths):
                scenario = each.open()
                if described(scenario) == task:
                    return scenario
    return None
