"""The hand-made policies and the optimum: by hand, by brute force, and beside libCacheSim."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libcachesim  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.machine import optimumMisses
from kernelnet.workbench.file_system.trace import Trace, loadTrace
from tests.workbench.support import mixture, sharedTraces, smallScenario, writeTrace

THEIRS: dict[str, Callable[..., Any]] = {
    "fifo": libcachesim.FIFO,
    "lru": libcachesim.LRU,
    "lfu": libcachesim.LFU,
    "clock": libcachesim.Clock,
    "2q": libcachesim.TwoQ,
    "arc": libcachesim.ARC,
    "s3fifo": libcachesim.S3FIFO,
    "sieve": libcachesim.Sieve,
    "belady": libcachesim.Belady,
}


def writeOracle(trace: Trace, path: Path) -> Path:
    """libCacheSim's oracleGeneral, with the next accesses that its Belady needs."""
    requests = len(trace.blocks)
    order = np.lexsort((np.arange(requests), trace.blocks))
    following = np.full(requests, -1, np.int64)
    same = trace.blocks[order[1:]] == trace.blocks[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    record = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
    records = np.zeros(requests, record)
    records["time"] = np.arange(requests)
    records["id"] = trace.blocks.astype(np.uint64) + 1
    records["size"] = 1
    records["next"] = following
    records.tofile(path)
    return path


def toArray(ids: list[int]) -> npt.NDArray[np.uint64]:
    return np.array(ids, np.uint64)


def theirMisses(policy: Callable[..., Any], oracle: Path, requests: int, capacity: int) -> int:
    parameters = libcachesim.ReaderInitParam(ignore_obj_size=True)
    reader = libcachesim.TraceReader(str(oracle), libcachesim.TraceType.ORACLE_GENERAL_TRACE, parameters)
    ratio, _ = policy(cache_size=capacity, hashpower=14).process_trace(reader)
    return round(float(ratio) * requests)


def bruteForce(ids: list[int], capacity: int) -> int:
    """The fewest misses that any choice of victims has."""

    @functools.cache
    def least(now: int, cached: frozenset[int]) -> int:
        if now == len(ids):
            return 0
        block = ids[now]
        if block in cached:
            return least(now + 1, cached)
        if len(cached) < capacity:
            return 1 + least(now + 1, cached | {block})
        return 1 + min(least(now + 1, cached - {victim} | {block}) for victim in cached)

    return least(0, frozenset())


class LibCacheSimTests(SynchronousTestCase):
    """The same misses, on every request of every trace."""

    def compare(self, path: Path, shares: tuple[float, ...]) -> None:
        trace = loadTrace(path)
        oracle = writeOracle(trace, Path(self.mktemp()))
        requests = len(trace.blocks)
        for share in shares:
            capacity = max(16, int(trace.distinct * share))
            scenario = workbench.scenario(path, {"capacity": capacity})
            for name, report in scenario.baselines().items():
                ours = sum(split.score for split in report.splits.values())
                where = (path.name, name, capacity)
                if name == "lirs":
                    # Theirs has one more rule; see test_baselines_reference.
                    theirs = theirMisses(libcachesim.LIRS, oracle, requests, capacity)
                    self.assertApproximates(ours, theirs, 0.001 * theirs, where)
                else:
                    self.assertEqual(ours, theirMisses(THEIRS[name], oracle, requests, capacity), where)
            best = sum(scenario.optimum().values())
            self.assertEqual(
                best, theirMisses(THEIRS["belady"], oracle, requests, capacity), (path.name, "belady", capacity)
            )

    def test_shipped(self) -> None:
        """Baselines and optimum have libCacheSim's miss counts on both traces that ship, at several capacities."""
        paths = workbench.traces()
        self.assertEqual(len(paths), 2)
        for path in paths:
            self.compare(path, (0.02, 0.1, 0.3))

    def test_shared(self) -> None:
        """Baselines and optimum have libCacheSim's miss counts on others' traces, where they are at hand."""
        for path in sharedTraces("cache2k-web12.txt.xz", "cloudPhysicsIO.csv.gz", "lirs-2_pools.txt.xz"):
            self.compare(path, (0.1,))


class ByHandTests(SynchronousTestCase):
    """Traces short enough to follow with a pencil, then padded with one block that changes nothing."""

    def misses(self, ids: list[int], capacity: int) -> dict[str, int]:
        # The padding's block is resident when the last request is over, so it hits from then on.
        padded = ids + [ids[-1]] * (100 - len(ids))
        scenario = smallScenario(Path(tempfile.mkdtemp(dir=self.mktemp_folder())), padded, capacity)
        found = {name: sum(s.score for s in report.splits.values()) for name, report in scenario.baselines().items()}
        self.assertEqual(set(found), set(workbench.baselineNames))
        return {**found, "optimum": sum(scenario.optimum().values())}

    def mktemp_folder(self) -> str:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return str(folder)

    def test_secondChance(self) -> None:
        """A block that was requested again survives the next eviction everywhere but in FIFO."""
        # Capacity 3.  1 2 3 come in; 1 is hit; 4 evicts 1 (FIFO) or 2 (LRU, CLOCK, SIEVE); then 1.
        found = self.misses([1, 2, 3, 1, 4, 1], 3)
        self.assertEqual(found["fifo"], 5)
        for name in ("lru", "clock", "sieve", "arc", "optimum"):
            self.assertEqual(found[name], 4, name)

    def test_loop(self) -> None:
        """A loop of one block more than fits never hits under FIFO, LRU and CLOCK; the optimum keeps all but one."""
        found = self.misses([1, 2, 3, 4] * 5, 3)
        self.assertEqual((found["fifo"], found["lru"], found["clock"]), (20, 20, 20))
        # 4 to come in; then every third request misses: at 8, 11, 14, 17 of 1..20, and 20.
        self.assertEqual(found["optimum"], bruteForce([1, 2, 3, 4] * 5, 3))
        self.assertEqual(found["optimum"], 9)

    def test_lru(self) -> None:
        """LRU evicts the least recently requested, not the oldest."""
        # Capacity 2: 1 2 1 | 3 evicts 2 | 2 evicts 1 | 1 evicts 3.
        self.assertEqual(self.misses([1, 2, 1, 3, 2, 1], 2)["lru"], 5)
        # FIFO: 1 2 (hit 1) | 3 evicts 1 | 2 hits | 1 evicts 2.
        self.assertEqual(self.misses([1, 2, 1, 3, 2, 1], 2)["fifo"], 4)

    def test_clock(self) -> None:
        """CLOCK's hand passes over what was requested, clears its mark, and goes on from there."""
        # Capacity 3: 1 2 3, hits of 1 and 2; 4 evicts 3 (marks of 1, 2 cleared), hand at 1; 5 evicts 1; 1 evicts 2.
        self.assertEqual(self.misses([1, 2, 3, 1, 2, 4, 5, 1], 3)["clock"], 6)

    def test_sieve(self) -> None:
        """SIEVE's survivors stay in their place and newcomers go before them, where CLOCK's hand comes round."""
        # Capacity 3: 1 2 3, hit of 1; 4 evicts 2 and 5 evicts 3 with both; then 6 evicts 4 (SIEVE) or 1 (CLOCK).
        found = self.misses([1, 2, 3, 1, 4, 5, 6, 1], 3)
        self.assertEqual((found["sieve"], found["clock"]), (6, 7))

    def test_lfu(self) -> None:
        """LFU evicts the least requested, and of equals the least recently requested; it remembers no counts."""
        # Capacity 3: 1 twice, 2, 3; 4 evicts 2; 1 hits.
        found = self.misses([1, 1, 2, 3, 4, 1], 3)
        self.assertEqual((found["lfu"], found["lru"]), (4, 5))
        # Capacity 2: 1 three times, 2 twice; 3 evicts 2; 2 evicts 3, though it had two requests; 3 evicts 2; 1 hits.
        self.assertEqual(self.misses([1, 1, 1, 2, 2, 3, 2, 3, 1], 2)["lfu"], 5)

    def test_lirs(self) -> None:
        """LIRS keeps most of a loop that does not fit, and promotes who returns while a LIR block is older."""
        # Capacity 3, two LIR: 1 and 2; 3 and 4 evict each other in every round.
        self.assertEqual(self.misses([1, 2, 3, 4] * 5, 3)["lirs"], 4 + 4 * 2)
        # 1, 2 LIR; 4 evicts 3; 3 evicts 4, is LIR instead of 1; 2 and 1 hit; 4 has left S by now, and evicts 1, not 3.
        found = self.misses([1, 2, 3, 4, 3, 2, 1, 4, 3, 2], 3)
        self.assertEqual((found["lirs"], found["lru"]), (6, 8))

    def test_2q(self) -> None:
        """2Q protects a block from scans that is requested again soon after its eviction."""
        # Capacity 8: A1in 2, A1out 4.  1..8 fill; 9 evicts 1 to A1out; 1 comes back into Am (evicting 2);
        # a scan of ten takes from A1in while that has more than 2; 1 is still there.
        ids = [*range(1, 10), 1, *range(20, 30), 1]
        self.assertEqual(self.misses(ids, 8)["2q"], 20)
        self.assertEqual(self.misses(ids, 8)["lru"], 21)

    def test_arc(self) -> None:
        """ARC keeps what was requested twice through a scan."""
        # Capacity 4: 1 and 2 twice each (T2), then a scan of ten, which passes through T1; 1 and 2 hit.
        ids = [1, 2, 1, 2, *range(20, 30), 1, 2]
        self.assertEqual(self.misses(ids, 4)["arc"], 12)
        self.assertEqual(self.misses(ids, 4)["lru"], 14)

    def test_s3fifo(self) -> None:
        """S3-FIFO brings a block that comes back from its ghosts into main, where a scan does not reach it."""
        # Capacity 10: small 1, main 9.  1 goes to small, 2..10 to main (filling); for 11 small gives, as main is not
        # over its limit: 1 becomes a ghost.  1 returns to main, which is over its limit then: 2 goes next.
        ids = [*range(1, 12), 1, *range(50, 60), 1]
        found = self.misses(ids, 10)
        self.assertEqual(found["s3fifo"], 22)
        self.assertEqual(found["lru"], 23)


class OptimumTests(SynchronousTestCase):
    def test_bruteForce(self) -> None:
        """On small random traces the optimum is what trying all victims finds."""
        for seed in range(12):
            ids = [number % 7 for number in mixture(100, seed)]
            capacity = 2 + seed % 3
            path = Path(self.mktemp())
            trace = loadTrace(writeTrace(path.with_suffix(".txt"), ids))
            self.assertEqual(sum(optimumMisses(trace, capacity).values()), bruteForce(ids, capacity))

    def test_bound(self) -> None:
        """No policy has fewer misses than the optimum on a whole trace."""
        scenario = smallScenario(Path(tempfile.mkdtemp()))
        best = sum(scenario.optimum().values())
        for report in scenario.baselines().values():
            self.assertGreaterEqual(sum(split.score for split in report.splits.values()), best)
