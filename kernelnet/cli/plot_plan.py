"""The plan of C{kernelnet bench plot}: which scenarios, and where each stands on the x axis."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelnet.cli.arguments import Mistake, blocksFor, checkedSettings, footprint, numbers, tasks
from kernelnet.cli.policy_table import settingsText
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.untrusted import plain

__all__ = ["Plan", "costPlans", "plans", "shares"]

_LEAST, _MOST, _POINTS = 0.1, 30.0, 14
"""Per cent of a trace's blocks, and how many cache sizes between, each as many times the one before."""


@dataclass
class Plan:
    """
    Contents of one pair of axes.

    @ivar title: what all of it has in common.
    @ivar name: what is on the x axis; empty: the traces, whose names are in C{places}.
    @ivar places: where on it each of C{scenarios} is; C{percent}: whether these are shares.
    """

    title: str
    name: str
    places: Sequence[float | str]
    scenarios: list[IScenario]
    percent: bool = False


def shares(blocks: int) -> list[int]:
    """Cache sizes from 0.1 to 30 % of a trace's blocks, evenly spaced for a logarithmic axis."""
    steps = [_LEAST * (_MOST / _LEAST) ** (i / (_POINTS - 1)) for i in range(_POINTS)]
    return sorted({max(1, round(blocks * step / 100)) for step in steps})


def plans(
    workbench: IWorkbench, traces: Sequence[Path], settings: Sequence[str], capacities: Sequence[str], over: str | None
) -> list[Plan]:
    """
    Worker thread.  Panels that ``bench plot`` draws.

    @param over: C{NAME=A,B,…}; C{None}: cache sizes where there is a cache, else the traces.
    @raise Mistake: it can't be understood, or a setting isn't one.
    @raise click.ClickException: a trace can't be read.
    """
    name, values = _over(over) if over is not None else ("", [])
    if name and (name in numbers(settings) or (name == "capacity" and capacities)):
        raise Mistake(f"{name} is on the x axis: leave it out of --set and --capacity")
    chosen = tasks(workbench, traces, settings, capacities, several=False)
    if not name and (capacities or settings or footprint(chosen[0][1]) is None):
        return [Plan(workbench.name, "", _names([scenario for _, scenario in chosen]), [s for _, s in chosen])]
    with checkedSettings(workbench):
        return [_plan(workbench, path, scenario, name, values) for path, scenario in chosen]


def costPlans(
    workbench: IWorkbench, traces: Sequence[Path], settings: Sequence[str], capacities: Sequence[str], over: str | None
) -> list[Plan]:
    """
    Worker thread.  Panels that ``bench plot --cost`` draws: one for each trace and setting.

    @raise Mistake, click.ClickException: see `plans`.
    """
    if over is not None:
        raise Mistake("--cost has nanoseconds on the x axis: leave out --over")
    chosen = tasks(workbench, traces, settings, capacities, several=False)
    return [Plan(_title(scenario, ""), "", [scenario.trace], [scenario]) for _, scenario in chosen]


def _plan(workbench: IWorkbench, path: Path, scenario: IScenario, name: str, values: Sequence[str]) -> Plan:
    """One trace, with the settings of a scenario but for the one on the x axis; no name: cache sizes."""
    blocks = footprint(scenario)
    if name in ("", "capacity") and blocks is not None:
        sizes = [blocksFor(workbench, path, value, scenario.settings) for value in values] if name else shares(blocks)
        each = [workbench.scenario(path, {**scenario.settings, "capacity": size}) for size in sorted(set(sizes))]
        places = [100 * s.settings["capacity"] / blocks for s in each]
        what = "bytes" if scenario.settings.get("bytes") else "blocks"
        label = f"cache size, as a share of the trace's {blocks} {what}"
        return Plan(_title(scenario, "capacity"), label, places, each, True)
    if any(value.endswith("%") for value in values):
        raise Mistake(f"--over {name}={','.join(values)}: {name} of {workbench.name} takes whole numbers")
    numbers_ = sorted({int(value) for value in values})
    each = [workbench.scenario(path, {**scenario.settings, name: number}) for number in numbers_]
    return Plan(_title(scenario, name), name.replace("_", " "), [*map(float, numbers_)], each)


def _over(text: str) -> tuple[str, list[str]]:
    name, _, values = text.partition("=")
    found = [value.strip() for value in values.split(",")]
    good = all(re.fullmatch(r"[+-]?[0-9]{1,18}|[0-9]{1,3}(\.[0-9]{1,9})?%", value) for value in found)
    if not name.strip() or not good or len(set(found)) < 2:
        raise Mistake(f"--over {text}: it should be NAME=A,B,… with two or more different whole numbers")
    return name.strip(), found


def _names(scenarios: Sequence[IScenario]) -> list[str]:
    """The traces' names, with the settings of those that are there several times."""
    times = Counter(scenario.trace for scenario in scenarios)
    return [plain(s.trace, 24) + (f"\n{settingsText(s.settings)}" if times[s.trace] > 1 else "") for s in scenarios]


def _title(scenario: IScenario, without: str) -> str:
    """The trace, and its settings but for the one on the x axis."""
    rest = {name: value for name, value in scenario.settings.items() if name != without}
    return f"{scenario.workbench.name}: {plain(scenario.trace, 40)}" + (f", {settingsText(rest)}" if rest else "")
