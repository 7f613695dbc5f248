"""
What the guard saves by looking at a part of the variants first, and what that changes.

Two tables.  The first one judges what short searches find, and the hand-made policies themselves, on tasks that ship,
by the guard as it is and as it was: on every variant, in a pass for the bar and another one for the windows.  The unit
is a pass over train, as in C{together.py}.  The second one draws gains by chance: how often passes, by both, who is no
better than a rival, and who is better.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from harness import Table
from results import publish

from kernelnet.artifacts import SplitScore
from kernelnet.generators.search import Search
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.acceptance import Outcome, compare, isBetter
from kernelnet.learning.problem import Problem
from kernelnet.learning.significance import isBeaten
from kernelnet.learning.submission import measure
from kernelnet.learning.validation_scores import ValidationScores
from kernelnet.plugins import available
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.machine import Machine
from kernelnet.workbench.variants import VariantScenario

BENCHES = ("file_system", "network_stack", "process_manager")
EVALUATIONS = (5, 20, 80)
"""Of the searches for each task: the shorter, the sooner is refused what they find."""


class Meter:
    """Passes over train that were run since it was asked last."""

    def __init__(self) -> None:
        self._passes = 0.0
        run = Machine.run

        def metered(machine: Any, wasm: bytes, settings: Any, *arguments: Any, **options: Any) -> Any:
            upTo = arguments[1] if len(arguments) > 1 else "held_out"
            windows = options.get("windows") or machine.trace.windows(upTo)
            self._passes += windows[-1][2] / machine.trace.windows("train")[-1][2]
            return run(machine, wasm, settings, *arguments, **options)

        setattr(Machine, "run", metered)  # noqa: B010  # mypy knows no other way

    def taken(self) -> float:
        passes, self._passes = self._passes, 0.0
        return passes


# --- what is found


def wasBetter(plain: IScenario, wasm: bytes) -> bool:
    """The guard as it was."""
    scenario, reports = plain.forModule(wasm), plain.baselines()
    scores = ValidationScores(scenario)

    def bar(module: bytes) -> int:
        return scenario.measure(module, upTo="validation").splits["validation"].score

    ours = bar(wasm)
    for name in sorted(reports, key=lambda name: (reports[name].splits["validation"].score, name)):
        rival = plain.workbench.baselineModule(name)
        if ours >= bar(rival):
            return False
        if not isBeaten(*(scores.windows(module, scores.looks[-1]) for module in (wasm, rival))):
            return False
    return True


def candidates(scenario: IScenario, seeds: int) -> Iterator[bytes]:
    """What short searches find, and what is made by hand."""
    bench, found = scenario.workbench, set()
    for seed in range(1, seeds + 1):
        for evaluations in EVALUATIONS:
            candidate = Search(evaluations).generate(Problem(scenario, seed=seed, seconds=math.inf))
            if candidate is not None:
                found.add(compileC(candidate.source, bench.headerPath, trusted=True))
    yield from sorted(found | {bench.baselineModule(name) for name in scenario.baselines()})


def judged(benches: tuple[str, ...], traces: int, seeds: int) -> Table:
    heads = ["workbench", "trace", "variants", "refused", "was", "is", "passed", "was", "is", "its claim", "otherwise"]
    table = Table("The guard's evaluations, as it was and as it is", heads)
    meter, otherwise, many = Meter(), 0, 0
    for bench in available(IWorkbench):
        for path in bench.traces()[:traces] if bench.name in benches else ():
            scenario = bench.scenario(path, bench.tasks(path)[0])
            taken: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
            others, variants = 0, 0
            for wasm in list(candidates(scenario, seeds)):
                variants = len(getattr(scenario.forModule(wasm), "variants", ()))
                meter.taken()
                before, was = wasBetter(scenario, wasm), meter.taken()
                now, cost = isBetter(scenario, wasm)[0], meter.taken()
                claim = 0.0
                if now:
                    scenario.forModule(wasm).developmentLevel(measure(scenario, wasm).report)
                    claim = meter.taken()
                taken[now].append((was, cost, claim))
                others += now != before
            otherwise, many = otherwise + others, many + sum(map(len, taken.values()))
            cells = [bench.name, scenario.trace, f"{variants}"]
            for passed in (False, True):
                means = [f"{statistics.fmean(column):.0f}" for column in zip(*taken[passed], strict=True)]
                cells += [f"{len(taken[passed])}", *(means or ["–"] * 3)[: 3 if passed else 2]]
            table.rows.append([*cells, f"{others}"])
            print("  ".join(table.rows[-1]), file=sys.stderr, flush=True)
    table.remarks.append(
        "``was``, ``is``: passes over train that judging one takes, on average of those refused and of those that"
        f" passed; ``otherwise``: judged otherwise than before, {otherwise} of {many} in all.  Its claim takes the"
        " rest: the module and the reference up to held-out."
    )
    return table


# --- what chance does


class Drawn:
    """One variant, on which a rival has a million in each window, and the candidate less by its gain."""

    workbench = SimpleNamespace(windowsAdd=True)

    def __init__(self, gain: float) -> None:
        self._ours = round(1e6 * (1 - gain))

    def measureWindows(self, wasm: bytes, split: str, count: int) -> list[SplitScore]:
        return [SplitScore(events=1, score=self._ours if wasm == b"ours" else 1_000_000, fuel=1)] * count


def drawn(variants: int, noise: str, gain: float, rng: random.Random) -> ValidationScores:
    """Gains by variant with a standard deviation of a hundredth; C{gain}: their mean, in these."""
    scenario: Any = VariantScenario.__new__(VariantScenario)
    scenario.workbench = Drawn.workbench
    deviates = {
        "normal": lambda: rng.gauss(0, 1),
        "Student's, 3": lambda: rng.gauss(0, 1) / math.sqrt(rng.gammavariate(1.5, 2)),
        "exponential": lambda: 1 - rng.expovariate(1),
    }
    scenario.variants = [Drawn(0.01 * (gain + deviates[noise]())) for _ in range(variants)]
    return ValidationScores(scenario, windows=2)  # they are all alike


def byChance(samples: int) -> Table:
    heads = ["variants", "noise", "gain", "samples", "was", "hardest", "refused now", "other", "passes now", "early"]
    table = Table("Who passes by chance, in parts per 10,000", heads)
    for variants in (8, 16):
        for noise in ("normal", "Student's, 3", "exponential"):
            for gain in (0.0, 1.0, 1.5, 2.0, 4.0, 10.0):
                rng, count = random.Random(1), samples if gain == 0 else samples // 10
                was = hardest = other = refused = passed = early = 0
                for _ in range(count):
                    scores = drawn(variants, noise, gain, rng)
                    last = scores.looks[-1]
                    before = isBeaten(scores.windows(b"ours", last), scores.windows(b"theirs", last))
                    first, second = (compare(scores, b"ours", b"theirs", mayEndEarly=may) for may in (False, True))
                    was += before
                    hardest += first[1] is Outcome.BETTER
                    other += second[1] is Outcome.BETTER
                    refused += before and first[1] is not Outcome.BETTER
                    passed += second[1] is Outcome.BETTER and not before
                    early += second[1] is Outcome.BETTER and not second[0].isLast
                figures = (was, hardest, refused, other, passed, early)
                shares = [f"{1e4 * figure / count:.1f}" for figure in figures]
                table.rows.append([f"{variants}", noise, f"{gain:g}", f"{count}", *shares])
                print("  ".join(table.rows[-1]), file=sys.stderr, flush=True)
    table.remarks.append(
        "``gain``: mean of that on a variant, in standard deviations over the variants; all windows of a variant gain"
        " alike, so only luck's bar refuses.  ``was``: passes beside a rival on all variants; ``hardest``: beside the"
        " hardest one now, and ``refused now``: of ``was`` not any more; ``other``: beside another one now, ``passes"
        " now``: that did not pass, and ``early``: before all variants were looked at."
    )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="What looking at a part of the variants first saves, and changes.")
    parser.add_argument("--workbench", action="append", help="only this one; may be given again")
    parser.add_argument("--traces", type=int, default=2, help="that ship, of each; 0: no searches")
    parser.add_argument("--seeds", type=int, default=2, help="searches of each length")
    parser.add_argument("--samples", type=int, default=100_000, help="drawn by chance, a line; 0: none")
    parser.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    arguments = parser.parse_args()
    tables = {}
    if arguments.traces:
        tables["looks"] = judged(tuple(arguments.workbench or BENCHES), arguments.traces, arguments.seeds)
    if arguments.samples:
        tables["chance"] = byChance(arguments.samples)
    for name, table in tables.items():
        print(table)
        if arguments.publish:
            publish(name, str(table))


if __name__ == "__main__":
    main()
