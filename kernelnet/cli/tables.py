"""Tables with one line a row: on a narrow terminal columns are cut or left out, and ids stay whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["Column", "Row", "fitted", "heading", "plainConsole", "printRows", "sections"]

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


Row = Sequence[Text | str]


def fitted(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Table:
    """
    Table that is no wider than C{width}, if the columns that stay allow it; each row is one line.

    @param rows: a cell for each column; what looks like markup is none.
    """
    return _table(columns, _widths(columns, rows, width), rows)


def sections(columns: Sequence[Column], found: Mapping[str, Sequence[Row]], width: int) -> Group:
    """The same with rows in sections, each under a line with its title; columns are alike in all of them."""
    widths = _widths(columns, [row for rows in found.values() for row in rows], width)
    parts: list[Table | Text] = [_table(columns, widths, [])]
    for title, rows in found.items():
        parts += [heading(title), _table(columns, widths, rows, head=False)]
    return Group(*parts)


def heading(title: str) -> Text:
    """Line above a table; it is cut where there is no room, and may be wider than the table."""
    return Text(title, "bold", no_wrap=True, overflow="ellipsis")


def _widths(columns: Sequence[Column], rows: Sequence[Row], width: int) -> dict[int, int]:
    """Width of each column that is shown, by its place."""
    heads = [max(map(len, column.title.split("\n"))) for column in columns]
    natural = [max(head, *(_length(row[i]) for row in rows), 1) for i, head in enumerate(heads)]
    least = [
        wide if column.least is None else min(wide, max(column.least, head))
        for column, wide, head in zip(columns, natural, heads, strict=True)
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
    return widths


def _length(cell: Text | str) -> int:
    return cell.cell_len if isinstance(cell, Text) else Text(cell).cell_len


def _table(columns: Sequence[Column], widths: Mapping[int, int], rows: Sequence[Row], head: bool = True) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, show_header=head, padding=(0, 1, 0, 0))
    for i, width in widths.items():
        table.add_column(
            columns[i].title,
            justify="right" if columns[i].right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=width,
        )
    for row in rows:
        cells = (row[i] for i in widths)
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
    return table


def _total(widths: Sequence[int]) -> int:
    """Columns of a line: between two cells there are two, behind the last one."""
    return sum(widths) + 2 * len(widths) - 1


def plainConsole(stderr: bool = False) -> Console:
    """
    Console to which a stranger's text is text.

    Where it is no terminal it is as wide as anything wants to be: what reads it can't ask for more.
    """
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDEST
    return console


def printRows(columns: Sequence[Column], rows: Sequence[Row], title: str = "") -> None:
    """Print a table that the terminal has room for."""
    console = plainConsole()
    if title:
        console.print(heading(title))
    table = fitted(columns, rows, console.width)
    # An id that is wider than the terminal is left to that.
    needed = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    console.width = max(console.width, needed)
    console.print(table)
