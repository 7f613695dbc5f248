"""LFU, LIRS and the rank driver beside plain Python that was written from their descriptions, not from the C."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import libcachesim  # type: ignore[import-untyped]
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.machine import FileSystemMachine
from kernelnet.workbench.file_system.trace import makeTrace
from tests.workbench.support import mixture, policy
from tests.workbench.test_baselines import theirMisses, toArray, writeOracle

Rank = Callable[..., float]


def lfuMisses(ids: list[int], capacity: int) -> int:
    """The least requested goes; of equals the one requested least recently."""
    requests: dict[int, tuple[int, int]] = {}
    misses = 0
    for now, block in enumerate(ids):
        count = requests.get(block, (0, 0))[0]
        if not count:
            misses += 1
            if len(requests) == capacity:
                del requests[min(requests, key=lambda other: requests[other])]
        requests[block] = (count + 1, now)
    return misses


def lirsMisses(ids: list[int], capacity: int, *, theirs: bool = False) -> int:
    """
    LIRS by the paper, with the least HIR share and the limit of the stack that the C file tells of.

    @param theirs: with what libCacheSim does when a HIR block of Q is hit that is not in S.
    """
    hirLimit = max(1, capacity // 100)
    lirLimit = capacity - hirLimit
    stack: OrderedDict[int, None] = OrderedDict()  # the last is the top
    queue: OrderedDict[int, None] = OrderedDict()  # the first goes next
    gone: OrderedDict[int, None] = OrderedDict()  # the first is gone for longest
    lir: set[int] = set()

    def prune() -> None:
        while stack and (bottom := next(iter(stack))) not in lir:
            del stack[bottom]
            gone.pop(bottom, None)

    def evict() -> None:
        block, _ = queue.popitem(last=False)
        if block in stack:
            gone[block] = None

    def demote() -> None:
        bottom = next(iter(stack))
        del stack[bottom]
        lir.remove(bottom)
        if len(queue) == hirLimit:
            evict()
        queue[bottom] = None
        prune()

    misses = 0
    for block in ids:
        inStack = block in stack
        if block in lir:
            stack.move_to_end(block)
            prune()
        elif block in queue:
            queue.move_to_end(block)
            if inStack:
                stack.move_to_end(block)
                del queue[block]
                lir.add(block)
                demote()
            else:
                if theirs and len(lir) == lirLimit:
                    demote()
                stack[block] = None
        else:
            misses += 1
            if inStack:
                del gone[block]
                stack.move_to_end(block)
                lir.add(block)
                if len(lir) > lirLimit:
                    demote()
            else:
                stack[block] = None
                if len(lir) < lirLimit:
                    lir.add(block)
                else:
                    if len(queue) == hirLimit:
                        evict()
                    queue[block] = None
        while len(stack) > 2 * capacity and gone:
            oldest, _ = gone.popitem(last=False)
            del stack[oldest]
    return misses


def rankMisses(ids: list[int], capacity: int, rank: Rank) -> int:
    """The rank driver at a capacity of 16 or less, where all blocks are candidates; features as the header says."""
    slots: list[int] = []
    state: dict[int, list[float]] = {}  # came, last, freq, gap, gap2, hist, ghostgap
    ghosts: OrderedDict[int, tuple[float, list[float]]] = OrderedDict()
    pressure, misses, evictions, unknown = 0.0, 0, 0, 1e6 * capacity
    numbers: dict[int, int] = {}
    for now, block in enumerate(ids):
        if block in state:
            s = state[block]
            s[1], s[2], s[3], s[4] = now, s[2] + 1, now - s[1], s[3]
            continue
        misses += 1
        if len(slots) < capacity:
            slots.append(block)
        else:

            def ranked(slot: int, now: int = now, pressure: float = pressure) -> float:
                came, last, freq, gap, gap2, hist, ghostgap = state[slots[slot]]
                times = [x / capacity for x in (now - last, now - came, gap, gap2, ghostgap)]
                return rank(times[0], times[1], freq, times[2], times[3], hist, times[4], pressure)

            slot = min(range(capacity), key=ranked)
            victim, slots[slot] = slots[slot], block
            ghosts[victim] = (now, state.pop(victim))
            numbers[victim] = evictions
            evictions += 1
        came = [now, now, 1, unknown, unknown, 0, unknown]
        remembered = block in numbers and evictions - numbers[block] <= capacity
        if remembered:
            evicted, old = ghosts[block]
            came = [now, now, 1, now - old[1], old[3], old[2] + old[5], now - evicted]
        state[block] = came
        pressure += (remembered - pressure) / capacity
    return misses


def shortTraces() -> list[list[int]]:
    """Some of each kind: skewed, looping, with one-hit wonders, and small random ones."""
    rng = random.Random(5)
    some = [mixture(1500, seed) for seed in range(3)]
    some += [[int(rng.paretovariate(0.7)) % 60 for _ in range(600)] for _ in range(6)]
    some += [[rng.randrange(20) if number % 3 else number % 37 for number in range(600)] for _ in range(6)]
    return some


class ReferenceTests(SynchronousTestCase):
    def misses(self, ids: list[int], capacity: int, wasm: bytes) -> int:
        machine = FileSystemMachine(makeTrace(toArray(ids), Path("small.txt")))
        self.addCleanup(machine.close)
        return sum(split.score for split in machine.run(wasm, {"capacity": capacity}).values())

    def test_lfu(self) -> None:
        """LFU has the misses of the plain implementation."""
        for ids in shortTraces():
            for capacity in (1, 2, 3, 7, 24):
                self.assertEqual(
                    self.misses(ids, capacity, workbench.baselineModule("lfu")), lfuMisses(ids, capacity), capacity
                )

    def test_lirs(self) -> None:
        """LIRS has the misses of the plain implementation, with one HIR block and with several."""
        for ids in shortTraces():
            for capacity in (2, 3, 5, 16, 40):
                self.assertEqual(
                    self.misses(ids, capacity, workbench.baselineModule("lirs")), lirsMisses(ids, capacity), capacity
                )
        ids = mixture(12_000, 9)
        for capacity in (210, 320):
            self.assertEqual(
                self.misses(ids, capacity, workbench.baselineModule("lirs")), lirsMisses(ids, capacity), capacity
            )

    def test_lirsOfLibCacheSim(self) -> None:
        """But for what it does on one kind of hit, libCacheSim's LIRS has the misses of the plain implementation."""
        for ids in [*shortTraces(), mixture(12_000, 9)]:
            trace = makeTrace(toArray(ids), Path("small.txt"))
            oracle = writeOracle(trace, Path(self.mktemp()))
            for capacity in (200, 210, 320):
                theirs = theirMisses(libcachesim.LIRS, oracle, len(ids), capacity)
                self.assertEqual(lirsMisses(ids, capacity, theirs=True), theirs, capacity)

    def test_rank(self) -> None:
        """The rank driver gives each feature as the header says it: with all of them the misses are the reference's."""
        ranks: dict[str, Rank] = {
            "-age": lambda age, life, freq, gap, gap2, hist, ghostgap, pressure: -age,
            "-life": lambda age, life, freq, gap, gap2, hist, ghostgap, pressure: -life,
            "freq + hist - age": lambda age, life, freq, gap, gap2, hist, ghostgap, pressure: freq + hist - age,
            "-gap - 2 * gap2 - age": lambda age, life, freq, gap, gap2, hist, ghostgap, pressure: -gap - 2 * gap2 - age,
            "hist - ghostgap - age": lambda age, life, freq, gap, gap2, hist, ghostgap, pressure: hist - ghostgap - age,
            "pressure > 0.25 ? -age : age": lambda age, life, freq, gap, gap2, hist, ghostgap, pressure: (
                -age if pressure > 0.25 else age
            ),
        }
        signature = "f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure"
        found = set()
        for expression, rank in ranks.items():
            wasm = policy(f"f64 kn_rank({signature}) {{ return {expression}; }}")
            for ids in shortTraces():
                # Powers of two: there it makes no difference how the numbers are rounded.
                for capacity in (1, 4, 16):
                    misses = self.misses(ids, capacity, wasm)
                    self.assertEqual(misses, rankMisses(ids, capacity, rank), (expression, capacity))
                    found.add((expression, misses))
        self.assertGreater(len(found), 100)
