"""
What an author gains who sees every verdict, and changes what he knows by heart until a claim is a good one.

He holds a bit for each of the first requests of held-out, whether a block is kept, changes a run of them, claims
again, and keeps what was judged better.  A verdict tells no more than the level, which anybody can measure himself: he
needs no peer for it.  Begun is with what the optimum does, and with what LRU does.  C{best claim} is the best of all
his claims; C{under other digests} is that module's mean level under fresh digests, what is left without its luck;
C{LRU's best} the best of as many claims of the policy that he falls back to, under as many digests.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import Table
from luck import renamed

from kernelnet.interfaces import IScenario
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.capacity import shareOf
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.workbench.file_system_memorisers import byRequest, optimumKeeps

TABLE = 1 << 10
"""Bytes of what is known."""

LONGEST = 512
"""Requests whose decisions are changed at once, at most."""

AGAIN = 20
"""Number of fresh digests under which the best is measured."""


def claimed(scenario: IScenario, wasm: bytes) -> float:
    """Level of a module's claim, which is what a verdict confirms."""
    own = scenario.forModule(wasm)
    return own.developmentLevel(own.measure(wasm))


def known(scenario: FileSystemScenario) -> bytes:
    """The table of `byRequest`."""
    import numpy as np

    trace = scenario.machine.trace
    start = trace.ends["validation"]
    end = min(trace.ends["held_out"], start + 8 * TABLE)
    kept = optimumKeeps(trace, scenario.settings["capacity"])[start:end]
    return bytes(np.packbits(kept, bitorder="little"))


def climb(scenario: FileSystemScenario, module: bytes, table: bytes, begin: bytes, tries: int) -> tuple[float, bytes]:
    """
    The best claim of so many, and its module.

    @param module: one that holds C{table}, in place of which it begins with C{begin}.
    """
    rng = random.Random(1)
    bits = bytearray(begin)
    at = module.index(table)
    best, found = -float("inf"), module
    for _ in range(tries):
        changed = bytearray(bits)
        first, length = rng.randrange(8 * len(bits)), rng.randint(1, LONGEST)
        for bit in range(first, min(first + length, 8 * len(bits))):
            changed[bit >> 3] ^= 1 << (bit & 7)
        wasm = module[:at] + bytes(changed) + module[at + len(table) :]
        level = claimed(scenario, wasm)
        if level > best:
            best, found, bits = level, wasm, changed
    return best, found


def rows(scenario: FileSystemScenario, tries: int) -> list[list[str]]:
    """A row for each table that he begins with."""
    module, table = byRequest(scenario, TABLE), known(scenario)
    lru = workbench.baselineModule("lru")
    luckiest = max(claimed(scenario, renamed(lru, number)) for number in range(tries))
    found = []
    for name, begin in (("the optimum", table), ("LRU", b"\xff" * len(table))):
        best, wasm = climb(scenario, module, table, begin, tries)
        again = statistics.mean(claimed(scenario, renamed(wasm, number)) for number in range(AGAIN))
        cells = [f"{value:+.3f}" for value in (best, again, luckiest, best - luckiest)]
        found.append([scenario.trace, name, str(tries), *cells])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="What an author gains who sees every verdict.")
    parser.add_argument("traces", nargs="*", type=Path, help="files; without, those that ship")
    parser.add_argument("--tries", type=int, default=300, help="number of claims of each author")
    arguments = parser.parse_args()
    heads = ["trace", "begun with", "claims", "best claim", "under other digests", "LRU's best", "gain"]
    table = Table("What an author gains who sees every verdict", heads)
    for path in arguments.traces or workbench.traces():
        distinct = workbench.scenario(path).machine.trace.distinct
        scenario = workbench.scenario(path, {"capacity": max(16, shareOf(distinct, "1%"))})
        for row in rows(scenario, arguments.tries):
            table.rows.append(row)
            print("  ".join(row), file=sys.stderr, flush=True)
    print(table)


if __name__ == "__main__":
    main()
