"""
Whether a claim is true: a peer's component is measured again, and compared with what its author says to the unit.

The verdict binds only who measured; what was measured goes with it, for people and for those who rank components.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from kernelnet.artifacts import Component, PerformanceReport, Report, Verdict
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.hindsight import bestOfRunning
from kernelnet.learning.intervals import Intervals
from kernelnet.workbench.compiler import compileC, compilerVersion
from kernelnet.workbench.errors import CompileError, ComponentError, OutOfFuel, Unmeasurable
from kernelnet.workbench.suite import scenarioOf

__all__ = ["MAX_REASON", "Verifier", "audit", "remeasure", "remeasureAmong"]

MAX_REASON = 1000
"""Maximum number of characters of a verdict's reason."""

_SAME = 1e-6
"""Development levels are quotients of the scores, the same everywhere but for rounding."""


class Verifier:
    """Verdicts on components of all workbenches that are here; every method is for a worker thread."""

    def __init__(
        self,
        installed: Mapping[str, IWorkbench],
        tracesOf: Callable[[IWorkbench], Iterable[Path]] = lambda bench: bench.traces(),
        isOwn: Callable[[Report], bool] = lambda report: False,
    ) -> None:
        """
        @param installed: workbenches by name.
        @param tracesOf: paths of the traces that there are for a workbench; by default those that ship.
        @param isOwn: whether a report is about tasks of our own: there more is measured than a claim needs.
        """
        self._installed = installed
        self._tracesOf = tracesOf
        self._isOwn = isOwn

    def verify(self, component: Component, *, beside: bool = True) -> PerformanceReport:
        """
        Verdict on a component's claim, with its reason and what was measured; ready to be said to all.

        @param beside: measure the hand-made policies beside it, too, if the task is our own.
        """
        performance: dict[str, Any] = {}
        try:
            bench, paths = self._benchOf(component)
            verdict, reason, report = remeasureAmong(component, bench, paths)
        except Unmeasurable as error:
            verdict, reason = Verdict.UNMEASURABLE, str(error)
        else:
            if report is not None:
                scenario = scenarioOf(bench, report, paths).forModule(component.wasm)
                performance = self._performance(scenario, report)
                if beside:
                    performance |= self._beside(component, scenario, report)
        return PerformanceReport(
            component_id=component.id,
            performance=performance,
            digest=component.digest,
            verdict=verdict,
            # It quotes the claim, and the hub takes no longer one: else who claims at length would not be refuted.
            reason=reason[:MAX_REASON],
        )

    def _performance(self, scenario: IScenario, report: Report) -> dict[str, Any]:
        """C{validation_level} is what one component is ranked among others by: their scores are of other variants."""
        held = report.splits["held_out"]
        return {
            "score": held.score,
            "events": held.events,
            "fuel": held.fuel,
            **held.metrics,
            "engine": report.engine,
            "development_level": scenario.developmentLevel(report, "held_out"),
            "validation_level": scenario.developmentLevel(report, "validation"),
        }

    def _beside(self, component: Component, scenario: IScenario, report: Report) -> dict[str, Any]:
        """
        The level's interval, and the hand-made policies that it is compared with, of tasks that it may train at.

        On others, which strangers may think up, only what a claim needs is measured.
        """
        if not self._isOwn(report):
            return {}
        told: dict[str, Any] = {}
        intervals = Intervals(scenario)
        interval = intervals.level(intervals.windows(component.wasm, report))
        if interval is not None:
            told["level_low"], told["level_high"] = interval
        for key, split in (("chosen_on_train", "train"), ("best_in_hindsight", "held_out")):
            told[key], best = bestOfRunning(scenario, split)
            told[f"{key}_level"] = scenario.developmentLevel(best)
        return told

    def _benchOf(self, component: Component) -> tuple[IWorkbench, list[Path]]:
        """
        The workbench of a component, and the traces that there are for it.

        @raise Unmeasurable: it is not installed.
        """
        name = component.manifest.workbench if component.manifest is not None else ""
        bench = self._installed.get(name)
        if bench is None:
            raise Unmeasurable(f"the workbench {name!r} is not installed here")
        return bench, list(self._tracesOf(bench))


def remeasureAmong(
    component: Component, workbench: IWorkbench, paths: Iterable[str | Path]
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


def remeasure(component: Component, scenario: IScenario) -> tuple[Verdict, str, Report | None]:
    """
    Worker thread.  Measure a peer's component, and compare with its claim to the unit.

    Confirmed: events and misses of all splits are as claimed, and so is the fuel if engine and driver are the same.
    Refuted: a number differs, a checksum is wrong, or the module fails in a way that does not depend on the machine.
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
    if component.source_size and not source:
        return Verdict.UNMEASURABLE, "its source is a blob, which is not here", None
    if component.source_size not in (0, len(source)):
        return Verdict.REFUTED, f"it says that its source has {component.source_size} bytes, not {len(source)}", None
    for what, data, digest in (
        ("source", source, manifest.source_sha256),
        ("module", component.wasm, manifest.wasm_sha256),
    ):
        if hashlib.sha256(data).hexdigest() != digest:
            return Verdict.REFUTED, f"its {what} is not the one whose SHA-256 the manifest gives", None
    try:
        scenario = scenario.forModule(component.wasm)
        report = scenario.measure(component.wasm)
        verdict, reason = _compared(claim, report)
        if (abi := workbench.abiOf(component.wasm).identifier) != manifest.abi:
            return Verdict.REFUTED, f"its module is of the ABI {abi}, not {manifest.abi}", report
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


def audit(component: Component, workbench: IWorkbench) -> bool | None:
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
