"""
The hand-made policies of audio: a hand-computed answer for each, asked directly.

The baselines' own files say from where the rules are.
"""

from __future__ import annotations

from typing import Any

import wasmtime
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.audio import workbench
from kernelnet.workbench.engine import engine
from kernelnet.workbench.sandbox import loadModule


class Buffer:
    """A baseline, asked directly."""

    def __init__(self, name: str, late: int = 14_600) -> None:
        self._store = wasmtime.Store(engine())
        self._store.set_fuel(1 << 40)
        self._store.set_epoch_deadline(1 << 40)
        module = loadModule(workbench.baselineModule(name))
        exports: Any = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._exports = exports
        exports["kn_init"](self._store, late, 2, 5, 20, 50)

    def told(self, *milliseconds: float) -> float:
        """The delay after frames with these transits."""
        for each in milliseconds:
            self._exports["kn_arrive"](self._store, 0, round(each * 1000))
        delay: float = self._exports["kn_target"](self._store, 60)
        return delay


class BaselineTests(SynchronousTestCase):
    def test_before(self) -> None:
        """Before anything has come the delay stays, but where it is fixed or has a start of its own."""
        for name in workbench.baselineNames:
            plain = name.removesuffix("_tuned")
            expected = {"fixed": 120.0 if name != plain else 60.0, "neteq": 80.0}.get(plain, 60.0)
            self.assertEqual(Buffer(name).told(), expected, name)

    def test_quiet(self) -> None:
        """Where each transit is 10 ms, all but the fixed ones and NetEq, whose steps are 20 ms, come to 10 ms."""
        for name in workbench.baselineNames:
            plain = name.removesuffix("_tuned")
            if plain not in ("fixed", "neteq"):
                self.assertAlmostEqual(Buffer(name).told(*[10.0] * 3000), 10.0, 0, name)

    def test_ramjee1(self) -> None:
        """Mean and deviations: after 0 and 100 ms, 0.1998 and 0.19941 by hand."""
        mean = 0.001998 * 100
        self.assertAlmostEqual(Buffer("ramjee1").told(0, 100), mean + 4 * 0.001998 * (100 - mean))

    def test_ramjee2(self) -> None:
        """It rises by a quarter of the way, and falls by a five hundredth."""
        mean = 25.0
        dev = 0.001998 * 75
        self.assertAlmostEqual(Buffer("ramjee2").told(0, 100), mean + 4 * dev)
        fallen = 0.998002 * mean
        dev = 0.998002 * dev + 0.001998 * fallen
        self.assertAlmostEqual(Buffer("ramjee2").told(0, 100, 0), fallen + 4 * dev)

    def test_ramjee4(self) -> None:
        """A spike of 200 ms: the mean goes with the transits while it lasts, else an eighth of the way."""
        calm = Buffer("ramjee4")
        self.assertAlmostEqual(calm.told(0, 80), 10 + 4 * 70 / 8)
        spike = Buffer("ramjee4")
        self.assertAlmostEqual(spike.told(0, 200), 200.0)
        # It changes by as much once more: 200 / 8 = 25 > 7.875: still a spike, and the mean follows down.
        self.assertAlmostEqual(spike.told(180), 180.0)

    def test_moon(self) -> None:
        """The 99th percentile; a transit of more than four times it begins a spike, which twice it ends."""
        buffer = Buffer("moon")
        self.assertEqual(buffer.told(*[10.0] * 990), 10.0)
        self.assertEqual(buffer.told(41.0), 41.0)
        self.assertEqual(buffer.told(21.0), 21.0)
        self.assertEqual(buffer.told(20.0), 10.0)
        self.assertEqual(buffer.told(*[30.0] * 20), 30.0)

    def test_concord(self) -> None:
        """A percent of the transits may be above, where all count about the same."""
        self.assertEqual(Buffer("concord").told(*[float(ms) for ms in range(100, 0, -1)]), 99.0)
        # Of old ones nothing is left: 0.998^4000 is 0.0003.
        self.assertEqual(Buffer("concord").told(*[90.0] * 1000, *[10.0] * 4000), 10.0)

    def test_neteq(self) -> None:
        """The greatest of half a second above the least of the last two, to the next 20 ms."""
        buffer = Buffer("neteq")
        self.assertEqual(buffer.told(*[10.0] * 24), 10 + 80.0)
        self.assertEqual(buffer.told(65.0), 10 + 60.0)
        # Of the second interval: its weight is a third, that of the first two thirds, and 95 % are asked for.
        self.assertEqual(buffer.told(*[10.0] * 25), 10 + 60.0)

    def test_nlms(self) -> None:
        """At first the last transit is expected; what it is wrong by is learned."""
        buffer = Buffer("nlms")
        self.assertAlmostEqual(buffer.told(50), 50.0)
        rate = 1 + 0.01 * 50 * 50 / (1 + 2500)
        coefficients = (rate, 0.0)
        expected = coefficients[0] * 100 + coefficients[1] * 50
        self.assertAlmostEqual(buffer.told(100), expected + 4 * 0.001998 * 50)

    def test_speex(self) -> None:
        """A late frame of 120 costs as much as 121.7 ms more delay for all: 120 ms are worth it, 123 are not."""
        self.assertEqual(Buffer("speex").told(*[10.0] * 119, 130.0), 130.0)
        self.assertEqual(Buffer("speex").told(*[10.0] * 119, 133.0), 10.0)
        self.assertEqual(Buffer("speex", late=0).told(*[10.0] * 119, 130.0), 0.0)
