"""The guard: several windows of validation decide, and luck in one of them does not."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.generators import Candidate
from kernelnet.learning.acceptance import accept
from kernelnet.learning.significance import (
    LUCK,
    WINDOWS,
    gains,
    isBeaten,
    isFarBehind,
    isSignificantlyBetter,
    lowerBound,
    studentQuantile,
)
from kernelnet.workbench.suite import Suite
from kernelnet.workbench.variants import VariantScenario
from tests.workbench.support import baselineSource, policy, smallScenario


class Windowed:
    """A scenario whose windows are given."""

    def __init__(self, **scores: list[int]) -> None:
        self._scores = scores

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Any = ()) -> list[SplitScore]:
        assert split == "validation"
        return [SplitScore(events=100, score=score, fuel=1) for score in self._scores[wasm.decode()]]


class Arithmetic(SynchronousTestCase):
    def better(self, ours: list[int], theirs: list[int]) -> bool:
        scenario: Any = Windowed(ours=ours, theirs=theirs)
        return isSignificantlyBetter(scenario, b"ours", b"theirs")

    def test_student(self) -> None:
        """The quantiles are those of Student's tables, within a percent from three degrees of freedom on."""
        for freedom, quantile in ((3, 1.638), (5, 1.476), (7, 1.415), (15, 1.341), (30, 1.310), (120, 1.289)):
            self.assertLess(abs(studentQuantile(0.9, freedom) / quantile - 1), 0.01, freedom)

    def test_bound(self) -> None:
        """For 1, 2, 3, 4 the mean is 2.5, its standard error the root of 5/12, and the quantile for 3 is 1.638."""
        self.assertLess(abs(lowerBound([1, 2, 3, 4]) - (2.5 - 1.638 * (5 / 12) ** 0.5)), 0.01)
        self.assertEqual(lowerBound([0.25]), 0.25)
        self.assertEqual(lowerBound([]), 0.0)

    def test_gains(self) -> None:
        """A gain is a share of the higher score; where nobody scores there is none."""
        self.assertEqual(gains([50, 100, 0, 0], [100, 50, 10, 0]), [0.5, -0.5, 1.0, 0.0])

    def test_everywhere(self) -> None:
        """A little better in every window is better."""
        self.assertTrue(self.better([97, 98, 96, 97, 98, 97, 96, 98], [100] * 8))

    def test_oneWindow(self) -> None:
        """Much better in one window and the same elsewhere, or hardly worse, is luck."""
        self.assertFalse(self.better([0] + [100] * 7, [100] * 8))
        self.assertFalse(self.better([100] * 5 + [10] + [101] * 2, [100] * 8))

    def test_unsteady(self) -> None:
        """Better here and as much worse there is not better, even if the sum is a little less."""
        self.assertFalse(self.better([50, 148] * 4, [100] * 8))

    def test_some(self) -> None:
        """Two windows may be a little worse where six are clearly better."""
        self.assertTrue(self.better([90, 90, 101, 88, 92, 102, 90, 91], [100] * 8))

    def test_same(self) -> None:
        """The same is not better, and neither is what nobody can tell apart."""
        self.assertFalse(self.better([100] * 8, [100] * 8))
        self.assertFalse(self.better([0] * 8, [0] * 8))
        self.assertFalse(self.better([], []))

    def test_few(self) -> None:
        """One window decides alone; a scenario without windows leaves it to the sum."""
        self.assertTrue(self.better([99], [100]))
        self.assertFalse(self.better([100], [100]))
        without: Any = object()
        self.assertTrue(isSignificantlyBetter(without, b"ours", b"theirs"))

    @given(st.integers(0, WINDOWS - 1), st.integers(0, 10**6), st.integers(1, 10**6))
    def test_neverOne(self, at: int, other: int, most: int) -> None:
        """However much is gained in one window, it does not do."""
        theirs = [other] * WINDOWS
        theirs[at] += most
        self.assertFalse(self.better([other] * WINDOWS, theirs))


def turning(first: int, last: int) -> str:
    """From request C{first} to C{last} it evicts the newest, as is best for a loop; else it is LRU."""
    return f"""
    #include "kn_file_system.h"
    static kn_links l; static u32 head, n;
    void kn_init(u32 c) {{ head = c; l = kn_links_new(c + 1); kn_list_init(l, c); }}
    void kn_hit(u32 s) {{ kn_unlink(l, s); kn_push_front(l, head, s); n++; }}
    u32 kn_victim(u64 k) {{
        if (n < {first} || n >= {last}) return kn_pop_back(l, head);
        u32 newest = l.next[head];
        kn_unlink(l, newest);
        return newest;
    }}
    void kn_insert(u32 s, u64 k) {{ kn_push_front(l, head, s); n++; }}
    """


class LuckTests(SynchronousTestCase):
    """A module's digest draws its variants: the luckiest of many digests must not pass for better."""

    def test_grinding(self) -> None:
        """Of two thousand digests of a module that is no better, the luckiest gains less than what is asked."""
        spread = 0.02
        luckiest = max(range(2000), key=lambda seed: self.luck(spread, seed))
        gained = self.luck(spread, luckiest)
        self.assertGreater(gained, 3 * spread / 8**0.5)
        self.assertLess(gained, LUCK * spread / 8**0.5)
        passed = sum(isSignificantlyBetter(self.drawn(0, spread, seed), b"ours", b"theirs") for seed in range(2000))
        # By the windows alone, half of them would pass.
        self.assertLess(passed, 20)

    def test_farBehind(self) -> None:
        """
        Four variants say that a rival is far behind only by thrice the luck that Student gives as few of them.

        By the luck of many, 3.85 standard errors, it would be one of 60 that is no better; by twice that one of 400.
        """
        rng = random.Random(3)
        drawn = [[rng.gauss(0, 0.02) for _ in range(4)] for _ in range(5000)]
        self.assertEqual([gain for gain in drawn if self.far(gain)], [])
        # A mean of 0.4 with a standard error of 0.0073, 55 of them, and of half as much.
        self.assertFalse(self.far([0.4 * part for part in (0.98, 1.02, 0.96, 1.04)]))
        self.assertTrue(self.far([0.4 * part for part in (0.99, 1.01, 0.98, 1.02)]))

    def test_farBehindOverTime(self) -> None:
        """Over time it asks for a confidence of 0.999, where 0.9 is enough for all variants."""
        for theirs, isFar in (([100] * 8, True), ([100, 72] * 4, False)):
            ours, rival = [[[70] * 8] * 4], [[theirs] * 4]
            self.assertTrue(isBeaten(ours, rival))
            self.assertEqual(isFarBehind(ours, rival), isFar)

    def far(self, gain: list[float]) -> bool:
        return isFarBehind([[[round(1e6 * (1 - each))] * 8 for each in gain]], [[[1_000_000] * 8] * len(gain)])

    def luck(self, spread: float, seed: int) -> float:
        rng = random.Random(seed)
        return sum(rng.gauss(0, spread) for _ in range(8)) / 8

    def drawn(self, gain: float, spread: float, seed: int) -> Any:
        """The same without a trace, which takes no time."""
        rng = random.Random(seed)
        scenario: Any = VariantScenario.__new__(VariantScenario)
        scenario.variants = [
            Windowed(ours=[round(1e6 * (1 - rng.gauss(gain, spread)))] * 8, theirs=[1_000_000] * 8) for _ in range(8)
        ]
        return scenario

    def test_better(self) -> None:
        """What is better by more than that passes."""
        passed = [isSignificantlyBetter(self.drawn(0.05, 0.02, seed), b"ours", b"theirs") for seed in range(100)]
        self.assertGreater(sum(passed), 90)


class Accepting(SynchronousTestCase):
    def scenario(self, ids: list[int]) -> Any:
        """Where LRU is the only hand-made policy."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        scenario = smallScenario(folder, ids)
        self.patch(scenario, "baselines", lambda: {"lru": scenario.reference()})
        # On variants nothing comes when it came: here it is known which window is lucky.
        self.patch(scenario, "forModule", lambda wasm: scenario)
        return scenario

    def test_oneLuckyWindow(self) -> None:
        """
        What is better in one window of validation only is refused, though its sum is lower, and the reason says so.

        Blocks are random but for a loop in the fourth window (validation is from 6400 to 8000), which does not fit.
        """
        rng = random.Random(5)
        ids = [rng.randrange(200) for _ in range(16_000)]
        ids[7000:7180] = [1000 + number % 40 for number in range(180)]
        scenario = self.scenario(ids)
        source = turning(7040, 7180)
        score = scenario.measure(policy(source), upTo="validation").splits["validation"].score
        self.assertLess(score, scenario.reference().splits["validation"].score - 50)
        component, reason = accept(scenario, Candidate(source), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn("luck", reason)
        self.assertIn("lru", reason)

    def test_everywhere(self) -> None:
        """What is better in all windows is accepted."""
        scenario = self.scenario([number % 60 for number in range(4000)])
        component, reason = accept(scenario, Candidate(turning(100, 4000)), generator="test", seed=0)
        self.assertIsNotNone(component, reason)

    def test_suite(self) -> None:
        """For a suite the windows of all its parts count."""
        loops = [[number % length for number in range(4000)] for length in (60, 70)]
        suite = Suite([self.scenario(ids) for ids in loops])
        wasm, lru = policy(turning(100, 4000)), policy(baselineSource("lru"))
        self.assertEqual(len(suite.measureWindows(wasm, "validation", WINDOWS)), 2 * WINDOWS)
        self.assertTrue(isSignificantlyBetter(suite, wasm, lru))
        self.assertFalse(isSignificantlyBetter(suite, lru, lru))
