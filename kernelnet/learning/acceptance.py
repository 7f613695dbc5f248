"""
Honest learning: which candidates are published.

A candidate is published only if it beats, on validation, every hand-made policy, and each not by luck in a part of it
(see `kernelnet.learning.significance`).  All are measured on the trace as the candidate meets it; see
`IScenario.forModule`.  Its held-out score is computed once, after that, for the claim; nothing that is decided depends
on it.  Whether somebody's claim is true says `kernelnet.learning.verification`.

To be better than every one of several rivals needs no stricter test of each: who is no better than one of them passes
that one's test as rarely as it says, whatever the others say (an intersection-union test; Berger, Multiparameter
hypothesis testing and acceptance sampling, Technometrics 24, 1982).
"""

from __future__ import annotations

import enum

from kernelnet.artifacts import Candidate, Component, Report
from kernelnet.interfaces import IScenario
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.significance import isBeaten, isBehind, isFarBehind
from kernelnet.learning.submission import makeComponent, measure
from kernelnet.learning.validation_scores import Look, ValidationScores
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import CompileError, ComponentError

__all__ = ["Outcome", "accept", "compare", "isBetter"]


def accept(
    scenario: IScenario,
    candidate: Candidate,
    *,
    generator: str,
    seed: int,
    objective: str = "score",
    parent: Component | None = None,
    known: Component | None = None,
    trusted: bool = True,
) -> tuple[Component | None, str]:
    """
    Worker thread.  Guarded acceptance of what a generator wrote.

    @param scenario: an `IScenario`.
    @param generator: its name, for the manifest.
    @param objective: C{"fuel"}: instead of being better it does the same as C{parent} on every split, for less fuel.
        That held-out is looked at decides nothing that could be learned by heart: it proves that nothing has changed.
    @param known: the best that there is already; what is no better on validation is not worth a claim.  It is measured
        as the candidate meets the trace: what it claims itself was measured on other variants.
    @return: the component with its claim, or C{None}; and why, for people.
    """
    if objective == "fuel":
        return _acceptCheaper(scenario, candidate, parent, generator, seed)
    try:
        wasm = compileC(candidate.source, scenario.workbench.headerPath, trusted=trusted)
        better, why = isBetter(scenario, wasm, known)
        if not better:
            return None, why
        measured = measure(scenario, wasm)
    except CompileError as error:
        return None, f"it does not compile: {error}".splitlines()[0]
    except ComponentError as error:
        return None, f"it fails: {error}"
    return makeComponent(scenario, candidate, measured, generator=generator, seed=seed), why


def isBetter(plain: IScenario, wasm: bytes, known: Component | None = None) -> tuple[bool, str]:
    """
    Worker thread.  Whether a module is better on validation than all that there is, and why, for people.

    @raise ComponentError: it fails.
    """
    scores = ValidationScores(plain.forModule(wasm))
    if known is not None and (told := _noBetterThan(scores, wasm, known)):
        return False, told
    # On the trace as it is they were measured long ago: the hardest to beat comes first.  It has
    # all its tests before the next has any: what is refused costs the least, and that is most.
    reports = plain.baselines()
    rivals = sorted(reports, key=lambda name: (reports[name].splits["validation"].score, name))
    modules = {name: plain.workbench.baselineModule(name) for name in rivals}
    chosen = chosenOnTrain(plain)
    looks: dict[str, Look] = {}
    for rival, module in modules.items():
        look, outcome = compare(scores, wasm, module, mayEndEarly=rival != rivals[0])
        looks[rival] = look
        ours, bar = (scores.whole(each, look).score for each in (wasm, module))
        words = f"better on validation ({ours}) than the hand-made policy {rival} ({bar}){look}"
        if outcome is Outcome.NO_BETTER:
            also = "chosen on train" if rival == chosen else f"chosen on train was {chosen}"
            return False, f"no {words}; {also}"
        if outcome is Outcome.LUCKY:
            return False, f"{words}, but not all along: it may be luck"
    # Those that were not measured on all are far behind.
    last = scores.looks[-1]
    best = min(
        (name for name in rivals if looks[name].isLast), key=lambda name: scores.whole(modules[name], last).score
    )
    bars = {name: _bar(scores, wasm, modules[name], looks[name]) for name in (best, chosen)}
    also = ", which was chosen on train, too" if best == chosen else f", and {chosen} ({bars[chosen]}), chosen on train"
    words = f"better on validation ({scores.whole(wasm, last).score}) than every hand-made policy"
    return True, f"{words}; the best of them is {best} ({bars[best]}){also}"


def _bar(scores: ValidationScores, wasm: bytes, rival: bytes, look: Look) -> str:
    """Score of a rival; where part of the variants was enough, beside what the candidate has on these."""
    beside = "" if look.isLast else f" beside {scores.whole(wasm, look).score}{look}"
    return f"{scores.whole(rival, look).score}{beside}"


class Outcome(enum.Enum):
    """Of a candidate beside one rival."""

    BETTER = enum.auto()
    NO_BETTER = enum.auto()
    LUCKY = enum.auto()


def compare(scores: ValidationScores, wasm: bytes, rival: bytes, *, mayEndEarly: bool) -> tuple[Look, Outcome]:
    """
    Worker thread.  A candidate beside one rival, and how much was looked at to tell.

    After each look it may be refused: that makes passing harder, never easier.  It passes before the last one only
    where the rival is so far behind that this hardly ever is luck, and so the last one needs no stricter test for
    that: the boundary of J. L. Haybittle (Repeated assessment of results in clinical trials of cancer treatment,
    British Journal of Radiology 44, 1971) and R. Peto et al. (Design and analysis of randomized clinical trials
    requiring prolonged observation of each patient, I, British Journal of Cancer 34, 1976).

    @param mayEndEarly: false for the hardest rival: who is no better than that one passes no more often than if all
        variants were always looked at.
    """
    for look in scores.looks:
        if scores.whole(wasm, look).score >= scores.whole(rival, look).score:
            return look, Outcome.NO_BETTER
        if scores.hasWindows and (look.hasSpread or look.isLast):
            ours, theirs = scores.windows(wasm, look), scores.windows(rival, look)
            if mayEndEarly and not look.isLast and isFarBehind(ours, theirs):
                return look, Outcome.BETTER
            if look.isLast and not isBeaten(ours, theirs):
                return look, Outcome.LUCKY
    return look, Outcome.BETTER


def _noBetterThan(scores: ValidationScores, wasm: bytes, known: Component) -> str:
    """Words for being no better than what is known, nor as good for less fuel; empty: it is."""
    for look in scores.looks:
        ours = scores.whole(wasm, look)
        try:
            theirs = scores.whole(known.wasm, look)
            isWorse = look.hasSpread and isBehind(scores.splits(wasm, look), scores.splits(known.wasm, look))
        except ComponentError:
            return ""  # that is no bar to anybody
        if look.isLast:
            isWorse = (ours.score, ours.fuel) >= (theirs.score, theirs.fuel)
        if isWorse:
            words = f"no better on validation ({ours.score}) than what is known already"
            return f"{words}, {known.id} ({theirs.score}){look}"
    return ""


def _acceptCheaper(
    scenario: IScenario, candidate: Candidate, parent: Component | None, generator: str, seed: int
) -> tuple[Component | None, str]:
    """See `accept`."""
    if parent is None:
        return None, "there is no component that it could do the same as"
    try:
        wasm = compileC(candidate.source, scenario.workbench.headerPath, trusted=True)
        scenario = scenario.forModule(wasm)
        measured, theirs = measure(scenario, wasm), scenario.measure(parent.wasm)
        difference = _difference(theirs, measured.report)
        if difference:
            return None, f"not the same as {parent.id} for less: {difference}"
    except CompileError as error:
        return None, f"it does not compile: {error}".splitlines()[0]
    except ComponentError as error:
        return None, f"it or its parent fails: {error}"
    less = 1 - measured.report.splits["held_out"].fuel / theirs.splits["held_out"].fuel
    why = f"the same as {parent.id} on every split, with {less:.1%} less fuel on held-out"
    return makeComponent(scenario, candidate, measured, generator=generator, seed=seed), why


def _difference(theirs: Report, ours: Report) -> str:
    """Place where a module does anything else than another, or takes as much fuel for it; empty: nowhere."""
    for split, known in theirs.splits.items():
        measured = ours.splits[split]
        if (measured.events, measured.score, measured.metrics) != (known.events, known.score, known.metrics):
            return (
                f"{measured.score} {measured.metrics or ''} on {split} instead of {known.score} {known.metrics or ''}"
            )
        if measured.fuel >= known.fuel:
            return f"{measured.fuel} fuel on {split}, where it takes {known.fuel}"
    found = (_difference(*parts) for parts in zip(theirs.parts, ours.parts, strict=True))
    return next(filter(None, found), "")
