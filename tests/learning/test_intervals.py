"""Intervals of levels: where they are, how wide, and that everybody gets the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.learning.intervals import Intervals, Windows, levelInterval
from kernelnet.workbench.suite import Suite
from tests.workbench.support import baselineSource, loop, mixture, policy, smallScenario


class Told:
    """A scenario on which scores by window are given, and the optimum is 0."""

    def __init__(self, digest: str, rate: bool = False, **scores: Sequence[int]) -> None:
        self.traceDigest = digest
        self.workbench = SimpleNamespace(reference="reference", baselineModule=str.encode)
        self._scores, self._rate = scores, rate

    def measure(self, wasm: bytes, upTo: str = "held_out") -> Any:
        scores = self._scores[wasm.decode()]
        whole = sum(scores) // len(scores) if self._rate else sum(scores)
        return SimpleNamespace(splits={upTo: SplitScore(100, whole, 1)})

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Any = ()) -> list[SplitScore]:
        # a rate's windows may all be higher by the same
        return [SplitScore(10, score + 50 * self._rate, 1) for score in self._scores[wasm.decode()]]

    def reference(self) -> Any:
        return self.measure(b"reference")

    def optimum(self) -> dict[str, int]:
        return {"held_out": 0}

    def developmentLevel(self, report: Any, split: str = "held_out") -> float:
        score: int = report.splits[split].score
        return 1 - score / (self.reference().splits[split].score or 1)


class ArithmeticTests(SynchronousTestCase):
    def told(self, rate: bool = False, digest: str = "a" * 64, **scores: Sequence[int]) -> Any:
        return Told(digest, rate, **scores)

    def test_same(self) -> None:
        """What gains the same share in every window has no doubt about it, however hard some windows are."""
        reference = [100, 900, 20, 500, 400, 100, 10, 100]
        scenario = self.told(reference=reference, ours=[each * 7 // 10 for each in reference])
        low, high = levelInterval(scenario, b"ours") or (0.0, 0.0)
        self.assertLess(abs(low - 0.3), 1e-9)
        self.assertLess(abs(high - 0.3), 1e-9)

    def test_doubt(self) -> None:
        """The more the windows differ, the wider it is; the level of the whole is inside."""
        widths = []
        for spread in (5, 20, 60):
            ours = [70 + spread * (-1) ** (at // 2) for at in range(32)]
            low, high = levelInterval(self.told(reference=[100] * 32, ours=ours), b"ours") or (0.0, 0.0)
            self.assertLess(low, 0.3)
            self.assertGreater(high, 0.3)
            widths.append(high - low)
        self.assertEqual(widths, sorted(widths))

    def test_oneWindow(self) -> None:
        """Of one window nobody can tell; nor where the reference is optimal."""
        self.assertIsNone(levelInterval(self.told(reference=[100], ours=[50]), b"ours"))
        self.assertIsNone(levelInterval(self.told(reference=[0] * 8, ours=[0] * 8), b"ours"))

    def test_repeated(self) -> None:
        """Whoever repeats it gets the same; another trace has other samples."""
        rng = random.Random(1)
        ours = [rng.randrange(100) for _ in range(32)]
        first, again, other = (
            levelInterval(self.told(digest=digest * 64, reference=[100] * 32, ours=ours), b"ours")
            for digest in ("a", "a", "b")
        )
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_rate(self) -> None:
        """Where a score is a rate, windows don't add up: each counts alike, and what all have more is no matter."""
        ours = [60, 80] * 16
        low, high = levelInterval(self.told(rate=True, reference=[100] * 32, ours=ours), b"ours") or (0.0, 0.0)
        self.assertLess(abs((low + high) / 2 - 0.3), 0.01)
        self.assertLess(high - low, 0.1)

    def test_coverage(self) -> None:
        """
        Of 300 stretches of the same load, 90 % or more have the true level in their interval of 95 %.

        Windows depend on those before (autoregressive, 0.3), and are hard and easy by turns.
        """
        rng = random.Random(7)
        hits = 0
        for number in range(300):
            reference, ours, last = [], [], 0.0
            for _ in range(32):
                last = 0.3 * last + rng.gauss(0, 0.15)
                hard = rng.choice((2_000, 10_000))
                reference.append(hard)
                ours.append(round(hard * (0.6 + last)))
            scenario = self.told(digest=f"{number:064x}", reference=reference, ours=ours)
            low, high = levelInterval(scenario, b"ours") or (1.0, 0.0)
            hits += low <= 0.4 <= high
        self.assertGreaterEqual(hits / 300, 0.9)
        self.assertLessEqual(hits / 300, 0.99)

    def test_difference(self) -> None:
        """What is hard for both is no doubt about which of them is better."""
        rng = random.Random(3)
        theirs = [rng.randrange(40, 100) for _ in range(32)]
        scenario = self.told(reference=[100] * 32, theirs=theirs, ours=[each - 5 for each in theirs])
        intervals = Intervals(scenario)
        ours, other = (intervals.windows(name) for name in (b"ours", b"theirs"))
        low, high = intervals.difference(ours, other) or (0.0, 0.0)
        self.assertLess(max(abs(low - 0.05), abs(high - 0.05)), 1e-9)
        alone = intervals.level(ours) or (0.0, 0.0)
        self.assertGreater(alone[1] - alone[0], 0.05)
        self.assertEqual(levelInterval(scenario, ours), alone)


class MeasuredTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def test_measured(self) -> None:
        """On a bench, as a module meets it: the reference has 0 for certain, others have their level inside."""
        wasm = policy(baselineSource("arc"))
        scenario = smallScenario(self.folder, mixture()).forModule(wasm)
        self.assertEqual(levelInterval(scenario, policy(baselineSource("lru"))), (0.0, 0.0))
        low, high = levelInterval(scenario, wasm) or (0.0, 0.0)
        level = scenario.developmentLevel(scenario.measure(wasm))
        self.assertLess(low, level)
        self.assertGreater(high, level)
        self.assertLess(high - low, 0.3)

    def test_suite(self) -> None:
        """A suite's is that of the mean of its parts, narrower than the widest of them."""
        wasm = policy(baselineSource("arc"))
        parts = [smallScenario(self.folder, ids) for ids in (mixture(), loop(3000))]
        suite = Suite(parts)
        low, high = levelInterval(suite, wasm) or (0.0, 0.0)
        level = suite.developmentLevel(suite.measure(wasm))
        self.assertTrue(low <= level <= high, (low, level, high))
        alone = [levelInterval(part, wasm) or (0.0, 0.0) for part in parts]
        self.assertLess(high - low, max(each[1] - each[0] for each in alone) + 1e-9)

    def test_windows(self) -> None:
        """What was measured once needn't be again."""
        scenario = smallScenario(self.folder, mixture())
        wasm = policy(baselineSource("arc"))
        intervals = Intervals(scenario)
        known = intervals.windows(wasm, scenario.measure(wasm))
        self.assertIsInstance(known, Windows)
        self.assertEqual(intervals.level(known), levelInterval(scenario, wasm))
