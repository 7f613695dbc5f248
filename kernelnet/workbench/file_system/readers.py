"""
Readers of the trace formats of libCacheSim (U{https://github.com/1a1a11a/libCacheSim}), and of others' tables.

========================================  =================================================================
file name                                 content
========================================  =================================================================
C{*.txt}                                  a block id, a whole number, on each line
C{*.csv}                                  columns; see `tables`
C{*.oracleGeneral}, C{*.oracleGeneral.bin}  records of 24 bytes: time u32, id u64, size u32, next access i64
========================================  =================================================================

Each with C{.gz}, C{.xz} or C{.zst} behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system import tables
from kernelnet.workbench.file_system.requests import Requests, numberOf
from kernelnet.workbench.file_system.sampling import sample
from kernelnet.workbench.reading import nameOf, pieces, plainName, shown, wholeLines

__all__ = ["MAX_TRACE_REQUESTS", "readTrace", "traceName"]

MAX_TRACE_REQUESTS = 1 << 27
"""Number that fits, with all that is noted of them, into the 4 GiB of a module's memory."""

_RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
_SUFFIXES = ".txt, .csv or .oracleGeneral, with .gz, .xz or .zst behind it where it is compressed"
_ID = "each line should be one block id, a whole number from 0 to 2^64 - 1"


def traceName(path: Path) -> str:
    """The file's name without what tells its format; it can be sent, whatever bytes the file system has it in."""
    return nameOf(path, (".txt", ".csv", ".oracleGeneral.bin", ".oracleGeneral"))


def readTrace(path: Path) -> Requests:
    """
    @return: the requests, in order; of a very long trace a sample, see `sampling`.
    @raise TraceError: it can't be read or isn't what its name says.
    """
    name = plainName(path)
    for suffixes, read in (
        ((".txt",), _text),
        ((".csv",), tables.read),
        ((".oraclegeneral", ".oraclegeneral.bin"), _oracleGeneral),
    ):
        if name.endswith(suffixes):
            return sample(path, read(path, pieces(path)))
    raise TraceError(path, None, f"no trace format has names like {path.name!r}", f"it should end in {_SUFFIXES}")


def _text(path: Path, parts: Iterator[bytes]) -> Iterator[Requests]:
    line = 1
    for data in wholeLines(path, parts, _ID):
        if not data.strip(b"\n"):
            pass
        elif not data.translate(None, b"0123456789\n") and not re.search(rb"[0-9]{20}", data):
            # Nothing but digits and line ends, which numpy reads ten times as fast as a loop.
            yield Requests(np.fromstring(data, np.uint64, sep="\n"))
        else:
            yield Requests(_numbers(path, data.split(b"\n"), line))
        line += data.count(b"\n")


def _numbers(path: Path, lines: list[bytes], first: int) -> npt.NDArray[np.uint64]:
    numbers = []
    for line, field in enumerate(lines, first):
        text = field.strip()
        if not text:
            continue
        number = numberOf(text)
        if number is None:
            raise TraceError(path, line, f"{shown(text)} is not a block id", _ID)
        numbers.append(number)
    return np.array(numbers, np.uint64)


def _oracleGeneral(path: Path, parts: Iterator[bytes]) -> Iterator[Requests]:
    size, rest, record = _RECORD.itemsize, b"", 1
    for piece in parts:
        data = rest + piece
        whole = len(data) // size * size
        yield Requests(np.frombuffer(data[:whole], _RECORD)["id"].astype(np.uint64))
        record += whole // size
        rest = data[whole:]
    if rest:
        right = f"each record should have {size} bytes: time u32, id u64, size u32, next access i64"
        raise TraceError(path, record, f"the record has only {len(rest)} bytes", right)
