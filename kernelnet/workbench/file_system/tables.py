"""
Traces as tables: comma-separated values, also with C{;}, C{|}, tab or blanks between the columns.

Where the first line is a header, columns are found by their names; without one, well-known traces are known by their
first row (see `layouts`), and else the id is in the second column (time, id, size, …) or the only one.

An id is a whole number, or, where ids may be words, any text: a word gets a number by its hash.  Ids that are not
ranges of bytes are one block each, whatever their size: of an id it isn't known which others lie beside it.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system import layouts
from kernelnet.workbench.file_system.layouts import SECTOR, Columns
from kernelnet.workbench.file_system.requests import PAGE, Requests, bounded, expanded, numberOf, numbersOf
from kernelnet.workbench.reading import shown, wholeLines

__all__ = ["MAX_RANGE", "MAX_REPEAT", "WRITES", "read"]

WRITES = frozenset(
    (
        *("w", "wr", "ws", "write", "writes", "put", "set", "add", "replace", "cas", "append", "prepend"),
        *("incr", "decr", "update", "2a", "0x2a", "8a", "0x8a", "aa", "0xaa", "0a", "rest.put.object"),
    )
)
"""
Names of a write; the numbers are SCSI's WRITE commands (SBC-4).  blktrace's C{RWBS} (C{WS}, C{FWFS}, …) tell one by a
C{W}.  All else counts as a read.
"""

MAX_RANGE = 64 << 20
"""Bytes of one request."""

MAX_REPEAT = 1_000_000
"""Requests that one row may stand for."""

MAX_KEY = 4096
"""Characters of an id that is a word."""

_ROWS = 1 << 14
_LINES = "it should be lines of columns with , ; | or tab between"
_QUOTE = "close the quote in the line that it begins in; a value can't have a line end"
_DISK = 1 << 44
"""Ids of a disk: pages of 64 PiB."""

_WORD = re.compile(r"[^\d.\s+-]")
_RWBS = re.compile(r"f?w[fasm]{0,4}")


def read(path: Path, parts: Iterator[bytes], account: Account, *, blanks: bool = False) -> Iterator[Requests]:
    """
    @param account: says afterwards how the table was understood.
    @param blanks: columns are separated by blanks.
    @raise TraceError: it is no such file.
    """
    table = _Table(path, account, blanks)
    for batch in _batches(wholeLines(path, parts, _LINES)):
        yield from table.requests(batch)
    table.end()


def _batches(texts: Iterator[bytes]) -> Iterator[list[str]]:
    """Lines in lists of bounded length; Latin-1 takes every byte, and what is not a number is looked at as bytes."""
    for text in texts:
        lines = text.decode("latin-1").replace("\0", "\ufffd").removesuffix("\n").split("\n")
        yield from (lines[at : at + _ROWS] for at in range(0, len(lines), _ROWS))


class _Table:
    """One table, as far as it was read."""

    def __init__(self, path: Path, account: Account, blanks: bool) -> None:
        self._path, self._account, self._blanks = path, account, blanks
        self._line = 1
        self._columns: Columns | None = None
        self._delimiter = ","
        self._disks: dict[tuple[str, ...], int] = {}
        self._ops: set[str] = set()
        self._sizes = self._oddSizes = 0
        self._lacksSize = 0
        self._areWords: bool | None = None
        self._times: tuple[str, str] | None = None

    # -- lines to rows

    def requests(self, lines: list[str]) -> Iterator[Requests]:
        """The requests of the next lines."""
        cells = self._alike(lines)
        if cells is not None and self._columns is not None:
            numbers: Sequence[int] = range(self._line, self._line + len(lines))
            self._line += len(lines)
            yield from self._found(cells, numbers, self._columns)
            return
        rows = self._rows(lines)
        numbers = range(self._line, self._line + len(lines))
        self._line += len(lines)
        if self._columns is None:
            at = next((at for at, row in enumerate(rows) if row), None)
            if at is None:
                return
            isHeader = self._understand(rows[at], lines[at], numbers[at])
            rows, numbers = rows[at + isHeader :], numbers[at + isHeader :]
        if not all(rows):
            filled = [at for at, row in enumerate(rows) if row]
            rows, numbers = [rows[at] for at in filled], [numbers[at] for at in filled]
        columns = self._columns
        assert columns is not None
        if rows:
            last = columns.last
            if min(map(len, rows)) <= last:
                at = next(at for at, row in enumerate(rows) if len(row) <= last)
                raise TraceError(self._path, numbers[at], f"only {len(rows[at])} columns", columns.right)
            # of rows that are longer, only what all have
            yield from self._found(list(zip(*rows, strict=False)), numbers, columns)

    def _alike(self, lines: list[str]) -> list[list[str]] | None:
        """
        The columns of lines that are all alike, without quotes; C{None}: they aren't.

        What the csv module gives, in a third of the time: a list for each row costs more than its numbers.
        """
        if self._blanks or self._columns is None:
            return None
        text = "\n".join(lines)
        many = lines[0].count(self._delimiter) + 1
        if '"' in text or "\r" in text or many <= self._columns.last:
            return None
        if any(line.count(self._delimiter) + 1 != many for line in lines):
            return None
        cells = text.replace("\n", self._delimiter).split(self._delimiter)
        return [cells[at::many] for at in range(many)]

    def _rows(self, lines: list[str]) -> list[list[str]]:
        if self._blanks:
            return [line.split() for line in lines]
        if self._columns is None:
            first = next((line for line in lines if line.strip()), "")
            self._delimiter = max(",;\t|", key=first.count)
        reader = csv.reader(lines, delimiter=self._delimiter, strict=False)
        try:
            rows = list(reader)
        except csv.Error as error:
            raise self._badLine(lines, str(error)) from None
        if len(rows) != len(lines) or ('"' in lines[-1] and self._isOpen(lines[-1])):
            # A quote that isn't closed takes the lines that follow into its value.
            raise self._badLine(lines, "a quote is still open at its end")
        return rows

    def _isOpen(self, line: str) -> bool:
        """Whether a quote is still open at a line's end."""
        try:
            list(csv.reader([line], delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            return "unexpected end of data" in str(error)
        return False

    def _badLine(self, lines: list[str], error: str) -> TraceError:
        for number, line in enumerate(lines, self._line):
            if '"' in line and self._isOpen(line):
                return TraceError(self._path, number, "a quote is still open at its end", _QUOTE)
            try:
                list(csv.reader([line], delimiter=self._delimiter))
            except csv.Error as own:
                return TraceError(self._path, number, f"not CSV ({own})", _LINES)
        return TraceError(self._path, None, f"not CSV ({error})", _LINES)

    def _understand(self, row: list[str], line: str, number: int) -> int:
        """Find the columns by the first row.  @return: 1 if that is a header, else 0."""
        names = [f"column {at}" for at in range(1, len(row) + 1)]
        well = layouts.known(row, blanks=self._blanks)
        isHeader = 0
        if well is not None:
            self._account.format, self._columns = well
        elif not any(re.search(r"[^\W\d_]", cell) for cell in row) or self._blanks:
            column = min(1, max(0, len(row) - 1))
            right = f"each line should have a block id, a whole number from 0 to 2^64 - 1, in column {column + 1}"
            self._columns = Columns(column, right)
            self._account.format = "a table without a header: the block id is in " + names[column]
        else:
            self._columns = layouts.byHeader(row)
            if self._columns is None:
                layoutNames = "; ".join(each.columns for each in layouts.LAYOUTS if not each.blanks)
                right = (
                    "put a header before it that names the column with the block id one of"
                    f" {', '.join(layouts.ID_COLUMNS)}; known without a header are: {layoutNames}"
                )
                wrong = f"no column of {shown(line.strip().encode())} is known to be the block id"
                raise TraceError(self._path, number, wrong, right)
            isHeader, names = 1, [cell.strip() or name for cell, name in zip(row, names, strict=True)]
            self._account.format = "a table with a header"
        if self._blanks and well is None and not row[self._columns.id].isdigit():
            right = "each line should be one block id, or time, id and size"
            raise TraceError(self._path, number, f"{shown(line.strip().encode())} is not a block id", right)
        self._account.columns = self._columns.meanings(names)
        self._names = names
        return isHeader

    # -- rows to requests

    def _found(self, cells: Sequence[Sequence[str]], numbers: Sequence[int], columns: Columns) -> Iterator[Requests]:
        """@param cells: by column."""
        ids = self._ids(cells[columns.id], numbers, columns)
        many = np.ones(len(numbers), np.int64)
        if columns.size is not None and columns.unit:
            sizes = self._counts(cells[columns.size], numbers, columns)
            ids, many = self._pages(ids, sizes, numbers, columns)
        if columns.disk:
            ids = self._onDisks(ids, [cells[column] for column in columns.disk], numbers, columns)
        writes = self._written(cells[columns.op], columns) if columns.op is not None else None
        isRange = bool(columns.unit)
        objectSizes = self._objectSizes(cells, numbers, columns)
        if columns.count is not None:
            many = self._repeats(cells[columns.count], numbers)
        if columns.time is not None:
            first = self._times[0] if self._times else cells[columns.time][0]
            self._times = first, cells[columns.time][-1]
        self._keepFirst(cells, ids, many, writes)
        yield from expanded(ids, many, writes, isRange=isRange, sizes=objectSizes)

    def _wrong(self, at: int, numbers: Sequence[int], text: str, what: str) -> TraceError:
        assert self._columns is not None
        shownText = shown(text.strip().encode("utf-8", errors="replace") or b"(nothing)")
        return TraceError(self._path, numbers[at], f"{shownText} {what}", self._columns.right)

    def _ids(self, cells: Sequence[str], numbers: Sequence[int], columns: Columns) -> npt.NDArray[np.uint64]:
        found = None if self._areWords else numbersOf(cells)
        if found is not None:
            self._areWords = False
            return found
        if self._areWords is None:
            # What the first is, all are: among words 7 and 007 differ, and among numbers a word is a mistake.
            self._areWords = columns.keys and bool(_WORD.search(cells[0]))
        if not self._areWords:
            at = next(at for at, cell in enumerate(cells) if numberOf(_bytes(cell.strip())) is None)
            raise self._wrong(at, numbers, cells[at], "is not a block id")
        values = []
        for at, cell in enumerate(cells):
            text = cell.strip()
            if not 0 < len(text) <= MAX_KEY:
                raise self._wrong(at, numbers, cell, f"is not a block id of 1 to {MAX_KEY} characters")
            values.append(int.from_bytes(hashlib.blake2b(_bytes(text), digest_size=8).digest(), "little"))
        return np.array(values, np.uint64)

    def _counts(self, cells: Sequence[str], numbers: Sequence[int], columns: Columns) -> npt.NDArray[np.uint64]:
        """Sizes in bytes."""
        most = MAX_RANGE // columns.sizeUnit
        sizes = self._bounded(cells, numbers, most, f"is no size from 0 to {MAX_RANGE >> 20} MiB")
        sizes *= np.uint64(columns.sizeUnit)
        self._sizes += int(np.count_nonzero(sizes))
        self._oddSizes += int(np.count_nonzero(sizes % np.uint64(SECTOR)))
        return sizes

    def _pages(
        self, starts: npt.NDArray[np.uint64], sizes: npt.NDArray[np.uint64], numbers: Sequence[int], columns: Columns
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """The first page of each range, and how many it touches."""
        most = np.uint64((_DISK * PAGE - MAX_RANGE) // columns.unit)
        beyond = starts > most
        if beyond.any():
            # Exactly: the last bytes of a disk may be asked for.
            for at in np.flatnonzero(beyond).tolist():
                if int(starts[at]) * columns.unit + int(sizes[at]) > _DISK * PAGE:
                    text = str(int(starts[at]))
                    raise self._wrong(
                        at, numbers, text, f"is no offset below 2^56{'' if columns.unit == 1 else ' bytes'}"
                    )
        begin = starts * np.uint64(columns.unit)
        first = begin // np.uint64(PAGE)
        end = (begin + sizes + np.uint64(PAGE - 1)) // np.uint64(PAGE)
        return first, np.where(sizes > 0, end - first, 0).astype(np.int64)

    def _onDisks(
        self, ids: npt.NDArray[np.uint64], cells: Sequence[Sequence[str]], numbers: Sequence[int], columns: Columns
    ) -> npt.NDArray[np.uint64]:
        """Ids that differ where the disk differs."""
        names = list(zip(*cells, strict=True))
        number = {
            name: self._disks.setdefault(tuple(part.strip() for part in name), len(self._disks))
            for name in dict.fromkeys(names)
        }
        disks = np.array(list(map(number.__getitem__, names)), np.uint64)
        if len(self._disks) > 1 << 20:
            raise TraceError(self._path, numbers[-1], "more than a million disks", columns.right)
        large = ids >= np.uint64(_DISK)
        with np.errstate(over="ignore"):
            plain = ids + disks * np.uint64(_DISK)
            # Ids that are as large as that are hashes: those of another disk are other hashes.
            other = ids ^ disks * np.uint64(0x9E3779B97F4A7C15)
        return np.where(large, other, plain)

    def _objectSizes(
        self, cells: Sequence[Sequence[str]], numbers: Sequence[int], columns: Columns
    ) -> npt.NDArray[np.uint32] | None:
        """Bytes of each row's object; C{None}: a row doesn't tell it, and so the whole table has no sizes."""
        if not columns.object or self._lacksSize:
            return None
        total = np.zeros(len(numbers), np.uint64)
        for column in columns.object:
            found = numbersOf(cells[column]) if column < len(cells) else None
            if found is None:
                texts = cells[column] if column < len(cells) else [""] * len(numbers)
                bad = (at for at, cell in enumerate(texts) if numberOf(_bytes(cell.strip())) is None)
                self._lacksSize = numbers[next(bad)]
                return None
            total += np.minimum(found, np.uint64(1 << 40))
        return bounded(total, self._account)

    def _written(self, cells: Sequence[str], columns: Columns) -> npt.NDArray[np.bool_]:
        distinct = {cell: cell.strip().lower() for cell in set(cells)}
        if len(self._ops) < 64:
            self._ops.update(distinct.values())
        known = {cell for cell, op in distinct.items() if op in WRITES or op in columns.written or _RWBS.fullmatch(op)}
        return np.fromiter(map(known.__contains__, cells), np.bool_, len(cells))

    def _repeats(self, cells: Sequence[str], numbers: Sequence[int]) -> npt.NDArray[np.int64]:
        what = f"is no number of requests from 0 to {MAX_REPEAT}"
        return self._bounded(cells, numbers, MAX_REPEAT, what).astype(np.int64)

    def _bounded(self, cells: Sequence[str], numbers: Sequence[int], most: int, what: str) -> npt.NDArray[np.uint64]:
        """Numbers of at most C{most}.  @raise TraceError: the first that isn't is C{what}."""
        found = numbersOf(cells)
        if found is None or (found > np.uint64(most)).any():
            for at, cell in enumerate(cells):
                number = numberOf(_bytes(cell.strip()))
                if number is None or number > most:
                    raise self._wrong(at, numbers, cell, what)
        assert found is not None
        return found

    # -- what is said about it

    def _keepFirst(
        self,
        cells: Sequence[Sequence[str]],
        ids: npt.NDArray[np.uint64],
        many: npt.NDArray[np.int64],
        writes: npt.NDArray[np.bool_] | None,
    ) -> None:
        for at in range(min(len(ids), MAX_FIRST - len(self._account.first))):
            assert self._columns is not None
            number, count = int(ids[at]), int(many[at])
            what = "write" if writes is not None and writes[at] else "read" if writes is not None else "request"
            disk = ""
            if self._columns.disk:
                disk = f" of disk {'/'.join(cells[column][at].strip() for column in self._columns.disk)}"
                number %= _DISK
            block = f"page {number}" if self._columns.unit else f"block {number}"
            if self._columns.unit and count != 1:
                block = f"pages {number} to {number + count - 1}" if count else "nothing, as its size is 0"
            times = f", {count} times" if self._columns.count is not None and count != 1 else ""
            self._account.first.append((" ".join(column[at] for column in cells)[:100], f"{what} {block}{disk}{times}"))

    def end(self) -> None:
        """Write down what is known only now."""
        account, columns = self._account, self._columns
        if columns is None:
            return
        if columns.disk:
            account.figures["disks"] = len(self._disks)
        if self._times is not None:
            account.figures["time"] = f"{self._times[0].strip()} to {self._times[1].strip()}"
        if self._areWords:
            account.format += "; ids are words"
        op = self._names[columns.op] if columns.op is not None else ""
        if op and self._ops - {""} and self._ops <= {"0", "1", ""} and not columns.written:
            account.doubt(
                f"{op!r} has only 0 and 1, of which neither says whether it writes: all count as reads; R and W would"
                " be understood"
            )
        if self._lacksSize:
            account.doubt(f"line {self._lacksSize} tells no size of its object, so no sizes are known")
        if self._sizes and self._oddSizes > 0.9 * self._sizes and columns.sizeUnit == 1 and columns.unit == 1:
            account.doubt(
                "hardly any size is a multiple of 512, so sizes and offsets may be in sectors: name these columns"
                " offset_sectors and size_sectors if they are"
            )


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", errors="replace")
