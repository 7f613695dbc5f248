"""
Who looks up the sequences of a data set gains nothing by it: on the variants on which a claim is measured he is no
better than the detector that he falls back to, though on the data set as it is he gains.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.security import workbench
from kernelnet.workbench.security.scenario import SecurityScenario
from tests.workbench.security_memorisers import FINGERPRINTS, byFeatures, byFingerprint, rankOf

NOISE = 0.01
SIZES = (1 << 10, 16 << 10, 54 << 10)
"""Bytes of tables; with the code around it a module has at most 64 KB."""

RANK = "rare3 + markov2"


class MemoriserTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scenario: SecurityScenario = workbench.scenario(workbench.traces()[1])
        self.trace = self.scenario.machine.trace

    def check(self, wasm: bytes, own: bytes, least: float) -> None:
        """@param least: what it gains on the data set as it is, in the development level on held-out."""
        known, claimed = (
            each.developmentLevel(each.measure(wasm)) - each.developmentLevel(each.measure(own))
            for each in (self.scenario, self.scenario.forModule(wasm))
        )
        self.assertGreater(known, least)
        self.assertLess(claimed, NOISE)

    def test_byFingerprint(self) -> None:
        """By length, by which places have equal calls, and by how it begins."""
        least = {"length": 0.3, "canonical": 0.5, "beginning": 0.2}
        for kind in FINGERPRINTS:
            for size in SIZES if kind == "canonical" else SIZES[1:2]:
                self.check(byFingerprint(self.trace, size, "bag", kind), workbench.baselineModule("bag"), least[kind])

    def test_byFeatures(self) -> None:
        """By all that the rank ABI tells of a sequence, to the bit and to a quarter of an octave."""
        for steps in (0, 4):
            self.check(byFeatures(self.trace, SIZES[1], RANK, steps), rankOf(RANK), 0.3)
