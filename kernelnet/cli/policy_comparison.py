"""Policies beside each other on one task, measured here and now, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from kernelnet.artifacts import Report
from kernelnet.interfaces import IScenario
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.intervals import Intervals
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.suite import Suite
from kernelnet.workbench.variants import VariantScenario

if TYPE_CHECKING:
    from kernelnet.workbench.cost import Cost

__all__ = [
    "MeasuredComponent",
    "Policy",
    "Score",
    "Standing",
    "measureBaselines",
    "standing",
    "steps",
    "toJson",
    "unitOf",
]

_SUITE_UNIT = "millionths of the way from {} to {}, summed over the traces"


class Score(Struct):
    """
    On one part of a trace.

    @ivar score: lower is better; C{None} in C{fuel}: what is computed offline uses none.
    @ivar level_low, level_high: interval of the level, on held-out; C{None}: there is one window only.
    @ivar metrics: further whole numbers that the bench measures.
    """

    events: int
    score: int
    level: float
    fuel: int | None = None
    metrics: dict[str, int] = {}
    level_low: float | None = None
    level_high: float | None = None


class Policy(Struct):
    """
    @ivar kind: C{baseline}, C{optimum} or C{component}.
    @ivar file: where a component was read from, or was written to.
    @ivar note: for people.
    @ivar variant_levels: of a component, its held-out level on each variant of the trace.
    @ivar ns_per_event, memory_bytes, bytes_per_slot: see `kernelnet.workbench.cost.Cost`; C{None}: not measured.
    """

    name: str
    kind: str
    splits: dict[str, Score]
    file: str = ""
    abi: str = ""
    note: str = ""
    variant_levels: list[float] = []
    ns_per_event: float | None = None
    memory_bytes: int | None = None
    bytes_per_slot: float | None = None


class Standing(Struct):
    """
    One trace with settings, and all that was measured on it.

    @ivar unit: what scores count; C{ratio}: what score by events is called; empty: it says nothing, such as of several
        traces together.
    @ivar reference: the name of what has level 0, C{optimum}: 1.
    @ivar chosen_on_train: the hand-made policy that is best on train; C{best_in_hindsight}: on held-out.
    @ivar variants: number of variants of the trace that all was measured on, C{drawn_by}: the component whose bytes
        draw them; 0: the trace as it is.
    @ivar verdict: what to use, for people.
    """

    workbench: str
    workbench_digest: str
    trace: str
    trace_digest: str
    settings: dict[str, int]
    engine: str
    unit: str
    ratio: str
    reference: str
    optimum: str
    chosen_on_train: str
    best_in_hindsight: str
    policies: list[Policy]
    variants: int = 0
    drawn_by: str = ""
    verdict: str = ""


class MeasuredComponent(Struct):
    """
    A component that was measured on the scenario.

    @ivar wasm: its module.
    @ivar variantLevels: see `Policy.variant_levels`.
    """

    name: str
    report: Report
    abi: str = ""
    file: str = ""
    note: str = ""
    wasm: bytes = b""
    variantLevels: list[float] = []


def steps(scenario: IScenario) -> int:
    """Number of times that `measureBaselines` says that it has measured something."""
    return len(_wholes(scenario)) * (len(scenario.workbench.baselineNames) + 1)


def _wholes(scenario: IScenario) -> list[IScenario]:
    """Scenarios of one trace that a scenario consists of."""
    if isinstance(scenario, Suite):
        return [whole for part in scenario.parts for whole in _wholes(part)]
    return list(scenario.variants) if isinstance(scenario, VariantScenario) else [scenario]


def unitOf(scenario: IScenario) -> str:
    """Unit of scores, for people."""
    workbench = scenario.workbench
    if isinstance(scenario, Suite):
        return _SUITE_UNIT.format(workbench.optimumName, workbench.reference)
    return workbench.unit


def measureBaselines(scenario: IScenario, measured: Callable[[], object] = lambda: None) -> None:
    """
    Worker thread.  Have a scenario measure its hand-made policies and the optimum, which it keeps.

    @param measured: called after each; so often as `steps` says.
    @raise WorkbenchError: a hand-made policy fails.
    """
    for part in _wholes(scenario):
        for name in scenario.workbench.baselineNames:
            if isinstance(part, BaseScenario):
                part.baseline(name)
            else:
                part.baselines()
            measured()
        part.optimum()
        measured()


def standing(
    scenario: IScenario,
    components: Sequence[MeasuredComponent] = (),
    measured: Callable[[], object] = lambda: None,
    *,
    sure: bool = False,
    costs: bool = False,
    drawnBy: str = "",
) -> Standing:
    """
    Worker thread.  Measure the hand-made policies and the optimum, and put components beside them.

    @param scenario: an `IScenario`; if it is the trace as one component meets it, C{drawnBy} is that one's name.
    @param measured: see `measureBaselines`.
    @param sure: measure intervals of levels; C{costs}: what each costs.  Nothing is told of these.
    @raise WorkbenchError: a hand-made policy fails.
    """
    workbench = scenario.workbench
    measureBaselines(scenario, measured)
    baselines = scenario.baselines()
    chosen, best = chosenOnTrain(scenario), bestInHindsight(scenario)
    intervals = Intervals(scenario) if sure else None
    policies = []

    def added(policy: Policy, report: Report, wasm: bytes) -> None:
        if intervals is not None and (found := intervals.level(intervals.windows(wasm, report))) is not None:
            held = policy.splits["held_out"]
            held.level_low, held.level_high = round(found[0], 6), round(found[1], 6)
        if costs and (cost := _cost(scenario, wasm)) is not None:
            policy.ns_per_event, policy.memory_bytes = cost.nsPerEvent, cost.memoryBytes
            policy.bytes_per_slot = None if cost.bytesPerSlot is None else round(cost.bytesPerSlot, 1)
        policies.append(policy)

    for name, report in baselines.items():
        notes = ["reference"] if name == workbench.reference else []
        notes += ["best in hindsight"] if name == best else []
        notes += ["chosen on train"] if name == chosen else []
        policy = Policy(name, "baseline", _scores(scenario, report), note=", ".join(notes))
        added(policy, report, workbench.baselineModule(name) if sure or costs else b"")
    ideal = {
        split: Score(scenario.events[split], score, 1.0)
        for split, score in scenario.optimum().items()
        if split in scenario.events
    }
    policies.append(Policy(workbench.optimumName, "optimum", ideal, note="offline"))
    for found in components:
        splits = _scores(scenario, found.report)
        policy = Policy(found.name, "component", splits, file=found.file, abi=found.abi, note=found.note)
        policy.variant_levels = [round(level, 6) for level in found.variantLevels]
        added(policy, found.report, found.wasm)
    return Standing(
        workbench=workbench.name,
        workbench_digest=workbench.digest,
        trace=scenario.trace,
        trace_digest=scenario.traceDigest,
        settings=dict(scenario.settings),
        engine=scenario.engine,
        unit=unitOf(scenario),
        ratio="" if isinstance(scenario, Suite) else workbench.ratio,
        reference=workbench.reference,
        optimum=workbench.optimumName,
        chosen_on_train=chosen,
        best_in_hindsight=best,
        policies=policies,
        variants=_variants(scenario),
        drawn_by=drawnBy,
    )


def _variants(scenario: IScenario) -> int:
    """Number of variants of each trace; 0: it is measured as it is."""
    if isinstance(scenario, Suite):
        return _variants(scenario.parts[0])
    return len(scenario.variants) if isinstance(scenario, VariantScenario) else 0


def _cost(scenario: IScenario, wasm: bytes) -> Cost | None:
    """On the trace as it is."""
    from kernelnet.workbench.cost import costOf

    return costOf(scenario.plain if isinstance(scenario, VariantScenario) else scenario, wasm)


def _scores(scenario: IScenario, report: Report) -> dict[str, Score]:
    return {
        split: Score(
            measured.events,
            measured.score,
            round(scenario.developmentLevel(report, split), 6),
            measured.fuel,
            dict(measured.metrics),
        )
        for split, measured in report.splits.items()
    }


def toJson(standings: Sequence[Standing]) -> str:
    """The same numbers for programs; docs/reference/workbench.rst describes the keys."""
    return msgspec.json.format(msgspec.json.encode(list(standings)), indent=2).decode("utf-8")
