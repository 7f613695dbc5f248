"""Tuning: the agent writes a policy's structure and marks its numbers; kernelnet's own search finds their values."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kernelnet.artifacts import SplitScore
from kernelnet.families import BEGIN, END
from kernelnet.generators.evolution import portfolio
from kernelnet.generators.templates.marked_source import EXAMPLE, MarkError, marked
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Parameter, Template, Vector
from kernelnet.interfaces import IScenario
from kernelnet.learning.practice import compared
from kernelnet.learning.problem import Problem
from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.folder import Draft
from kernelnet.mcp.jobs import Work
from kernelnet.mcp.tasks import NamedTask
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.engine import cores
from kernelnet.workbench.errors import ComponentError

__all__ = ["Objective", "Tuned", "tune"]

Objective = Literal["mean", "worst_window"]

WINDOWS = 8
_FITTED = "FITTED TO TRAIN: take fewer numbers, narrower ranges, or objective worst_window"
_STEP = 0.1
"""Share of a number's range, or of its logarithm's, that it is moved by to see how much depends on it."""


@dataclass(frozen=True)
class TunedNumber:
    """
    @ivar lower, higher: by how much the level on train changes where the number is a tenth of its range lower, higher;
        C{None}: it can't be, or the policy fails.
    """

    name: str
    before: float
    after: float
    lower: float | None
    higher: float | None


@dataclass(frozen=True)
class Levels:
    """On the trace as it is."""

    train: float
    validation: float


@dataclass(frozen=True)
class Tuned:
    """
    Result of tuning.

    @ivar draft: name of the source with the numbers built in; they are still marked, and can be tuned again.
    @ivar overfitted: whether it gained on train, and not on validation.
    """

    task: str
    objective: str
    draft: str
    source: str
    before: Levels | None
    after: Levels
    evaluations: int
    numbers: list[TunedNumber]
    overfitted: bool
    words: str


class _WorstWindow(Problem):
    """A problem whose one window is the worst, beside the best of the hand-made policies in each."""

    def __init__(self, rivals: Sequence[int], **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self._rivals = rivals

    def measureWindows(self, wasm: bytes, parameters: Sequence[float] = (), count: int = WINDOWS) -> list[SplitScore]:
        windows = super().measureWindows(wasm, parameters, WINDOWS)
        worst = max((w.score + 1) / (rival + 1) for w, rival in zip(windows, self._rivals, strict=True))
        return [SplitScore(sum(w.events for w in windows), int(worst * 1_000_000), sum(w.fuel for w in windows))]


def tune(
    task: NamedTask,
    draft: Draft,
    work: Work,
    *,
    seconds: float,
    objective: Objective = "mean",
    fixed: Sequence[str] = (),
    evaluations: int | None = None,
    seed: int = 0,
) -> tuple[Tuned, Draft]:
    """
    Worker thread.  Search the values of a draft's marked numbers.

    @param fixed: names of numbers that stay as they are.
    @param evaluations: at most so many, besides the seconds.
    @return: what came of it, and the source with the best numbers, compiled.
    @raise AgentError: it marks none, or wrongly.
    """
    scenario = task.open()
    template = _templateOf(draft.source, task.bench.name, fixed)
    # in the jail, whatever the search does with it: it is no source of ours
    tunable = compileC(template.tunable(), task.bench.headerPath)
    work.tell(0.02, "hand-made policies")

    problem: Problem

    def found(generation: int, best: int) -> None:
        spent = 1 - max(0.0, problem.secondsLeft()) / seconds
        work.tell(min(0.9, spent), f"{problem.measured} evaluations")

    make = functools.partial(
        Problem,
        scenario=scenario,
        seed=seed,
        seconds=seconds,
        jobs=max(1, cores() // 2),
        evaluations=evaluations,
        onProgress=found,
    )
    if objective == "worst_window":
        rivals = task.baselineWindows("train", WINDOWS)
        least = [min(scores[at].score for scores in rivals.values()) for at in range(len(next(iter(rivals.values()))))]
        problem = _WorstWindow(least, **make.keywords)
    else:
        problem = make()
    work.onCancel(problem.cancel)
    candidate = portfolio.search(problem, [VectorFamily(template)], evaluations)
    work.look()
    if candidate is None:
        raise AgentError(
            "no values were found with which it runs: each fails on train; explain_failure says where the first does"
        )
    vector = tuple(candidate.parameters)
    baked = Draft("", template.bake(vector), compileC(template.bake(vector), task.bench.headerPath))
    before, after = _levels(scenario, draft.wasm), _levels(scenario, baked.wasm)
    if after is None:
        raise AgentError("with the best values on train it fails on validation")
    numbers = []
    for at, parameter in enumerate(template.parameters):
        work.tell(0.9 + 0.1 * at / len(vector), "what depends on each number")
        changes = []
        for moved in _moved(parameter, vector[at]):
            changed = (*vector[:at], moved, *vector[at + 1 :])
            level = _levelAt(scenario, tunable, changed) if moved != vector[at] else None
            changes.append(None if level is None else round(level - after.train, 4))
        numbers.append(TunedNumber(parameter.name, template.known[0][at], vector[at], *changes))
    overfitted = before is not None and after.train > before.train and after.validation <= before.validation
    if before is None:
        words = f"with its first numbers it failed; now: train {after.train:g}, validation {after.validation:g}"
    else:
        words = f"train {before.train:g} -> {after.train:g}, validation {before.validation:g} -> {after.validation:g}; "
        words += _FITTED if overfitted else _gain(task, draft.wasm, baked.wasm, work)
    evaluations = problem.measured
    tuned = Tuned(task.name, objective, "", baked.source, before, after, evaluations, numbers, overfitted, words)
    return tuned, baked


def _templateOf(source: str, workbench: str, fixed: Sequence[str]) -> Template:
    try:
        template = marked(source, workbench, "mcp")
    except MarkError as error:
        raise AgentError(str(error)) from None
    if template is None:
        raise AgentError(
            "the source marks no numbers: put them, a line each, behind its #include lines, between"
            f" {BEGIN} */ and {END.strip()}, such as {EXAMPLE}"
        )
    names = [parameter.name for parameter in template.parameters]
    unknown = [name for name in fixed if name not in names]
    if unknown or len(set(fixed)) == len(names):
        wrong = (
            f"{unknown[0][:40]!r} is no marked number" if unknown else "all numbers are fixed: there is nothing to tune"
        )
        raise AgentError(f"{wrong}; marked are: {', '.join(names)}")
    return _without(template, fixed) if fixed else template


def _without(template: Template, fixed: Sequence[str]) -> Template:
    """The template whose other numbers stay as they are, before those that are searched."""
    pairs = list(zip(template.parameters, template.known[0], strict=True))
    lines = "".join(parameter.definition(value) for parameter, value in pairs if parameter.name in fixed)
    at = template.text.index(BEGIN)
    kept = [(parameter, value) for parameter, value in pairs if parameter.name not in fixed]
    return replace(
        template,
        text=template.text[:at] + lines + template.text[at:],
        parameters=tuple(parameter for parameter, _ in kept),
        known=(tuple(value for _, value in kept),),
    )


def _levels(scenario: IScenario, wasm: bytes) -> Levels | None:
    """C{None}: it fails, as before tuning it well may."""
    try:
        report = scenario.measure(wasm, upTo="validation")
    except ComponentError:
        return None
    return Levels(*(round(scenario.developmentLevel(report, split), 4) for split in ("train", "validation")))


def _levelAt(scenario: IScenario, tunable: bytes, vector: Vector) -> float | None:
    """Level on train with some values; C{None}: it fails."""
    try:
        report = scenario.measure(tunable, upTo="train", parameters=vector)
    except ComponentError:
        return None
    return scenario.developmentLevel(report, "train")


def _moved(parameter: Parameter, value: float) -> tuple[float, float]:
    """The values a tenth of the range lower and higher."""
    if parameter.log and value > 0:
        factor = (parameter.most / (parameter.least or parameter.most * 1e-4)) ** _STEP
        return parameter.normalized(value / factor), parameter.normalized(value * factor)
    step = max((parameter.most - parameter.least) * _STEP, 1 if parameter.whole else 0)
    return parameter.normalized(value - step), parameter.normalized(value + step)


def _gain(task: NamedTask, before: bytes, after: bytes, work: Work) -> str:
    try:
        found = compared(task.practice() or [task.open()], after, before, "validation", work.look)
    except ComponentError:
        return "on a variant of the trace one of the two fails: see measure"
    sure = "beyond noise" if found.low > 0 else "within noise"
    return f"on the variants for practice it gains {found.mean:+.4f} on validation, {sure}"
