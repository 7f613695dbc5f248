"""
What a search of so many seconds reaches in playout delay, beside every hand-made policy in hindsight.

The calls are the bench's own and those of a folder: recordings of audio, and mahimahi's links with voice alone on them.
Those named by C{--unseen} are not trained on.  All others are trained on together, on their train parts, and guarded on
their validation parts by the code that a trainer calls; with C{--apart} each by itself.  Measured is held-out, of
what was not trained on the whole.  What was not accepted counts as the hand-made policy chosen on train.

For each call: milliseconds a frame of the reference, of the hand-made policy that was chosen on train, of the one
that is best on this call in hindsight, of what was found (mean over the seeds, least and most), and of the optimum,
which knows all transits.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from kernelnet.artifacts import Component, Report
from kernelnet.generators.search import Search
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.workbench.audio import AudioWorkbench, workbench
from kernelnet.workbench.audio.scenario import AudioScenario
from kernelnet.workbench.suite import Suite

SHARED = Path(__file__).resolve().parents[2] / "shared" / "traces"


def costOf(report: Report, isUnseen: bool) -> float:
    """Milliseconds a frame on held-out, or on all of a call that was not trained on."""
    splits = list(report.splits.values()) if isUnseen else [report.splits["held_out"]]
    return sum(split.score for split in splits) / sum(split.events for split in splits)


def found(task: IScenario, seed: int, seconds: float) -> tuple[Component | None, str]:
    """What a search finds on a task, if it is accepted; and words on it."""
    problem = Problem(task, seed=seed, seconds=seconds)
    candidate = Search().generate(problem)
    if candidate is None:
        return None, "nothing"
    component, reason = accept(task, candidate, generator="search", seed=seed)
    return component, f"{candidate.note}: {'accepted' if component else 'fallback'}: {reason}"


def searched(task: IScenario, calls: Sequence[AudioScenario], options: argparse.Namespace) -> None:
    """Search on a task with each seed, and print what it costs on calls."""
    hand = chosenOnTrain(task)
    costs: dict[str, list[float]] = {call.trace: [] for call in calls}
    for seed in range(1, options.seeds + 1):
        began = time.monotonic()
        component, words = found(task, seed, options.seconds)
        print(f"seed {seed}, {time.monotonic() - began:.0f} s: {words}", flush=True)
        for call in calls:
            isUnseen = call.trace in options.unseen
            report = call.measure(component.wasm) if component else call.baselines()[hand]
            costs[call.trace].append(costOf(report, isUnseen))
        print("   ", ", ".join(f"{name} {each[-1]:.1f}" for name, each in costs.items()), flush=True)
    for call in calls:
        isUnseen = call.trace in options.unseen
        by = {name: costOf(report, isUnseen) for name, report in call.baselines().items()}
        best, ours = min(by, key=lambda name: by[name]), costs[call.trace]
        optimum = call.optimum()
        splits = list(optimum) if isUnseen else ["held_out"]
        least = sum(optimum[split] for split in splits) / sum(call.events[split] for split in splits)
        mean = statistics.fmean(ours)
        options.ratios.append(mean / by[best])
        options.better.append(sum(each < by[best] for each in ours))
        print(
            f"{call.trace[:22] + (' (unseen)' if isUnseen else ''):31} {by[workbench.reference]:6.0f}"
            f" {hand:>14} {by[hand]:5.0f} {best:>14} {by[best]:5.0f}"
            f" {mean:6.1f} ({min(ours):.0f}-{max(ours):.0f}) {least:6.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Playout delay: what a search reaches beside all rivals.")
    folder = SHARED / "audio"
    links = sorted((SHARED / "network_stack").glob("*.gz"))
    parser.add_argument("--traces", type=Path, nargs="*", default=[*sorted(folder.glob("*.xz")), *links])
    parser.add_argument(
        "--unseen", nargs="*", default=["ATT-LTE-driving.up", "Verizon-LTE-short.up"], help="names of calls"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="for each search")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--apart", action="store_true", help="train on each call by itself")
    options = parser.parse_args()
    options.ratios, options.better = [], []

    # A bench of its own for each call: the plugin's keeps few traces in memory.
    calls = [AudioWorkbench().scenario(path) for path in [*workbench.traces(), *options.traces]]
    seen = [call for call in calls if call.trace not in options.unseen]
    print(f"{len(seen)} calls, {options.seeds} seeds of {options.seconds:g} s; load {os.getloadavg()[0]:.1f}")
    head = f"{'milliseconds a frame':31} {'fixed':>6} {'chosen on train':>20} {'in hindsight':>20}"
    head += "  found (least-most)  optimum"
    if options.apart:
        for call in seen:
            print(f"\n{head}")
            searched(call, [call], options)
    else:
        print(head)
        searched(Suite(seen), calls, options)
    shares = math.exp(statistics.fmean(map(math.log, options.ratios)))
    print(
        f"\nfound costs {shares:.3f} of the best hand-made policy in hindsight (geometric mean over"
        f" {len(options.ratios)} calls); less on {sum(options.better)} of {options.seeds * len(options.ratios)}"
        f" calls and seeds; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
