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
import lzma
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError

__all__ = ["ID_COLUMNS", "readTrace", "traceName"]

Ids = npt.NDArray[np.uint64]

ID_COLUMNS = (
    *("obj_id", "objid", "object_id", "id", "key"),
    *("lbn", "lba", "block", "block_id", "page", "offset", "address"),
)
"""Names of the column with the id, the first that is there counts; case, C{-} and blanks don't matter."""

MAX_BYTES = 4 << 30
"""Decompressed."""

_RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
_COMPRESSED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open}
_NUMBER = re.compile(rb"[0-9]{1,20}")
_SUFFIXES = ".txt, .csv or .oracleGeneral, with .gz or .xz behind it where it is compressed"


def traceName(path: Path) -> str:
    """The file's name without what tells its format."""
    return re.sub(r"(\.txt|\.csv|\.oracleGeneral(\.bin)?)?(\.gz|\.xz)?$", "", path.name) or path.name


def readTrace(path: Path) -> Ids:
    """
    @return: the ids of the requests, in order.
    @raise TraceError: it can't be read or isn't what its name says.
    """
    plain = path.with_suffix("") if path.suffix in _COMPRESSED else path
    name = plain.name.lower()
    if name.endswith(".txt"):
        return _text(path, _bytes(path))
    if name.endswith(".csv"):
        return _csv(path, _bytes(path))
    if name.endswith((".oraclegeneral", ".oraclegeneral.bin")):
        return _oracleGeneral(path, _bytes(path))
    raise TraceError(path, None, f"no trace format has names like {path.name!r}", f"it should end in {_SUFFIXES}")


def _bytes(path: Path) -> bytes:
    try:
        with _COMPRESSED.get(path.suffix, lambda p: p.open("rb"))(path) as stream:
            data: bytes = stream.read(MAX_BYTES + 1)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        what = "gzip" if path.suffix == ".gz" else "xz"
        raise TraceError(path, None, f"not a whole {what} file ({error})", f"make it again with {what}") from None
    except OSError as error:
        raise TraceError(path, None, error.strerror or str(error), "it should be a readable file") from None
    if len(data) > MAX_BYTES:
        raise TraceError(path, None, f"more than {MAX_BYTES >> 30} GiB uncompressed", "use a part of it")
    return data


def _text(path: Path, data: bytes) -> Ids:
    if not data.translate(None, b"0123456789\n") and not re.search(rb"[0-9]{20}", data):
        # Nothing but digits and line ends, which numpy reads ten times as fast as a loop.
        return np.fromstring(data, np.uint64, sep="\n") if data.strip() else np.empty(0, np.uint64)
    return _numbers(path, data.split(b"\n"), 1, "each line should be one block id, a whole number from 0 to 2^64 - 1")


def _numbers(path: Path, fields: Iterable[bytes], first: int, right: str) -> Ids:
    """Convert fields, the first of which is in line C{first}; blank ones are left out."""
    numbers = []
    for line, field in enumerate(fields, first):
        text = field.strip()
        if not text:
            continue
        if not _NUMBER.fullmatch(text) or (number := int(text)) >= 1 << 64:
            raise TraceError(path, line, f"{_shown(text)} is not a block id", right)
        numbers.append(number)
    return np.array(numbers, np.uint64)


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", errors="replace")) + ("…" if len(text) > 40 else "")


def _csv(path: Path, data: bytes) -> Ids:
    # Latin-1 takes every byte; the ids are checked to be digits.
    text = data.decode("latin-1").replace("\0", "\ufffd")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        right = "it should be lines of columns with , ; | or tab between"
        raise TraceError(path, None, f"not CSV ({error})", right) from None
    header = rows[0] if rows else []
    if any(re.search(r"[A-Za-z]", name) for name in header):
        names = [re.sub(r"[-\s]+", "_", name.strip().lower()) for name in header]
        known = [name for name in ID_COLUMNS if name in names]
        if not known:
            right = f"name the column with the block id one of {', '.join(ID_COLUMNS)}"
            wrong = f"no column of {_shown(first.strip().encode())} is known to be the block id"
            raise TraceError(path, 1, wrong, right)
        column, start = names.index(known[0]), 1
    else:
        column, start = min(1, max(0, len(header) - 1)), 0
    right = f"each line should have a block id, a whole number from 0 to 2^64 - 1, in column {column + 1}"
    fields = []
    for line, row in enumerate(rows[start:], start + 1):
        if len(row) > column:
            fields.append(row[column].strip().encode("utf-8", errors="replace") or b"(nothing)")
        elif row:
            raise TraceError(path, line, f"only {len(row)} columns", right)
        else:
            fields.append(b"")
    return _numbers(path, fields, start + 1, right)


def _oracleGeneral(path: Path, data: bytes) -> Ids:
    size = _RECORD.itemsize
    if len(data) % size:
        right = f"each record should have {size} bytes: time u32, id u64, size u32, next access i64"
        raise TraceError(path, len(data) // size + 1, f"the record has only {len(data) % size} bytes", right)
    return np.frombuffer(data, _RECORD)["id"].astype(np.uint64)
