"""
Several families searched side by side: effort goes where it pays.

What a step of a family paid is by how much it made the best of all better; what it cost is seconds, or evaluations
where the budget is a number of them (so that a search can be repeated).  A part of all effort is shared equally, since
a family that is behind may still win; the rest goes to whichever paid most for its cost of late.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kernelnet.generators._candidate import Candidate
from kernelnet.generators._family import Family, Found, Metered
from kernelnet.generators._robust import FINALISTS, choose

__all__ = ["Bandit", "search"]

FLOOR = 0.5
"""The part of all effort that is shared equally."""

MEMORY = 30
"""What a family pays is judged by so many of its last steps."""


class Bandit:
    """
    Chooses who goes on.

    @ivar spent: by arm, its cost so far.
    """

    def __init__(self, arms: int) -> None:
        self.spent = [0.0] * arms
        self._last: list[deque[tuple[float, float]]] = [deque(maxlen=MEMORY) for _ in range(arms)]

    def choose(self) -> int:
        """An arm that has less than its floor, else the one that pays most; of equals the one that has had least."""
        arms = range(len(self.spent))
        total = sum(self.spent)
        poorest = min(arms, key=lambda arm: self.spent[arm])
        if self.spent[poorest] <= total * FLOOR / len(self.spent):
            return poorest
        return max(arms, key=lambda arm: (self._pays(arm), -self.spent[arm]))

    def reward(self, arm: int, cost: float, gain: float) -> None:
        """@param cost, gain: of one step; not negative."""
        self.spent[arm] += cost
        self._last[arm].append((cost, gain))

    def _pays(self, arm: int) -> float:
        last = self._last[arm]
        return sum(gain for _, gain in last) / max(sum(cost for cost, _ in last), 1e-9)


def search(
    problem: Any,
    families: Sequence[Family],
    evaluations: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Candidate | None:
    """
    Search families until the budget of a problem is used up.

    @param evaluations: at most so many measurements; C{None}: until the time is over.
    @param clock: gives seconds.
    @return: the best of all; C{None} if there is nothing.
    """
    metered = Metered(problem, evaluations)
    rng = random.Random(problem.seed)
    try:
        for family in families:
            family.start(metered, random.Random(rng.getrandbits(64)))
        bandit = Bandit(len(families))
        lowest = math.inf
        generation = 0
        while families and not metered.over():
            arm = bandit.choose()
            began, before = clock(), metered.evaluations
            families[arm].step()
            cost = clock() - began if evaluations is None else float(metered.evaluations - before)
            best = families[arm].found(1)
            gain = 0.0
            if best and best[0].loss < lowest:
                # The very first is no gain of its family's: any other would have been first as well.
                gain = lowest / best[0].loss - 1 if lowest < math.inf else 0.0
                lowest = best[0].loss
            # A step that measured nothing costs something too: all of it may be known already.
            bandit.reward(arm, max(cost, 1e-3), gain)
            metered.tell(generation)
            generation += 1
        found: list[Found] = [one for family in families for one in family.found(FINALISTS)]
        return choose(metered, found)
    finally:
        metered.close()
