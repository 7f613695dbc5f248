"""
Object caches: what the search finds beside hand-made policies and the bound.

    python benchmarks/objects.py [--evaluations N] [--seed N] [TRACE]

By default on the trace with sizes that may lie beside the repository.  Prints levels on held-out of what was chosen on
train, and of what was found, on the variants that its own module draws: the share of the way from LRU to PFOO-L.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from kernelnet.artifacts import Candidate
from kernelnet.generators.search import Search
from kernelnet.learning.problem import Problem
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import workbench

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "traces" / "file_system" / "cloudPhysicsIO.csv.gz"
SHARES = (1, 10)
"""Sizes of the cache, in percent of the bytes of all objects."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", nargs="?", type=Path, default=SHARED)
    parser.add_argument("--evaluations", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    whole = int(workbench.inspect(given.trace).figures["bytes of all objects"])
    for mode, unit in ((1, "bytes missed"), (2, "requests missed")):
        for share in SHARES:
            settings = {"bytes": mode, "capacity": whole * share // 100}
            row(given.trace, settings, f"{unit}, {share} %", given.evaluations, given.seed)


def row(trace: Path, settings: dict[str, int], title: str, evaluations: int, seed: int) -> None:
    """One task: search, then measure all on the same variants."""
    scenario = workbench.scenario(trace, settings)
    began = time.monotonic()
    problem = Problem(scenario, seed=seed, seconds=3600, evaluations=evaluations)
    candidate: Candidate | None = Search(evaluations).generate(problem)
    took = time.monotonic() - began
    if candidate is None:
        print(f"{title}: nothing found")
        return
    wasm = compileC(candidate.source, workbench.headerPath)
    met = scenario.forModule(wasm)
    report = met.measure(wasm)
    levels = {name: met.developmentLevel(each) for name, each in met.baselines().items()}
    chosen = min(met.baselines(), key=lambda name: met.baselines()[name].splits["train"].score)
    told = ", ".join(f"{name} {level:.3f}" for name, level in sorted(levels.items(), key=lambda item: -item[1]))
    bound = met.optimum()["held_out"]
    lru = met.reference().splits["held_out"].score
    print(
        f"{title}: found {met.developmentLevel(report):.3f} ({candidate.note}, {took:.0f} s); chosen on train {chosen}"
    )
    print(f"    {told}")
    print(f"    held-out: lru {lru}, found {report.splits['held_out'].score}, pfoo-l at least {bound}", flush=True)


if __name__ == "__main__":
    main()
