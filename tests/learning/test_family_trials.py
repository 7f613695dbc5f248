"""Families that never pay are forgotten."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Carrier
from kernelnet.learning.family_trials import FORGOTTEN_AFTER, MAX_REMEMBERED, FamilyTrials
from tests.trainer.support import component


class TrialTests(SynchronousTestCase):
    def test_forgotten(self) -> None:
        """What had so many measurements and never paid is given no more; what has paid once is."""
        trials = FamilyTrials()
        carriers = [Carrier(component(name), name, name * 64) for name in "abc"]
        for _ in range(10):
            trials.tried("a" * 64, FORGOTTEN_AFTER // 10, False)
            trials.tried("b" * 64, FORGOTTEN_AFTER, False)
        self.assertEqual([carrier.owner for carrier in trials.worthTrying(carriers)], ["c"])
        trials = FamilyTrials()
        trials.tried("a" * 64, 5, True)
        for _ in range(10):
            trials.tried("a" * 64, FORGOTTEN_AFTER, False)
        trials.tried("b" * 64, FORGOTTEN_AFTER - 1, False)
        self.assertEqual([carrier.owner for carrier in trials.worthTrying(carriers)], ["a", "b", "c"])

    def test_bounded(self) -> None:
        """However many there are, so many are remembered, those that were tried last."""
        trials = FamilyTrials()
        trials.tried("first", FORGOTTEN_AFTER, False)
        for number in range(MAX_REMEMBERED - 1):
            trials.tried(str(number), FORGOTTEN_AFTER, False)
        self.assertTrue(trials.isForgotten("first"))
        trials.tried("one more", FORGOTTEN_AFTER, False)
        self.assertFalse(trials.isForgotten("first"))
        self.assertTrue(trials.isForgotten("0"))
