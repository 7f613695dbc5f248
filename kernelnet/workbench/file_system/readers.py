"""
Readers of the trace formats of libCacheSim (U{https://github.com/1a1a11a/libCacheSim}), each plain, gzip or xz.

========================================  =================================================================
file name                                 content
========================================  =================================================================
C{*.txt}                                  a block id, a whole number, on each line
C{*.csv}                                  columns; with a header line the id's column is found by its name
                                          (`ID_COLUMNS`), without one it is the second (time, id, size), or
                                          the only one
C{*.oracleGeneral}, C{*.oracleGeneral.bin}  records of 24 bytes: time u32, id u64, size u32, next access i64
========================================  =================================================================

Each with C{.gz} or C{.xz} behind it.  A request is for one block: sizes, times and operations are not used.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError

__all__ = ["ID_COLUMNS", "MAX_REQUESTS", "readTrace", "traceName"]

Ids = npt.NDArray[np.uint64]

ID_COLUMNS = (
    *("obj_id", "objid", "object_id", "id", "key"),
    *("lbn", "lba", "block", "block_id", "page", "offset", "address"),
)
"""Names of the column with the id, the first that is there counts; case, C{-} and blanks don't matter."""

MAX_REQUESTS = 1 << 27
"""So many fit, with all that is noted of them, into the 4 GiB of a module's memory."""

MAX_BYTES = 4 << 30
"""Decompressed; read in pieces, so that a small file which expands to much takes time only."""

_PIECE = 4 << 20
_ROWS = 1 << 18
_RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
_COMPRESSED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open}
_NUMBER = re.compile(rb"[0-9]{1,20}")
_SUFFIXES = ".txt, .csv or .oracleGeneral, with .gz or .xz behind it where it is compressed"


def traceName(path: Path) -> str:
    """The file's name without what tells its format; it can be sent, whatever bytes the file system has it in."""
    name = path.name.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
    name = "".join(c if c.isprintable() else "?" for c in name)
    return re.sub(r"(\.txt|\.csv|\.oracleGeneral(\.bin)?)?(\.gz|\.xz)?$", "", name) or name


def readTrace(path: Path) -> Ids:
    """
    @return: the ids of the requests, in order.
    @raise TraceError: it can't be read or isn't what its name says.
    """
    plain = path.with_suffix("") if path.suffix in _COMPRESSED else path
    name = plain.name.lower()
    for suffixes, read in (
        ((".txt",), _text),
        ((".csv",), _csv),
        ((".oraclegeneral", ".oraclegeneral.bin"), _oracleGeneral),
    ):
        if name.endswith(suffixes):
            return _joined(path, read)
    raise TraceError(path, None, f"no trace format has names like {path.name!r}", f"it should end in {_SUFFIXES}")


def _joined(path: Path, read: Callable[[Path, Iterator[bytes]], Iterator[Ids]]) -> Ids:
    parts, requests = [np.empty(0, np.uint64)], 0
    for part in read(path, _pieces(path)):
        parts.append(part)
        requests += len(part)
        if requests > MAX_REQUESTS:
            raise TraceError(path, None, f"more than {MAX_REQUESTS} requests", "use a part of it")
    return np.concatenate(parts)


def _pieces(path: Path) -> Iterator[bytes]:
    """The file's content, decompressed, in pieces of 4 MiB or less."""
    total = 0
    try:
        with _COMPRESSED.get(path.suffix, lambda p: p.open("rb"))(path) as stream:
            while piece := stream.read(_PIECE):
                total += len(piece)
                if total > MAX_BYTES:
                    raise TraceError(path, None, f"more than {MAX_BYTES >> 30} GiB uncompressed", "use a part of it")
                yield piece
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        what = "gzip" if path.suffix == ".gz" else "xz"
        raise TraceError(path, None, f"not a whole {what} file ({error})", f"make it again with {what}") from None
    except OSError as error:
        raise TraceError(path, None, error.strerror or str(error), "it should be a readable file") from None


def _lines(path: Path, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same in pieces of whole lines."""
    rest = b""
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if not end and len(rest) + len(piece) > _PIECE:
            raise TraceError(path, None, f"a line of more than {_PIECE >> 20} MiB", "it should be lines with a number")
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
    if rest:
        yield rest


def _text(path: Path, pieces: Iterator[bytes]) -> Iterator[Ids]:
    line, right = 1, "each line should be one block id, a whole number from 0 to 2^64 - 1"
    for data in _lines(path, pieces):
        if not data.strip(b"\n"):
            pass
        elif not data.translate(None, b"0123456789\n") and not re.search(rb"[0-9]{20}", data):
            # Nothing but digits and line ends, which numpy reads ten times as fast as a loop.
            yield np.fromstring(data, np.uint64, sep="\n")
        else:
            yield _numbers(path, enumerate(data.split(b"\n"), line), right)
        line += data.count(b"\n")


def _numbers(path: Path, fields: Iterable[tuple[int, bytes]], right: str) -> Ids:
    """Convert fields, each with the line it is in; blank ones are left out."""
    numbers = []
    for line, field in fields:
        text = field.strip()
        if not text:
            continue
        if not _NUMBER.fullmatch(text) or (number := int(text)) >= 1 << 64:
            raise TraceError(path, line, f"{_shown(text)} is not a block id", right)
        numbers.append(number)
    return np.array(numbers, np.uint64)


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", errors="replace")) + ("…" if len(text) > 40 else "")


def _csv(path: Path, pieces: Iterator[bytes]) -> Iterator[Ids]:
    whole = _lines(path, pieces)
    first = next(whole, b"")
    # Latin-1 takes every byte; the ids are checked to be digits.
    head = first.split(b"\n", 1)[0].decode("latin-1")
    texts = (piece.decode("latin-1").replace("\0", "\ufffd") for piece in itertools.chain([first], whole))
    lines = itertools.chain.from_iterable(io.StringIO(text, newline="") for text in texts)
    rows = csv.reader(lines, delimiter=max(",;\t|", key=head.count))
    column: int | None = None
    fields: list[tuple[int, bytes]] = []
    right = ""
    try:
        for row in rows:
            if column is None:
                column, isHeader = _csvColumn(path, row, head)
                right = f"each line should have a block id, a whole number from 0 to 2^64 - 1, in column {column + 1}"
                if isHeader:
                    continue
            if len(row) > column:
                field = row[column].strip().encode("utf-8", errors="replace")
                fields.append((rows.line_num, field or b"(nothing)"))
            elif row:
                raise TraceError(path, rows.line_num, f"only {len(row)} columns", right)
            if len(fields) == _ROWS:
                yield _numbers(path, fields, right)
                fields = []
    except csv.Error as error:
        wrong = "it should be lines of columns with , ; | or tab between"
        raise TraceError(path, None, f"not CSV ({error})", wrong) from None
    yield _numbers(path, fields, right)


def _csvColumn(path: Path, row: list[str], head: str) -> tuple[int, bool]:
    """
    @param row: the first one.
    @return: where the block ids are, and whether this row is a header.
    """
    if not any(re.search(r"[A-Za-z]", name) for name in row):
        return min(1, max(0, len(row) - 1)), False
    names = [re.sub(r"[-\s]+", "_", name.strip().lower()) for name in row]
    known = [name for name in ID_COLUMNS if name in names]
    if not known:
        right = f"name the column with the block id one of {', '.join(ID_COLUMNS)}"
        wrong = f"no column of {_shown(head.strip().encode())} is known to be the block id"
        raise TraceError(path, 1, wrong, right)
    return names.index(known[0]), True


def _oracleGeneral(path: Path, pieces: Iterator[bytes]) -> Iterator[Ids]:
    size, rest, record = _RECORD.itemsize, b"", 1
    for piece in pieces:
        data = rest + piece
        whole = len(data) // size * size
        yield np.frombuffer(data[:whole], _RECORD)["id"].astype(np.uint64)
        record += whole // size
        rest = data[whole:]
    if rest:
        right = f"each record should have {size} bytes: time u32, id u64, size u32, next access i64"
        raise TraceError(path, record, f"the record has only {len(rest)} bytes", right)
