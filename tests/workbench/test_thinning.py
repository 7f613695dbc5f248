"""What variants leave out, and where they begin: the same on every machine, and on every scale."""

from __future__ import annotations

import hashlib
import time

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.thinning import drawn, leftOf, turnOf

SEED = hashlib.sha256(b"seed").digest()


class ThinningTests(SynchronousTestCase):
    def test_everywhereTheSame(self) -> None:
        """All of it is integers from SHAKE-128: what was drawn on one machine once is drawn on all."""
        left = leftOf(SEED, "train", 100_000)
        self.assertEqual(hashlib.sha256(np.packbits(left).tobytes()).hexdigest()[:16], "c44cfaf45af6d3d4")
        self.assertEqual(turnOf(SEED, "train", 100_000), 4569)

    def test_drawn(self) -> None:
        """Numbers are below their bound, evenly, and others for another purpose."""
        numbers = drawn(SEED, "a", 10_000, 10)
        self.assertEqual(set(numbers.tolist()), set(range(10)))
        self.assertLess(np.bincount(numbers).max() - np.bincount(numbers).min(), 200)
        self.assertNotEqual(numbers.tolist(), drawn(SEED, "b", 10_000, 10).tolist())
        self.assertTrue((drawn(SEED, "a", 1000, 1) == 0).all())

    def test_scales(self) -> None:
        """A seventh to a quarter is missing; so are gaps of all lengths, so that no place is certain to some percents."""
        events, shares, places = 200_000, [], []
        for number in range(20):
            left = leftOf(SEED + bytes([number]), "train", events)
            shares.append(left.mean())
            places.append(int(left[: events // 2].sum()))
            edges = np.flatnonzero(np.diff(np.concatenate([[1], left, [1]])))
            gaps = edges[1::2] - edges[::2]
            for low in (1, 4, 16, 64, 256, 1024):
                self.assertGreater(((gaps >= low) & (gaps < 8 * low)).sum(), 0, low)
        self.assertTrue(0.75 < np.mean(shares) < 0.86, np.mean(shares))
        self.assertGreater(np.std(places) / events, 0.005)

    def test_small(self) -> None:
        """Something is left of every part that has something, and of none nothing."""
        for events in range(1, 40):
            for number in range(20):
                left = leftOf(SEED + bytes([number]), "validation", events)
                self.assertEqual(len(left), events)
                self.assertTrue(left.any())
                self.assertLess(turnOf(SEED, "validation", int(left.sum())), left.sum())
        self.assertEqual((len(leftOf(SEED, "train", 0)), turnOf(SEED, "train", 0)), (0, 0))

    def test_fast(self) -> None:
        """A million events are a matter of a moment."""
        before = time.process_time()
        leftOf(SEED, "train", 1_000_000)
        self.assertLess(time.process_time() - before, 0.5)
