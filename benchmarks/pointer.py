"""
What a search of so many seconds reaches in pointer prediction, beside hand-made predictors whose knobs are tuned.

For each trace (the bench's own, which are synthetic, and those of a folder) and each horizon: a search on its train
part, guarded on validation by the code that a trainer calls, and measured on held-out as a claim is: on variants that
follow from the module.  What was not accepted counts as the hand-made policy chosen on train.  Beside it, on the same
variants: no prediction, the policy chosen on train, the one that is best on held-out in hindsight, and *tuned here*:
of all hand-made policies with knobs, each with its knobs searched on this very train part, the one that is best there.

C{--tune} searches the knobs that ship (C{kernelnet/workbench/window_manager/tuned.py}): those that make the mean over
all traces and horizons of the error over that of no prediction, on train, the least; C{--general} has one search on all
traces and horizons at once.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from kernelnet.generators.search import Search
from kernelnet.generators.templates.marked_source import marked
from kernelnet.generators.templates.parameters import Template, Vector
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.suite import Suite
from kernelnet.workbench.window_manager import AHEAD, WindowManagerWorkbench, workbench
from kernelnet.workbench.window_manager.scenario import WindowManagerScenario
from kernelnet.workbench.window_manager.tuned import TUNED

LEAST = 1000
"""Frames in train, at least, for a search; shorter traces are only measured on."""


def tunable() -> dict[str, Template]:
    """The hand-made policies that have knobs, as templates."""
    found = {}
    for name in workbench.baselineNames:
        template = None if name in TUNED else marked(workbench.baselineSource(name), workbench.name, name)
        if template is not None:
            found[name] = template
    return found


def tuned(template: Template, scenarios: Sequence[WindowManagerScenario], tries: int, seed: int = 1) -> Vector:
    """The vector whose mean error over that of no prediction is the least on train: random search near the best."""
    rng = random.Random(seed)
    wasm = compileC(template.tunable(), workbench.headerPath, trusted=True)
    holds = [scenario.reference().splits["train"].score for scenario in scenarios]

    def cost(vector: Vector) -> float:
        return statistics.fmean(
            scenario.measure(wasm, upTo="train", parameters=vector).splits["train"].score / hold
            for scenario, hold in zip(scenarios, holds, strict=True)
        )

    best = template.known[0]
    least = cost(best)
    for number in range(tries):
        if number < tries // 3:
            vector = tuple(parameter.any(rng) for parameter in template.parameters)
        else:
            vector = tuple(
                parameter.near(value, rng) if rng.random() < 0.5 else value
                for parameter, value in zip(template.parameters, best, strict=True)
            )
        found = cost(vector)
        if found < least:
            best, least = vector, found
    return best


def printTuned(scenarios: Sequence[WindowManagerScenario], tries: int) -> None:
    """The knobs of all, as `tuned.py` has them."""
    for name, template in tunable().items():
        vector = tuned(template, scenarios, tries)
        numbers = {
            parameter.name: int(value) if parameter.whole else value
            for parameter, value in zip(template.parameters, vector, strict=True)
        }
        print(f'    "{name}_tuned": ("{name}", {numbers}),', flush=True)


def tunedHere(scenario: WindowManagerScenario, tries: int) -> tuple[str, bytes]:
    """The best on train of all hand-made policies, each with its knobs tuned there; compiled."""
    best: tuple[int, str, bytes] | None = None
    for name, template in tunable().items():
        source = template.bake(tuned(template, [scenario], tries))
        wasm = compileC(source, workbench.headerPath, trusted=True)
        score = scenario.measure(wasm, upTo="train").splits["train"].score
        if best is None or score < best[0]:
            best = score, name, wasm
    assert best is not None
    return best[1:]


def perFrame(scenario: IScenario, wasm: bytes) -> float:
    """Pixels off a frame, on held-out."""
    split = scenario.measure(wasm).splits["held_out"]
    return split.score / split.events / 1000


def searched(scenario: IScenario, seed: int, seconds: float, evaluations: int | None) -> tuple[bytes, bool, str]:
    """What a search finds, whether it is accepted, and why not."""
    problem = Problem(scenario, seed=seed, seconds=seconds if evaluations is None else 1e6)
    candidate = Search(evaluations).generate(problem)
    assert candidate is not None
    component, reason = accept(scenario, candidate, generator="search", seed=seed)
    return compileC(candidate.source, workbench.headerPath, trusted=True), component is not None, reason


def tell(scenario: WindowManagerScenario, chosen: str, here: tuple[str, bytes], found: bytes, accepted: bool) -> float:
    """A row; returns the share of the error of the best hand-made policy in hindsight, tuned or not, that it saves."""
    met = scenario.forModule(found)
    by = {name: report.splits["held_out"] for name, report in met.baselines().items()}
    pixels = {name: split.score / split.events / 1000 for name, split in by.items()}
    pixels[f"{here[0]}, tuned here"] = perFrame(met, here[1])
    best = min(pixels, key=lambda name: pixels[name])
    ours = perFrame(met, found) if accepted else pixels[chosen]
    print(
        f"{scenario.trace[:22]:22} {scenario.settings['ahead_us'] / 1000:5.1f} {pixels['hold']:8.3f}"
        f" {pixels[chosen]:7.3f} {chosen:22} {pixels[best]:7.3f} {best:32} {ours:7.3f} {1 - ours / pixels[best]:7.3f}"
        f" {'' if accepted else 'fallback'}",
        flush=True,
    )
    return 1 - ours / pixels[best]


def main() -> None:
    parser = argparse.ArgumentParser(description="Pointer prediction: learned, and made by hand and tuned.")
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces" / "window_manager"
    parser.add_argument("--traces", type=Path, default=beside, help="a folder of movements, besides our own")
    parser.add_argument("--only", default="", metavar="WORD", help="traces whose name has this word")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each search")
    parser.add_argument("--evaluations", type=int, help="measurements in each search, instead of seconds")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    parser.add_argument("--ahead", type=int, nargs="*", default=[AHEAD[0]], help="horizons, microseconds")
    parser.add_argument("--tries", type=int, default=120, help="for the knobs of each hand-made policy")
    parser.add_argument("--tune", action="store_true", help="search the knobs that ship, and nothing else")
    parser.add_argument("--general", action="store_true", help="one search on all traces and horizons")
    options = parser.parse_args()

    folder = sorted(options.traces.iterdir()) if options.traces.is_dir() else []
    scenarios: list[WindowManagerScenario] = []
    for path in (path for path in [*workbench.traces(), *folder] if options.only in path.name):
        try:
            # A bench of its own for each trace: the plugin's keeps few in memory.
            bench = WindowManagerWorkbench()
            scenarios += [
                bench.scenario(path, {"ahead_us": ahead}) for ahead in (AHEAD if options.tune else options.ahead)
            ]
        except TraceError as error:
            print(f"left out: {error}")
    long = [scenario for scenario in scenarios if scenario.events["train"] >= LEAST]
    if options.tune:
        printTuned(long, options.tries)
        return
    here = {id(scenario): tunedHere(scenario, options.tries) for scenario in long}
    saved: dict[str, list[float]] = {}
    rivals = max(len(workbench.baselineNames), 1)
    print(f"{rivals} hand-made policies; load {os.getloadavg()[0]:.1f}; pixels off a frame on held-out, on variants")
    print(f"{'trace':22} {'ms':>5} {'hold':>8} {'chosen on train':>30} {'in hindsight':>40} {'found':>7} {'saved':>7}")
    for seed in options.seeds:
        began = time.monotonic()
        if options.general:
            suite = Suite(long)
            wasm, accepted, reason = searched(suite, seed, options.seconds, options.evaluations)
            chosen = chosenOnTrain(suite)
            print(f"seed {seed}, all at once: {reason}")
            for scenario in scenarios:
                own = here.get(id(scenario)) or (chosen, workbench.baselineModule(chosen))
                saved.setdefault(scenario.trace, []).append(tell(scenario, chosen, own, wasm, accepted))
        else:
            for scenario in long:
                wasm, accepted, reason = searched(scenario, seed, options.seconds, options.evaluations)
                chosen = chosenOnTrain(scenario)
                saved.setdefault(scenario.trace, []).append(tell(scenario, chosen, here[id(scenario)], wasm, accepted))
        print(f"seed {seed}: {time.monotonic() - began:.0f} s", flush=True)
    for trace, shares in saved.items():
        print(f"{trace:34} saves {statistics.fmean(shares):.3f} of the best in hindsight, {min(shares):.3f} at least")


if __name__ == "__main__":
    main()
