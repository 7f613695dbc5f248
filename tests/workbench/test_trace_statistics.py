"""Regularities that were put into a trace are found with their parameter, and none where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Pattern
from kernelnet.workbench.file_system.patterns import learnPatterns as learnOfRequests
from kernelnet.workbench.file_system.trace import makeTrace as traceOfRequests
from kernelnet.workbench.network_stack.patterns import learnPatterns as learnOfLink
from kernelnet.workbench.network_stack.trace import makeTrace as traceOfLink
from kernelnet.workbench.process_manager.patterns import learnPatterns as learnOfTasks
from kernelnet.workbench.process_manager.tasks import Tasks
from kernelnet.workbench.process_manager.trace import makeTrace as traceOfTasks
from kernelnet.workbench.security.patterns import learnPatterns as learnOfCalls
from tests.workbench.sequences import made

REQUESTS = 50_000
"""The windows are a tenth of that."""

Numbers = npt.NDArray[Any]
Found = dict[str, Pattern]


def zipf(exponent: float, symbols: int, count: int, seed: int = 1) -> Numbers:
    """Independent draws; the most frequent symbol is no particular number."""
    rng = np.random.default_rng(seed)
    weights = np.arange(1, symbols + 1) ** -exponent
    numbers: Numbers = rng.permutation(7 * symbols)[rng.choice(symbols, count, p=weights / weights.sum())]
    return numbers


def ofRequests(ids: Numbers, capacity: int = 64) -> Found:
    """The first of each kind."""
    found: Found = {}
    for pattern in learnOfRequests(traceOfRequests(np.asarray(ids, np.uint64), Path("made.txt")), capacity):
        found.setdefault(pattern.type, pattern)
    return found


def ofTasks(sizes: Numbers, keys: Numbers, arrivals: Numbers) -> Found:
    path = Path("made.swf")
    tasks = Tasks(path, bursts=False)
    for arrival, size, key in zip(arrivals.tolist(), sizes.tolist(), keys.tolist(), strict=True):
        tasks.add(arrival, size, f"k/{key}", "k")
    return {pattern.type: pattern for pattern in learnOfTasks(traceOfTasks(tasks, path))}


class RequestTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        """Independent requests for blocks that are equally frequent have distances, and no other kind."""
        found = ofRequests(np.random.default_rng(1).integers(0, 500, REQUESTS))
        self.assertEqual(set(found), {"reuse_distance"})
        self.assertEqual(set(ofRequests(np.arange(REQUESTS) * 3)), {"one_hit_share"})

    def test_popularity(self) -> None:
        """Zipf's exponent is found, and no bursts, phases or transitions in independent requests."""
        for exponent in (0.6, 0.9, 1.2):
            found = ofRequests(zipf(exponent, 1000, 4 * REQUESTS))
            self.assertApproximates(found["popularity"].data["exponent"], exponent, 0.06)
            self.assertGreater(found["popularity"].confidence, 0.9)
            self.assertFalse({"burstiness", "phase_changes", "transitions", "sequential_runs", "loop"} & set(found))

    def test_popularityThatGoes(self) -> None:
        """Where validation has other blocks there is no confidence in what was popular."""
        early, late = zipf(1.0, 300, 20_000), zipf(1.0, 300, 30_000, seed=2) + 10_000
        self.assertLess(ofRequests(np.concatenate([early, late]))["popularity"].confidence, 0.1)

    def test_sequentialRuns(self) -> None:
        """Runs are found with their length, whatever the numbers of the blocks were in the trace's own order."""
        starts = 100 * np.random.default_rng(1).permutation(REQUESTS // 10)
        found = ofRequests((starts[:, None] + np.arange(10)).ravel())["sequential_runs"]
        self.assertApproximates(found.data["length"], 10, 0.01)
        self.assertApproximates(found.data["share"], 0.9, 0.01)
        self.assertNotIn("sequential_runs", ofRequests(np.random.default_rng(1).integers(0, 10, REQUESTS)))

    def test_loopBeyondTheWindow(self) -> None:
        """A loop that is longer than the window is found all the same: what was before the window is known."""
        found = ofRequests(np.arange(REQUESTS) % 8000, capacity=1000)
        self.assertEqual((found["loop"].data["length"], found["loop"].data["relative"]), (8000, 8.0))
        self.assertEqual(found["loop"].confidence, 1.0)

    def test_transitions(self) -> None:
        """Where what follows is nearly always the same it is found, with how often it is."""
        rng = np.random.default_rng(1)
        follows = rng.permutation(100)
        ids = [0]
        for surprise, other in zip(rng.random(REQUESTS) < 0.3, rng.integers(0, 100, REQUESTS), strict=True):
            ids.append(int(other if surprise else follows[ids[-1]]))
        # After a surprise what comes next is foreseen unless its turn was a surprise the last time too.
        self.assertApproximates(ofRequests(np.array(ids))["transitions"].data["share"], 0.7 * 0.7, 0.06)

    def test_phaseChanges(self) -> None:
        """When other blocks are popular from one request on, all changes are counted."""
        phases = [zipf(0.8, 100, 1000, seed=seed) + 1000 * seed for seed in range(REQUESTS // 1000)]
        found = ofRequests(np.concatenate(phases))["phase_changes"]
        self.assertEqual(found.data, {**found.data, "changes": 4, "length": 1000})
        self.assertEqual(found.confidence, 1.0)

    def test_burstiness(self) -> None:
        """Blocks whose requests come close together are told from those whose requests come at any time."""
        bursts = np.repeat(np.random.default_rng(1).integers(0, 100, REQUESTS // 20), 20)
        self.assertGreater(ofRequests(bursts)["burstiness"].data["dispersion"], 10)


class TaskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rng = np.random.default_rng(1)

    def tasks(self, **columns: Numbers) -> Found:
        """Sizes that are exponential, keys and arrivals that have nothing to do with them, but for C{columns}."""
        count = 20_000
        chosen = {
            "sizes": self.rng.exponential(1e6, count).astype(np.int64) + 1,
            "keys": self.rng.integers(0, 50, count),
            "arrivals": np.cumsum(self.rng.exponential(1e6, count)).astype(np.int64),
            **columns,
        }
        return ofTasks(**chosen)

    def test_nothing(self) -> None:
        """Tasks that have nothing to do with each other have none."""
        self.assertEqual(set(self.tasks()), set())

    def test_heavyTail(self) -> None:
        """The index of a Pareto distribution is found."""
        sizes = (1000 * (1 + self.rng.pareto(1.3, 20_000))).astype(np.int64)
        self.assertApproximates(self.tasks(sizes=sizes)["heavy_tail"].data["alpha"], 1.3, 0.15)

    def test_arrivals(self) -> None:
        """Arrivals in batches of ten have an index of dispersion near ten."""
        arrivals = np.repeat(np.cumsum(self.rng.exponential(1e7, 2000)), 10).astype(np.int64)
        self.assertApproximates(self.tasks(arrivals=arrivals)["burstiness"].data["dispersion"], 10, 3)

    def test_keys(self) -> None:
        """Of keys popularity, transitions and phases are found."""
        keys = zipf(1.0, 100, 20_000)
        found = self.tasks(keys=keys)
        self.assertApproximates(found["popularity"].data["exponent"], 1.0, 0.12)
        self.assertNotIn("transitions", found)
        self.assertGreater(self.tasks(keys=np.arange(20_000) % 40)["transitions"].data["share"], 0.9)
        phases = np.concatenate([self.rng.integers(0, 20, 500) + 20 * at for at in range(40)])
        self.assertEqual(self.tasks(keys=phases)["phase_changes"].data["changes"], 3)


class LinkTests(SynchronousTestCase):
    def link(self, rates: Numbers) -> Found:
        """A link with so many packets a millisecond on average, independent of each other."""
        counts = np.random.default_rng(1).poisson(rates).astype(np.uint16)
        return {pattern.type: pattern for pattern in learnOfLink(traceOfLink(counts, Path("made")))}

    def test_nothing(self) -> None:
        """One that delivers at random has a rate, which varies, and no more."""
        self.assertEqual(set(self.link(np.full(300_000, 0.5))), {"link_rate", "link_variation"})

    def test_changes(self) -> None:
        """A rate that steps up and down has phases of that length, and bursts."""
        found = self.link(np.where(np.arange(300_000) // 10_000 % 2, 2.0, 0.2))
        self.assertEqual(found["phase_changes"].data["changes"], 2)
        self.assertApproximates(found["phase_changes"].data["length"], 10, 0.01)
        self.assertGreater(found["burstiness"].data["dispersion"], 10)

    def test_period(self) -> None:
        """A rate that comes and goes has its period."""
        found = self.link(1 + np.sin(np.arange(300_000) * 2 * np.pi / 400))
        self.assertEqual(found["link_period"].data["period_ms"] % 400, 0)


class CallTests(SynchronousTestCase):
    def learn(self, normal: list[Any]) -> Found:
        attacks = [("attack:a", list("xyzxyz"))] * 20
        trace = made([("learn", calls) for calls in normal[:20]] + [("normal", calls) for calls in normal] + attacks)
        table = np.zeros((trace.sequences, 64))
        return {pattern.type: pattern for pattern in learnOfCalls(trace, table)}

    def test_transitions(self) -> None:
        """Calls that always follow each other are foreseen; independent ones are not, however skewed."""
        self.assertGreater(self.learn([list("abcdefgh") * 4] * 60)["transitions"].data["share"], 0.8)
        numbers = zipf(1.0, 40, 60 * 400).reshape(60, 400)
        found = self.learn(numbers.tolist())
        self.assertNotIn("transitions", found)
        self.assertApproximates(found["popularity"].data["exponent"], 1.0, 0.1)
