"""Screen at the end of a training: the verdict, one table with a row a task, and what can be done next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.text import Text

from kernelnet.cli.outcomes import Outcome
from kernelnet.cli.report_page import madeIn
from kernelnet.cli.sessions import completedTables
from kernelnet.cli.tables import Column, Row, fitted, heading, sections
from kernelnet.cli.verdict import verdict
from kernelnet.learning.intervals import levelText
from kernelnet.untrusted import plain

__all__ = ["bar", "outcomeTable", "printDetails", "printOutcome"]

_BARS = (20, 10, 6)
_EIGHTHS = " ▏▎▍▌▋▊▉"
_NAMES = 2
"""Number of AIs that are named who confirmed; of more there is the number."""
# Two levels rise and fall by the same windows: their difference is surer than either.
_LEGEND = (
    "level: share of the way from reference to optimum, on data that nobody had seen; |: the best hand-made, in"
    " hindsight. The mark judges the gain over it, which is paired by windows where both were measured here, not the"
    " level's ±: + better, ~ by less than the gain's interval, - not better: use the hand-made one"
)


def printOutcome(console: Console, found: Sequence[Outcome], first: float | None = None) -> None:
    """@param first: see `kernelnet.cli.verdict.verdict`."""
    head, *more = verdict(found, first)
    console.print(Text(head, "bold"))
    console.print()
    console.print(outcomeTable(found, console.width))
    console.print()
    if found:
        console.print(Text(_LEGEND, "dim"))
    for line in more:
        console.print(Text(line))


def printDetails(console: Console, found: Sequence[Outcome], completed: Sequence[dict[str, Any]]) -> None:
    """Print all that was shared for each task, and what came of collaborations."""
    columns = (
        Column("component"),
        Column("author", leave=3),
        Column("made in", least=10, leave=2),
        Column("confirmed by", leave=1),
        Column("level", right=True),
    )
    sessions = madeIn(completed)
    for one in found:
        hand: Mapping[str, float] = {}
        if one.handMade is not None:
            told = {one.handMade.best: one.handMade.level, one.handMade.chosen: one.handMade.chosenLevel}
            hand = one.handMade.levels or told
        rows: list[tuple[float, Row]] = [
            (level, (Text(plain(name), "italic"), "", "hand-made", "", f"{level:.3f}")) for name, level in hand.items()
        ]
        for each in one.components:
            made = sessions.get(each.id, "own search")
            confirmed = " ".join(each.voices("confirmed")) or "nobody yet"
            level = each.level or 0.0
            rows.append((level, (plain(each.id), each.author, made, confirmed, f"{level:.3f}")))
        console.print()
        title = plain(f"{one.subject}: {one.words}", 150)
        ordered = [row for _, row in sorted(rows, key=lambda row: -row[0])]
        console.print(heading(title))
        console.print(fitted(columns, ordered, console.width))
    for table in completedTables(completed):
        console.print()
        console.print(table)


def outcomeTable(found: Sequence[Outcome], width: int) -> Group:
    """A row a task, each one line, in sections by workbench."""
    room = {cells: _sections(found, cells) for cells in _BARS}
    for cells, each in room.items():
        columns = _columns(cells)
        rows = [row for its in each.values() for row in its]
        wanted = sum(max([len(c.title), *(len(row[i]) for row in rows)]) + 2 for i, c in enumerate(columns))
        if wanted <= width or cells == _BARS[-1]:
            return sections(columns, each, width)
    raise AssertionError("there is a narrowest bar")


def _columns(cells: int) -> tuple[Column, ...]:
    return (
        Column(""),
        Column("task", least=16),
        Column("best\nhand-made", least=10, leave=3),
        Column("best\nlearned"),
        Column("confirmed\nby", leave=1),
        Column("author", leave=2),
        Column("level".ljust(cells), leave=4),
    )


def _sections(found: Sequence[Outcome], cells: int) -> dict[str, list[Row]]:
    each: dict[str, list[Row]] = {}
    for one in found:
        title = one.subject
        if one.reference:
            title += f": 0 is {plain(one.reference)}, 1 is {plain(one.optimum)}"
        each.setdefault(title, []).append(_row(one, cells))
    return each


def _row(one: Outcome, cells: int) -> Row:
    hand, best = one.handMade, one.best
    confirmed = best.voices("confirmed") if best is not None else []
    mark = Text("-" if hand is not None else " ", "dim")
    if one.isBetter:
        mark = Text("+", "green") if one.isSure or one.gained is None else Text("~", "yellow")
    return (
        mark,
        plain(one.words, 120),
        Text(f"{plain(hand.best, 24)} {hand.level:.3f}" if hand is not None else "–", "" if one.isBetter else "bold"),
        Text(levelText(one.level, one.interval) if one.level is not None else "–", "bold" if one.isBetter else "dim"),
        " ".join(confirmed) if len(confirmed) <= _NAMES else f"{len(confirmed)} AIs",
        best.author if best is not None else "",
        bar(one.level, hand.level if hand is not None else None, cells),
    )


def bar(level: float | None, hand: float | None, cells: int) -> Text:
    """A level between 0 and 1 as a bar, with a mark where the best hand-made policy stands."""
    filled = max(0.0, min(1.0, level or 0.0)) * cells
    text = Text("█" * int(filled), "green")
    if int(filled) < cells:
        part = int((filled - int(filled)) * 8)
        text.append(_EIGHTHS[part] if part else "·", "green" if part else "dim")
        text.append("·" * (cells - int(filled) - 1), "dim")
    if hand is not None:
        at = max(0, min(cells - 1, int(hand * cells)))
        return Text.assemble(text[:at], ("|", "bold yellow"), text[at + 1 :])
    return text
