"""C{kernelnet ais}, C{patterns}, C{leaderboard}: what a hub's database tells, whether it runs or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from kernelnet.cli.common import (
    cut,
    directory,
    jsonOption,
    limitOption,
    noneOf,
    printTable,
    reading,
    stateOption,
    when,
)
from kernelnet.hub.admin import control_client
from kernelnet.hub.views import ais as aisView
from kernelnet.hub.views import patterns as patternsView
from kernelnet.hub.views.progress import progress
from kernelnet.identity import IdentityError
from kernelnet.untrusted import plain

__all__ = ["ais", "leaderboard", "patterns"]


@click.command()
@stateOption
@jsonOption
def ais(state: Path | None, asJson: bool) -> None:
    """List the AIs that ever said hello to the hub, and who is connected now."""
    with reading(state) as reader:
        found = aisView.ais(reader)
    here = _connected(state)
    for ai in found:
        ai["connected"] = ai["id"] in here
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    table = _table("AI", "specialization", "workbenches", "state", "here until")
    for ai in sorted(found, key=lambda ai: (not ai["connected"], ai["id"])):
        state_ = "connected" if ai["connected"] else "away"
        benches = ", ".join(ai["workbenches"]) or "-"
        table.add_row(ai["id"], plain(ai["specialization"]), Text(cut(benches, 60)), state_, when(ai["seen_at"]))
    _show(table, found, "no trainer has been here yet: twistd -n kerneltrainer --id AI_1")


def _connected(state: Path | None) -> set[str]:
    """Ids of the AIs that are connected; none where no hub runs."""
    try:
        return set(control_client.call(directory(state), {"command": "status"})["ais"])
    except (control_client.ControlError, IdentityError):
        return set()


@click.command()
@click.option("--type", "kind", help="Those of one type only.")
@limitOption
@stateOption
@jsonOption
def patterns(kind: str | None, limit: int, state: Path | None, asJson: bool) -> None:
    """List the patterns that were shared, the most confident first."""
    with reading(state) as reader:
        found = patternsView.patterns(reader, kind, limit)
        kinds = [] if found else patternsView.patternTypes(reader)
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    table = _table("pattern", "of", "type", "confidence", "data")
    for pattern in found:
        data = json.dumps(pattern.get("data"), ensure_ascii=False)
        cells = (pattern["source"], Text(cut(str(pattern["type"]), 40)), f"{pattern['confidence']:.3f}")
        table.add_row(Text(cut(pattern["id"], 40)), *cells, Text(cut(data, 60)))
    _show(table, found, noneOf("type", kind, kinds) if kind is not None and kinds else "none yet")


@click.command()
@stateOption
@jsonOption
def leaderboard(state: Path | None, asJson: bool) -> None:
    """Show for each task the best component that another AI has confirmed and nobody has refuted."""
    with reading(state) as reader:
        found = progress(reader)
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    table = _table("task", "best", "level", "best in hindsight", "chosen on train")
    for task in found:
        best, older = task["steps"][-1], " (older rules)" if task["older_rules"] else ""
        settings = " ".join(f"{name}={value}" for name, value in task["settings"].items())
        table.add_row(
            Text(f"{plain(task['workbench'])}, {cut(task['trace'], 60)}{older}\n{cut(settings, 80)}"),
            Text(plain(best["id"])),
            _level(best),
            *(Text(_handMade(task, which)) for which in ("best_in_hindsight", "chosen_on_train")),
        )
    _show(table, found, "nothing is confirmed yet: it takes two trainers and about a minute")


def _level(step: dict[str, Any]) -> str:
    """Such as C{0.417 ± 0.03}; an interval's half, since it is never far from even."""
    low, high = step["level_low"], step["level_high"]
    spread = f" ± {(high - low) / 2:.2g}" if low is not None and high is not None else ""
    return f"{step['level']:.3f}{spread}"


def _handMade(task: dict[str, Any], which: str) -> str:
    """The name of a hand-made policy and its level; a dash where no two AIs say the same."""
    return f"{plain(task[which])} {task[f'{which}_level']:.3f}" if task[which] is not None else "-"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        isNumber = column in ("level", "confidence")
        table.add_column(column, justify="right" if isNumber else "left", no_wrap=column in ("AI", "best", "level"))
    return table


def _show(table: Table, found: list[Any], otherwise: str) -> None:
    if found:
        printTable(table)
    else:
        click.echo(otherwise)
