"""C{kernelnet ais}, C{patterns}, C{leaderboard}: what a hub's database tells, whether it runs or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from kernelnet.cli.common import cut, directory, jsonOption, limitOption, noneOf, reading, stateOption, when
from kernelnet.cli.tables import Column, printRows
from kernelnet.hub.admin import control_client
from kernelnet.hub.views import ais as aisView
from kernelnet.hub.views import patterns as patternsView
from kernelnet.hub.views.progress import progress
from kernelnet.identity import IdentityError
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.untrusted import plain
from kernelnet.workbench.words import taskInWords

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
    columns = (
        Column("AI"),
        Column("owner", leave=4),
        Column("specialization", least=12, leave=3),
        Column("workbenches", least=12, leave=2),
        Column("state"),
        Column("here until", leave=1),
    )
    rows = [
        (
            ai["id"],
            ai["owner"] or "-",
            plain(ai["specialization"]),
            cut(", ".join(ai["workbenches"]) or "-", 60),
            "connected" if ai["connected"] else "away",
            when(ai["seen_at"]),
        )
        for ai in sorted(found, key=lambda ai: (not ai["connected"], ai["id"]))
    ]
    _show(columns, rows, "no trainer has been here yet: twistd -n kerneltrainer --id AI_1")


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
    """List the patterns that were shared, each once, with how many AIs said it; the most confident first."""
    with reading(state) as reader:
        found = patternsView.distinctPatterns(reader, kind, limit)
        kinds = [] if found else patternsView.patternTypes(reader)
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    columns = (
        Column("pattern"),
        Column("type", least=8, leave=2),
        Column("confidence", leave=1, right=True),
        Column("AIs", right=True),
        Column("data", least=12, leave=3),
    )
    rows = [
        (
            plain(pattern["id"]),
            cut(str(pattern["type"]), 40),
            f"{pattern['confidence']:.3f}",
            str(pattern["said_by"]),
            cut(json.dumps(pattern["data"], ensure_ascii=False), 60),
        )
        for pattern in found
    ]
    _show(columns, rows, noneOf("type", kind, kinds) if kind is not None and kinds else "none yet")


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
    benches = {bench.name: bench for bench in available(IWorkbench)}
    columns = (
        Column("workbench", least=8, leave=3),
        Column("task", least=16),
        Column("best"),
        Column("level"),
        Column("best in hindsight", leave=1),
        Column("chosen on train", leave=2),
    )
    rows = []
    for task in found:
        best, older = task["steps"][-1], " (older rules)" if task["older_rules"] else ""
        words = taskInWords(benches.get(task["workbench"]), task["trace"], task["settings"])
        rows.append(
            (
                plain(task["workbench"]),
                cut(words, 80) + older,
                plain(best["id"]),
                _level(best),
                *(_handMade(task, which) for which in ("best_in_hindsight", "chosen_on_train")),
            )
        )
    _show(columns, rows, "nothing is confirmed yet: it takes two trainers and about a minute")


def _level(step: dict[str, Any]) -> str:
    """Such as C{0.417 ± 0.03}; an interval's half, since it is never far from even."""
    low, high = step["level_low"], step["level_high"]
    spread = f" ± {(high - low) / 2:.2g}" if low is not None and high is not None else ""
    return f"{step['level']:.3f}{spread}"


def _handMade(task: dict[str, Any], which: str) -> str:
    """The name of a hand-made policy and its level; a dash where no two AIs say the same."""
    return f"{plain(task[which])} {task[f'{which}_level']:.3f}" if task[which] is not None else "-"


def _show(columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], otherwise: str) -> None:
    if rows:
        printRows(columns, rows)
    else:
        click.echo(otherwise)
