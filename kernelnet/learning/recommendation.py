"""
Recommendation for one task: what to use, by how much it is better, how sure that is, and what it costs.

What is chosen, is chosen by validation: a component that passed the guard is better there than every hand-made policy;
without one it is the best of these.  Of what is known without a search it is train and validation that decide.  All
numbers are of held-out, which decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kernelnet.artifacts import Component, Report
from kernelnet.interfaces import IComponentGenerator, IScenario
from kernelnet.learning.hindsight import bestInHindsight, bestOverBoth
from kernelnet.learning.intervals import CONFIDENCE, Interval, Intervals, Windows, levelText
from kernelnet.learning.known_settings import Choice as KnownChoice
from kernelnet.learning.known_settings import chooseToUse, mostFuel
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import ComponentError

__all__ = ["BOTH", "Choice", "KnownRecommendation", "Recommendation", "recommend", "recommendKnown"]

BOTH = "train and validation"
"""See `recommend`."""


@dataclass(frozen=True)
class Choice:
    """
    A policy and what it has on held-out.

    @ivar level: development level; C{interval}: of it, C{None} where there is one window only.
    @ivar fuel: per event.
    """

    name: str
    level: float
    interval: Interval | None
    fuel: float


@dataclass(frozen=True)
class Recommendation:
    """
    @ivar use: the policy to use; C{isLearned}: whether it is a component, or hand-made.
    @ivar rival: the hand-made policy that is best in hindsight, other than C{use}; C{None}: there is no other.
    @ivar gain: by how much higher its level is than the rival's; C{gainInterval}: of it.
    @ivar kind: of what isn't hand-made, for people.
    @ivar chosenOn: the split, or `BOTH`, on which a hand-made policy to use was chosen.
    @ivar reference, optimum: names of what has level 0 and level 1.
    """

    use: Choice
    isLearned: bool
    rival: Choice | None
    gain: float
    gainInterval: Interval | None
    reference: str
    optimum: str
    kind: str = "learned"
    chosenOn: str = "validation"

    @property
    def isSure(self) -> bool:
        """Whether the whole interval of the gain is above 0."""
        return self.gainInterval is not None and self.gainInterval[0] > 0

    def __str__(self) -> str:
        """One line for people."""
        kind = self.kind if self.isLearned else f"hand-made, the best on {self.chosenOn}"
        level = f"{levelText(self.use.level, self.use.interval)} of the way from {self.reference} to {self.optimum}"
        words = f"use {self.use.name} ({kind}): {level} on held-out"
        if self.rival is None:
            return f"{words}; {self.use.fuel:.0f} fuel an event"
        whose = "the" if self.isLearned else "of the others the"
        than = f"{self.rival.name}, {whose} best hand-made policy in hindsight"
        sure = f"{CONFIDENCE:.0%} sure" if self.isSure else "which may be chance"
        if self.gain > 0:
            words += f", {levelText(self.gain, self.gainInterval)} more than {than} ({sure})"
        elif self.gain < 0:
            worse = self.gainInterval and (-self.gainInterval[1], -self.gainInterval[0])
            sure = f"{CONFIDENCE:.0%} sure" if worse and worse[0] > 0 else "which may be chance"
            words += f", {levelText(-self.gain, worse)} less than {than} ({sure})"
        else:
            words += f", the same as {than}"
        return f"{words}; {self.use.fuel:.0f} fuel an event, where {self.rival.name} takes {self.rival.fuel:.0f}"


def recommend(
    scenario: IScenario,
    component: Component | None = None,
    kind: str = "learned",
    chosenOn: str = "validation",
    *,
    asItIs: bool = False,
    fuel: int | None = None,
) -> Recommendation:
    """
    Worker thread.  Measure what there is for a task, and say what to use.

    @param scenario: the task.
    @param component: one that passed the guard there, or was chosen to use; C{None}: none was.
    @param kind: of component it is, for people.
    @param chosenOn: the split on which a hand-made policy is chosen, where there is no component; or `BOTH`.
    @param asItIs: measure the component on the trace as it is, and not on variants: it ships, and can't know the trace.
    @param fuel: units that the component may take; C{None}: the bench's own limit.
    @raise kernelnet.workbench.errors.ComponentError: a policy fails.
    """
    workbench = scenario.workbench
    if component is not None and not asItIs:
        scenario = scenario.forModule(component.wasm)
    reports = scenario.baselines()
    intervals = Intervals(scenario)

    def measured(name: str, wasm: bytes, report: Report) -> tuple[Choice, Windows]:
        windows, held = intervals.windows(wasm, report), report.splits["held_out"]
        return Choice(name, windows.level, intervals.level(windows), held.fuel / max(1, held.events)), windows

    if component is not None:
        use, ours = measured(component.id, component.wasm, scenario.measure(component.wasm, fuel=fuel))
        others = list(reports)
    else:
        chosen = bestOverBoth(scenario) if chosenOn == BOTH else bestInHindsight(scenario, chosenOn)
        use, ours = measured(chosen, workbench.baselineModule(chosen), reports[chosen])
        others = [name for name in reports if name != chosen]
    best = min(sorted(others), key=lambda name: reports[name].splits["held_out"].score, default=None)
    rival, interval = None, None
    if best is not None:
        rival, theirs = measured(best, workbench.baselineModule(best), reports[best])
        interval = intervals.difference(ours, theirs)
    return Recommendation(
        use,
        component is not None,
        rival,
        use.level - rival.level if rival is not None else use.level,
        interval,
        workbench.reference,
        workbench.optimumName,
        kind,
        chosenOn,
    )


@dataclass(frozen=True)
class KnownRecommendation:
    """
    Recommendation of what is known, without a search.

    @ivar found: of all that was tried; C{failed}: how many of it failed, then or on held-out.
    @ivar kind, note: of the component to use, for people; C{note} is empty for a hand-made policy.
    """

    found: KnownChoice
    use: Recommendation
    failed: int
    kind: str
    note: str


def recommendKnown(
    scenario: IScenario,
    generator: IComponentGenerator,
    shared: Sequence[Component],
    owners: Mapping[str, str],
    *,
    seconds: float,
    jobs: int,
    name: str = "",
    tell: Callable[[str, float, float | None], object] = lambda what, done, total: None,
) -> KnownRecommendation:
    """
    Worker thread.  Say what to use for a task, of what ships and what others shared.

    @param shared: components of others, the most promising first; C{owners}: whose each is, by digest.
    @param seconds: how long settings are tried at most, each time that one of them turns out to fail.
    @param jobs: number of modules that are measured at once.
    @param name: of the component that is chosen; empty: its own, or one by its digest.
    @param tell: called with what is done now, and that nobody knows how much of it there is.
    @raise kernelnet.workbench.errors.ComponentError: a policy that ships fails.
    """
    tell("measuring hand-made policies", 0, None)
    scenario.baselines()
    among, broken = list(shared), 0
    while True:
        tell("trying what is known", 0, None)
        found = chooseToUse(scenario, generator, among, seconds=seconds, jobs=jobs)
        its = found.best.shared if found.best is not None else None
        kind, note = "hand-made", ""
        if found.component is not None and found.best is not None:
            note = plain(found.best.candidate.note, 250)
            kind = "a setting that ships" if its is None else f"shared by {plain(owners[its.digest], 80)}"
            own = its.id if its is not None else f"known-{found.component.digest[:10]}"
            found.component.id = plain(name or own)
        tell("comparing", 0, None)
        try:
            fuel = None if its is None else mostFuel(scenario)
            use = recommend(scenario, found.component, kind, BOTH, asItIs=its is None, fuel=fuel)
        except ComponentError:
            if its is None or found.component is None:
                raise  # it is one of ours that fails
            # It was no worse than others until then: a stranger's may know where held-out begins.
            among, broken = [one for one in among if one.digest != its.digest], broken + 1
        else:
            return KnownRecommendation(found, use, found.failed + broken, kind, note)
