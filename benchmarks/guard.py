"""
How often the guard is wrong: it lets through what is worse than a hand-made policy, or refuses what is better.

Each task of some traces is searched with a few seeds, a number of evaluations each, as C{bench train --evaluations}
does.  Of each result all that any threshold needs is written to a file, a line of JSON a search: scores on windows of
validation and of held-out, its own and those of every hand-made policy, all on the variants of the trace that its
module draws.  So thresholds are compared afterwards, without any search.

A false acceptance is one that on held-out is worse than the hand-made policy that is best there in hindsight, by more
than the interval of the difference; a false refusal one that was better by more than it.  The threshold is chosen on
one half of the traces, by name, and shown on the other.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernelnet.generators.search import Search
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.intervals import Intervals
from kernelnet.learning.problem import Problem
from kernelnet.learning.significance import CONFIDENCE, gains, studentQuantile
from kernelnet.learning.significance import WINDOWS as GUARD_WINDOWS
from kernelnet.learning.tasks import Task, taskList
from kernelnet.plugins import available
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import ComponentError, TraceError, WorkbenchError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "traces"
WINDOWS = (8, 16, 32)
"""Numbers of windows of validation that are kept."""

CONFIDENCES = (0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)

Row = dict[str, Any]


# --- searches


def tasks(names: Sequence[str], folder: Path) -> Iterator[tuple[int, Task]]:
    """All tasks on the shipped traces and on those of a folder, with how many events each has, the shortest first."""
    found: list[tuple[int, Task]] = []
    for bench in available(IWorkbench):
        if names and bench.name not in names:
            continue
        beside = [path for path in sorted((folder / bench.name).glob("*")) if readable(bench, path)]
        for paths in (bench.traces(), beside):
            for task in taskList(bench, paths):
                found.append((sum(task.open().events.values()), task))
    return iter(sorted(found, key=lambda each: each[0]))


def readable(bench: IWorkbench, path: Path) -> bool:
    """Whether a file is a trace: beside them are licences."""
    try:
        bench.tasks(path)
    except (TraceError, WorkbenchError):
        return False
    return True


def searched(scenario: IScenario, seed: int, evaluations: int) -> Row:
    """What a search finds, and all that its judgement could depend on."""
    began = time.monotonic()
    row: Row = {
        "workbench": scenario.workbench.name,
        "workbench_digest": scenario.workbench.digest,
        "trace": scenario.trace,
        "trace_digest": scenario.traceDigest,
        "settings": dict(scenario.settings),
        "events": scenario.events,
        "seed": seed,
        "evaluations": evaluations,
        "chosen_on_train": chosenOnTrain(scenario),
    }
    problem = Problem(scenario, seed=seed, seconds=1e6)
    candidate = Search(evaluations).generate(problem)
    row["search_seconds"] = round(time.monotonic() - began, 1)
    if candidate is None:
        return row
    row["note"] = candidate.note
    try:
        wasm = compileC(candidate.source, scenario.workbench.headerPath, trusted=True)
        met = scenario.forModule(wasm)
        modules = {"": wasm, **{name: scenario.workbench.baselineModule(name) for name in met.baselines()}}
        intervals = Intervals(met)
        held = {name: intervals.windows(module) for name, module in modules.items()}
        row["policies"] = {name: policy(met, module) for name, module in modules.items()}
    except ComponentError as error:
        return {**row, "failed": str(error)}
    best = bestInHindsight(met)
    row["best_in_hindsight"] = best
    row["best_on_validation"] = bestInHindsight(met, "validation")
    row["difference"] = held[""].level - held[best].level
    row["interval"] = intervals.difference(held[""], held[best])
    row["seconds"] = round(time.monotonic() - began, 1)
    return row


def policy(scenario: IScenario, wasm: bytes) -> Row:
    """Scores and levels of a module, and its scores on windows of validation."""
    report = scenario.measure(wasm)
    return {
        "validation": report.splits["validation"].score,
        "held_out": report.splits["held_out"].score,
        "level": scenario.developmentLevel(report),
        "validation_level": scenario.developmentLevel(report, "validation"),
        "windows": {
            str(count): [window.score for window in scenario.measureWindows(wasm, "validation", count)]
            for count in WINDOWS
        },
    }


def collect(options: argparse.Namespace) -> None:
    """Search whatever isn't in the file yet, the shortest traces first, one seed after the other."""
    done = {identity(row) for row in rows(options.data)} if options.data.exists() else set()
    ordered = [task for events, task in tasks(options.workbench, options.traces) if events <= options.most_events]
    deadline = time.monotonic() + 60 * options.minutes
    with options.data.open("a", encoding="utf-8") as file:
        for seed in range(1, options.seeds + 1):
            for task in ordered:
                scenario = task.open()
                key = (scenario.workbench.digest, scenario.traceDigest, str(dict(scenario.settings)), seed)
                if key in done:
                    continue
                if time.monotonic() > deadline:
                    return
                row = searched(scenario, seed, options.evaluations)
                file.write(json.dumps(row, separators=(",", ":")) + "\n")
                file.flush()
                told = f"{row['difference']:+.3f}" if "difference" in row else row.get("failed", "nothing")
                print(f"{scenario} seed {seed}: {told} in {row.get('seconds')} s", flush=True)


def identity(row: Row) -> tuple[str, str, str, int]:
    return row["workbench_digest"], row["trace_digest"], str(row["settings"]), row["seed"]


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# --- thresholds


@dataclass(frozen=True)
class Rule:
    """
    One way to tell whether a candidate is better than a rival, or was lucky.

    @ivar windows: number of windows of validation.
    @ivar weighted: whether a window counts by its score; else each counts alike, by the gain's share of the score.
    @ivar confidence: on one side; 0.5: the mean alone decides; 0: whoever has the better score passes.
    """

    windows: int
    weighted: bool
    confidence: float

    def __str__(self) -> str:
        return f"{self.windows} windows, {'by score' if self.weighted else 'alike'}, {self.confidence:g}"

    def isBetter(self, ours: Sequence[int], theirs: Sequence[int]) -> bool:
        if self.confidence == 0:
            return True
        values: Sequence[float] = gains(ours, theirs)
        if self.weighted:
            values = [b - a for a, b in zip(ours, theirs, strict=True)]
        if len(values) < 2:
            return sum(values) > 0
        error = statistics.stdev(values) / math.sqrt(len(values))
        return statistics.fmean(values) > studentQuantile(self.confidence, len(values) - 1) * error

    def accepts(self, row: Row, rivals: Sequence[str]) -> bool:
        """@param rivals: names of the hand-made policies that have to be beaten."""
        policies, windows = row["policies"], str(self.windows)
        ours = policies[""]
        return all(
            ours["validation"] < policies[name]["validation"]
            and self.isBetter(ours["windows"][windows], policies[name]["windows"][windows])
            for name in rivals
        )


@dataclass
class Count:
    """
    Results of one rule on some searches.

    @ivar levels: what its user has: the candidate's level, or that of the hand-made policy that is best on validation;
        -1 at least, since far below the reference a level has no meaning.
    """

    accepted: int = 0
    falselyAccepted: int = 0
    falselyRefused: int = 0
    levels: list[float] = field(default_factory=list)

    def add(self, row: Row, isAccepted: bool) -> None:
        low, high = row["interval"] or (row["difference"], row["difference"])
        self.accepted += isAccepted
        self.falselyAccepted += isAccepted and high < 0
        self.falselyRefused += not isAccepted and low > 0
        self.levels.append(max(-1.0, row["policies"]["" if isAccepted else row["best_on_validation"]]["level"]))

    def __str__(self) -> str:
        level = f"{statistics.fmean(self.levels):.4f}" if self.levels else "-"
        return f"{self.accepted:6} {self.falselyAccepted:5} {self.falselyRefused:5} {level:>7}"

    @property
    def order(self) -> tuple[float, ...]:
        """A rule is the better the fewer of its decisions are false; of equals that which lets less through."""
        return self.falselyAccepted + self.falselyRefused, self.falselyAccepted


def counted(rule: Rule, found: Sequence[Row], rivals: Callable[[Row], Sequence[str]]) -> Count:
    count = Count()
    for row in found:
        count.add(row, rule.accepts(row, rivals(row)))
    return count


def everyRival(row: Row) -> list[str]:
    return [name for name in row["policies"] if name]


def chosenAlone(row: Row) -> list[str]:
    return [row["chosen_on_train"]]


def halves(found: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Searches on one half of each bench's traces, on the other, and those on several traces at once."""
    single = [row for row in found if "parts" not in row["settings"]]
    names: dict[str, list[str]] = {}
    for row in single:
        names.setdefault(row["workbench"], []).append(row["trace"])
    first = {(bench, name) for bench, every in names.items() for name in sorted(set(every))[::2]}
    parts = [row for row in single if (row["workbench"], row["trace"]) in first]
    return parts, [row for row in single if row not in parts], [row for row in found if row not in single]


def show(found: Sequence[Row], plot: Path | None) -> None:
    judged = [row for row in found if "policies" in row]
    choosing, showing, suites = halves(judged)
    print(
        f"{len(found)} searches, {len(judged)} found what runs: {len(choosing)} on the traces to choose by,"
        f" {len(showing)} on the others, {len(suites)} on several traces at once."
        "\nFor each: accepted, of these falsely; falsely refused; mean level of what the user then has"
    )
    every = [
        Rule(windows, weighted, confidence)
        for windows in WINDOWS
        for weighted in (False, True)
        for confidence in CONFIDENCES
    ]
    print(f"\n{'':30}{'to choose by':>26}   {'the others':>26}")
    rules = {rule: (counted(rule, choosing, everyRival), counted(rule, showing, everyRival)) for rule in every}
    for rule, counts in rules.items():
        print(f"{rule!s:30}{counts[0]}   {counts[1]}")
    # Of equals the one that is nearest to the guard as it is.
    now = Rule(GUARD_WINDOWS, False, CONFIDENCE)
    first, second = (
        min(
            rules,
            key=lambda rule: (*rules[rule][at].order, rule.windows, rule.weighted, abs(rule.confidence - CONFIDENCE)),
        )
        for at in (0, 1)
    )
    print(f"\nthe first half chooses {first}; on the others that is {counted(first, showing, everyRival)}")
    print(f"the others choose {second}; on the first half that is {counted(second, choosing, everyRival)}")
    print(f"\n{f'the guard as it is: {now}':46}{'to choose by':>26}   {'the others':>26}   {'several traces':>26}")
    for title, rivals in (
        ("against every hand-made policy", everyRival),
        ("against the one chosen on train", chosenAlone),
    ):
        print(f"  {title:44}" + "   ".join(str(counted(now, part, rivals)) for part in (choosing, showing, suites)))
    if plot is not None:
        draw(rules, plot)


def draw(rules: dict[Rule, tuple[Count, Count]], path: Path) -> None:
    """False refusals over false acceptances on the other half, a line a way to test, a point a confidence."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for windows in WINDOWS:
        for weighted in (False, True):
            line = [
                (rule, counts[1])
                for rule, counts in rules.items()
                if (rule.windows, rule.weighted) == (windows, weighted)
            ]
            axes.plot(
                [count.falselyAccepted for _, count in line],
                [count.falselyRefused for _, count in line],
                marker="o",
                label=f"{windows} windows, {'by score' if weighted else 'alike'}",
            )
    axes.set_xlabel("false acceptances")
    axes.set_ylabel("false refusals")
    axes.legend()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the file of what was found")
    parser.add_argument("--traces", type=Path, default=SHARED, help="a folder of folders of traces, one a workbench")
    parser.add_argument("--workbench", action="append", default=[], help="only these")
    parser.add_argument("--evaluations", type=int, default=150, help="measurements of each search")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=0.0, help="search so long; by default not at all")
    parser.add_argument("--most-events", type=int, default=10**9, help="of a task; larger ones are left out")
    parser.add_argument("--plot", type=Path, help="a picture, .svg, of false decisions on the traces not chosen by")
    options = parser.parse_args()
    if options.minutes:
        collect(options)
    show(rows(options.data), options.plot)


if __name__ == "__main__":
    main()
