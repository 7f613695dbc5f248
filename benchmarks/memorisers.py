"""
What it helps to know a trace by heart, on the trace as it is and on the variants on which claims are measured.

Each policy here is made of the trace itself, held-out part included; see C{tests/workbench/file_system_memorisers.py}.
The gain is that of the development level on held-out, beside the policy that it falls back to.  Where LRU is bad, any
policy that lets go of blocks at random is better: so the last column has the same policy with the numbers of its table
shuffled.  A trace is taken with a hundredth of its blocks as capacity.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import Table
from results import publish

from kernelnet.interfaces import IScenario
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.capacity import shareOf
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.workbench.file_system_memorisers import (
    byBlock,
    byContext,
    byDraw,
    byPosition,
    byRequest,
    ranked,
    schedule,
)

SIZES = {"1 KB": 1 << 10, "16 KB": 16 << 10, "64 KB": 56 << 10}
KINDS: dict[str, Callable[..., bytes]] = {
    "number of the request": byRequest,
    "number of the eviction, 16 drawn (rank)": byDraw,
    "blocks by first appearance": byBlock,
    "gaps of the last requests": byContext,
    "the same, learned on 4 variants of held-out": lambda scenario, size: byContext(scenario, size, "held_out", 4),
    "the same, learned on 4 variants of train": lambda scenario, size: byContext(scenario, size, "train", 4),
    "place found by the gaps of 6 requests": byPosition,
    "of 4, trusted for 10": lambda scenario, size: byPosition(scenario, size, 4, 10),
    "of 5, trusted for 5": lambda scenario, size: byPosition(scenario, size, 5, 5),
}
SHUFFLED = (byRequest, byDraw, byBlock, byPosition)
"""Those that can be made without what they know: with the numbers of their tables in any order."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "traces" / "file_system"
TRACES = ("cache2k-web12.txt.xz", "lirs-2_pools.txt.xz", "lirs-multi1.txt.xz")


def level(scenario: IScenario, wasm: bytes) -> float:
    return scenario.developmentLevel(scenario.measure(wasm))


def gain(scenario: IScenario, wasm: bytes, fallback: bytes) -> str:
    return f"{level(scenario, wasm) - level(scenario, fallback):+.3f}"


def row(scenario: FileSystemScenario, kind: str, size: str, modules: tuple[bytes, bytes, bytes | None]) -> list[str]:
    """@param modules: the policy, what it falls back to, and the policy without what it knows."""
    wasm, fallback, shuffled = modules
    cells = [scenario.trace, str(scenario.settings["capacity"]), kind, size, gain(scenario, wasm, fallback)]
    cells.append(gain(scenario.forModule(wasm), wasm, fallback))
    cells.append("–" if shuffled is None else gain(scenario.forModule(shuffled), shuffled, fallback))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description="What it helps to know a trace by heart.")
    parser.add_argument("traces", nargs="*", type=Path, help="files; without, those that ship and some shared")
    parser.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    arguments = parser.parse_args()
    traces = arguments.traces or [*workbench.traces(), *(SHARED / name for name in TRACES if (SHARED / name).exists())]
    heads = ["trace", "capacity", "what it knows", "table", "as it is", "on variants", "without what it knows"]
    table = Table("What it helps to know a trace by heart", heads)
    for path in traces:
        distinct = workbench.scenario(path).machine.trace.distinct
        scenario = workbench.scenario(path, {"capacity": max(16, shareOf(distinct, "1%"))})
        fallbacks = {True: ranked("return -age;"), False: workbench.baselineModule("lru")}
        for kind, make in KINDS.items():
            for size, bytes_ in SIZES.items():
                shuffled = make(scenario, bytes_, shuffled=True) if make in SHUFFLED else None
                wasm = make(scenario, bytes_)
                table.rows.append(row(scenario, kind, size, (wasm, fallbacks[make is byDraw], shuffled)))
        for parts in (2, 16, 64, 500):
            table.rows.append(
                row(scenario, f"what is best in each of {parts} parts", "–", (*schedule(scenario, parts), None))
            )
        print(f"{path.name}: done", file=sys.stderr, flush=True)
    print(table)
    if arguments.publish:
        publish("memorisers", str(table))


if __name__ == "__main__":
    main()
