"""
What a search of so many seconds reaches on page caches, by the share of the distance LRU → optimum on held-out data.

Contexts are made by rule: all traces in a folder, each with the cache sizes that a trainer trains at by itself
(`IWorkbench.tasks`: 0.1, 1 and 10 % of its blocks, of 16 slots and more); of these the ten where most misses lie
between LRU and the optimum on held-out data, since where there are few, shares are noise.  C{--all} takes all.

Each is searched and guarded by the code that a trainer calls.  A context's share is that of the accepted component,
or of the hand-made policy that is best on train when nothing was accepted; C{found} is what the guard looked at,
accepted or not.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from kernelnet.generators.search import Search
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import ComponentError, TraceError
from kernelnet.workbench.file_system import workbench

CONTEXTS = 10


class Counted(Problem):
    """A problem that counts."""

    evaluations = 0

    def measureWindows(self, *arguments: Any, **options: Any) -> Any:
        self.evaluations += 1
        return super().measureWindows(*arguments, **options)


def contexts(folder: Path, count: int | None) -> list[tuple[Path, dict[str, int]]]:
    """Trace and settings, the greatest distance first."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            tasks = workbench.tasks(path)
        except TraceError:
            continue  # such as a licence beside the traces
        for settings in tasks:
            scenario = workbench.scenario(path, settings)
            distance = scenario.reference().splits["held_out"].score - scenario.optimum()["held_out"]
            found.append((distance, path, settings))
    found.sort(key=lambda each: -each[0])
    return [(path, settings) for _, path, settings in found[:count]]


def share(scenario: Any, source: str) -> float | None:
    """The held-out share of what was offered; C{None} if it fails there."""
    try:
        wasm = compileC(source, workbench.headerPath, trusted=True)
        level: float = scenario.developmentLevel(scenario.measure(wasm))
    except ComponentError:
        return None
    return level


def main() -> None:
    parser = argparse.ArgumentParser(description="Held-out share of the distance LRU → optimum after a search.")
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces" / "file_system"
    parser.add_argument("--traces", type=Path, default=beside, help="a folder of traces")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the search in each context")
    parser.add_argument("--evaluations", type=int, help="measurements in each context, instead of seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="all contexts, not only ten")
    options = parser.parse_args()

    chosen = contexts(options.traces, None if options.all else CONTEXTS)
    print(f"{'trace':22} {'slots':>6}  {'by hand, on train':>18} {'in hindsight':>14} {'found':>6}  {'share':>6}")
    shares: dict[str, list[float]] = {"hand": [], "hindsight": [], "ours": []}
    for path, settings in chosen:
        scenario = workbench.scenario(path, settings)
        levels = {name: scenario.developmentLevel(report) for name, report in scenario.baselines().items()}
        hand, best = chosenOnTrain(scenario), max(levels, key=lambda name: levels[name])
        seconds = options.seconds if options.evaluations is None else 1e6
        problem = Counted(scenario, seed=options.seed, seconds=seconds)
        began = time.monotonic()
        search = Search(options.evaluations)
        candidate = search.generate(problem)
        took = time.monotonic() - began
        component, reason = None, "nothing found"
        if candidate is not None:
            component, reason = accept(scenario, candidate, generator=search.name, seed=options.seed)
        ours = levels[hand] if component is None else component.development_level or 0.0
        found = None if candidate is None else share(scenario, candidate.source)
        for key, value in (("hand", levels[hand]), ("hindsight", levels[best]), ("ours", ours)):
            shares[key].append(value)
        print(
            f"{scenario.trace[:22]:22} {settings['capacity']:6}  {hand:>11} {levels[hand]:6.3f}"
            f" {best:>7} {levels[best]:6.3f} {'-' if found is None else format(found, '6.3f'):>6}"
            f"  {ours:6.3f} {'fallback' if component is None else 'accepted'}"
            f" {problem.evaluations} evaluations in {took:.0f} s",
            flush=True,
        )
        print(f"    {candidate.note if candidate is not None else ''}; {reason}", flush=True)
    means = {key: statistics.fmean(values) for key, values in shares.items()}
    print(
        f"mean of {len(chosen)} contexts: {means['ours']:.3f}; the best hand-made chosen on train"
        f" {means['hand']:.3f}, in hindsight {means['hindsight']:.3f}"
    )


if __name__ == "__main__":
    main()
