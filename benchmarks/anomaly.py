"""
Intrusion detection: AUC and detection at 1 % false alarms on held-out sequences, of each hand-made detector and of what
a search finds, searched and guarded by the code that a trainer calls.

Data sets are those that ship, and those of ``../shared/traces/security`` where that is there; others can be named.
The held-out attacks are of kinds that train does not have, and all of it is measured once, after the guard.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from kernelnet.artifacts import SplitScore
from kernelnet.generators.search import Search
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.workbench.security import workbench

SHARED = Path(__file__).resolve().parents[2] / "shared" / "traces" / "security"


def shown(split: SplitScore) -> str:
    metrics = split.metrics
    return f"{metrics['auc_ppm'] / 1e6:.3f} {metrics['detected_at_1_percent_permille'] / 10:5.1f} % {split.score:7}"


def searched(scenario: Any, seed: int, options: argparse.Namespace) -> tuple[SplitScore | None, str]:
    """The held-out score of what a search found and the guard accepted."""
    seconds = options.seconds if options.evaluations is None else 1e6
    problem = Problem(scenario, seed=seed, seconds=seconds)
    began = time.monotonic()
    candidate = Search(options.evaluations).generate(problem)
    took = f"{time.monotonic() - began:.0f} s"
    if candidate is None:
        return None, f"nothing found in {took}"
    component, reason = accept(scenario, candidate, generator="search", seed=seed)
    # On the sequences as they are, like those beside it; its claim is about variants of them.
    split = scenario.measure(component.wasm).splits["held_out"] if component is not None else None
    return split, f"{took}: {candidate.note}; {reason}"


def compare(path: Path, options: argparse.Namespace) -> tuple[int, int]:
    """@return: seeds whose outcome finds more of the attacks at 1 % than STIDE, and all seeds."""
    scenario = workbench.scenario(path)
    trace, held = scenario.machine.trace, scenario.events["held_out"] - scenario.machine.trace.normals["held_out"]
    print(f"\n{scenario.trace}: learned {trace.learned}; held out {trace.normals['held_out']} normal, {held} attacks")
    print(f"{'':24} {'AUC':>5} {'at 1 %':>7} {'score':>7}    train, validation")
    reports = scenario.baselines()
    for name, report in reports.items():
        others = ", ".join(shown(report.splits[split]) for split in ("train", "validation"))
        print(f"{name:24} {shown(report.splits['held_out'])}    {others}")
    hand, stide = chosenOnTrain(scenario), reports["stide"].splits["held_out"]
    print(f"{'chosen on train: ' + hand:24} {shown(reports[hand].splits['held_out'])}")
    outcomes = []
    for seed in range(1, options.seeds + 1):
        split, why = searched(scenario, seed, options)
        outcomes.append(reports[hand].splits["held_out"] if split is None else split)
        print(f"{f'found, seed {seed}':24} {shown(outcomes[-1])}    {why}", flush=True)

    def found(split: SplitScore) -> int:
        return split.metrics["detected_at_1_percent_permille"]

    better = sum(found(split) > found(stide) for split in outcomes)
    medians = statistics.median(found(split) for split in outcomes) / 10, statistics.median(s.score for s in outcomes)
    print(
        f"better than STIDE at 1 % in {better} of {len(outcomes)}; medians: {medians[0]:.1f} %, score {medians[1]:.0f}"
    )
    return better, len(outcomes)


def main() -> None:
    parser = argparse.ArgumentParser(description="Hand-made detectors and found ones on held-out sequences.")
    parser.add_argument("data", nargs="*", type=Path, help="data sets; those that are there by default")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each search")
    parser.add_argument("--evaluations", type=int, help="measurements of each search, instead of seconds")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    beside = sorted(SHARED.glob("*.zip")) if SHARED.exists() else []
    outcomes = [compare(path, options) for path in options.data or [*workbench.traces(), *beside]]
    print(f"\nbetter than STIDE at 1 %: {sum(b for b, _ in outcomes)} of {sum(n for _, n in outcomes)} searches")


if __name__ == "__main__":
    main()
