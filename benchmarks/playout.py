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
from datetime import UTC, datetime
from pathlib import Path

from harness import Table
from results import publish

from kernelnet.artifacts import Component, Report
from kernelnet.generators.search import Search
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.intervals import Intervals
from kernelnet.learning.problem import Problem
from kernelnet.workbench.audio import AudioWorkbench, workbench
from kernelnet.workbench.audio.scenario import AudioScenario
from kernelnet.workbench.suite import Suite

INTRODUCTION = """
What a search reaches in playout delay, beside every hand-made policy (``benchmarks/playout.py``).  *Chosen on train* is
the hand-made policy that is best there, *in hindsight* the one that is best on what is measured, call by call.  What
was not accepted counts as the policy chosen on train.  A search begins with vectors that were chosen with these calls
at hand.
"""

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


class Outcomes:
    """
    All that was found, call by call.

    @ivar table: a row for each call; C{ratios}: by call, cost of the mean of the seeds over that of the best in
        hindsight; C{better}: by call, number of seeds with less than that.
    @ivar accepted, searches: numbers of searches; C{worse}: of what was accepted, call by call, that is below the best
        in hindsight by more than the interval of the difference of their levels on held-out.
    """

    def __init__(self, calls: int, options: argparse.Namespace) -> None:
        words = f"{calls} calls, {options.seeds} seeds of {options.seconds:g} s"
        self.table = Table(words, ["milliseconds a frame", workbench.reference, "chosen on train", "in hindsight"])
        self.table.heads += ["found (least-most)", "optimum"]
        self.ratios: list[float] = []
        self.better: list[int] = []
        self.accepted = self.searches = self.worse = self.compared = 0

    def sums(self, seeds: int) -> list[str]:
        """What all of it comes to."""
        mean = math.exp(statistics.fmean(map(math.log, self.ratios)))
        return [
            f"Found costs {mean:.3f} of the best hand-made policy in hindsight (geometric mean over {len(self.ratios)}"
            f" calls), and less on {sum(self.better)} of {seeds * len(self.ratios)} calls and seeds.",
            f"{self.accepted} of {self.searches} were accepted; of these, {self.worse} of {self.compared} on a call are"
            " worse than the best in hindsight by more than the interval of the difference.",
        ]


def isWorse(call: AudioScenario, component: Component, rival: str) -> bool:
    """Whether a component is worse on held-out than a hand-made policy by more than the interval of the difference."""
    intervals = Intervals(call)
    theirs = intervals.windows(workbench.baselineModule(rival), call.baselines()[rival])
    found = intervals.difference(intervals.windows(component.wasm), theirs)
    return found is not None and found[1] < 0


def searched(task: IScenario, calls: Sequence[AudioScenario], options: argparse.Namespace, outcomes: Outcomes) -> None:
    """Search on a task with each seed, and say what it costs on calls."""
    hand = chosenOnTrain(task)
    costs: dict[str, list[float]] = {call.trace: [] for call in calls}
    by = {
        call.trace: {name: costOf(report, call.trace in options.unseen) for name, report in call.baselines().items()}
        for call in calls
    }
    for seed in range(1, options.seeds + 1):
        began = time.monotonic()
        component, words = found(task, seed, options.seconds)
        print(f"seed {seed}, {time.monotonic() - began:.0f} s: {words}", flush=True)
        outcomes.searches += 1
        outcomes.accepted += component is not None
        for call in calls:
            report = call.measure(component.wasm) if component else call.baselines()[hand]
            costs[call.trace].append(costOf(report, call.trace in options.unseen))
            if component is not None:
                rivals = by[call.trace]
                outcomes.compared += 1
                outcomes.worse += isWorse(call, component, min(rivals, key=lambda name: rivals[name]))
        print("   ", ", ".join(f"{name} {each[-1]:.1f}" for name, each in costs.items()), flush=True)
    for call in calls:
        isUnseen = call.trace in options.unseen
        rivals = by[call.trace]
        best, ours = min(rivals, key=lambda name: rivals[name]), costs[call.trace]
        optimum = call.optimum()
        splits = list(optimum) if isUnseen else ["held_out"]
        least = sum(optimum[split] for split in splits) / sum(call.events[split] for split in splits)
        mean = statistics.fmean(ours)
        outcomes.ratios.append(mean / rivals[best])
        outcomes.better.append(sum(each < rivals[best] for each in ours))
        row = [
            call.trace + (" (unseen)" if isUnseen else ""),
            f"{rivals[workbench.reference]:.0f}",
            f"{hand} {rivals[hand]:.0f}",
            f"{best} {rivals[best]:.0f}",
            f"{mean:.0f} ({min(ours):.0f}-{max(ours):.0f})",
            f"{least:.0f}",
        ]
        outcomes.table.rows.append(row)
        print("  ".join(row), flush=True)


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
    parser.add_argument("--publish", action="store_true", help="write it to RESULTS.rst")
    options = parser.parse_args()
    began, load = f"{datetime.now(UTC):%Y-%m-%d %H:%M}", os.getloadavg()[0]

    # A bench of its own for each call: the plugin's keeps few traces in memory.
    calls = [AudioWorkbench().scenario(path) for path in [*workbench.traces(), *options.traces]]
    seen = [call for call in calls if call.trace not in options.unseen]
    outcomes = Outcomes(len(calls), options)
    if options.apart:
        for call in seen:
            searched(call, [call], options, outcomes)
    else:
        searched(Suite(seen), calls, options, outcomes)
    outcomes.table.remarks += outcomes.sums(options.seeds)
    each = "each call by itself" if options.apart else f"{len(seen)} calls at once"
    about = (
        f"Searches of {options.seconds:g} s on {each}, {options.seeds} seeds; measured on held-out, and of what was not"
        f" trained on on the whole; {began} to {datetime.now(UTC):%H:%M} UTC, {os.cpu_count()} cores, load"
        f" {load:.0f} at first and {os.getloadavg()[0]:.0f} at last."
    )
    text = f"{about}\n\n{outcomes.table}"
    print(f"\n{text}")
    if options.publish:
        publish("playout", "\n".join(["Playout delay", "-------------", "", INTRODUCTION.strip(), "", text]))


if __name__ == "__main__":
    main()
