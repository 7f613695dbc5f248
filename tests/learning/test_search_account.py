"""Accounts of searches: what was measured on each task, and how good the best is."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning import search_account
from kernelnet.learning.search_account import SearchAccounts, TaskAccount
from tests.workbench.support import smallScenario


class AccountTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_levels(self) -> None:
        """The best level of each split: 0 is the reference, 1 the optimum; what is worse later changes nothing."""
        scenario = smallScenario(self.folder)
        account = TaskAccount()
        for split in ("train", "validation"):
            reference, optimum = scenario.reference().splits[split].score, scenario.optimum()[split]
            self.assertIsNone(getattr(account, split))
            for score, level in ((reference, 0.0), (optimum, 1.0), (reference, 1.0)):
                account.found(scenario, split, score)
                self.assertEqual(getattr(account, split), level)
        report = replace(scenario.reference())
        self.assertEqual(scenario.developmentLevel(report, "train"), 0.0)

    def test_bounded(self) -> None:
        """Each task has an account of its own; those stay that were searched on last."""
        self.patch(search_account, "MAX_TASKS", 2)
        accounts = SearchAccounts()
        first, second, third = (smallScenario(self.folder, capacity=capacity) for capacity in (4, 5, 6))
        accounts.of(first).evaluations = 1
        accounts.of(second).evaluations = 2
        self.assertEqual(accounts.of(first).evaluations, 1)
        accounts.of(third)
        self.assertEqual((accounts.of(first).evaluations, accounts.of(second).evaluations), (1, 0))
