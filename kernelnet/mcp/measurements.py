"""Measurements that an agent asks for: one policy, two in pairs, and why one fails.  Of held-out nothing is told."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kernelnet.interfaces import IScenario
from kernelnet.learning.practice import compared, spread
from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.folder import Draft
from kernelnet.mcp.jobs import Work
from kernelnet.mcp.tasks import FuelFacts, NamedTask, fuelOf
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.diagnosis import failureOf, namedModule
from kernelnet.workbench.errors import OutOfFuel
from kernelnet.workbench.suite import Suite

__all__ = ["Compared", "Explained", "Measured", "compare", "explain", "measure"]

WINDOWS = 8


@dataclass(frozen=True)
class PartScore:
    """One split on the trace as it is, beside the best of the hand-made policies there."""

    level: float
    score: int
    best_hand_made: str
    its_level: float
    metrics: dict[str, int]


@dataclass(frozen=True)
class WindowScore:
    """One window beside the best of the hand-made policies in it; gain as a share of the higher score, -1 to 1."""

    split: str
    window: int
    score: int
    best_hand_made: str
    its_score: int
    gain: float


@dataclass(frozen=True)
class Spread:
    """
    Levels on validation on the variants for practice, which have other keys and miss this and that.

    @ivar deviation: between two variants; what is smaller than that is luck.
    """

    levels: list[float]
    mean: float
    deviation: float


@dataclass(frozen=True)
class Measured:
    """Account of one policy on a task."""

    task: str
    draft: str
    module_bytes: int
    abi: str
    train: PartScore
    validation: PartScore
    windows: list[WindowScore]
    fuel: FuelFacts
    run_seconds: float
    spread: Spread | None
    words: str


def measure(task: NamedTask, draft: Draft, work: Work) -> Measured:
    """
    Worker thread.  See `Measured`.

    @raise kernelnet.workbench.errors.ComponentError: it fails; explain_failure says where.
    """
    scenario = task.open()
    work.tell(0.05, "hand-made policies")
    baselines = scenario.baselines()
    work.tell(0.2, "train and validation")
    began = time.monotonic()
    report = scenario.measure(draft.wasm, upTo="validation")
    seconds = time.monotonic() - began
    work.tell(0.4, "windows")
    windows = [each for split in ("train", "validation") for each in _windows(task, scenario, draft.wasm, split)]
    work.tell(0.6, "variants")
    variants = task.practice()
    levels = spread(variants, draft.wasm, "validation", work.look)
    parts = {}
    for split in ("train", "validation"):
        best = min(baselines, key=lambda name: (baselines[name].splits[split].score, name))
        score = report.splits[split]
        its = scenario.developmentLevel(baselines[best], split)
        level = scenario.developmentLevel(report, split)
        parts[split] = PartScore(round(level, 4), score.score, best, round(its, 4), dict(score.metrics))
    return Measured(
        task.name,
        draft.name,
        len(draft.wasm),
        task.bench.abiOf(draft.wasm).identifier,
        parts["train"],
        parts["validation"],
        windows,
        fuelOf(scenario, report.splits),
        round(seconds, 3),
        _spread(levels),
        _inWords(parts, windows),
    )


def _windows(task: NamedTask, scenario: IScenario, wasm: bytes, split: str) -> list[WindowScore]:
    ours = scenario.measureWindows(wasm, split, WINDOWS)
    rivals = task.baselineWindows(split, WINDOWS)
    told = []
    for at, window in enumerate(ours):
        best = min(rivals, key=lambda name: (rivals[name][at].score, name))
        theirs = rivals[best][at].score
        gain = (theirs - window.score) / max(abs(theirs), abs(window.score), 1)
        told.append(WindowScore(split, at, window.score, best, theirs, round(gain, 4)))
    return told


def _spread(levels: Sequence[float]) -> Spread | None:
    if len(levels) < 2:
        return None
    return Spread(
        [round(level, 4) for level in levels], round(statistics.fmean(levels), 4), round(statistics.stdev(levels), 4)
    )


def _inWords(parts: dict[str, PartScore], windows: list[WindowScore]) -> str:
    validation = parts["validation"]
    behind = [f"{each.window}" for each in windows if each.split == "validation" and each.gain < 0]
    ahead = validation.level > validation.its_level
    words = (
        f"{'better' if ahead else 'no better'} on validation ({validation.level:g}) than every hand-made policy;"
        f" the best there is {validation.best_hand_made} ({validation.its_level:g})"
    )
    if behind:
        words += f"; behind the best of them in window {', '.join(behind)} of {len(windows) // 2}"
    if parts["train"].level > parts["train"].its_level and not ahead:
        words += "; it is better on train only: it may be fitted to that"
    return words


@dataclass(frozen=True)
class ComparedWindow:
    window: int
    a: int
    b: int
    gain_of_a: float


@dataclass(frozen=True)
class Compared:
    """
    Two policies in pairs of windows, summed over the variants for practice.

    @ivar mean_gain_of_a: over windows, as a share of the higher score; C{standard_error}: of that.
    @ivar interval: the ends by which the guard decides, with 90 % on each side.
    """

    task: str
    a: str
    b: str
    split: str
    windows: list[ComparedWindow]
    mean_gain_of_a: float
    standard_error: float
    interval: tuple[float, float]
    by_variant: list[float]
    words: str


def compare(task: NamedTask, a: Draft, b: Draft, split: str, work: Work) -> Compared:
    """
    Worker thread.  See `Compared`.

    @param split: C{train} or C{validation}.
    """
    work.tell(0.05, "variants")
    variants = task.practice() or [task.open()]
    done = 0

    def look() -> None:
        nonlocal done
        work.tell(0.1 + 0.9 * done / (2 * len(variants)), "measuring")
        done += 1

    found = compared(variants, a.wasm, b.wasm, split, look)
    rows = [ComparedWindow(each.window, each.first, each.second, round(each.gain, 4)) for each in found.windows]
    if found.low > 0:
        words = f"{a.name} (a) is better: its gain is above 0 beyond noise"
    elif found.high > 0:
        words = f"{b.name} (b) is better: a's loss is beyond noise"
    else:
        words = "no difference that is greater than noise: take the simpler one"
    for name, sign in (("a", 1), ("b", -1)):
        lost = [str(row.window) for row in rows if sign * row.gain_of_a < 0]
        words += f"; {name} loses in window {', '.join(lost)}" if lost else f"; {name} loses nowhere"
    return Compared(
        task.name,
        a.name,
        b.name,
        split,
        rows,
        round(found.mean, 5),
        round(found.error, 5),
        (round(found.low, 5), round(-found.high, 5)),
        [round(gain, 5) for gain in found.byVariant],
        words,
    )


@dataclass(frozen=True)
class Explained:
    """
    Why a policy fails.

    @ivar functions: of the source, the innermost first, then who called it.
    @ivar event: the first with which it fails, counted from 0.
    @ivar fuel: of the run up to about there: whether the fuel an event grows.
    @ivar fuel_by_function: shares; C{(the bench)} is the driver's own.
    """

    fails: bool
    trace: str = ""
    error: str = ""
    kind: str = ""
    functions: list[str] | None = None
    event: int | None = None
    split: str = ""
    fuel: dict[str, float] | None = None
    fuel_by_function: dict[str, float] | None = None
    words: str = ""


def explain(task: NamedTask, draft: Draft, work: Work) -> Explained:
    """Worker thread.  See `Explained`; of several traces the first on which it fails."""
    scenario = task.open()
    parts = scenario.parts if isinstance(scenario, Suite) else [scenario]
    for part in parts:
        if not isinstance(part, BaseScenario):
            raise AgentError(f"the workbench {task.bench.name} can't tell where a policy fails")
        work.tell(0.1, f"looking on {part.trace}")
        found = failureOf(part, draft.wasm, namedModule(draft.source, part), look=work.look)
        if found is None:
            continue
        shares = {name: round(share, 3) for name, share in list(found.shares.items())[:8]}
        words = f"{type(found.error).__name__} at event {found.event} ({found.split})"
        if found.functions:
            words += f" in {', called by '.join(found.functions[:4])}"
        if isinstance(found.error, OutOfFuel) and found.before is not None:
            each = found.before.limit / sum(part.events[split] for split in ("train", "validation"))
            words += (
                f"; it takes {found.before.first:.0f} units an event at first and {found.before.last:.0f} there, where"
                f" about {each:.0f} are allowed on average: bound each loop by a constant"
            )
        before = (
            {name: round(float(value), 1) for name, value in asdict(found.before).items()} if found.before else None
        )
        return Explained(
            True,
            part.trace,
            str(found.error),
            type(found.error).__name__,
            list(found.functions),
            found.event,
            found.split,
            before,
            shares or None,
            words,
        )
    return Explained(False, words="up to the end of validation it does not fail on the trace as it is")
