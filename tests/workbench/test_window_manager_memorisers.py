"""
Who knows movements by heart gains nothing by it: on the variants on which a claim is measured he is no better than the
predictor that he falls back to, though on the movements as they are he gains.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.window_manager import workbench
from tests.workbench.window_manager_memorisers import byCount, byPlace, byShape, fallback, rankByTime, rankFallback
from tests.workbench.window_manager_support import smallScenario

NOISE = 0.003
SIZES = (16 << 10, 54 << 10)
"""Bytes of tables; with the code around it a module has at most 64 KB."""


class MemoriserTests(SynchronousTestCase):
    def setUp(self) -> None:
        # So much of a trace that a table can hold all of held-out.
        (path,) = (path for path in workbench.traces() if "office" in path.name)
        whole = workbench.scenario(path).machine.trace
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        samples = zip(whole.gaps[:36_000].tolist(), whole.moves[:36_000].tolist(), strict=True)
        self.scenario = smallScenario(folder, [(gap, dx / 1000, dy / 1000) for gap, (dx, dy) in samples])
        self.trace = self.scenario.machine.trace

    def check(self, wasm: bytes, own: bytes, least: float) -> None:
        """@param least: what it gains on the movements as they are, in the development level on held-out."""
        known, claimed = (
            each.developmentLevel(each.measure(wasm)) - each.developmentLevel(each.measure(own))
            for each in (self.scenario, self.scenario.forModule(wasm))
        )
        self.assertGreater(known, least)
        self.assertLess(claimed, NOISE)

    def test_byCount(self) -> None:
        """One that counts samples, and has what follows in a table."""
        for size, least in zip(SIZES, (0.05, 0.15), strict=True):
            self.check(byCount(self.trace, size), fallback(), least)

    def test_byPlace(self) -> None:
        """One that looks up the last three movements."""
        for size, least in zip(SIZES, (0.04, 0.15), strict=True):
            self.check(byPlace(self.trace, size), fallback(), least)

    def test_byShape(self) -> None:
        """One that looks for their shape, whatever its size and direction, and follows what it found."""
        for last, near, least in ((5, 0.003, 0.03), (5, 0.03, 0.15), (8, 0.03, 0.15)):
            self.check(byShape(self.trace, SIZES[1], last=last, near=near), fallback(), least)

    def test_rank(self) -> None:
        """A rank function may count how often it was asked."""
        for size, least in zip(SIZES, (0.08, 0.2), strict=True):
            self.check(rankByTime(self.trace, size), rankFallback(), least)
