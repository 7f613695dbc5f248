"""
What a search of so many seconds reaches on the second half of a session, for a compositor's repaints.

Traces: the bench's own, and those of a folder, each by itself.  For each seed a search trains on the train part, and is
guarded on validation by the code that a trainer calls; then it is measured on held-out, on the variants that its own
module draws, as its claim would be, and all rivals on the same variants.  Rivals are all hand-made policies, at their
published numbers and at those that were chosen on train of the shipped traces (C{*_tuned}); each family with numbers
that are chosen on train of this very trace (I{tuned here}: the family that is best there); and the best of the known
expressions that the search begins with.  What was not accepted counts as the hand-made policy chosen on train.

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
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kernelnet.artifacts import Report
from kernelnet.expressions.syntax import parse, toC
from kernelnet.generators.search import Search
from kernelnet.generators.templates.marked_source import marked
from kernelnet.generators.templates.parameters import Parameter, Template, Vector
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.intervals import Intervals
from kernelnet.learning.problem import Problem
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.graphics import GraphicsWorkbench, workbench

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


def knownBest(scenario: BaseScenario) -> bytes:
    """Of the expressions that a search begins with, the best on train, compiled."""
    abi = next(abi for abi in workbench.abis if abi.function)
    sources = [toC(parse(text, abi.features), abi, workbench.headerPath.name) for text in abi.known]
    modules = [compileC(source, workbench.headerPath, trusted=True) for source in sources]
    return min(modules, key=lambda wasm: scenario.measure(wasm, upTo="train").splits["train"].score)


def measureOn(bench: GraphicsWorkbench, path: Path, options: argparse.Namespace, tell: Callable[[str], None]) -> None:
    scenario = bench.scenario(path, {"period_us": options.period} if options.period else {})
    here = {name: tuned(template, [scenario]) for name, template in families().items()}
    family = min(here, key=lambda name: here[name][1])
    template, vector = families()[family], here[family][0]
    tunedHere = compileC(template.bake(vector), workbench.headerPath, trusted=True)
    known, chosen = knownBest(scenario), chosenOnTrain(scenario)
    rows, gains, accepted = [], [], 0
    for seed in range(1, options.seeds + 1):
        problem = Problem(scenario, seed=seed, seconds=options.seconds if options.evaluations is None else 1e6)
        candidate = Search(options.evaluations).generate(problem)
        if candidate is None:
            continue
        component, why = accept(scenario, candidate, generator="search", seed=seed)
        wasm = compileC(candidate.source, workbench.headerPath, trusted=True)
        met = scenario.forModule(wasm)
        reports = met.baselines()
        others = {"tuned here": met.measure(tunedHere), "known": met.measure(known)}
        best = bestInHindsight(met)
        ours = met.measure(wasm)
        intervals = Intervals(met)
        modules = {name: bench.baselineModule(name) for name in (best, chosen)} | {"tuned here": tunedHere}
        rival = min((best, "tuned here"), key=lambda name: ratio({**reports, **others}[name]))
        counted = wasm if component else modules[chosen]
        theirs, own = intervals.windows(modules[rival]), intervals.windows(counted)
        low, high = intervals.difference(own, theirs) or (float("nan"),) * 2
        gains.append(own.level - theirs.level)
        accepted += component is not None
        optimum = met.optimum()["held_out"] / met.events["held_out"]
        figures = [ratio(reports[bench.reference]), ratio(reports[best]), ratio(others["tuned here"])]
        figures += [ratio(others["known"]), ratio(ours), optimum]
        rows.append(figures)
        tell(
            f"{scenario.trace[:18]:18} {seed:4} {figures[0]:7.0f} {best[:16]:>16} {figures[1]:6.0f} {family[:9]:>9}"
            f" {figures[2]:6.0f} {figures[3]:6.0f} {figures[4]:6.0f} {figures[5]:6.0f}"
            f" {gains[-1]:+.3f} ± {(high - low) / 2:.3f}  {'accepted' if component else 'refused: ' + why[:60]}"
        )
    if rows:
        means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
        tell(
            f"{scenario.trace[:18]:18} mean {means[0]:7.0f} {'':16} {means[1]:6.0f} {'':9} {means[2]:6.0f}"
            f" {means[3]:6.0f} {means[4]:6.0f} {means[5]:6.0f} {statistics.fmean(gains):+.3f}"
            f"  {accepted} of {len(rows)} accepted"
        )


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
    options = parser.parse_args()
    if options.tune:
        tune()
        return
    folder = sorted(path for path in options.folder.rglob("*") if path.is_file()) if options.folder.is_dir() else []
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{options.seconds:g} s a search, {os.cpu_count()} processors, load {load}; microseconds a frame, held-out")
    print(
        f"{'trace':18} seed  vblank {'best in hindsight':>23} {'tuned here':>16}  known  found   best"
        "  level above the best rival"
    )
    began = time.monotonic()
    for path in options.traces or [*workbench.traces(), *folder]:
        # A bench of its own for each: the plugin's keeps few traces in memory.
        bench = GraphicsWorkbench()
        try:
            bench.inspect(path)
        except TraceError as error:
            print(f"{path.name[:18]:18} left out: {error.wrong}")
            continue
        measureOn(bench, path, options, lambda line: print(line, flush=True))
    print(f"in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
