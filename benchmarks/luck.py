"""
What luck a module's digest may have, which draws keys and variants: development levels of claims over many digests.

Each policy is measured as a claim of it would be, with the same code and an unused section of bytes in which each copy
is another.  The best hand-made ones, one that a short search finds for each task, and on benches where tasks or blocks
have keys one with hash tables of its own (C{tables/}), in which keys collide.  C{gain} is over the hand-made policy
that is best on held-out, on the same variants: what of the luck is not that of all.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from pathlib import Path

from harness import Table
from results import publish

from kernelnet.generators.search import Search
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.hindsight import bestInHindsight
from kernelnet.learning.problem import Problem
from kernelnet.plugins import available
from kernelnet.workbench.compiler import compileC

BENCHES = tuple(bench.name for bench in available(IWorkbench))
TABLES = Path(__file__).with_name("tables")


def renamed(wasm: bytes, number: int) -> bytes:
    """The same module with another digest: a custom section says C{number}."""
    content = b"\x05which" + number.to_bytes(4, "little")
    return wasm + b"\0" + bytes([len(content)]) + content


def policies(scenario: IScenario, evaluations: int) -> dict[str, bytes]:
    """Modules by name: of the hand-made ones the best on held-out, the reference, and two more; then the others."""
    bench, reports = scenario.workbench, scenario.baselines()
    names = sorted(reports, key=lambda name: reports[name].splits["held_out"].score)[:3]
    modules = {name: bench.baselineModule(name) for name in dict.fromkeys([*names, bench.reference])}
    candidate = Search(evaluations).generate(Problem(scenario, seed=1, seconds=math.inf))
    if candidate is not None:
        modules["(found)"] = compileC(candidate.source, bench.headerPath, trusted=True)
    own = TABLES / f"{bench.name}.c"
    if own.exists():
        modules["(own tables)"] = compileC(own.read_text("utf-8"), bench.headerPath, trusted=True)
    return modules


def levels(scenario: IScenario, module: bytes, digests: int, best: str) -> tuple[list[float], list[float]]:
    """By digest, a policy's level, and by how much it is above that of the best hand-made one."""
    found, gains = [], []
    for number in range(digests):
        measured = scenario.forModule(renamed(module, number))
        level = measured.developmentLevel(measured.measure(module))
        found.append(level)
        gains.append(level - measured.developmentLevel(measured.measure(scenario.workbench.baselineModule(best))))
    return found, gains


def main() -> None:
    parser = argparse.ArgumentParser(description="What luck a module's digest may have.")
    parser.add_argument("--workbench", choices=BENCHES, action="append", help="only this one; may be given again")
    parser.add_argument("--trace", action="append", default=[], help="only this one that ships, such as sqlite")
    parser.add_argument("--digests", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=60, help="of the search for each task")
    parser.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    arguments = parser.parse_args()
    heads = ["workbench", "trace", "policy", "as it is", "mean", "sd", "min", "max", "gain", "its sd"]
    table = Table(f"Levels of one policy over {arguments.digests} digests", heads)
    for bench in available(IWorkbench):
        if arguments.workbench and bench.name not in arguments.workbench:
            continue
        for path in bench.traces():
            scenario = bench.scenario(path, bench.tasks(path)[0])
            if arguments.trace and scenario.trace not in arguments.trace:
                continue
            rival = bestInHindsight(scenario)
            for name, module in policies(scenario, arguments.evaluations).items():
                found, gains = levels(scenario, module, arguments.digests, rival)
                plain = scenario.developmentLevel(scenario.measure(module))
                spread = (statistics.fmean(found), statistics.stdev(found), min(found), max(found))
                gain = (statistics.fmean(gains), statistics.stdev(gains))
                cells = [f"{number:.3f}" for number in (plain, *spread, *gain)]
                table.rows.append([bench.name, scenario.trace, name, *cells])
                print("  ".join(table.rows[-1]), file=sys.stderr, flush=True)
    table.remarks.append("``gain``: over the hand-made policy that is best on held-out, of the trace as it is.")
    print(table)
    if arguments.publish:
        publish("luck", str(table))


if __name__ == "__main__":
    main()
