"""
Known settings first: what ships, what is hand-made and the best few that others shared, tried before any search.

Each is measured once, on train and validation of the trace as it is.  For a claim, the best of each structure is put to
the same guard as whatever a search finds, until one passes; where none does, the hand-made policies are left.

For one's own use less is asked.  Nothing that is known was searched for on this trace, so train says as much of it as
validation does, and is four times as long: the best over both is taken, hand-made or not.  What was shared might have
learned a public trace by heart: of it the same must be true on the variants that its own module draws.

So nobody's word counts: what a stranger claims is not looked at, and runs in the sandbox, after the first of what ships
here, with no more fuel than it may need; one who shares much, under however many names, takes a part of the few places,
and nobody else's.
"""

from __future__ import annotations

import bisect
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import zip_longest

from kernelnet.artifacts import Candidate, Carrier, Component
from kernelnet.families import numbersOf
from kernelnet.interfaces import IComponentGenerator, IKnowingGenerator, IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import bestInHindsight, bestOverBoth, levelOverBoth, scoreOverBoth
from kernelnet.learning.significance import LUCK, gains
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import CompileError, ComponentError, WorkbenchError
from kernelnet.workbench.variants import VariantScenario

__all__ = [
    "FIRST",
    "KNOWN",
    "MARGIN",
    "MAX_FUEL",
    "MAX_SHARED",
    "SECONDS",
    "Choice",
    "Tried",
    "choose",
    "chooseToUse",
    "fewOf",
    "mostFuel",
    "tryKnown",
]

MAX_SHARED = 5
"""Maximum number of shared components that are tried: more of them hardly gain more."""

FINALISTS = 3
"""
Maximum number, each of another structure, that are put to the guard one after the other: it asks for more than the luck
of the luckiest of 10,000.
"""

MARGIN = 0.005
"""
Level over train and validation by which something must be above the hand-made policy that is best there: with less
there is nothing in it for the user, and who is better by a hair here is worse by one as often later.
"""

FIRST = 8
"""Number of settings that ship and are tried before anything shared."""

SECONDS = 5.0
"""Time for trying at most, which takes one mostly: what is not begun by then is left out."""

MAX_FUEL = 30
"""
Fuel that what was shared may take, as a multiple of the dearest hand-made policy's: our own dearest takes ten.
"""

KNOWN = "known"
"""Generator of a setting that ships, in manifests; of what was shared as well."""


@dataclass(frozen=True)
class Tried:
    """
    A candidate that was measured.

    @ivar level: over train and validation, each by its number of events; C{both}: score over the two; C{score}: on
        validation.
    @ivar structure: the same for those that differ in their numbers alone, of what ships.
    @ivar shared: that it is; C{None}: it ships.
    """

    candidate: Candidate
    level: float
    both: int
    score: int
    structure: str | bytes
    shared: Component | None = None


@dataclass(frozen=True)
class Choice:
    """
    Outcome of trying what is known on one task.

    @ivar component: passed the guard, with its claim, or is to be used, without one; C{None}: a hand-made policy is
        left.
    @ivar reason: for people.
    @ivar best: that passed, or else the best; C{None}: nothing could be measured.
    @ivar tried, failed: numbers of candidates; C{shared}: of those tried, from others.
    @ivar seconds: that trying took, without the guard.
    """

    component: Component | None
    reason: str
    best: Tried | None
    tried: int
    failed: int
    shared: int
    seconds: float


def fewOf(carriers: Iterable[Carrier], most: int = MAX_SHARED) -> list[Component]:
    """The first of each owner, then each one's second, at most C{most}; no two of the same module."""
    byOwner: dict[str, list[Component]] = {}
    for carrier in carriers:
        byOwner.setdefault(carrier.owner, []).append(carrier.component)
    modules: dict[bytes, Component] = {}
    for rank in zip_longest(*byOwner.values()):
        for component in filter(None, rank):
            modules.setdefault(component.wasm, component)
    return list(modules.values())[:most]


def mostFuel(scenario: IScenario) -> int:
    """Worker thread.  Fuel that what was shared may take on a scenario."""
    hand = scenario.baselines().values()
    return MAX_FUEL * max(sum(split.fuel for split in report.splits.values()) for report in hand)


def tryKnown(
    scenario: IScenario,
    generator: IComponentGenerator | None,
    shared: Sequence[Component] = (),
    *,
    seconds: float = SECONDS,
    jobs: int = 1,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[Tried], int]:
    """
    Worker thread.  Measure what ships, then what was shared, on train and validation.

    @param generator: whose known settings are tried, if it is an `IKnowingGenerator`; C{None}: only what was shared.
    @param seconds: see `SECONDS`.
    @return: what was measured, best first; and the number of those that failed.
    """
    bench = scenario.workbench
    ours = []
    if generator is not None and IKnowingGenerator.providedBy(generator):
        ours = list(generator.known(bench.name, bench.abis))
    most = mostFuel(scenario)
    modules: dict[str, Future[bytes]] = {}

    def measured(what: str | bytes, candidate: Candidate, component: Component | None) -> Tried | None:
        if clock() > end:
            return None
        wasm = what if isinstance(what, bytes) else modules[what].result()
        fuel = most if component is not None else None
        parameters = () if isinstance(what, bytes) else candidate.parameters
        report = scenario.measure(wasm, upTo="validation", fuel=fuel, parameters=parameters)
        level = levelOverBoth(scenario, report)
        return Tried(candidate, level, scoreOverBoth(report), report.splits["validation"].score, what, component)

    tried: list[Tried] = []
    failed = 0
    with ThreadPoolExecutor(jobs, "kernelnet-measuring") as pool:
        # All of them before anything waits for one.  How long a compiler takes says nothing of a trace.
        for source in dict.fromkeys(tunable for tunable, _ in ours if isinstance(tunable, str)):
            modules[source] = pool.submit(compileC, source, bench.headerPath, trusted=True)
        for future in modules.values():
            future.exception()
        end = clock() + seconds
        every: list[tuple[str | bytes, Candidate, Component | None]] = [(*each, None) for each in ours]
        # Where there is little time the first settings of each family are tried, and then what others found.
        every[FIRST:FIRST] = [(one.wasm, _asCandidate(one), one) for one in shared if one.wasm]
        for asked in [pool.submit(measured, *one) for one in every]:
            try:
                one = asked.result()
            except WorkbenchError:
                failed += 1
            else:
                tried += [one] if one is not None else []
    return sorted(tried, key=lambda one: -one.level), failed


def choose(
    scenario: IScenario,
    generator: IComponentGenerator | None,
    shared: Sequence[Component] = (),
    *,
    seconds: float = SECONDS,
    jobs: int = 1,
    known: Component | None = None,
) -> Choice:
    """
    Worker thread.  Try what is known, and put the best of it to the guard.

    @param shared: few, the most promising first; see `fewOf`.
    @param known: see `kernelnet.learning.acceptance.accept`.
    @raise kernelnet.workbench.errors.ComponentError: a hand-made policy fails.
    """
    began = time.monotonic()
    tried, failed = tryKnown(scenario, generator, shared, seconds=seconds, jobs=jobs)
    took = time.monotonic() - began
    counts = len(tried), failed, sum(one.shared is not None for one in tried), took
    best = tried[0] if tried else None
    if best is None:
        return Choice(None, "nothing is known that runs here", None, *counts)
    hand = bestInHindsight(scenario, "validation")
    score = scenario.baselines()[hand].splits["validation"].score
    # On variants it could hardly be otherwise, and these take longer than all that was tried.
    finalists: dict[str | bytes, Tried] = {}
    for one in tried:
        if one.score < score:
            finalists.setdefault(one.structure, one)
    if not finalists:
        told = f"the best of {len(tried)} known settings is no better on validation ({best.score})"
        return Choice(None, f"{told} than the hand-made policy {hand} ({score})", best, *counts)
    reasons: list[str] = []
    for one in list(finalists.values())[:FINALISTS]:
        isOurs = one.shared is None
        component, reason = accept(scenario, one.candidate, generator=KNOWN, seed=0, known=known, trusted=isOurs)
        if component is not None:
            return Choice(component, reason, one, *counts)
        reasons.append(reason)
    return Choice(None, reasons[0], best, *counts)


def chooseToUse(
    scenario: IScenario,
    generator: IComponentGenerator | None,
    shared: Sequence[Component] = (),
    *,
    seconds: float = SECONDS,
    jobs: int = 1,
) -> Choice:
    """
    Worker thread.  Try what is known, and take the best for this very task: nothing is claimed of it.

    @param shared: few, the most promising first; see `fewOf`.
    @return: its component has neither claim nor id.
    @raise kernelnet.workbench.errors.ComponentError: a hand-made policy fails.
    """
    began = time.monotonic()
    tried, failed = tryKnown(scenario, generator, shared, seconds=seconds, jobs=jobs)
    counts = len(tried), failed, sum(one.shared is not None for one in tried)
    hand = bestOverBoth(scenario)
    level = levelOverBoth(scenario, scenario.baselines()[hand])
    best, refused = tried[0] if tried else None, 0
    left = [(one, one.shared is None) for one in tried if one.level >= level + MARGIN]
    while left:
        one, holds = left.pop(0)
        try:
            wasm = compileC(one.candidate.source, scenario.workbench.headerPath, trusted=one.shared is None)
        except CompileError:
            refused += 1
            continue
        if holds:
            words = f"level {one.level:.3f} over train and validation, the hand-made policy {hand} {level:.3f}"
            component = Component("", implementation=one.candidate.source, wasm=wasm, description=one.candidate.note)
            return Choice(component, words, one, *counts, time.monotonic() - began)
        # It counts for what it is worth on variants, where that is less, and has another turn by that.
        one = replace(one, level=level + _keptOnVariants(scenario, wasm, hand, one.both) * (one.level - level))
        if one.level < level + MARGIN:
            refused += 1
        else:
            bisect.insort(left, (one, True), key=lambda each: -each[0].level)
    if best is None:
        words = "nothing is known that runs here"
    elif refused:
        words = (
            f"better than the hand-made policy {hand} are {refused} of those shared, but not on variants of the trace"
        )
    else:
        words = f"the best of {len(tried)} known settings has level {best.level:.3f} over train and validation, the"
        words += f" hand-made policy {hand} {level:.3f}: it should be {MARGIN:g} more than that"
    return Choice(None, words, best, *counts, time.monotonic() - began)


def _keptOnVariants(scenario: IScenario, wasm: bytes, hand: str, both: int) -> float:
    """
    Share of what a stranger's module gains on a hand-made policy, from 0 to 1, that it gains on the variants that it
    draws, too; 0 if that may be the luck of who draws often.

    One that knows the trace by heart is behind on the first two, and costs no more.

    @param both: its score over train and validation of the trace as it is.
    """
    gained = gains([both], [scoreOverBoth(scenario.baselines()[hand])])[0]
    met, most = scenario.forModule(wasm), mostFuel(scenario)
    variants = met.variants if isinstance(met, VariantScenario) else [met]
    rival = scenario.workbench.baselineModule(hand)
    ahead: list[float] = []
    try:
        for variant in variants:
            ours = variant.measure(wasm, upTo="validation", fuel=most)
            theirs = variant.measure(rival, upTo="validation")
            ahead += gains([scoreOverBoth(ours)], [scoreOverBoth(theirs)])
            if len(ahead) > 1 and sum(ahead) <= 0:
                return 0.0
    except ComponentError:
        return 0.0
    mean = statistics.fmean(ahead)
    error = statistics.stdev(ahead) / math.sqrt(len(ahead)) if len(ahead) > 1 else 0.0
    return min(1.0, mean / gained) if gained > 0 and mean > LUCK * error else 0.0


def _asCandidate(component: Component) -> Candidate:
    """A shared component as a candidate for another task: it is its parent."""
    source = component.implementation
    return Candidate(source, (component.digest,), numbersOf(source), component.description[:250])
