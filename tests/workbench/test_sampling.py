"""SHARDS: what is taken of a very long trace, and how near its miss ratios are to those of the whole."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import reading
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system import sampling
from kernelnet.workbench.file_system.machine import stackDistances
from kernelnet.workbench.file_system.patterns import learnPatterns
from kernelnet.workbench.file_system.readers import readTrace
from kernelnet.workbench.file_system.requests import Requests
from kernelnet.workbench.file_system.trace import loadTrace, makeTrace
from tests.cli.support import CliTestCase

REQUESTS, BLOCKS = 400_000, 60_000


def popular(seed: int) -> npt.NDArray[np.uint64]:
    """Requests for blocks of which few are popular (Zipf, exponent 0.8), and runs through others between."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, BLOCKS + 1) ** 0.8
    ids = random.choice(BLOCKS, REQUESTS, p=weights / weights.sum())
    runs = random.random(REQUESTS) < 0.2
    ids[runs] = BLOCKS + np.arange(runs.sum()) % (BLOCKS // 3)
    return ids.astype(np.uint64)


def ofLRU(ids: npt.NDArray[np.uint64], share: float) -> float:
    """LRU's miss ratio with a cache of a share of the blocks."""
    trace = makeTrace(ids, Path("x.txt"))
    return float((stackDistances(trace.blocks) >= round(trace.distinct * share)).mean())


class SampleTests(SynchronousTestCase):
    path = Path("x.txt")

    def sample(self, ids: npt.NDArray[np.uint64], pieces: int = 1, writes: bool = False) -> Requests:
        parts = (Requests(part, part % 2 == 0 if writes else None) for part in np.array_split(ids, pieces))
        return sampling.sample(self.path, parts)

    def test_short(self) -> None:
        """What is not too long is taken as it is."""
        ids = popular(1)[:1000]
        found = self.sample(ids, 7)
        self.assertEqual((found.ids.tolist(), found.whole, found.oneIn), (ids.tolist(), 1000, 1))

    def test_blocks(self) -> None:
        """Of a block all requests are taken, in order, with what is written, or none; about one block in so many."""
        self.patch(sampling, "BOUND", REQUESTS // 8)
        ids = popular(2)
        found = self.sample(ids, 5, writes=True)
        self.assertEqual(found.whole, REQUESTS)
        self.assertIn(found.oneIn, (8, 16))
        self.assertLessEqual(len(found.ids), REQUESTS // 8)
        taken = np.isin(ids, np.unique(found.ids))
        self.assertEqual(found.ids.tolist(), ids[taken].tolist())
        assert found.writes is not None
        self.assertEqual(found.writes.tolist(), (ids[taken] % 2 == 0).tolist())
        self.assertApproximates(len(np.unique(found.ids)) * found.oneIn / len(np.unique(ids)), 1, 0.05)

    def test_deterministic(self) -> None:
        """In which pieces a file is read makes no difference."""
        self.patch(sampling, "BOUND", 20_000)
        ids = popular(3)
        first = self.sample(ids)
        for pieces in (2, 9, 100):
            again = self.sample(ids, pieces)
            self.assertEqual((again.ids.tolist(), again.oneIn), (first.ids.tolist(), first.oneIn))

    def test_missRatio(self) -> None:
        """LRU's miss ratios are those of the whole, with 1 to 50 % of the blocks cached: 0.02 off on average."""
        self.patch(sampling, "BOUND", REQUESTS // 8)
        errors = []
        for seed in (4, 5):
            ids = popular(seed)
            taken = self.sample(ids).ids
            errors += [abs(ofLRU(ids, share) - ofLRU(taken, share)) for share in (0.01, 0.03, 0.1, 0.2, 0.3, 0.5)]
        self.assertLess(float(np.mean(errors)), 0.02, errors)
        self.assertLess(max(errors), 0.03, errors)

    def test_fewBlocks(self) -> None:
        """A trace of very few blocks can't be sampled: one line says so."""
        self.patch(sampling, "BOUND", 1000)
        for ids in (np.full(5000, 7, np.uint64), np.zeros(5000, np.uint64)):
            error = self.assertRaises(TraceError, self.sample, ids)
            self.assertIn("x.txt: more than 1000 requests for very few blocks; use a part of it", str(error))


class ToldTests(CliTestCase):
    def test_neighbours(self) -> None:
        """Which block comes behind which is not learned from a sample, where what came between may be left out."""
        trace = self.write("scan.txt", "".join(f"{number % 3000}\n" for number in range(12_000)))
        kinds = [{pattern.type for pattern in learnPatterns(loadTrace(trace), 100)}]
        self.patch(sampling, "BOUND", 7_000)
        kinds.append({pattern.type for pattern in learnPatterns(loadTrace(trace), 100)})
        self.assertEqual(["sequential_runs" in found for found in kinds], [True, False])

    def test_told(self) -> None:
        """Who measures on a sample is told, in the trace's name too; the digest is that of what is taken."""
        ids = popular(6)[:60_000]
        trace = self.write("long.txt", "".join(f"{number}\n" for number in ids))
        self.patch(sampling, "BOUND", 10_000)
        found = loadTrace(trace)
        self.assertEqual(found.name, "long (1 in 8)")
        self.assertEqual(found.digest, makeTrace(readTrace(trace).ids, trace).digest)
        with mock.patch.object(reading, "PIECE", 4096):
            self.assertEqual(loadTrace(trace).digest, found.digest)
        result = self.call("bench", "run", "file_system", "--trace", trace, "--capacity", "10%", "--json")
        self.assertEqual(result.exit_code, 0, result.stderr)
        said = (
            f"long.txt has 60000 requests, of which those for one block in 8 are taken (SHARDS): {len(found.blocks)};"
        )
        self.assertEqual(result.stderr, f"note: {said} a cache of 1000 blocks stands for one of 8000\n")
        self.assertIn('"trace": "long (1 in 8)"', result.stdout)
