"""
Several families searched side by side: effort goes where it pays.

What a step of a family paid is by how much it made the best of all better; what it cost is seconds, or evaluations
where the budget is a number of them (so that a search can be repeated).  A part of all effort is shared equally, since
a family that is behind may still win; the rest goes to whichever paid most for its cost of late.

A few steps are under way at once, however many modules are measured at once: so all cores have something to do while
the last module of a step is measured, and what is found does not depend on how many cores there are.

A search leaves in its problem's memory how it is to go on: itself, for another search in this process; and what its
steps cost, numbers that can be written to a file.  Whoever has these and all that was measured can do the same search
again with the same seed, without measuring, and go on from there.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution.finalist_selection import FINALISTS, choose
from kernelnet.generators.evolution.search_family import Family, Metered, Scored, Scores, budget
from kernelnet.interfaces import IProblem

__all__ = ["Bandit", "familiesIn", "search"]

EQUAL_SHARE = 0.5
"""Share of all effort that is divided equally."""

UNDER_WAY = 4
"""Number of steps that are under way at once, where no family has to wait for its own."""

PATIENCE = 0.25
"""Seconds for which all families are waited for, before the search looks whether it is over."""

RECENT_STEPS = 30
"""Number of a family's last steps by which it is judged what it pays."""

FIRST_STEPS = 6
"""Number of steps that a family is given at once which comes while a search goes on."""


class Bandit:
    """
    Chooses who goes on.

    @ivar spent: by arm, its cost so far.
    """

    def __init__(self, arms: int) -> None:
        self.spent = [0.0] * arms
        self._last: list[deque[tuple[float, float]]] = [deque(maxlen=RECENT_STEPS) for _ in range(arms)]

    def choose(self, underWay: Sequence[int] = (), among: Sequence[int] | None = None) -> int:
        """
        An arm that has less than its floor, else the one that pays most; of equals the one that has had least.

        @param underWay: the arms of steps whose cost isn't known yet: each counts as the last ones of its arm did.
        @param among: those that may be chosen; C{None}: all.
        """
        arms = range(len(self.spent)) if among is None else among
        spent = [self.spent[arm] + underWay.count(arm) * self._usual(arm) for arm in range(len(self.spent))]
        poorest = min(arms, key=lambda arm: spent[arm])
        if spent[poorest] <= sum(spent) * EQUAL_SHARE / len(spent):
            return poorest
        return max(arms, key=lambda arm: (self._pays(arm), -spent[arm]))

    def add(self) -> None:
        """One more arm, which is given some steps at once: as if it had had all but these of what is its floor."""
        # The x that is an equal share of all that has been spent, x itself included.
        floor = sum(self.spent) * EQUAL_SHARE / (len(self.spent) + 1 - EQUAL_SHARE)
        steps = [cost for last in self._last for cost, _ in last]
        usual = sum(steps) / len(steps) if steps else 0.0
        self.spent.append(max(0.0, floor - FIRST_STEPS * usual))
        self._last.append(deque(maxlen=RECENT_STEPS))

    def reward(self, arm: int, cost: float, gain: float) -> None:
        """@param cost, gain: of one step; not negative."""
        self.spent[arm] += cost
        self._last[arm].append((cost, gain))

    def _usual(self, arm: int) -> float:
        """Cost of a step; of the first, next to nothing."""
        last = self._last[arm]
        return sum(cost for cost, _ in last) / len(last) if last else 1e-3

    def _pays(self, arm: int) -> float:
        last = self._last[arm]
        return sum(gain for _, gain in last) / max(sum(cost for cost, _ in last), 1e-9)


CONVERGED_AFTER = 500
"""Number of measurements without anything better after which a search has converged: the next begins afresh."""

MAX_FAMILIES = 16
"""Maximum number of families that a search has had: beyond it the next begins afresh."""

MAX_MEASUREMENTS = 20_000
"""Maximum number that is remembered of a task, for the sake of memory."""


class _Search:
    """A search as far as it got: another one on the same task may go on with it."""

    def __init__(self, families: Sequence[Family], costs: list[float]) -> None:
        """@param costs: of the steps so far, in the order in which they ended; those of steps to come are appended."""
        self.families = list(families)
        self._gone: set[int] = set()
        self._costs, self._ended = costs, 0
        self._underWay: deque[tuple[int, int, float, Callable[[], None]]] = deque()
        self.bandit = Bandit(len(families))
        self.lowest = math.inf
        self.reference: Scores = ()
        self.measured = self.idle = 0

    def isWorthGoingOn(self, families: Sequence[Family]) -> bool:
        """Whether it is of these families, and hasn't converged."""
        names, ours = ([family.name for family in some if not family.isGuest] for some in (families, self.families))
        guests = {family.name for family in [*families, *self.families] if family.isGuest}
        return (
            names == ours
            and len(ours) + len(guests) <= MAX_FAMILIES
            and self.idle < CONVERGED_AFTER
            and self.measured < MAX_MEASUREMENTS
        )

    def receive(self, families: Sequence[Family], metered: Metered) -> None:
        """Go on, with new guests, and without those that went; what these have found is kept."""
        for family in self.families:
            family.goOn(metered)
        names = [family.name for family in self.families]
        for family in families:
            if family.name not in names:
                family.start(metered, random.Random(f"{metered.problem.seed} {family.name}"))
                self.families.append(family)
                self.bandit.add()
        staying = {family.name for family in families}
        self._gone = {arm for arm, family in enumerate(self.families) if family.name not in staying}

    def trySuggested(self) -> None:
        """
        Try what patterns suggest before all else, of whatever family, unless there are parents to begin with.

        It says nothing of who will go on finding better, so nobody is paid for it.
        """
        for family in self.families:
            family.trySuggested()

    def step(self, metered: Metered, clock: Callable[[], float] | None) -> bool:
        """
        Begin as many steps as may be under way at once, and end the first.

        @param clock: gives seconds; C{None}: evaluations are what a step costs.
        @return: whether there is anything left to do.
        """
        while len(self._underWay) < UNDER_WAY and not metered.over():
            able = [a for a, family in enumerate(self.families) if a not in self._gone and not family.waits()]
            if not able:
                break
            arm = self.bandit.choose([arm for arm, *_ in self._underWay], able)
            if self._underWay and not self.families[arm].ready():
                break
            began, before = clock() if clock is not None else 0.0, metered.evaluations
            end = self.families[arm].step()
            seconds = clock() - began if clock is not None else 0.0
            self._underWay.append((arm, metered.evaluations - before, seconds, end))
        if self._underWay:
            self._end(metered, clock)
            return True
        # All wait: in short turns, since a search may be ended from outside.
        return any(family.wait(PATIENCE) for family in self.families)

    def end(self, metered: Metered, clock: Callable[[], float] | None) -> None:
        """End all that is under way."""
        while self._underWay:
            self._end(metered, clock)

    def _end(self, metered: Metered, clock: Callable[[], float] | None) -> None:
        arm, count, seconds, end = self._underWay.popleft()
        before, measured = metered.evaluations, metered.seconds
        end()
        cut = before - metered.evaluations
        count -= cut
        cost = float(count) if clock is None else seconds + metered.seconds - measured
        if self._ended < len(self._costs):
            cost = self._costs[self._ended]
        elif not cut:
            self._costs.append(cost)
        self._ended += 1
        self.measured += count
        self.idle += count
        best = self.families[arm].found(1)
        gain = 0.0
        if best and best[0].loss < self.lowest:
            # The very first is no gain of its family's: any other would have been first as well.
            gain = self.lowest / best[0].loss - 1 if self.lowest < math.inf else 0.0
            self.lowest, self.idle = best[0].loss, 0
        self.families[arm].heard(gain)
        # A step that measured nothing costs something too: all of it may be known already.
        self.bandit.reward(arm, max(cost, 1e-3), gain)


def familiesIn(problem: IProblem) -> Sequence[Family]:
    """The families of the last search on a problem, or on an earlier one of its task."""
    memory: dict[str, Any] | None = getattr(problem, "memory", None)
    ours: _Search | None = (memory or {}).get("search")
    return ours.families if ours is not None else ()


def search(
    problem: IProblem,
    families: Sequence[Family],
    evaluations: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Candidate | None:
    """
    Search families until the budget of a problem is used up; where an earlier search on its task is remembered, go on.

    @param evaluations: at most so many measurements; C{None}: the problem's own budget of them, or until the time is
        over.
    @param clock: gives seconds.
    @return: the best of all; C{None} if there is nothing.
    """
    evaluations = budget(problem, evaluations)
    memory: dict[str, Any] | None = getattr(problem, "memory", None)
    memory = {} if memory is None else memory
    ours: _Search | None = memory.get("search")
    if ours is not None and not ours.isWorthGoingOn(families):
        ours = None
        memory["costs"] = []
    metered = Metered(problem, evaluations, reference=ours.reference if ours is not None else (), clock=clock)
    told = clock if evaluations is None else None
    try:
        if ours is None:
            # By costs alone nobody can do again what came from outside.
            costs = memory.setdefault("costs", []) if all(family.repeats for family in families) else []
            ours = memory["search"] = _Search(families, costs)
            rng = random.Random(problem.seed)
            for family in families:
                family.start(metered, random.Random(rng.getrandbits(64)))
            if not getattr(problem, "parents", ()):
                ours.trySuggested()
        else:
            ours.receive(families, metered)
        generation = 0
        while families and not metered.over() and ours.step(metered, told):
            metered.tell(generation)
            generation += 1
        ours.end(metered, told)
        ours.reference = metered.reference
        found: list[Scored] = [one for family in ours.families for one in family.found(FINALISTS)]
        lowest = min((one.loss for one in found), default=math.inf)
        for family in ours.families:
            family.tell(bool(best := family.found(1)) and best[0].loss <= lowest)
        return choose(metered, found)
    except BaseException:
        # Steps of it may be under way for good.
        memory.pop("search", None)
        raise
    finally:
        metered.close()
