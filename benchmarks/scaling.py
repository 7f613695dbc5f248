"""Evaluations a second of a search with one job and with more, each on every bench's first trace."""

from __future__ import annotations

import argparse
import statistics
import time

from kernelnet.generators.search import Search
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.problem import Problem
from kernelnet.plugins import available
from kernelnet.workbench.engine import cores


def searched(scenario: IScenario, jobs: int, evaluations: int, seed: int) -> tuple[float, float, str]:
    """Seconds and CPU seconds that a search takes, and its candidate's source."""
    problem = Problem(scenario, seed=seed, seconds=1e9, jobs=jobs, evaluations=evaluations)
    began, cpu = time.monotonic(), time.process_time()
    candidate = Search().generate(problem)
    return time.monotonic() - began, time.process_time() - cpu, candidate.source if candidate is not None else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=400)
    parser.add_argument("--runs", type=int, default=5, help="of each, in turns")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--workbench", action="append", help="[default: all]")
    parser.add_argument("--quick", action="store_true", help="two short runs")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.evaluations = 2, 100
    print(f"{cores()} cores; medians of {options.runs} runs in turns; CPU seconds without the translator's processes")
    print(f"{'bench and trace':<36}{'jobs':>5}{'evaluations/s':>15}{'spread':>16}{'CPU s':>8}{'× one job':>11}")
    for bench in available(IWorkbench):
        if (options.workbench and bench.name not in options.workbench) or not bench.traces():
            continue
        path = bench.traces()[0]
        scenario = bench.scenario(path, bench.tasks(path)[0])
        scenario.baselines()
        taken: dict[int, list[tuple[float, float, str]]] = {jobs: [] for jobs in options.jobs}
        for _ in range(options.runs):
            for jobs in options.jobs:
                taken[jobs].append(searched(scenario, jobs, options.evaluations, seed=1))
        found = {source for runs in taken.values() for _, _, source in runs}
        rates = {jobs: [options.evaluations / run[0] for run in runs] for jobs, runs in taken.items()}
        for jobs, each in rates.items():
            times = statistics.median(each) / statistics.median(rates[options.jobs[0]])
            spread = f"{min(each):.1f}–{max(each):.1f}"
            cpu = statistics.median(run[1] for run in taken[jobs])
            name = f"{bench.name} {scenario.trace}"[:35]
            print(f"{name:<36}{jobs:>5}{statistics.median(each):>15.1f}{spread:>16}{cpu:>8.2f}{times:>11.2f}")
        print(f"{'':<36}{'all found the same' if len(found) == 1 else 'NOT all found the same'}", flush=True)


if __name__ == "__main__":
    main()
