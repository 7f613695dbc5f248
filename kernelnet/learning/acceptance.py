"""
Honest learning: which candidates are published, and whether a published claim is true.

A candidate is published only if it beats, on validation, the hand-made policy that is best on train, and not by luck
in a part of it (see `kernelnet.learning.significance`).  Its held-out score is computed once, after that, for the
claim; nothing that is decided depends on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kernelnet.artifacts import Candidate, Component, Manifest, Report, Verdict
from kernelnet.learning.significance import isSignificantlyBetter
from kernelnet.workbench.compiler import compileC, compilerVersion
from kernelnet.workbench.errors import CompileError, ComponentError, OutOfFuel, Unmeasurable
from kernelnet.workbench.former_names import isRobust
from kernelnet.workbench.suite import scenarioOf

__all__ = ["accept", "audit", "bestBaseline", "remeasure", "remeasureAmong"]

_BY_HEART = "it knows the trace by heart: where a little of it is missing, its scores are others"

_SAME = 1e-6
"""Development levels are quotients of the scores, the same everywhere but for rounding."""


def bestBaseline(scenario: Any) -> str:
    """The name of the hand-made policy that is best on train; of equals the first by name."""
    reports: dict[str, Report] = scenario.baselines()
    return min(sorted(reports), key=lambda name: reports[name].splits["train"].score)


def accept(
    scenario: Any,
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
    rival = bestBaseline(scenario)
    bar = scenario.baselines()[rival].splits["validation"].score
    try:
        wasm = compileC(candidate.source, workbench.headerPath, trusted=True)
        score = scenario.measure(wasm, upTo="validation").splits["validation"].score
        if score >= bar:
            return None, f"no better on validation ({score}) than the best hand-made policy, {rival} ({bar})"
        if known is not None and score > known:
            return None, f"no better on validation ({score}) than what is known already ({known})"
        if not isSignificantlyBetter(scenario, wasm, workbench.baselineModule(rival)):
            return None, f"better on validation ({score}) than {rival} ({bar}), but not all along: it may be luck"
        report = scenario.measure(wasm)
        if not isRobust(scenario, wasm, report):
            return None, _BY_HEART
    except CompileError as error:
        return None, f"it does not compile: {error}".splitlines()[0]
    except ComponentError as error:
        return None, f"it fails: {error}"
    why = f"better on validation ({score}) than the best hand-made policy, {rival} ({bar})"
    return _component(scenario, candidate, wasm, report, generator=generator, seed=seed), why


def _acceptCheaper(
    scenario: Any, candidate: Candidate, parent: Component | None, generator: str, seed: int
) -> tuple[Component | None, str]:
    """See `accept`."""
    if parent is None:
        return None, "there is no component that it could do the same as"
    try:
        wasm = compileC(candidate.source, scenario.workbench.headerPath, trusted=True)
        report, theirs = scenario.measure(wasm), scenario.measure(parent.wasm)
        difference = _difference(theirs, report)
        if difference:
            return None, f"not the same as {parent.id} for less: {difference}"
        if not isRobust(scenario, wasm, report):
            return None, _BY_HEART
    except CompileError as error:
        return None, f"it does not compile: {error}".splitlines()[0]
    except ComponentError as error:
        return None, f"it or its parent fails: {error}"
    less = 1 - report.splits["held_out"].fuel / theirs.splits["held_out"].fuel
    why = f"the same as {parent.id} on every split, with {less:.1%} less fuel on held-out"
    return _component(scenario, candidate, wasm, report, generator=generator, seed=seed), why


def _difference(theirs: Report, ours: Report) -> str:
    """Where a module does anything else than another, or takes as much fuel for it; empty: nowhere."""
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


def _component(
    scenario: Any, candidate: Candidate, wasm: bytes, report: Report, *, generator: str, seed: int
) -> Component:
    """What is published, with its claim."""
    workbench = scenario.workbench
    manifest = Manifest(
        source_sha256=hashlib.sha256(candidate.source.encode("utf-8")).hexdigest(),
        wasm_sha256=hashlib.sha256(wasm).hexdigest(),
        abi=workbench.abiOf(wasm).identifier,
        workbench=workbench.name,
        compiler=compilerVersion(),
        generator=generator,
        seed=seed,
        parameters=list(candidate.parameters),
        report=report,
    )
    component = Component(
        id="unnamed",
        implementation=candidate.source,
        specialization=workbench.name,
        wasm=wasm,
        manifest=manifest,
        development_level=scenario.developmentLevel(report),
        description=candidate.note,
    )
    # A search may find what it began with; nobody is his own parent.
    manifest.parents = [parent for parent in dict.fromkeys(candidate.parents) if parent != component.digest]
    component.id = f"{workbench.name}-{component.digest[:12]}"
    component.name = f"{workbench.name} {scenario.trace} {component.digest[:6]}"
    return component


def remeasureAmong(
    component: Component, workbench: Any, paths: Iterable[str | Path]
) -> tuple[Verdict, str, Report | None]:
    """
    Worker thread.  `remeasure` on the scenario that the claim is about.

    @param workbench: an `IWorkbench`.
    @param paths: traces among which the claimed one may be.
    """
    claim = component.manifest.report if component.manifest is not None else None
    if claim is None:
        return Verdict.UNMEASURABLE, "it makes no claim", None
    try:
        scenario = scenarioOf(workbench, claim, paths)
    except Unmeasurable as error:
        return Verdict.UNMEASURABLE, str(error), None
    return remeasure(component, scenario)


def remeasure(component: Component, scenario: Any) -> tuple[Verdict, str, Report | None]:
    """
    Worker thread.  Measure a peer's component, and compare with its claim to the unit.

    Confirmed: events and misses of all splits are as claimed, and so is the fuel if engine and driver are the same.
    Refuted: a number differs, a checksum is wrong, it knows the trace by heart, or the module fails in a way that does
    not depend on the machine.
    Unmeasurable: the claim is about something else, or this machine was too slow to tell.

    @return: verdict, reason for people, and what was measured, if anything was.
    """
    manifest = component.manifest
    claim = manifest.report if manifest is not None else None
    if manifest is None or claim is None:
        return Verdict.UNMEASURABLE, "it makes no claim", None
    workbench = scenario.workbench
    for what, ours, theirs in (
        ("workbench", workbench.name, claim.workbench),
        ("workbench", workbench.name, manifest.workbench),
        ("version of the workbench", workbench.digest, claim.workbench_digest),
        ("trace", scenario.traceDigest, claim.trace_digest),
        ("setting", scenario.settings, claim.settings),
    ):
        if ours != theirs:
            return Verdict.UNMEASURABLE, f"it was measured with another {what}", None
    if manifest.abi not in {abi.identifier for abi in workbench.abis}:
        return Verdict.UNMEASURABLE, f"this version of the workbench has no ABI {manifest.abi!r}", None
    source = component.implementation.encode("utf-8", errors="surrogatepass")
    for what, data, digest in (
        ("source", source, manifest.source_sha256),
        ("module", component.wasm, manifest.wasm_sha256),
    ):
        if hashlib.sha256(data).hexdigest() != digest:
            return Verdict.REFUTED, f"its {what} is not the one whose SHA-256 the manifest gives", None
    try:
        report: Report = scenario.measure(component.wasm)
        verdict, reason = _compared(claim, report)
        if (abi := workbench.abiOf(component.wasm).identifier) != manifest.abi:
            return Verdict.REFUTED, f"its module is of the ABI {abi}, not {manifest.abi}", report
        if verdict is Verdict.CONFIRMED and not isRobust(scenario, component.wasm, report):
            return Verdict.REFUTED, _BY_HEART, report
    except ComponentError as error:
        # Other engines count fuel in other ways: there it may have been enough.
        certain = error.deterministic and (claim.engine == scenario.engine or not isinstance(error, OutOfFuel))
        return (Verdict.REFUTED if certain else Verdict.UNMEASURABLE), f"it fails: {error}", None
    if verdict is Verdict.CONFIRMED and component.development_level is not None:
        level = scenario.developmentLevel(report)
        if not abs(level - component.development_level) <= _SAME:
            reason = f"it claims the level {component.development_level:.4f}, and has {level:.4f}"
            return Verdict.REFUTED, reason, report
    return verdict, reason, report


def _compared(claim: Report, report: Report) -> tuple[Verdict, str]:
    if set(claim.splits) != set(report.splits):
        return Verdict.REFUTED, f"it claims scores for {', '.join(sorted(claim.splits)) or 'nothing'}"
    for split, measured in report.splits.items():
        claimed = claim.splits[split]
        if claimed.metrics != measured.metrics:
            return Verdict.REFUTED, f"it claims {claimed.metrics} on {split}, and has {measured.metrics}"
        if (claimed.events, claimed.score) != (measured.events, measured.score):
            wanted = f"{claimed.score} of {claimed.events}"
            return Verdict.REFUTED, f"it claims {wanted} on {split}, and has {measured.score} of {measured.events}"
        if claim.engine == report.engine and claimed.fuel != measured.fuel:
            return Verdict.REFUTED, f"it claims {claimed.fuel} fuel on {split}, and uses {measured.fuel}"
    for theirs, ours in zip(claim.parts, report.parts, strict=False):
        if (theirs.trace_digest, theirs.settings) != (ours.trace_digest, ours.settings):
            return Verdict.REFUTED, f"what it claims of {ours.trace} it says of another trace or setting"
        verdict, reason = _compared(theirs, ours)
        if verdict is not Verdict.CONFIRMED:
            return verdict, f"{reason} of {ours.trace}"
    if len(claim.parts) != len(report.parts):
        return Verdict.REFUTED, f"it claims scores for {len(claim.parts)} traces, and has {len(report.parts)}"
    return Verdict.CONFIRMED, "all splits are as claimed"


def audit(component: Component, workbench: Any) -> bool | None:
    """
    Worker thread.  Whether the module is what the source compiles to; the source is compiled in the jail.

    @return: C{None} where that can't be told: another compiler version made it, or there is no jail here.
    """
    if component.manifest is None or component.manifest.compiler != compilerVersion():
        return None
    try:
        return compileC(component.implementation, workbench.headerPath) == component.wasm
    except CompileError:
        return None
