"""What variants leave out, and where they begin: the same on every machine, and on every scale."""

from __future__ import annotations

import hashlib
import time

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.thinning import drawn, leftOf, seedOf, turnOf

SEED = hashlib.sha256(b"seed").digest()


class ThinningTests(SynchronousTestCase):
    def test_everywhereTheSame(self) -> None:
        """All of it is integers from SHAKE-128: what was drawn on one machine once is drawn on all."""
        left = leftOf(SEED, "train", 100_000)
        self.assertEqual(hashlib.sha256(np.packbits(left).tobytes()).hexdigest()[:16], "c44cfaf45af6d3d4")
        self.assertEqual(turnOf(SEED, "train", 100_000), 22012)

    def test_drawn(self) -> None:
        """Numbers are below their bound, evenly, and others for another purpose."""
        numbers = drawn(SEED, "a", 10_000, 10)
        self.assertEqual(set(numbers.tolist()), set(range(10)))
        self.assertLess(np.bincount(numbers).max() - np.bincount(numbers).min(), 200)
        self.assertNotEqual(numbers.tolist(), drawn(SEED, "b", 10_000, 10).tolist())
        self.assertTrue((drawn(SEED, "a", 1000, 1) == 0).all())

    def test_scales(self) -> None:
        """A fifth is missing, in gaps of all lengths: no place is certain to less than some thousandths."""
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

    def test_spread(self) -> None:
        """Variants of a module begin far from each other; where, differs from module to module and part to part."""
        seeds = [seedOf(SEED, number, 8) for number in range(8)]
        self.assertEqual({len(seed) for seed in seeds}, {32})
        starts = set()
        for part in ("train", "validation", "held_out"):
            places = sorted(turnOf(seed, part, 80_000) for seed in seeds)
            distances = {(b - a) % 80_000 for a, b in zip(places, [*places[1:], places[0]], strict=True)}
            self.assertTrue(distances <= {9_999, 10_000, 10_001}, distances)
            starts.add(places[0])
            other = seedOf(hashlib.sha256(b"other").digest(), 0, 8)
            self.assertNotIn(turnOf(other, part, 80_000), places)
        self.assertEqual(len(starts), 3)
        left = [leftOf(seed, "train", 1000).tobytes() for seed in seeds]
        self.assertEqual(len(set(left)), 8)

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
