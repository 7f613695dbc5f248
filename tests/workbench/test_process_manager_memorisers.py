"""
Who knows a log by heart gains nothing by it: on the variants on which a claim is measured he is no better than the
scheduler that he falls back to, though on the log as it is he may be close to the optimum.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.process_manager import workbench
from kernelnet.workbench.process_manager.scenario import ProcessManagerScenario
from tests.workbench.process_manager_memorisers import byGap, byKey, byNumber, byPast, rankByNumber, rankOf

NOISE = 0.02
SIZES = (1 << 10, 16 << 10, 54 << 10)
"""Bytes of tables; with the code around it a module has at most 64 KB."""


class MemoriserTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scenario: ProcessManagerScenario = workbench.scenario(workbench.traces()[0])
        self.trace = self.scenario.machine.trace
        self.bound = self.scenario.settings["bound_us"]

    def check(self, wasm: bytes, own: bytes, least: float, noise: float = NOISE) -> None:
        """@param least: what it gains on the log as it is, in the development level on held-out."""
        known, claimed = (
            each.developmentLevel(each.measure(wasm)) - each.developmentLevel(each.measure(own))
            for each in (self.scenario, self.scenario.forModule(wasm))
        )
        self.assertGreater(known, least)
        self.assertLess(claimed, noise)

    def test_byNumber(self) -> None:
        """The size of the n-th task: on the log as it is as good as SRPT."""
        las = workbench.baselineModule("las")
        for size, least in zip(SIZES, (0.1, 0.9, 0.9), strict=True):
            self.check(byNumber(self.trace, size), las, least)

    def test_byGap(self) -> None:
        """Sizes by the exact times between the last arrivals."""
        settings = self.scenario.settings
        load = self.scenario.machine.arrivals(settings["cpus"], settings["load_permille"]).tolist()
        for size, least in zip(SIZES, (0.05, 0.3, 0.5), strict=True):
            self.check(byGap(self.trace, size, load), workbench.baselineModule("las"), least)

    def test_byKey(self) -> None:
        """The size of the n-th task of a key, and keys numbered as they first appear."""
        for size, least in zip(SIZES, (0.1, 0.3, 0.7), strict=True):
            # What is right about some long tasks of the first keys is a little of a gain, as any choice is.
            self.check(byKey(self.trace, size), workbench.baselineModule("las"), least, 0.15)

    def test_rank(self) -> None:
        """A rank function may count tasks, and knows them by the past of their keys."""
        own = rankOf("gittins")
        self.check(rankByNumber(self.trace, SIZES[1], self.bound), own, 0.03)
        self.check(byPast(self.trace, SIZES[1], self.bound), own, -0.1)
