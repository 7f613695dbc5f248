"""
Who knows a link by heart gains nothing by it: on the variants on which a claim is measured he is no better than the
sender that he falls back to, though on the link as it is he gains.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.network_stack import workbench
from kernelnet.workbench.network_stack.scenario import NetworkStackScenario
from tests.workbench.network_stack_memorisers import byPlace, byTime, rankByTime, rankOf

NOISE = 0.01
SIZES = (1 << 10, 16 << 10, 54 << 10)
"""Bytes of tables; with the code around it a module has at most 64 KB."""

VEGAS = "cwnd * (least - minrtt) < 3.0 * least ? cwnd + kn_aq(2.0, cwnd) : cwnd - kn_aq(2.0, cwnd)"


class MemoriserTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scenario: NetworkStackScenario = workbench.scenario(workbench.traces()[0])
        self.trace = self.scenario.machine.trace

    def check(self, wasm: bytes, own: bytes, least: float) -> None:
        """@param least: what it gains on the link as it is, in the development level on held-out."""
        known, claimed = (
            each.developmentLevel(each.measure(wasm)) - each.developmentLevel(each.measure(own))
            for each in (self.scenario, self.scenario.forModule(wasm))
        )
        self.assertGreater(known, least)
        self.assertLess(claimed, NOISE)

    def test_byTime(self) -> None:
        """A sender that adds up milliseconds, and has the link's rate by time in it, even if it first waits."""
        copa = workbench.baselineModule("copa")
        for size, least in zip(SIZES, (0.1, 0.15, 0.15), strict=True):
            self.check(byTime(self.trace, size, "copa"), copa, least)
            self.check(byTime(self.trace, size, "copa", doubt=0.5), copa, least)

    def test_byPlace(self) -> None:
        """One that looks for its place in the link again when it has lost it, by what came in the last 0.8 s."""
        copa = workbench.baselineModule("copa")
        for size, least in zip(SIZES[1:], (0.1, 0.1), strict=True):
            self.check(byPlace(self.trace, size, "copa", around=4000, near=0.15), copa, least)

    def test_rank(self) -> None:
        """A rank function may add up the gaps between acknowledgements."""
        for size, least in zip(SIZES, (0.05, 0.1, 0.1), strict=True):
            self.check(rankByTime(self.trace, size, VEGAS), rankOf(VEGAS), least)
