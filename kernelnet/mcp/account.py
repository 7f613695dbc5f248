"""Account of an agent's work: on which task, how much was measured, and how good the best is, as trainers do."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from kernelnet.interfaces import IScenario
from kernelnet.learning.search_account import SearchAccounts, TaskAccount
from kernelnet.learning.tasks import described

__all__ = ["WorkAccount"]


class WorkAccount:
    """Any thread.  Levels are those of the trace as it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts = SearchAccounts()
        self._last: tuple[dict[str, Any], TaskAccount] | None = None

    def add(self, scenario: IScenario, evaluations: int, train: float, validation: float) -> None:
        """
        Add what was measured on a task.

        @param train: level of the best of it on the training part, C{validation}: on the validation part.
        """
        with self._lock:
            account = self._accounts.of(scenario)
            account.evaluations += evaluations
            account.train = train if account.train is None else max(account.train, train)
            account.validation = validation if account.validation is None else max(account.validation, validation)
            self._last = msgspec.to_builtins(described(scenario)), account

    def told(self) -> dict[str, Any]:
        """See `kernelnet.mcp.trainer.AgentLearning`; empty before anything was measured."""
        with self._lock:
            if self._last is None:
                return {}
            scenario, account = self._last
            return {"scenario": {**scenario, "unit": ""}, "search": msgspec.to_builtins(account)}
