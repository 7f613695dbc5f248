"""
Who knows a call by heart gains nothing by it: on the variants on which a claim is measured he is no better than the
policy that he falls back to, though on the call as it is he gains.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.audio import workbench
from kernelnet.workbench.audio.scenario import AudioScenario
from tests.workbench.audio_memorisers import byCount, byPlace, rankByCount, rankOf

NOISE = 0.01
SIZES = (4 << 10, 16 << 10, 54 << 10)
"""Bytes of tables; with the code around it a module has at most 64 KB."""

BASE = "nlms_tuned"
RANK = "last + 20.0 * dev"


class MemoriserTests(SynchronousTestCase):
    def setUp(self) -> None:
        # adsl, and mobile: the one with the rarest and the one with the longest queues of those that leave room.
        self.calls: list[AudioScenario] = [workbench.scenario(workbench.traces()[at]) for at in (0, 2)]

    def check(self, call: AudioScenario, wasm: bytes, own: bytes, least: float) -> None:
        """@param least: what it gains on the call as it is, in the development level on held-out."""
        known, claimed = (
            each.developmentLevel(each.measure(wasm)) - each.developmentLevel(each.measure(own))
            for each in (call, call.forModule(wasm))
        )
        self.assertGreater(known, least)
        self.assertLess(claimed, NOISE)

    def test_byCount(self) -> None:
        """A policy that counts frames, and has the greatest transits by their number in it, even if it first waits."""
        own = workbench.baselineModule(BASE)
        for call in self.calls:
            for size in SIZES:
                self.check(call, byCount(call.machine.trace, size, BASE), own, 0.02)
            self.check(call, byCount(call.machine.trace, SIZES[1], BASE, doubt=0.5), own, 0.02)

    def test_byPlace(self) -> None:
        """
        One that looks for its place in the call again when it has lost it, by what came in the last three seconds.
        """
        own, call = workbench.baselineModule(BASE), self.calls[1]
        for size in SIZES[1:]:
            wasm = byPlace(call.machine.trace, size, BASE, seen=30, around=500, near=0.2, zooms=1, trusted=1000)
            self.check(call, wasm, own, 0.02)

    def test_rank(self) -> None:
        """A rank function may count how often it is called."""
        for call in self.calls:
            self.check(call, rankByCount(call.machine.trace, SIZES[1], RANK), rankOf(RANK), 0.02)
