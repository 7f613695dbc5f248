"""Policies beside each other on one task, measured here and now: table and JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kernelnet.artifacts import Report
from kernelnet.interfaces import IScenario
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.untrusted import plain
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.suite import Suite

__all__ = [
    "MeasuredComponent",
    "Policy",
    "Score",
    "Standing",
    "measureBaselines",
    "printLegend",
    "printStanding",
    "settingsText",
    "standing",
    "standingTable",
    "steps",
    "toJson",
    "unitOf",
]

LEGEND = (
    "score: {unit}, lower is better; ratio: {ratio}; level: share of the distance from {reference} to"
    " {optimum} that is closed"
)
SUITE_LEGEND = (
    "of all together, score: {unit}, lower is better; level: share of the distance from {reference} to {optimum} that"
    " is closed, on average over the traces"
)
_SUITE_UNIT = "millionths of the way from {} to {}, summed over the traces"
_SPLITS = (("train", "train"), ("validation", "validation"), ("held_out", "held-out"))


class Score(Struct):
    """
    On one part of a trace.

    @ivar score: lower is better; C{None} in C{fuel}: what is computed offline uses none.
    @ivar metrics: further whole numbers that the bench measures.
    """

    events: int
    score: int
    level: float
    fuel: int | None = None
    metrics: dict[str, int] = {}


class Policy(Struct):
    """
    @ivar kind: C{baseline}, C{optimum} or C{component}.
    @ivar file: where a component was read from, or was written to.
    @ivar note: for people.
    """

    name: str
    kind: str
    splits: dict[str, Score]
    file: str = ""
    abi: str = ""
    note: str = ""


class Standing(Struct):
    """
    One trace with settings, and all that was measured on it.

    @ivar unit: what scores count; C{ratio}: what score by events is called; empty: it says nothing, such as of several
        traces together.
    @ivar reference: the name of what has level 0, C{optimum}: 1.
    @ivar best_by_hand: the hand-made policy that is best on train.
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
    best_by_hand: str
    policies: list[Policy]


class MeasuredComponent(Struct):
    """A component that was measured on the scenario."""

    name: str
    report: Report
    abi: str = ""
    file: str = ""
    note: str = ""


def steps(scenario: IScenario) -> int:
    """Number of times that `standing` says that it has measured something."""
    return (len(scenario.parts) if isinstance(scenario, Suite) else 1) * (len(scenario.workbench.baselineNames) + 1)


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
    for part in scenario.parts if isinstance(scenario, Suite) else [scenario]:
        for name in scenario.workbench.baselineNames:
            if isinstance(part, BaseScenario):
                part.baseline(name)
            else:
                part.baselines()
            measured()
        part.optimum()
        measured()


def standing(
    scenario: IScenario, components: Sequence[MeasuredComponent] = (), measured: Callable[[], object] = lambda: None
) -> Standing:
    """
    Worker thread.  Measure the hand-made policies and the optimum, and put components beside them.

    @param scenario: an `IScenario`.
    @param measured: see `measureBaselines`.
    @raise WorkbenchError: a hand-made policy fails.
    """
    workbench = scenario.workbench
    measureBaselines(scenario, measured)
    baselines = scenario.baselines()
    best = chosenOnTrain(scenario)
    policies = []
    for name, report in baselines.items():
        notes = ["reference"] if name == workbench.reference else []
        notes += ["best on train"] if name == best else []
        policies.append(Policy(name, "baseline", _scores(scenario, report), note=", ".join(notes)))
    ideal = {
        split: Score(scenario.events[split], score, 1.0)
        for split, score in scenario.optimum().items()
        if split in scenario.events
    }
    policies.append(Policy(workbench.optimumName, "optimum", ideal, note="offline"))
    for found in components:
        splits = _scores(scenario, found.report)
        policies.append(Policy(found.name, "component", splits, file=found.file, abi=found.abi, note=found.note))
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
        best_by_hand=best,
        policies=policies,
    )


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


def printLegend(found: Standing, console: Console) -> None:
    """Meaning of the columns; once below all tables of a kind."""
    legend = (LEGEND if found.ratio else SUITE_LEGEND).format(
        unit=found.unit, ratio=found.ratio, reference=found.reference, optimum=found.optimum
    )
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
    title = f"{found.workbench} on {plain(found.trace)}: {how}; events: {parts}"
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
        cells += [Text(f"{policy.splits[split].level:.3f}") for split, _ in levels]
        if detail > 0:
            fuel = policy.splits["held_out"].fuel
            cells.append(Text("" if fuel is None else f"{fuel / max(1, policy.splits['held_out'].events):.0f}"))
        cells += [Text(str(_metrics(policy).get(name, ""))) for name in metrics]
        table.add_row(*cells, style=style)
    return table


def _metrics(policy: Policy) -> dict[str, int]:
    return policy.splits["held_out"].metrics


def _ratio(score: Score) -> float:
    return score.score / max(1, score.events)
