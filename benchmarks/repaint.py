"""
What a search of so many seconds reaches on the second half of a session, for a compositor's repaints.

Traces: the bench's own, and those of a folder, each by itself.  For each seed it goes as in a trainer: what is known is
tried first (`kernelnet.learning.known_settings`); then a search trains on the train part, with what passed as a parent,
and what it finds must be better than that, too.  Both are guarded on validation by the code that a trainer calls.  What
counts is what the search found, if it was accepted, else what was known, if that was, else the hand-made policy chosen
on train.  It is measured on held-out, on the variants that its own module draws, as its claim would be, and all rivals
on the same variants.  Rivals are all hand-made policies, at their published numbers and at those that were chosen on
train of the shipped traces (C{*_tuned}); and each family with numbers that are chosen on train of this very trace
(I{tuned here}: the family that is best there).

Microseconds a frame, and by how much the level is above that of the rival which is best in hindsight, with half of its
95 % interval over windows (see kernelnet.learning.intervals).

C{--tune} instead prints what C{kernelnet/workbench/graphics/tuned.py} has: for each family, numbers in turn from the
published ones on, each at 25 steps of its range, as often as that makes it better: less of the mean, over the train
parts of the traces that ship, of what remains of the distance to the optimum.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import Table
from results import publish

from kernelnet.artifacts import Report
from kernelnet.generators.search import Search
from kernelnet.generators.templates.marked_source import marked
from kernelnet.generators.templates.parameters import Parameter, Template, Vector
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.intervals import Intervals
from kernelnet.learning.known_settings import choose
from kernelnet.learning.problem import Problem
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.graphics import GraphicsWorkbench, workbench

HEADING = ("When to start a repaint", "-----------------------", "")
INTRODUCTION = """
As in a trainer: what is known is tried first, then a search goes on from what passed, and both are guarded on
validation.  *Shipped* is the best in hindsight of all hand-made policies and of those tuned on the sessions that ship,
*tuned here* the best whose numbers were chosen on this very train part.  *Counts* is what the search found, if it was
accepted (*search*), else what was known, if that was (*known*), else the hand-made policy chosen on train (*hand*).
The template's numbers were chosen with our three sessions in view, and so were the rules of the variants.
"""

STEPS = 24
ROUNDS = 6


def families() -> dict[str, Template]:
    """Hand-made policies with numbers, by name."""
    names = [name for name in workbench.baselineNames if not name.endswith("_tuned")]
    found = {name: marked(workbench.baselineSource(name), workbench.name, name) for name in names}
    return {name: template for name, template in found.items() if template is not None}


def steps(parameter: Parameter) -> list[float]:
    least, most = parameter.least, parameter.most
    if parameter.log:
        least = math.log(least or most * 1e-3)
        values = [math.exp(least + (math.log(most) - least) * at / STEPS) for at in range(STEPS + 1)]
    else:
        values = [least + (most - least) * at / STEPS for at in range(STEPS + 1)]
    return [parameter.normalized(value) for value in [*values, *([0.0] if parameter.zero else [])]]


def tuned(template: Template, scenarios: Sequence[BaseScenario]) -> tuple[Vector, float]:
    """Numbers of a family that are best on train, and what remains of the distance to the optimum there."""
    wasm = compileC(template.tunable(), workbench.headerPath, trusted=True)

    def remains(vector: Vector) -> float:
        rest = []
        for scenario in scenarios:
            score = scenario.measure(wasm, upTo="train", parameters=vector)
            rest.append(1 - scenario.developmentLevel(score, "train"))
        return statistics.fmean(rest)

    best = template.known[0]
    left = remains(best)
    for _ in range(ROUNDS):
        before = left
        for at, parameter in enumerate(template.parameters):
            for value in steps(parameter):
                other = (*best[:at], value, *best[at + 1 :])
                if other != best and (found := remains(other)) < left:
                    best, left = other, found
        if left == before:
            break
    return best, left


def tune() -> None:
    scenarios = [GraphicsWorkbench().scenario(path) for path in workbench.traces()]
    for name, template in families().items():
        vector, left = tuned(template, scenarios)
        numbers = dict(zip((p.name for p in template.parameters), vector, strict=True))
        print(f'    "{name}_tuned": ("{name}", {numbers}),  # {left:.4f} of the distance remains', flush=True)


def ratio(report: Report) -> float:
    held = report.splits["held_out"]
    return held.score / held.events


@dataclass
class Found:
    """
    What counts after one seed.

    @ivar by: C{search}, C{known} or C{hand}; C{figures}: microseconds a frame, see `HEADS`.
    @ivar gain: level above that of the best rival in hindsight; C{half}: half of its interval.
    """

    by: str
    figures: list[float]
    gain: float
    half: float

    @property
    def isWorse(self) -> bool:
        """Whether it was accepted, and is worse than the best rival by more than the interval."""
        return self.by != "hand" and self.gain < -self.half


HEADS = ("vblank", "shipped", "tuned here", "counts", "optimum")


def measureOn(
    bench: GraphicsWorkbench, path: Path, options: argparse.Namespace, tell: Callable[[str], None]
) -> tuple[str, list[Found]]:
    """@return: the trace's name, and what counts with each seed."""
    scenario = bench.scenario(path, {"period_us": options.period} if options.period else {})
    here = {name: tuned(template, [scenario]) for name, template in families().items()}
    family = min(here, key=lambda name: here[name][1])
    template, vector = families()[family], here[family][0]
    tunedHere = compileC(template.bake(vector), workbench.headerPath, trusted=True)
    chosen = chosenOnTrain(scenario)
    known = choose(scenario, Search(), seconds=1e6)
    tell(f"{scenario.trace}: {known.tried} known settings: {known.reason}")
    found = []
    for seed in range(1, options.seeds + 1):
        parents = [known.component] if known.component is not None else []
        seconds = options.seconds if options.evaluations is None else 1e6
        problem = Problem(scenario, seed=seed, seconds=seconds, parents=parents)
        candidate = Search(options.evaluations).generate(problem)
        component, why = None, "nothing was found"
        if candidate is not None:
            component, why = accept(scenario, candidate, generator="search", seed=seed, known=known.component)
        counts = component or known.component
        by = "search" if component else "known" if counts else "hand"
        wasm = counts.wasm if counts is not None else bench.baselineModule(chosen)
        met = scenario.forModule(wasm)
        reports = {**met.baselines(), "tuned here": met.measure(tunedHere)}
        best = bestInHindsight(met)
        rival = min((best, "tuned here"), key=lambda name: ratio(reports[name]))
        intervals = Intervals(met)
        theirs = intervals.windows(tunedHere if rival == "tuned here" else bench.baselineModule(rival))
        own = intervals.windows(wasm)
        low, high = intervals.difference(own, theirs) or (float("nan"),) * 2
        figures = [ratio(reports[name]) for name in (bench.reference, best, "tuned here")]
        figures += [ratio(met.measure(wasm)), met.optimum()["held_out"] / met.events["held_out"]]
        found.append(Found(by, figures, own.level - theirs.level, (high - low) / 2))
        tell(
            f"{scenario.trace[:18]:18} {seed:4} {figures[0]:7.0f} {best[:16]:>16} {figures[1]:6.0f} {family[:9]:>9}"
            f" {figures[2]:6.0f} {figures[3]:6.0f} {figures[4]:6.0f} {found[-1].gain:+.3f} ± {found[-1].half:.3f}"
            f"  {by}: {why[:90]}"
        )
    return scenario.trace, found


def row(trace: str, found: Sequence[Found]) -> list[str]:
    """What counts on a trace, means over the seeds."""
    means = [f"{statistics.fmean(column):.0f}" for column in zip(*(one.figures for one in found), strict=True)]
    by = ", ".join(f"{sum(one.by == how for one in found)} {how}" for how in ("search", "known", "hand"))
    gain = f"{statistics.fmean(one.gain for one in found):+.3f} ± {statistics.fmean(one.half for one in found):.3f}"
    return [trace[:40], *means, by, gain]


def tableOf(each: Sequence[tuple[str, Sequence[Found]]], words: str) -> Table:
    """All of it, with what it comes to."""
    table = Table(words, ["session", *HEADS, "counts by", "level above the best rival"])
    table.rows += [row(trace, found) for trace, found in each]
    every = [one for _, found in each for one in found]
    better = [trace for trace, found in each if statistics.fmean(one.gain for one in found) > 0]
    table.remarks.append(
        f"Over all sessions the level is {statistics.fmean(one.gain for one in every):+.3f} above that of the best"
        f" rival of each in hindsight; it is above it in the mean on {len(better)} of {len(each)}:"
        f" {', '.join(better) or 'none'}.  Of {sum(one.by != 'hand' for one in every)} accepted, search or known,"
        f" {sum(one.isWorse for one in every)} are worse by more than the interval."
    )
    return table


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces" / "graphics"
    parser = argparse.ArgumentParser(description="Repaints learned on a session's first half, on its second.")
    parser.add_argument("traces", nargs="*", type=Path, help="without any those that ship, and those of --folder")
    parser.add_argument("--folder", type=Path, default=beside, help="a folder of recordings, besides our own")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each search")
    parser.add_argument("--evaluations", type=int, help="measurements of each search, instead of seconds")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--period", type=int, help="microseconds between two vblanks, instead of each recording's")
    parser.add_argument("--tune", action="store_true", help="choose the numbers of the tuned policies anew")
    parser.add_argument("--publish", action="store_true", help="write it to RESULTS.rst")
    options = parser.parse_args()
    if options.tune:
        tune()
        return
    folder = sorted(path for path in options.folder.rglob("*") if path.is_file()) if options.folder.is_dir() else []
    began, load = f"{datetime.now(UTC):%Y-%m-%d %H:%M}", os.getloadavg()[0]
    each = f"{options.evaluations} evaluations" if options.evaluations is not None else f"{options.seconds:g} s"
    words = f"Searches of {each}, {options.seeds} seeds"
    print(f"{words}; load {load:.1f}; microseconds a frame, held-out")
    found = []
    for path in options.traces or [*workbench.traces(), *folder]:
        # A bench of its own for each: the plugin's keeps few traces in memory.
        bench = GraphicsWorkbench()
        try:
            bench.inspect(path)
        except TraceError as error:
            print(f"{path.name[:18]:18} left out: {error.wrong}")
            continue
        found.append(measureOn(bench, path, options, lambda line: print(line, flush=True)))
    table = tableOf(found, words)
    about = (
        f"{began} to {datetime.now(UTC):%H:%M} UTC, {os.cpu_count()} cores, load {load:.0f} at first and"
        f" {os.getloadavg()[0]:.0f} at last; microseconds a frame on held-out,"
        " means of the seeds (``benchmarks/repaint.py``)."
    )
    print(f"\n{table}\n{about}")
    if options.publish:
        publish("repaint", "\n".join([*HEADING, INTRODUCTION.strip(), "", about, "", str(table)]))


if __name__ == "__main__":
    main()
