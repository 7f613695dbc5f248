"""
The hand-made policies of graphics: a hand-computed answer for each, asked directly.

The sources that each file names say what the answers should be.
"""

from __future__ import annotations

from typing import Any

import wasmtime
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.engine import engine
from kernelnet.workbench.graphics import workbench
from kernelnet.workbench.sandbox import loadModule

PERIOD, MISS = 16_667, 50_001


class Compositor:
    """A baseline, asked directly; answers in microseconds."""

    def __init__(self, name: str, period: int = PERIOD) -> None:
        self._store = wasmtime.Store(engine())
        self._store.set_fuel(1 << 40)
        self._store.set_epoch_deadline(1 << 40)
        module = loadModule(workbench.baselineModule(name))
        exports: Any = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._exports = exports
        exports["kn_init"](self._store, period, MISS)

    def budget(self, refreshes: int = 1) -> float:
        """At the vblank; a commit changes nothing for any of them."""
        answer: float = self._exports["kn_vblank"](self._store, refreshes)
        assert self._exports["kn_commit"](self._store, 7, 100) == answer
        return answer

    def frames(self, *work: int, missed: int = 0, refreshes: int = 1) -> float:
        """So many frames; the budget of the next one."""
        for each in work:
            self._exports["kn_vblank"](self._store, refreshes)
            self._exports["kn_done"](self._store, each, missed)
        answer: float = self._exports["kn_commit"](self._store, 7, 100)
        return answer


class BaselineTests(SynchronousTestCase):
    def test_vblank(self) -> None:
        """At once, whatever was."""
        self.assertEqual(Compositor("vblank").frames(1000, 99_999, missed=1), PERIOD)

    def test_weston(self) -> None:
        """7 ms before the vblank, whatever was."""
        self.assertEqual(Compositor("weston").frames(1000, 99_999), 7000.0)

    def test_mutter(self) -> None:
        """The longest of this second and of those before, of which half is forgotten in each, and 1 ms."""
        mutter = Compositor("mutter", 100_000)
        self.assertEqual(mutter.budget(), 87_500.0)
        self.assertEqual(mutter.frames(3000, 9000, 2000), 10_000.0)
        # Ten vblanks after the first one the second is over, and 9000 becomes the long-term maximum.
        for _ in range(6):
            self.assertEqual(mutter.frames(1000), 10_000.0)
        # In the next one the longest is 1000: half-way down is 5000.
        answers = [mutter.frames(1000) for _ in range(12)]
        self.assertEqual((answers[0], answers[-1]), (10_000.0, 6000.0))
        self.assertEqual(mutter.frames(12_000), 13_000.0)

    def test_kwin(self) -> None:
        """The smoothed time, by a thirtieth each frame, and twice what it was exceeded by."""
        kwin = Compositor("kwin")
        self.assertEqual(kwin.budget(), PERIOD)
        # The first counts as after ten seconds: it is the mean, and exceeds nothing (0) by all of it.
        self.assertEqual(kwin.frames(1000), 1000.0 + 2 * 1000.0)
        share, slow = PERIOD / 500_000, PERIOD / 6_000_000
        mean = 4000 * share + 1000 * (1 - share)
        # What it exceeds the mean by, 3000, counts at once, as that is more than the smoothed.
        self.assertAlmostEqual(kwin.frames(4000), mean + 2 * 3000, 6)
        after = 1000 * share + mean * (1 - share)
        self.assertAlmostEqual(kwin.frames(1000), after + 2 * 3000 * (1 - slow), 6)

    def test_kwinPause(self) -> None:
        """After a long pause the last frame alone is the mean, and what exceeds it has lost a tenth."""
        kwin = Compositor("kwin")
        kwin.frames(1000, 4000)
        self.assertAlmostEqual(kwin.frames(1000, refreshes=64), 1000 + 2 * 3000 * 0.9, 6)

    def test_gamescope(self) -> None:
        """3 ms at first; up at once by more than half of a red zone, else a fiftieth of the way; 1.65 ms besides."""
        gamescope = Compositor("gamescope")
        self.assertEqual(gamescope.budget(), 3000.0 + 1650.0)
        self.assertAlmostEqual(gamescope.frames(3825), 3000 * 0.98 + 3825 * 0.02 + 1650, 6)
        self.assertEqual(gamescope.frames(5000), 5000.0 + 1650.0)
        self.assertAlmostEqual(gamescope.frames(1000), 5000 * 0.98 + 1000 * 0.02 + 1650, 6)
        self.assertEqual(gamescope.frames(90_000), PERIOD)

    def test_chromium(self) -> None:
        """The longest of the last 60."""
        chromium = Compositor("chromium")
        self.assertEqual(chromium.budget(), PERIOD)
        self.assertEqual(chromium.frames(5000, 9000, 5000), 9000.0)
        self.assertEqual(chromium.frames(*[2000 + at for at in range(58)]), 9000.0)
        self.assertEqual(chromium.frames(2000), 5000.0)
        self.assertEqual(chromium.frames(2000), 2057.0)

    def test_jacobson(self) -> None:
        """RFC 6298: the first sample and twice it; then an eighth and a quarter of what is new."""
        jacobson = Compositor("jacobson")
        self.assertEqual(jacobson.budget(), PERIOD)
        self.assertEqual(jacobson.frames(1000), 1000.0 + 4 * 500.0)
        # deviation 500 + (800 - 500) / 4 = 575, mean 1000 + 800 / 8 = 1100
        self.assertEqual(jacobson.frames(1800), 1100.0 + 4 * 575.0)

    def test_aimd(self) -> None:
        """It sleeps 0.05 ms longer after each frame that is in time, and half as long after one that isn't."""
        aimd = Compositor("aimd")
        self.assertEqual(aimd.budget(), PERIOD)
        self.assertEqual(aimd.frames(*[1000] * 10), PERIOD - 500.0)
        self.assertEqual(aimd.frames(1000, missed=1), PERIOD - 250.0)
