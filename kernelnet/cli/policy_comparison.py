"""Policies beside each other on one task, measured here and now: table and JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kernelnet.artifacts import Report
from kernelnet.interfaces import IScenario
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.intervals import Intervals
from kernelnet.learning.verdict import levelText
from kernelnet.untrusted import plain
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
    "plainConsole",
    "printLegend",
    "printStanding",
    "printVerdict",
    "settingsText",
    "standing",
    "standingTable",
    "steps",
    "toJson",
    "unitOf",
]

LEGEND = (
    "score: {unit}, lower is better; ratio: {ratio}; level: share of the distance from {reference} to"
    " {optimum} that is closed, on held-out ± half of its 95 % interval (–: one window only)"
)
COST_LEGEND = "; ns: in the sandbox without metering; bytes: memory in use by slot, or instance; fuel: metered"
SUITE_LEGEND = (
    "of all together, score: {unit}, lower is better; level: share of the distance from {reference} to {optimum} that"
    " is closed, on average over the traces, on held-out ± half of its 95 % interval"
)
_SUITE_UNIT = "millionths of the way from {} to {}, summed over the traces"
_SPLITS = (("train", "train"), ("validation", "validation"), ("held_out", "held-out"))


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


def settingsText(settings: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "no settings"


def printStanding(found: Standing, console: Console) -> None:
    """The widest table that the terminal has room for."""
    tables = [standingTable(found, detail) for detail in (3, 2, 1, 0, -1)]
    options = console.options.update(max_width=10_000)
    widths = [Measurement.get(console, options, table).maximum for table in tables]
    if not console.is_terminal:
        # Nobody reads a file through a window of 80 columns.
        console.width = max(console.width, widths[0])
    fitting = [table for table, width in zip(tables, widths, strict=True) if width <= console.width]
    console.print((fitting or tables[-1:])[0])


def printVerdict(found: Standing, console: Console) -> None:
    """How far a component's levels on the variants lie apart, and what to use."""
    for policy in found.policies:
        if len(policy.variant_levels) > 1:
            low, high = min(policy.variant_levels), max(policy.variant_levels)
            words = f"by variant, its held-out level is {low:.3f} to {high:.3f}, {high - low:.3f} apart"
            console.print(f"{plain(policy.name)}: {words}", soft_wrap=True)
    if found.verdict:
        console.print(found.verdict, soft_wrap=True)


def plainConsole(stderr: bool = False) -> Console:
    """Console that prints words as they are: what looks like markup in a file's name is none."""
    return Console(markup=False, emoji=False, highlight=False, stderr=stderr)


def printLegend(found: Standing, console: Console) -> None:
    """Meaning of the columns; once below all tables of a kind."""
    words = LEGEND if found.ratio else SUITE_LEGEND
    words += COST_LEGEND if any(policy.ns_per_event is not None for policy in found.policies) else ""
    legend = words.format(unit=found.unit, ratio=found.ratio, reference=found.reference, optimum=found.optimum)
    console.print(Text(legend, "dim"), soft_wrap=not console.is_terminal)


def standingTable(found: Standing, detail: int = 3) -> Table:
    """
    All that competes, best on held-out first.

    @param detail: 3: all; 2: ratios on held-out only; 1: without metrics too; 0: without fuel and train too; -1:
        held-out alone.
    """
    events = {split: score.events for policy in found.policies[:1] for split, score in policy.splits.items()}
    parts = ", ".join(f"{label} {events.get(split, 0)}" for split, label in _SPLITS)
    how = settingsText(found.settings) if found.ratio else "all together"
    where = plain(found.trace)
    if found.variants:
        where = f"{found.variants} variants of {where}, drawn by {plain(found.drawn_by)}, as its claim is measured"
    else:
        where += " as it is"
    title = f"{found.workbench} on {where}: {how}; events: {parts}"
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("policy", no_wrap=True)
    if detail >= 0:
        table.add_column("", no_wrap=detail > 0, min_width=10)
    hidden = {1: (), 0: ("train",), -1: ("train", "validation")}[min(detail, 1)]
    shown = [split for split in _SPLITS if split[0] not in hidden]
    levels = [split for split in _SPLITS if split[0] in ("validation", "held_out") and (detail >= 0 or split in shown)]
    ratios = {split for split, _ in shown if found.ratio and (detail > 2 or split == "held_out")}
    for split, label in shown:
        table.add_column(f"{label}\nscore", justify="right", no_wrap=True)
        if split in ratios:
            table.add_column(f"{label}\nratio", justify="right", no_wrap=True)
    for _, label in levels:
        table.add_column(f"{label}\nlevel", justify="right", no_wrap=True)
    if detail > 0:
        table.add_column("fuel per\nevent", justify="right", no_wrap=True)
    hasCosts = detail > 2 and any(policy.ns_per_event is not None for policy in found.policies)
    if hasCosts:
        table.add_column("ns per\nevent", justify="right", no_wrap=True)
        table.add_column("bytes\na slot", justify="right", no_wrap=True)
    metrics = list(dict.fromkeys(name for policy in found.policies for name in _metrics(policy))) if detail > 1 else []
    for name in metrics:
        words = textwrap.wrap(plain(name).replace("_", " "), 14)
        table.add_column("\n".join(["held-out", *words]), justify="right", no_wrap=True)
    most = max((_ratio(score) for policy in found.policies for score in policy.splits.values()), default=0.0)
    digits = 4 if most < 10 else 2 if most < 1000 else 0
    for policy in sorted(found.policies, key=lambda p: (p.splits["held_out"].score, p.kind != "optimum")):
        style = {"component": "bold", "optimum": "italic"}.get(policy.kind, "")
        note = policy.note if detail > 0 or policy.kind != "component" else "component"
        cells = [Text(plain(policy.name)), *([Text(plain(note))] if detail >= 0 else [])]
        for split, _ in shown:
            score = policy.splits[split]
            cells.append(Text(str(score.score)))
            if split in ratios:
                cells.append(Text(f"{_ratio(score):.{digits}f}"))
        cells += [Text(_levelText(policy, split, detail)) for split, _ in levels]
        if detail > 0:
            fuel = policy.splits["held_out"].fuel
            cells.append(Text("" if fuel is None else f"{fuel / max(1, policy.splits['held_out'].events):.0f}"))
        if hasCosts:
            cells += [Text(_number(policy.ns_per_event)), Text(_number(policy.bytes_per_slot))]
        cells += [Text(str(_metrics(policy).get(name, ""))) for name in metrics]
        table.add_row(*cells, style=style)
    return table


def _levelText(policy: Policy, split: str, detail: int) -> str:
    score = policy.splits[split]
    if split != "held_out" or detail < 0 or policy.kind == "optimum":
        return f"{score.level:.3f}"
    bounds = (score.level_low, score.level_high)
    return levelText(score.level, None if bounds[0] is None or bounds[1] is None else (bounds[0], bounds[1]))


def _number(value: float | None) -> str:
    """Three digits at least."""
    return "" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _metrics(policy: Policy) -> dict[str, int]:
    return policy.splits["held_out"].metrics


def _ratio(score: Score) -> float:
    return score.score / max(1, score.events)
