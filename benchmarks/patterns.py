"""
How many evaluations a search needs with patterns, and how many without.

First each task is searched alone, without patterns and building blocks, with as many seeds as are asked for.  What it
finds is what a peer would send as a building block: of all traces but the one at hand, so that nothing is known of
that.  Then the same seeds search again:

- C{blocks}: with these blocks and no patterns, the newest first; in which order they came is drawn by the seed;
- C{own patterns}: with what was learned of the trace itself, and no blocks;
- C{blocks, own}: with both;
- C{all}: with the patterns of all traces besides, so that the blocks of the likest tasks come first.

Counted are evaluations, passes over train, until the sum of its windows' scores is as good as that of the best
hand-made policy, chosen on train as the guard does.  Some settings that a search begins with are nearly as good, so on
many tasks that is soon; so there is a harder target, all that the search alone with the same seed found with its whole
budget.  Who never gets there counts the whole budget.  All of it depends on traces and seeds, and on nothing else.

Then kinds of patterns, without blocks: all but one, and one alone.  And building blocks: how far the best of the first
few that come is from the best of all, when they come in any order and when those of the likest tasks come first.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest import mock

from harness import Table
from results import publish

from kernelnet.artifacts import CodeBlock, Pattern, SplitScore
from kernelnet.expressions.syntax import parse, textIn
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.generators.evolution import portfolio
from kernelnet.generators.evolution.search_family import TRAIN_WINDOWS, Metered
from kernelnet.generators.search import Search, templates
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.learning.task_similarity import Likeness, taskOf, tasksOfBlock
from kernelnet.plugins import available, find
from kernelnet.workbench.abi import rankAbiOf
from kernelnet.workbench.errors import TraceError

LARGE = 300_000
"""Tasks with more events in train are left out: an evaluation takes a second."""

FIRST = (1, 2, 4, 8)
"""Of so many blocks the best is looked at."""

DRAWS = 20
BENCHES = tuple(bench.name for bench in available(IWorkbench))
SHARED = Path(__file__).resolve().parents[2] / "shared" / "traces"

Which = Callable[[Pattern], bool]


INTRODUCTION = """\
Written by ``patterns.py --publish``: evaluations (passes over train) until a search is as good as the best hand-made
policy, and until it is as good as what the search with *nothing* found with its whole budget and the same seed. With
*blocks* of other traces, with *own patterns*, with both, and with *all*: patterns of those traces too, by which the
likest tasks' blocks come first. Who never gets there counts the whole budget.\
"""


def every(pattern: Pattern) -> bool:
    return True


def none(pattern: Pattern) -> bool:
    return False


def without(kind: str) -> Which:
    return lambda pattern: pattern.type != kind


def only(kind: str) -> Which:
    return lambda pattern: pattern.type == kind


@dataclass(eq=False)
class Task:
    """
    A scenario whose measurements are kept: no module is measured twice, whatever searches ask for it.

    @ivar which: the patterns that it shows.
    @ivar reached: by seed what the search alone reached.
    @ivar blocks: what it found.
    """

    scenario: Any
    which: Which = every
    kept: dict[Any, list[SplitScore]] = field(default_factory=dict)
    reached: list[int] = field(default_factory=list)
    blocks: list[CodeBlock] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scenario, name)

    def __str__(self) -> str:
        return " ".join(str(value) for value in (self.scenario.trace, self.scenario.settings.get("capacity", "")))

    def patterns(self) -> list[Pattern]:
        return [pattern for pattern in self.scenario.patterns() if self.which(pattern)]

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Sequence[float] = ()) -> list[SplitScore]:
        key = hashlib.sha256(wasm).digest(), split, count, tuple(parameters)
        if key not in self.kept:
            self.kept[key] = self.scenario.measureWindows(wasm, split, count, parameters)
        return self.kept[key]

    def sum(self, wasm: bytes, parameters: Sequence[float] = ()) -> int:
        """The score, as a search counts it."""
        return sum(window.score for window in self.measureWindows(wasm, "train", TRAIN_WINDOWS, parameters))

    def baseline(self) -> int:
        """What the hand-made policy that is best on train has."""
        return self.sum(self.scenario.workbench.baselineModule(chosenOnTrain(self.scenario)))


class Counted(Problem):
    """
    A problem that is over when its goal is reached.

    @ivar best: after each evaluation the best sum so far.
    """

    def __init__(self, task: Task, goal: int, **options: Any) -> None:
        super().__init__(cast(IScenario, task), seconds=1e9, **options)
        self.goal = goal
        self.best: list[int] = []

    def secondsLeft(self) -> float:
        return -1.0 if self.best and self.best[-1] <= self.goal else super().secondsLeft()

    def needed(self, goal: int, most: int) -> int:
        """Evaluations; C{most} if it was never reached."""
        return next((at for at, best in enumerate(self.best[:most], 1) if best <= goal), most)


class Watched(Metered):
    """Tells the problem of each result, in the order of the jobs."""

    problem: Counted

    def scored(self, jobs: Any, asked: Any) -> Any:
        results = super().scored(jobs, asked)
        best = self.problem.best
        for scores in results:
            last = best[-1] if best else sys.maxsize
            best.append(last if scores is None else min(last, sum(scores)))
        return results


def tasksOf(bench: Any, folder: Path) -> Iterator[Task]:
    """Those of the traces that ship, and of those in a folder."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in [*bench.traces(), *paths]:
        try:
            each = bench.tasks(path)
        except TraceError:
            continue  # such as a licence beside the traces
        for settings in each:
            task = Task(bench.scenario(path, settings))
            if task.scenario.events["train"] <= LARGE:
                yield task


def searched(task: Task, seed: int, evaluations: int, goal: int, **hints: Any) -> tuple[Counted, Any]:
    problem = Counted(task, goal, seed=seed, **hints)
    with mock.patch.object(portfolio, "Metered", Watched):
        return problem, Search(evaluations).generate(problem)


@dataclass
class Bench:
    """All tasks of one workbench, and how often each is searched."""

    tasks: list[Task]
    seeds: int
    evaluations: int

    def alone(self) -> list[tuple[int, int]]:
        """Search without any hint, and keep what was found as blocks.  @return: as `with_` does."""
        needed = []
        for task in self.tasks:
            task.which = none
            for seed in range(self.seeds):
                problem, found = searched(task, seed, self.evaluations, -1)
                task.reached.append(problem.best[-1])
                data: dict[str, Any] = {"tasks": taskOf(task.scenario.reference())}
                data["parameters"] = list(found.parameters)
                if (expression := textIn(found.source)) is not None:
                    data["expression"] = expression
                task.blocks.append(CodeBlock(f"{task} {seed}", f"{problem.workbench}/search", data))
                goals = task.baseline(), task.reached[seed]
                needed.append((problem.needed(goals[0], self.evaluations), problem.needed(goals[1], self.evaluations)))
        return needed

    def others(self, task: Task) -> list[Task]:
        """Those of other traces."""
        return [each for each in self.tasks if each.scenario.traceDigest != task.scenario.traceDigest]

    def with_(self, which: Which, blocks: bool = False, peers: bool = False) -> list[tuple[int, int]]:
        """
        Search with hints.

        @param which: the patterns that are looked at.
        @param blocks: whether there are blocks; C{peers}: whether there are patterns of other traces.
        @return: by task and seed the evaluations to the policy chosen on train, and to what the search alone found.
        """
        needed = []
        for task in self.tasks:
            for each in self.tasks:
                each.which = which
            others = self.others(task)
            patterns = [pattern for other in others for pattern in other.patterns()] if peers else []
            for seed in range(self.seeds):
                hints = [block for other in others for block in other.blocks] if blocks else []
                random.Random(seed).shuffle(hints)
                goals = task.baseline(), task.reached[seed]
                # To both: the search alone may not have got to the policy chosen on train.
                problem, _ = searched(task, seed, self.evaluations, min(goals), blocks=hints, patterns=patterns)
                needed.append((problem.needed(goals[0], self.evaluations), problem.needed(goals[1], self.evaluations)))
        return needed

    def kinds(self) -> list[str]:
        for task in self.tasks:
            task.which = every
        return sorted({pattern.type for task in self.tasks for pattern in task.patterns()})

    def sums(self, task: Task, blocks: Sequence[CodeBlock]) -> list[float]:
        """What each block scores on a task; infinite where it fails."""
        problem = Problem(cast(IScenario, task), seed=0, seconds=1e9)
        abi = rankAbiOf(problem)
        found = []
        for block in blocks:
            numbers, expression = block.data["parameters"], block.data.get("expression")
            template = next((t for t in templates() if numbers and len(t.parameters) == len(numbers)), None)
            try:
                if template is not None:
                    found.append(float(task.sum(problem.compile(template.tunable()), numbers)))
                elif expression is not None and abi is not None:
                    found.append(float(task.sum(toWasm(parse(expression, abi.features), abi))))
                else:
                    found.append(float("inf"))
            except Exception as error:
                print(f"{block.id} on {task}: {error}", file=sys.stderr)
                found.append(float("inf"))
        return found

    def excess(self, which: Which | None) -> list[float]:
        """
        By how much the best of the first `FIRST` blocks is worse than the best of all, on average over tasks.

        @param which: by these patterns blocks are sorted; C{None}: they come in any order, the mean of many.
        """
        rows = []
        for task in self.tasks:
            others = self.others(task)
            blocks = [block for other in others for block in other.blocks]
            scores = dict(zip([block.id for block in blocks], self.sums(task, blocks), strict=True))
            least = min(scores.values())
            orders = []
            for draw in range(DRAWS):
                order = random.Random(draw).sample(blocks, len(blocks))
                if which is not None:
                    for each in self.tasks:
                        each.which = which
                    theirs = [pattern for other in others for pattern in other.patterns()]
                    order = Likeness(task.patterns(), theirs).nearestFirst(order, tasksOfBlock)
                orders.append([scores[block.id] for block in order])
            rows.append([statistics.fmean(min(o[:first]) / least - 1 for o in orders) for first in FIRST])
        return [statistics.fmean(column) for column in zip(*rows, strict=True)]


def row(name: str, needed: Sequence[tuple[int, int]], most: int) -> list[str]:
    cells = [name]
    for column in zip(*needed, strict=True):
        never = sum(1 for value in column if value >= most)
        cells += [f"{statistics.median(column):g}", f"{statistics.fmean(column):.1f}", str(never)]
    return cells


COLUMNS = ["with", "by hand: median", "mean", "never", "alone's: median", "mean ", "never "]


def tables(name: str, bench: Bench, kinds: bool) -> Iterator[Table]:
    arms: dict[str, Callable[[], list[tuple[int, int]]]] = {
        "nothing": bench.alone,
        "blocks": lambda: bench.with_(none, blocks=True),
        "own patterns": lambda: bench.with_(every),
        "blocks, own": lambda: bench.with_(every, blocks=True),
        "all": lambda: bench.with_(every, blocks=True, peers=True),
    }
    rows, results = [], {}
    for arm, run in arms.items():
        results[arm] = run()
        rows.append(row(arm, results[arm], bench.evaluations))
        print(*rows[-1], file=sys.stderr, flush=True)
    title = f"{name}: evaluations to a target, of {bench.evaluations}; {len(bench.tasks)} tasks × {bench.seeds} seeds"
    yield Table(title, COLUMNS, rows)
    rows = []
    for at, task in enumerate(bench.tasks):
        mine = slice(at * bench.seeds, (at + 1) * bench.seeds)
        medians = [f"{statistics.median(needed[0] for needed in found[mine]):g}" for found in results.values()]
        rows.append([str(task), *medians])
    yield Table(f"{name}: evaluations to the one chosen on train, by task; medians", ["task", *arms], rows)
    if not kinds:
        return
    rows = []
    for kind in bench.kinds():
        for label, which in (
            (f"all but {kind}", without(kind)),
            (f"{kind} alone", only(kind)),
        ):
            rows.append(row(label, bench.with_(which), bench.evaluations))
            print(*rows[-1], file=sys.stderr, flush=True)
    yield Table(f"{name}: the same by kind, without blocks", COLUMNS, rows)
    rows = [["any order", *percent(bench.excess(None))], ["all kinds", *percent(bench.excess(every))]]
    for kind in bench.kinds():
        rows.append([f"all but {kind}", *percent(bench.excess(without(kind)))])
    title = f"{name}: by how much the best of the first blocks is worse than the best of all"
    yield Table(title, ["order", *(f"of {first}" for first in FIRST)], rows)


def percent(shares: Sequence[float]) -> list[str]:
    return [f"{share:.1%}" for share in shares]


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluations that a search needs with patterns, and without.")
    parser.add_argument(
        "--traces", type=Path, default=SHARED, help="a folder with a folder of traces for each workbench"
    )
    parser.add_argument("--workbench", action="append", choices=BENCHES, help="default: all")
    parser.add_argument("--evaluations", type=int, default=100, help="the budget of each search")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--kinds", action="store_true", help="also each kind of pattern, and blocks")
    parser.add_argument(
        "--publish", action="store_true", help="write the sections of RESULTS.rst, one for each workbench"
    )
    options = parser.parse_args()
    for name in options.workbench or BENCHES:
        tasks = list(tasksOf(find(IWorkbench, name, "workbench"), options.traces / name))
        found = []
        for table in tables(name, Bench(tasks, options.seeds, options.evaluations), options.kinds):
            print(table, flush=True)
            found.append(str(table))
        if options.publish:
            title = f"Patterns: {name}"
            publish(f"patterns_{name}", "\n".join([title, "-" * len(title), "", INTRODUCTION, "", *found]))


if __name__ == "__main__":
    main()
