"""Tests of C{kernelnet.learning.ladder}: held-out is told by steps that are greater than noise."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning.ladder import Rung, rungAfter


class LadderTests(SynchronousTestCase):
    def test_first(self) -> None:
        """The first level is told, rounded."""
        first = rungAfter(None, [0.30, 0.32], 0.3149)
        assert first is not None
        self.assertEqual(first.level, 0.31)
        self.assertAlmostEqual(first.error, 0.01)

    def test_noise(self) -> None:
        """What is higher by less than the noise of both, or lower, is not told; a step that is greater is."""
        first = rungAfter(None, [0.3, 0.34, 0.32, 0.36], 0.33)
        self.assertIsNone(rungAfter(first, [0.31, 0.35, 0.33, 0.37], 0.34))
        self.assertIsNone(rungAfter(first, [0.1, 0.1], 0.1))
        second = rungAfter(first, [0.41, 0.45, 0.43, 0.47], 0.44)
        assert second is not None
        self.assertEqual(second.level, 0.44)

    def test_withoutVariants(self) -> None:
        """Where there are no variants the least step counts as noise."""
        self.assertIsNone(rungAfter(Rung(0.3, 0.0), [], 0.309))
        self.assertEqual(rungAfter(Rung(0.3, 0.0), [], 0.321), Rung(0.32, 0.0))

    def test_nothingIsLearned(self) -> None:
        """Of a thousand policies that differ by luck alone few are told, and what is told stays near the truth."""
        rng = random.Random(1)
        rung, told = None, 0
        for _ in range(1000):
            levels = [0.5 + rng.gauss(0, 0.02) for _ in range(8)]
            reached = rungAfter(rung, levels, sum(levels) / len(levels))
            if reached is not None:
                rung, told = reached, told + 1
        assert rung is not None
        self.assertLess(told, 6)
        self.assertLess(abs(rung.level - 0.5), 0.035)
