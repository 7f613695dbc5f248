"""
Who knows a session by heart gains nothing by it: on the variants on which a claim is measured he is no better than the
policy that he falls back to, though on the session as it is he gains much.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.graphics import workbench
from kernelnet.workbench.graphics.scenario import GraphicsScenario
from tests.workbench.graphics_memorisers import byNumber, byPlace, rankByNumber, rankOf

NOISE = 0.01
BASE = "gamescope_tuned"


class MemoriserTests(SynchronousTestCase):
    def setUp(self) -> None:
        (path,) = (path for path in workbench.traces() if path.name.startswith("desk"))
        self.scenario: GraphicsScenario = workbench.scenario(path)
        self.trace = self.scenario.machine.trace

    def check(self, wasm: bytes, own: bytes, least: float) -> None:
        """@param least: what it gains on the session as it is, in the development level on held-out."""
        known = self.level(self.scenario, wasm) - self.level(self.scenario, own)
        self.assertGreater(known, least)
        variants = [self.scenario.onVariant(number, wasm) for number in range(3)]
        # Some of its variants are enough to show it.
        claimed = [self.level(each, wasm) - self.level(each, own) for each in variants]
        self.assertLess(sum(claimed) / len(claimed), NOISE)

    def level(self, scenario: BaseScenario, wasm: bytes) -> float:
        return scenario.developmentLevel(scenario.measure(wasm))

    def test_byNumber(self) -> None:
        """One that counts frames, and has the work of each in it."""
        self.check(byNumber(self.trace, BASE), workbench.baselineModule(BASE), 0.3)

    def test_byPlace(self) -> None:
        """One that looks for its place in the session when it has lost it, by the last frames' work and damage."""
        own = workbench.baselineModule(BASE)
        for seen, near, margin in ((8, 0.25, 1.05), (4, 0.5, 1.3)):
            wasm = byPlace(self.trace, BASE, seen=seen, around=60, near=near, margin=margin)
            self.check(wasm, own, 0.2)

    def test_rank(self) -> None:
        """A rank function may count how often it was asked."""
        self.check(rankByNumber(self.trace, "fitting"), rankOf("fitting"), 0.1)
