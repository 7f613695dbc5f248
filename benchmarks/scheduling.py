"""
What a search of so many seconds reaches on the second half of a log of tasks, which it has not seen.

For each log (the bench's own, and those of a folder): the mean bounded slowdown on the held-out half of LAS, of the
clairvoyant SRPT, of the hand-made policy chosen on train, of the one that is best on the held-out half in
hindsight, of the expression a search begins with that is best on train (`Abi.known`), so that what the search adds is
seen, and of what was found; and the share of the distance LAS → SRPT that is closed.  SRPT is a strong reference and
no bound: a share may be above 1.

What was found is guarded by the code that a trainer calls; what it doesn't accept counts as the hand-made policy
chosen on train.  All are measured on the log as it is.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from kernelnet.artifacts import Report
from kernelnet.expressions.syntax import parse, toC
from kernelnet.generators.search import Search
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.process_manager import ProcessManagerWorkbench, workbench

GOAL = 0.40


def slowdown(report: Report) -> float:
    """The mean on the held-out half."""
    return report.splits["held_out"].score / report.splits["held_out"].events / 1000


def knownBest(scenario: Any) -> Report:
    """Of the expressions that a search begins with, the report of the best on train."""
    abi = next(abi for abi in workbench.abis if abi.function)
    sources = [toC(parse(expression, abi.features), abi, workbench.headerPath.name) for expression in abi.known]
    modules = [compileC(source, workbench.headerPath, trusted=True) for source in sources]
    reports: list[Report] = [scenario.measure(module) for module in modules]
    return min(reports, key=lambda report: report.splits["train"].score)


def main() -> None:
    parser = argparse.ArgumentParser(description="Schedulers learned on the first half of a log, on the second.")
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces" / "process_manager"
    parser.add_argument("traces", type=Path, nargs="*", help="logs, instead of our own and those of the folder")
    parser.add_argument("--folder", type=Path, default=beside, help="a folder of logs, besides our own")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the search on each log")
    parser.add_argument("--evaluations", type=int, help="measurements on each log, instead of seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the bench")
    options = parser.parse_args()

    settings = {name: int(value) for name, value in (each.split("=") for each in options.set)}
    folder = sorted(options.folder.iterdir()) if options.folder.is_dir() else []
    reached: list[float] = []
    columns = (
        "log",
        "LAS",
        "SRPT",
        "hand, train",
        "hindsight",
        "known",
        "found",
        "known →",
        "found →",
        "hand →",
        "took",
    )
    print("| " + " | ".join(columns) + " | guard |")
    for path in options.traces or [*workbench.traces(), *folder]:
        # A bench of its own for each log: what was read before is forgotten.
        try:
            scenario = ProcessManagerWorkbench().scenario(path, settings)
        except TraceError as error:
            print(f"| {path.name} | not a log of the scheduler: {error.wrong} |", flush=True)
            continue
        baselines, hand = scenario.baselines(), chosenOnTrain(scenario)
        hindsight = min(baselines, key=lambda name: slowdown(baselines[name]))
        known = knownBest(scenario)
        seconds = options.seconds if options.evaluations is None else 1e6
        began = time.monotonic()
        candidate = Search(options.evaluations).generate(Problem(scenario, seed=options.seed, seconds=seconds))
        took = time.monotonic() - began
        component, why = None, "the search offered nothing"
        if candidate is not None:
            component, why = accept(scenario, candidate, generator="search", seed=options.seed)
        accepted = component is not None
        found = scenario.measure(component.wasm) if component is not None else baselines[hand]
        level = scenario.developmentLevel
        reached.append(level(found))
        events = scenario.events["held_out"]
        srpt = scenario.optimum()["held_out"] / events / 1000
        print(
            f"| {scenario.trace} | {slowdown(baselines['las']):.3f} | {srpt:.3f}"
            f" | {hand} {slowdown(baselines[hand]):.3f} | {hindsight} {slowdown(baselines[hindsight]):.3f}"
            f" | {slowdown(known):.3f} | {slowdown(found):.3f}"
            f" | {level(known):.2f} | {level(found):.2f} | {level(baselines[hand]):.2f} | {took:.0f} s"
            f" | {'accepted' if accepted else 'fallback: ' + why} |",
            flush=True,
        )
        if candidate is not None:
            print(f"|   {candidate.note}", flush=True)
        # What was not accepted is the fallback itself, so only an accepted one can be worse.
        if accepted and level(found) < level(baselines[hand]):
            print(f"|   worse than the fallback on held-out, {hand}", flush=True)
    if reached:
        good = sum(share >= GOAL for share in reached)
        print(f"{good} of {len(reached)} logs at {GOAL:.2f} or more; median {statistics.median(reached):.2f}")


if __name__ == "__main__":
    main()
