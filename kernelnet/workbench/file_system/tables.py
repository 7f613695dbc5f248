"""
Traces as comma-separated values; also with C{;}, C{|} or tab between the columns.

Where the first line is a header, columns are found by their names (case, C{-} and blanks don't matter): the block's id
by the first of `ID_COLUMNS` that is there, what is done with it by one of `OP_COLUMNS`.  If the id is an C{offset}
and there is one of `SIZE_COLUMNS`, each line is a range of bytes, and so of one or more pages.

Without a header the id is in the second column (time, id, size, …) or the only one; lines of seven columns with Read or
Write in the fourth are those of SNIA's MSR Cambridge traces (D. Narayanan, A. Donnelly and A. Rowstron, Write
off-loading, FAST 2008): time, host, disk, operation, offset, size, response time, with offset and size in bytes.

Other ids are one block each, whatever their size: of an id it isn't known which others lie beside it.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system.requests import PAGE, Requests, numberOf
from kernelnet.workbench.reading import shown, wholeLines

__all__ = ["ID_COLUMNS", "MAX_RANGE", "OP_COLUMNS", "SIZE_COLUMNS", "WRITES", "read"]

ID_COLUMNS = (
    *("obj_id", "objid", "object_id", "id", "key"),
    *("lbn", "lba", "block", "block_id", "page", "offset", "address"),
)
"""Names of the column with the id, the first that is there counts."""

SIZE_COLUMNS = ("size", "length", "len", "bytes", "io_size", "request_size")
"""Of bytes, beside an C{offset}."""

OP_COLUMNS = ("op", "operation", "opcode", "rw", "io_type", "type", "command", "cmd")

WRITES = frozenset(("w", "wr", "ws", "write", "writes", "put", "set", "2a", "0x2a", "8a", "0x8a", "aa", "0xaa", "0a"))
"""Names of a write; the numbers are SCSI's WRITE commands (SBC-4).  All else counts as a read."""

MAX_RANGE = 64 << 20
"""Bytes of one request."""

_ROWS = 1 << 18
_LINES = "it should be lines of columns with , ; | or tab between"
_DISK_PAGES = 1 << 44


@dataclass
class _Columns:
    """
    Where in a line is what.

    @ivar right: what a line should be, for errors.
    @ivar disk: the columns that name the disk on which the offset is.
    """

    id: int
    right: str
    size: int | None = None
    op: int | None = None
    disk: tuple[int, ...] = ()
    disks: dict[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(self.id, self.size or 0, self.op or 0, *self.disk, 0)

    def diskOf(self, row: list[str]) -> int:
        return self.disks.setdefault(tuple(row[column] for column in self.disk), len(self.disks))


def read(path: Path, parts: Iterator[bytes]) -> Iterator[Requests]:
    """@raise TraceError: it is no such file."""
    whole = wholeLines(path, parts, _LINES)
    first = next(whole, b"")
    # Latin-1 takes every byte; the ids are checked to be digits.
    head = first.split(b"\n", 1)[0].decode("latin-1")
    texts = (piece.decode("latin-1").replace("\0", "\ufffd") for piece in itertools.chain([first], whole))
    lines = itertools.chain.from_iterable(io.StringIO(text, newline="") for text in texts)
    rows = csv.reader(lines, delimiter=max(",;\t|", key=head.count))
    columns: _Columns | None = None
    ids: list[int] = []
    writes: list[bool] = []
    try:
        for row in rows:
            if columns is None:
                columns, isHeader = _columnsOf(path, row, head)
                if isHeader:
                    continue
            if not row:
                continue
            if len(row) <= columns.last:
                raise TraceError(path, rows.line_num, f"only {len(row)} columns", columns.right)
            before = len(ids)
            _add(path, rows.line_num, row, columns, ids)
            if columns.op is not None:
                writes += [row[columns.op].strip().lower() in WRITES] * (len(ids) - before)
            if len(ids) >= _ROWS:
                yield _requests(ids, writes)
                ids, writes = [], []
    except csv.Error as error:
        raise TraceError(path, None, f"not CSV ({error})", _LINES) from None
    yield _requests(ids, writes)


def _requests(ids: list[int], writes: list[bool]) -> Requests:
    return Requests(np.array(ids, np.uint64), np.array(writes, np.bool_) if writes else None)


def _add(path: Path, line: int, row: list[str], columns: _Columns, ids: list[int]) -> None:
    """Add the id, or the pages, that a line is about."""
    text = row[columns.id].strip().encode("utf-8", errors="replace") or b"(nothing)"
    start = numberOf(text)
    if start is None:
        raise TraceError(path, line, f"{shown(text)} is not a block id", columns.right)
    if columns.size is None:
        ids.append(start)
        return
    text = row[columns.size].strip().encode("utf-8", errors="replace") or b"(nothing)"
    size = numberOf(text)
    if size is None or size > MAX_RANGE:
        raise TraceError(path, line, f"{shown(text)} is no size from 0 to {MAX_RANGE >> 20} MiB", columns.right)
    page, end = start // PAGE, -(-(start + size) // PAGE) if size else 0
    if end > _DISK_PAGES:
        raise TraceError(path, line, f"{shown(str(start).encode())} is no offset below 2^56", columns.right)
    disk = columns.diskOf(row) * _DISK_PAGES
    if disk >= 1 << 64:
        raise TraceError(path, line, "more than a million disks", columns.right)
    ids.extend(range(disk + page, disk + end))


def _columnsOf(path: Path, row: list[str], head: str) -> tuple[_Columns, bool]:
    """
    @param row: the first one.
    @return: what is where, and whether this row is a header.
    """
    if len(row) == 7 and row[3].strip().lower() in ("read", "write"):
        right = "each line should be time,host,disk,operation,offset,size,response time as in the MSR Cambridge traces"
        return _Columns(4, right, size=5, op=3, disk=(1, 2)), False
    if not any(re.search(r"[A-Za-z]", name) for name in row):
        column = min(1, max(0, len(row) - 1))
        return _Columns(column, _rightFor(column)), False
    names = [re.sub(r"[-\s]+", "_", name.strip().lower()) for name in row]

    def first(known: tuple[str, ...]) -> int | None:
        return next((names.index(name) for name in known if name in names), None)

    column_ = first(ID_COLUMNS)
    if column_ is None:
        right = f"name the column with the block id one of {', '.join(ID_COLUMNS)}"
        wrong = f"no column of {shown(head.strip().encode())} is known to be the block id"
        raise TraceError(path, 1, wrong, right)
    size = first(SIZE_COLUMNS) if names[column_] == "offset" else None
    right = _rightFor(column_) if size is None else f"each line should have an offset and a size of at most {MAX_RANGE}"
    return _Columns(column_, right, size=size, op=first(OP_COLUMNS)), True


def _rightFor(column: int) -> str:
    return f"each line should have a block id, a whole number from 0 to 2^64 - 1, in column {column + 1}"
