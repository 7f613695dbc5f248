"""The bench of playout delay against a second one in plain Python, to the unit, on small random calls."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.audio import workbench
from kernelnet.workbench.audio.machine import AudioMachine, optimumCosts
from kernelnet.workbench.audio.trace import makeTrace
from kernelnet.workbench.compiler import compileC
from tests.workbench import audio_reference as reference
from tests.workbench.audio_support import fixed, varied

SETTINGS = (
    reference.DEFAULTS,
    {"late_ms": 0, "scale_cost": 0, "down_ms": 1, "up_ms": 1, "base_ms": 0},
    {"late_ms": 1_000_000, "scale_cost": 1000, "down_ms": 20, "up_ms": 100, "base_ms": 400},
    {"late_ms": 5_000, "scale_cost": 7, "down_ms": 3, "up_ms": 13, "base_ms": 177},
)


def randomCall(seed: int, frames: int = 1200) -> list[int]:
    """Transits of all kinds, at the edges of milliseconds, too, with reordering; lost frames below 0."""
    rng = random.Random(seed)
    transits = varied(frames, seed)
    for _ in range(frames // 10):
        at = rng.randrange(frames)
        transits[at] = rng.choice([-1, 0, 1000, 59_999, 60_000, 60_001, 598_999, 599_000, 599_001, 2_000_000])
    return transits


class ReferenceTests(SynchronousTestCase):
    def same(self, wasm: bytes, policy: reference.Policy, seed: int, settings: dict[str, int]) -> None:
        transits = randomCall(seed)
        machine = AudioMachine(makeTrace(np.array(transits, np.int32), Path("random")))
        self.addCleanup(machine.close)
        measured = machine.run(wasm, settings)
        ends = [end for _, _, end in machine.trace.windows("held_out")]
        for split, expected in zip(measured.values(), reference.play(transits, policy, ends, settings), strict=True):
            self.assertEqual((split.score, split.metrics), (expected.cost, expected.metrics), (seed, settings))

    def test_fixed(self) -> None:
        """A fixed delay has the same on both, with any settings."""
        for seed, settings in enumerate(SETTINGS):
            for delay in (0, 60, 130.5, 700):
                self.same(fixed(delay), reference.Fixed(float(delay)), seed, settings)

    def test_erratic(self) -> None:
        """A policy that does other things whenever it is told other things has the same on both."""
        wasm = compileC(reference.ERRATIC_C, workbench.headerPath, trusted=True)
        for seed, settings in enumerate(SETTINGS * 2):
            self.same(wasm, reference.Erratic(settings), 10 + seed, settings)

    def test_rank(self) -> None:
        """So has a pure function of all that the rank ABI keeps."""
        wasm = compileC(reference.RANK_C, workbench.headerPath, trusted=True)
        for seed, settings in enumerate(SETTINGS):
            self.same(wasm, reference.Rank(), 20 + seed, settings)


class OptimumTests(SynchronousTestCase):
    def test_same(self) -> None:
        """The optimum is the least of all ways from delay to delay."""
        for seed, settings in enumerate(SETTINGS):
            transits = randomCall(30 + seed, 1000)
            trace = makeTrace(np.array(transits, np.int32), Path("random"))
            trace = replace(trace, ends={"train": 400, "validation": 415, "held_out": 440})
            found = optimumCosts(trace, settings)
            for split, start, end in trace.windows("held_out")[1:]:
                self.assertEqual(found[split], reference.leastCost(transits[start:end], settings), settings)

    def test_bound(self) -> None:
        """No hand-made policy and no random one costs less, on any split."""
        rng = random.Random(3)
        modules = [workbench.baselineModule(name) for name in workbench.baselineNames]
        modules += [fixed(rng.randrange(300)) for _ in range(5)]
        for seed, settings in enumerate(SETTINGS):
            machine = AudioMachine(makeTrace(np.array(randomCall(40 + seed), np.int32), Path("random")))
            self.addCleanup(machine.close)
            best = optimumCosts(machine.trace, settings)
            for wasm in modules:
                for name, split in machine.run(wasm, settings).items():
                    self.assertGreaterEqual(split.score, best[name])

    def test_attained(self) -> None:
        """Who knows that nothing is late plays at once, and that is the optimum, but for the way there."""
        machine = AudioMachine(makeTrace(np.zeros(1000, np.int32), Path("quiet")))
        self.addCleanup(machine.close)
        scores = machine.run(fixed(0), reference.DEFAULTS)
        self.assertEqual(optimumCosts(machine.trace, reference.DEFAULTS), dict.fromkeys(scores, 0))
        # 60 ms in steps of 5: 55 + 50 + … + 5, and 2 for each ms.
        self.assertEqual([split.score for split in scores.values()], [330 + 120, 0, 0])
