"""
Account of searches since a trainer started: what was measured on each task, and how good the best is.

Levels are of the trace as it is, on which searches measure; a claim is measured on variants of it.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from kernelnet.interfaces import IScenario
from kernelnet.workbench.reports import levelOf

__all__ = ["MAX_TASKS", "SearchAccounts", "TaskAccount"]

MAX_TASKS = 64
"""Number of tasks that an account is kept of: peers may ask for any."""


class TaskAccount(Struct):
    """
    Account of one task.

    @ivar evaluations: number of candidates measured on it.
    @ivar train: best level on the training part, C{validation}: on the validation part; C{None}: not known yet.
    """

    evaluations: int = 0
    train: float | None = None
    validation: float | None = None

    def found(self, scenario: IScenario, split: str, score: int) -> None:
        """Worker thread.  A search on C{scenario} has found something with this score on C{split}."""
        level = levelOf(scenario, score, split)
        if split == "train":
            self.train = level if self.train is None else max(self.train, level)
        else:
            self.validation = level if self.validation is None else max(self.validation, level)


class SearchAccounts:
    """Accounts of all tasks, those that were searched on last."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[tuple[str, str, tuple[tuple[str, int], ...]], TaskAccount] = OrderedDict()

    def of(self, scenario: IScenario) -> TaskAccount:
        """The account of a scenario's task, empty at first."""
        key = (scenario.workbench.name, scenario.traceDigest, tuple(sorted(scenario.settings.items())))
        account = self._accounts.setdefault(key, TaskAccount())
        self._accounts.move_to_end(key)
        if len(self._accounts) > MAX_TASKS:
            self._accounts.popitem(last=False)
        return account
