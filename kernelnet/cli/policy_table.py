"""Policies beside each other as a table for people, and the verdict below it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kernelnet.cli.policy_comparison import Policy, Score, Standing
from kernelnet.learning.intervals import levelText
from kernelnet.learning.recommendation import Recommendation
from kernelnet.untrusted import plain

__all__ = [
    "printLegend",
    "printStanding",
    "printVerdict",
    "settingsText",
    "standingTable",
    "verdictText",
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
_SPLITS = (("train", "train"), ("validation", "validation"), ("held_out", "held-out"))


def settingsText(settings: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "no settings"


def printStanding(found: Standing, console: Console) -> None:
    """The widest table that the terminal has room for."""
    tables = [standingTable(found, detail) for detail in (3, 2, 1, 0, -1, -2)]
    options = console.options.update(max_width=10_000)
    widths = [Measurement.get(console, options, table).maximum for table in tables]
    fitting = [table for table, width in zip(tables, widths, strict=True) if width <= console.width]
    # Not the table's own title, which would be broken at the table's width.
    console.print(Text(_title(found), "italic"), soft_wrap=not console.is_terminal)
    console.print((fitting or tables[-1:])[0])


def verdictText(found: Standing, use: Recommendation) -> str:
    """Words for what to use, and what that costs beside its rival as far as it was measured."""
    policies = {policy.name: policy for policy in found.policies}
    ours = policies.get(use.use.name)
    theirs = policies.get(use.rival.name) if use.rival is not None else None
    words = str(use)
    if ours is not None and ours.ns_per_event is not None:
        words += f"; {_costText(ours)}"
        if theirs is not None and theirs.ns_per_event is not None:
            words += f", where {plain(theirs.name)} takes {_costText(theirs)}"
    return words


def _costText(policy: Policy) -> str:
    words = f"{_number(policy.ns_per_event)} ns"
    return words if policy.bytes_per_slot is None else f"{words} and {_number(policy.bytes_per_slot)} bytes a slot"


def printVerdict(found: Standing, console: Console) -> None:
    """Say the spread of a component's levels over the variants, and what to use."""
    for policy in found.policies:
        if len(policy.variant_levels) > 1:
            low, high = min(policy.variant_levels), max(policy.variant_levels)
            words = f"by variant, its held-out level is {low:.3f} to {high:.3f}, {high - low:.3f} apart"
            console.print(f"{plain(policy.name)}: {words}", soft_wrap=True)
    if found.verdict:
        console.print(found.verdict, soft_wrap=True)


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
        held-out alone; -2: without notes and intervals too.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("policy", no_wrap=True)
    if detail > -2:
        table.add_column("", no_wrap=detail != 0, min_width=10)
    hidden = {1: (), 0: ("train",), -1: ("train", "validation")}[max(-1, min(detail, 1))]
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
        note = policy.note if detail != 0 or policy.kind != "component" else "component"
        cells = [Text(plain(policy.name)), *([Text(plain(note))] if detail > -2 else [])]
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


def _title(found: Standing) -> str:
    """Words for what was measured on."""
    events = {split: score.events for policy in found.policies[:1] for split, score in policy.splits.items()}
    parts = ", ".join(f"{label} {events.get(split, 0)}" for split, label in _SPLITS)
    how = settingsText(found.settings) if found.ratio else "all together"
    where = plain(found.trace)
    if found.variants:
        where = f"{found.variants} variants of {where}, drawn by {plain(found.drawn_by)}, as its claim is measured"
    else:
        where += " as it is"
    return f"{found.workbench} on {where}: {how}; events: {parts}"


def _levelText(policy: Policy, split: str, detail: int) -> str:
    score = policy.splits[split]
    if split != "held_out" or detail < -1 or policy.kind == "optimum":
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
