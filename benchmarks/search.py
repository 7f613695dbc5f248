"""
What a search of so many seconds reaches on page caches, by the share of the distance LRU → optimum on held-out data.

Contexts are made by rule: all traces in a folder, each with the cache sizes that a trainer trains at by itself
(`IWorkbench.tasks`: 0.1, 1 and 10 % of its blocks, of 16 slots and more); of these the ten where most misses lie
between LRU and the optimum on held-out data, since where there are few, shares are noise.  C{--all} takes all.

Each is searched and guarded by the code that a trainer calls.  C{ours} is the level of the accepted component's own
module, or of the hand-made policy that is best on validation when nothing was accepted; C{found} is that of what the
guard looked at, accepted or not, with its interval.  Beside it stand, in hindsight, hand-made policies and those of
libCacheSim that learn or are the strongest: LRB, 3L-Cache, LHD and S3-FIFO, with as many slots.  All are measured on
the trace as it is, warm from its beginning.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import libcachesim  # type: ignore[import-untyped]
from evaluation import writeOracle

from kernelnet.generators.search import Search
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.intervals import levelInterval, levelText
from kernelnet.learning.problem import Problem
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import ComponentError, TraceError
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.scenario import FileSystemScenario

CONTEXTS = 10

PEERS = {
    "LRB": libcachesim.LRB,
    "3L-Cache": libcachesim.ThreeLCache,
    "LHD": libcachesim.LHD,
    "S3-FIFO": libcachesim.S3FIFO,
}


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


def levelOf(scenario: IScenario, wasm: bytes) -> tuple[float | None, str]:
    """Level on held-out of what was offered, and it with its interval in words; C{None} if it fails there."""
    try:
        level = scenario.developmentLevel(scenario.measure(wasm))
        return level, levelText(level, levelInterval(scenario, wasm))
    except ComponentError as error:
        return None, str(error)


def peers(scenario: FileSystemScenario, names: list[str]) -> dict[str, float]:
    """Levels on held-out of libCacheSim's policies."""
    trace, slots = scenario.machine.trace, scenario.settings["capacity"]
    begin, requests = trace.ends["validation"], len(trace.blocks)
    reference, optimum = scenario.reference().splits["held_out"].score, scenario.optimum()["held_out"]
    levels = {}
    with tempfile.TemporaryDirectory() as folder:
        oracle = Path(folder) / "oracle"
        writeOracle(trace, oracle)
        for name in names:
            parameters = libcachesim.ReaderInitParam(ignore_obj_size=True)
            reader = libcachesim.TraceReader(str(oracle), libcachesim.TraceType.ORACLE_GENERAL_TRACE, parameters)
            cache = PEERS[name](cache_size=slots)
            cache.process_trace(reader, 0, begin)
            missRatio, _ = cache.process_trace(reader, begin, requests - begin)
            misses = round(float(missRatio) * (requests - begin))
            levels[name] = (reference - misses) / max(1, reference - optimum)
    return levels


def main() -> None:
    parser = argparse.ArgumentParser(description="Held-out share of the distance LRU → optimum after a search.")
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces" / "file_system"
    parser.add_argument("--traces", type=Path, default=beside, help="a folder of traces")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the search in each context")
    parser.add_argument("--evaluations", type=int, help="measurements in each context, instead of seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="all contexts, not only ten")
    parser.add_argument("--without", action="append", default=[], choices=list(PEERS), help="leave out; LRB is slow")
    options = parser.parse_args()

    names = [name for name in PEERS if name not in options.without]
    chosen = contexts(options.traces, None if options.all else CONTEXTS)
    heads = "".join(f" {name:>8}" for name in names)
    print(f"{'trace':22} {'slots':>6}  {'chosen on train':>15} {'best in hindsight':>17}{heads} {'found':>13}   ours")
    shares: dict[str, list[float]] = {}
    ahead = worse = 0
    for path, settings in chosen:
        scenario = workbench.scenario(path, settings)
        levels = {name: scenario.developmentLevel(report) for name, report in scenario.baselines().items()}
        hand, best = chosenOnTrain(scenario), bestInHindsight(scenario)
        theirs = peers(scenario, names)
        seconds = options.seconds if options.evaluations is None else 1e6
        problem = Counted(scenario, seed=options.seed, seconds=seconds)
        began = time.monotonic()
        search = Search(options.evaluations)
        candidate = search.generate(problem)
        took = time.monotonic() - began
        component, reason, found, text = None, "nothing found", None, "-"
        if candidate is not None:
            component, reason = accept(scenario, candidate, generator=search.name, seed=options.seed)
            found, text = levelOf(scenario, compileC(candidate.source, workbench.headerPath, trusted=True))
        fallback = bestInHindsight(scenario, "validation")
        ours = levels[fallback] if component is None or found is None else found
        ahead += ours > max(theirs.values(), default=-1.0)
        worse += component is not None and ours < levels[best]
        each = {"chosen on train": levels[hand], "best in hindsight": levels[best], **theirs, "ours": ours}
        for key, value in each.items():
            shares.setdefault(key, []).append(value)
        print(
            f"{scenario.trace[:22]:22} {settings['capacity']:6}"
            f"  {hand:>9} {levels[hand]:5.3f} {best:>11} {levels[best]:5.3f}"
            f"{''.join(f' {level:8.3f}' for level in theirs.values())} {text:>13}  {ours:5.3f}"
            f" {f'fallback {fallback}' if component is None else 'accepted'};"
            f" {problem.evaluations} evaluations in {took:.0f} s",
            flush=True,
        )
        print(f"    {candidate.note if candidate is not None else ''}; {reason}", flush=True)
    means = ", ".join(f"{key} {statistics.fmean(values):.3f}" for key, values in shares.items())
    print(f"mean of {len(chosen)} contexts: {means}")
    print(f"ahead of all of libCacheSim's in {ahead}; accepted and worse than the best hand-made in hindsight: {worse}")


if __name__ == "__main__":
    main()
