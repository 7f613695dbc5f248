"""
Honest learning: which candidates are published.

A candidate is published only if it beats, on validation, the hand-made policy that is best on train, and not by luck
in a part of it (see `kernelnet.learning.significance`).  Its held-out score is computed once, after that, for the
claim; nothing that is decided depends on it.  Whether somebody's claim is true says `kernelnet.learning.verification`.
"""

from __future__ import annotations

from kernelnet.artifacts import Candidate, Component, Report
from kernelnet.interfaces import IScenario
from kernelnet.learning.significance import isSignificantlyBetter
from kernelnet.learning.submission import makeComponent, measure
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import CompileError, ComponentError

__all__ = ["accept", "bestBaseline"]


def bestBaseline(scenario: IScenario) -> str:
    """Name of the hand-made policy that is best on train; of equals the first by name."""
    reports = scenario.baselines()
    return min(sorted(reports), key=lambda name: reports[name].splits["train"].score)


def accept(
    scenario: IScenario,
    candidate: Candidate,
    *,
    generator: str,
    seed: int,
    objective: str = "score",
    parent: Component | None = None,
    known: int | None = None,
) -> tuple[Component | None, str]:
    """
    Worker thread.  Guarded acceptance of what a generator wrote.

    @param scenario: an `IScenario`.
    @param generator: its name, for the manifest.
    @param objective: C{"fuel"}: instead of being better it does the same as C{parent} on every split, for less fuel.
        That held-out is looked at decides nothing that could be learned by heart: it proves that nothing has changed.
    @param known: the best score on validation that there is already: what is worse is not worth a claim.
    @return: the component with its claim, or C{None}; and why, for people.
    """
    if objective == "fuel":
        return _acceptCheaper(scenario, candidate, parent, generator, seed)
    workbench = scenario.workbench
    try:
        wasm = compileC(candidate.source, workbench.headerPath, trusted=True)
        scenario = scenario.forModule(wasm)
        rival = bestBaseline(scenario)
        bar = scenario.baselines()[rival].splits["validation"].score
        score = scenario.measure(wasm, upTo="validation").splits["validation"].score
        if score >= bar:
            return None, f"no better on validation ({score}) than the best hand-made policy, {rival} ({bar})"
        if known is not None and score > known:
            return None, f"no better on validation ({score}) than what is known already ({known})"
        if not isSignificantlyBetter(scenario, wasm, workbench.baselineModule(rival)):
            return None, f"better on validation ({score}) than {rival} ({bar}), but not all along: it may be luck"
        measured = measure(scenario, wasm)
    except CompileError as error:
        return None, f"it does not compile: {error}".splitlines()[0]
    except ComponentError as error:
        return None, f"it fails: {error}"
    why = f"better on validation ({score}) than the best hand-made policy, {rival} ({bar})"
    return makeComponent(scenario, candidate, measured, generator=generator, seed=seed), why


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
