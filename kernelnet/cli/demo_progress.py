"""Progress of the demo while it runs: a table with a bar a trainer, or, without a terminal, a line now and then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from kernelnet.cli.outcome_table import bar
from kernelnet.cli.tables import Column, Row, fitted
from kernelnet.interfaces import IWorkbench
from kernelnet.untrusted import plain
from kernelnet.workbench.words import subjectOf, taskInWords

__all__ = ["progressLine", "progressTable"]

Progress = Mapping[str, Any]
"""A trainer's C{progress.json}, or C{ai_id} alone before there is one."""

_CELLS = 10
_TIME_CELLS = 30


def progressTable(
    found: Sequence[Progress], benches: Mapping[str, IWorkbench], left: float, total: float, width: int
) -> Group:
    """
    One line for each trainer.

    @param left: seconds, and C{total}: of how many.
    @param width: columns of the terminal.
    """
    columns = (
        Column("AI"),
        Column("works on", least=16),
        Column("level so far", leave=3),
        Column("built", right=True, leave=1),
        Column("confirmed", right=True),
        Column("sessions", leave=2, right=True),
    )
    rows = [_row(one, benches) for one in found]
    done = max(0.0, min(1.0, 1 - left / total)) if total else 1.0
    clock = Text.assemble(bar(done, None, min(_TIME_CELLS, width // 3)), f"  {max(0.0, left):.0f} s left")
    return Group(clock, fitted(columns, rows, width))


def progressLine(found: Sequence[Progress], benches: Mapping[str, IWorkbench], left: float) -> str:
    """All of it in one line."""
    built, confirmed = (sum(one.get(what, 0) for one in found) for what in ("built", "confirmed"))
    each = (f"{one['ai_id']} {_work(one, benches)}{_levelText(one)}" for one in found)
    return f"{max(0.0, left):.0f} s left, {built} built, {confirmed} confirmations; {'; '.join(each)}"


def _row(one: Progress, benches: Mapping[str, IWorkbench]) -> Row:
    active = one.get("sessions", {}).get("active", 0)
    level = _level(one)
    return (
        one["ai_id"],
        _work(one, benches),
        bar(level, None, _CELLS) if level is not None else "",
        str(one.get("built", "")),
        str(one.get("confirmed", "")),
        str(active or ""),
    )


def _level(one: Progress) -> float | None:
    """The level on train of the best that the search has now, as far as the trainer tells."""
    level = (one.get("search") or {}).get("train")
    return float(level) if isinstance(level, int | float) else None


def _levelText(one: Progress) -> str:
    level = _level(one)
    return f" {level:.2f}" if level is not None else ""


def _work(one: Progress, benches: Mapping[str, IWorkbench]) -> str:
    task = one.get("scenario")
    if "rounds" not in one:
        return "starting"
    if not task:
        return "between two tasks"
    bench = benches.get(task.get("workbench", ""))
    words = taskInWords(bench, task.get("trace", ""), task.get("settings", {}))
    # the trace first, since the end may be cut
    return plain(f"{words}: {subjectOf(bench, task.get('workbench', ''))}", 120)
