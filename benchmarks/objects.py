"""
Object caches: what the search finds beside hand-made policies and the bound.

    python benchmarks/objects.py [--evaluations N] [--seed N] [--publish] [TRACE]

By default on the trace with sizes that may lie beside the repository.  A row is a task: levels on held-out, the share
of the way from LRU to PFOO-L, of all on the variants that the module draws which was found; and what the guard says.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from harness import Table
from results import publish

from kernelnet.generators.search import Search
from kernelnet.learning.acceptance import accept
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
    parser.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    given = parser.parse_args()
    whole = int(workbench.inspect(given.trace).figures["bytes of all objects"])
    heads = ["missed, size", *workbench.sized[1].baselineNames, "found", "guard", "LRU", "found, score", "bound", "s"]
    table = Table("Object caches: levels on held-out, from LRU to PFOO-L", heads)
    for mode, unit in ((1, "bytes"), (2, "requests")):
        for share in SHARES:
            settings = {"bytes": mode, "capacity": whole * share // 100}
            table.rows.append(row(given.trace, settings, f"{unit}, {share} %", given.evaluations, given.seed))
            print("  ".join(table.rows[-1]), file=sys.stderr, flush=True)
    table.remarks.append(
        f"{given.trace.name}, {given.evaluations} evaluations, seed {given.seed}; no policy can pass the bound."
        " The cache's size is a share of the bytes of all objects; scores are sums over the variants of the module that"
        " was found; ``s``: of the search, with others at work."
    )
    print(table)
    if given.publish:
        publish("objects", str(table))


def row(trace: Path, settings: dict[str, int], title: str, evaluations: int, seed: int) -> list[str]:
    """One task: search, then measure all on the same variants."""
    scenario = workbench.scenario(trace, settings)
    began = time.monotonic()
    problem = Problem(scenario, seed=seed, seconds=3600, evaluations=evaluations)
    candidate = Search(evaluations).generate(problem)
    took = time.monotonic() - began
    assert candidate is not None, "a search finds something"
    wasm = compileC(candidate.source, workbench.headerPath)
    met = scenario.forModule(wasm)
    report = met.measure(wasm)
    levels = [met.developmentLevel(each) for each in met.baselines().values()]
    scores = (met.reference().splits["held_out"].score, report.splits["held_out"].score, met.optimum()["held_out"])
    component, _ = accept(scenario, candidate, generator="search", seed=seed)
    return [
        title,
        *(f"{level:.3f}" for level in levels),
        f"{met.developmentLevel(report):.3f}",
        "accepted" if component is not None else "refused",
        *(f"{score:,}" for score in scores),
        f"{took:.0f}",
    ]


if __name__ == "__main__":
    main()
