"""Trials of peers' families by one trainer: those that never paid on any of its tasks are forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from kernelnet.artifacts import Carrier

__all__ = ["FORGOTTEN_AFTER", "MAX_REMEMBERED", "FamilyTrials"]

FORGOTTEN_AFTER = 1000
"""
Measurements that a family may have, on all tasks together, before it has paid once: some five tasks, at what a search
allows an owner on each.
"""

MAX_REMEMBERED = 2000
"""Maximum number of families whose trials are remembered; the longest untried is the first to go."""


class FamilyTrials:
    """By family, how many measurements it had without ever paying; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, int | None] = {}

    def tried(self, family: str, evaluations: int, paid: bool) -> None:
        """See `kernelnet.interfaces.IProblem.tried`; what has paid once is never forgotten."""
        with self._lock:
            before = self._spent.pop(family, 0)
            self._spent[family] = None if paid or before is None else before + evaluations
            while len(self._spent) > MAX_REMEMBERED:
                del self._spent[next(iter(self._spent))]

    def isForgotten(self, family: str) -> bool:
        with self._lock:
            spent = self._spent.get(family, 0)
        return spent is not None and spent >= FORGOTTEN_AFTER

    def worthTrying(self, carriers: Iterable[Carrier]) -> list[Carrier]:
        """Those whose families aren't forgotten, in the same order."""
        return [carrier for carrier in carriers if not self.isForgotten(carrier.family)]
