"""Tables with one line a row: on a narrow terminal columns are cut or left out, and ids stay whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["Column", "fitted", "plainConsole", "printRows", "widthOf"]

WIDEST = 10_000
"""Columns of a line that nobody looks at through a window."""


@dataclass(frozen=True)
class Column:
    """
    One column, and how it makes room.

    @ivar least: Number of characters that a cell may be cut to; C{None}: it is never cut, as an id must not be.
    @ivar leave: where there is still no room, the column with the greatest is left out first; 0: it stays.
    @ivar right: whether it has numbers.
    """

    title: str
    least: int | None = None
    leave: int = 0
    right: bool = False


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], width: int, title: str = "") -> Table:
    """
    Table that is no wider than C{width}, if the columns that stay allow it; each row is one line.

    @param rows: a cell for each column; what looks like markup is none.
    """
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    natural = [max(len(c.title), *(row[i].cell_len for row in cells), 1) for i, c in enumerate(columns)]
    least = [
        wide if c.least is None else min(wide, max(c.least, len(c.title)))
        for c, wide in zip(columns, natural, strict=True)
    ]
    shown = list(range(len(columns)))
    while _total([least[i] for i in shown]) > width:
        leaving = max(shown, key=lambda i: columns[i].leave)
        if not columns[leaving].leave:
            break
        shown.remove(leaving)
    widths = {i: natural[i] for i in shown}
    while (over := _total(list(widths.values())) - width) > 0:
        widest = max((i for i in shown if widths[i] > least[i]), key=lambda i: widths[i], default=None)
        if widest is None:
            break
        others = [widths[i] for i in shown if i != widest and widths[i] > least[i]]
        # down to the next widest, so that what has to be cut is cut where it is longest
        widths[widest] = max(least[widest], widths[widest] - over, min(widths[widest] - 1, max(others, default=0)))
    table = Table(
        title=Text(title, "bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for i in shown:
        table.add_column(
            columns[i].title,
            justify="right" if columns[i].right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=widths[i],
        )
    for row in cells:
        table.add_row(*(row[i] for i in shown))
    return table


def _total(widths: Sequence[int]) -> int:
    """Columns of a line: between two cells there are two, behind the last one."""
    return sum(widths) + 2 * len(widths) - 1


def plainConsole(stderr: bool = False) -> Console:
    """Console to which a stranger's text is text."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def widthOf(console: Console) -> int:
    """A terminal's width; elsewhere as much as anything wants: what reads it can't ask for more."""
    return console.width if console.is_terminal else WIDEST


def printRows(columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], title: str = "") -> None:
    """Print a table that the terminal has room for."""
    console = plainConsole()
    table = fitted(columns, rows, widthOf(console), title)
    # An id that is wider than the terminal is left to that.
    console.width = max(
        console.width, Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    )
    console.print(table)
