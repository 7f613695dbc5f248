"""
Readers of the trace formats of libCacheSim (U{https://github.com/1a1a11a/libCacheSim}), of others' tables and logs.

==========================================  =================================================================
file name                                   content
==========================================  =================================================================
C{*.txt}, C{*.trace}, C{*.tr}, C{*.dat},    told by its first line: a block id on each line; C{time id size} and
C{*.log}                                    other tables with blanks between the columns; blkparse's text; fio's log
C{*.csv}, C{*.tsv}, C{*.spc}                columns; see `tables` and `layouts`
C{*.lis}, C{*.blkparse}, C{*.vscsi}         see `block_traces`
C{*.oracleGeneral}, C{*.oracleGeneral.bin}  records of 24 bytes: time u32, id u64, size u32, next access i64
==========================================  =================================================================

Each compressed or not, whatever it is called; see `kernelnet.workbench.reading`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system import tables
from kernelnet.workbench.file_system.block_traces import (
    BLKPARSE,
    FIO,
    readArc,
    readBlkparse,
    readFio,
    readVscsi,
)
from kernelnet.workbench.file_system.requests import Requests, bounded, numberOf
from kernelnet.workbench.file_system.sampling import sample
from kernelnet.workbench.reading import BOM, PIECE, nameOf, pieces, plainName, shown, wholeLines

__all__ = ["MAX_TRACE_REQUESTS", "readTrace", "traceName"]

MAX_TRACE_REQUESTS = 1 << 27
"""Number that fits, with all that is noted of them, into the 4 GiB of a module's memory."""

_RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
_TEXTS = (".txt", ".trace", ".tr", ".dat", ".log")
_TABLES = (".csv", ".tsv", ".spc")
_RECORDS = (".oraclegeneral", ".oraclegeneral.bin")
_SUFFIXES = (
    ".txt, .csv, .spc, .lis, .vscsi, .blkparse or .oracleGeneral, with .gz, .bz2, .xz or .zst behind it where it is"
    " compressed"
)
_ID = "each line should be one block id, a whole number from 0 to 2^64 - 1"


def traceName(path: Path) -> str:
    """The file's name without what tells its format; it can be sent, whatever bytes the file system has it in."""
    return nameOf(path, (*_TEXTS, *_TABLES, ".oracleGeneral.bin", ".oracleGeneral", ".lis", ".vscsi", ".blkparse"))


def readTrace(path: Path) -> Requests:
    """
    @return: the requests, in order; of a very long trace a sample, see `sampling`.
    @raise TraceError: it can't be read or isn't what its name says.
    """
    name = plainName(path)
    for suffixes, read in (
        (_TEXTS, _text),
        (_TABLES, tables.read),
        (_RECORDS, _oracleGeneral),
        ((".lis",), readArc),
        ((".vscsi",), readVscsi),
        ((".blkparse",), readBlkparse),
    ):
        if name.endswith(suffixes):
            account = Account()
            return sample(path, read(path, pieces(path), account), account)
    raise TraceError(path, None, f"no trace format has names like {path.name!r}", f"it should end in {_SUFFIXES}")


def _text(path: Path, parts: Iterator[bytes], account: Account) -> Iterator[Requests]:
    """Requests of a text; its first line tells of which kind it is."""
    begin = b""
    # Some readers of streams give less than a line at a time.
    for part in parts:
        begin += part
        if b"\n" in begin.lstrip() or len(begin) > PIECE:
            break
    first = begin.removeprefix(BOM).lstrip().split(b"\n", 1)[0].strip()
    parts = itertools.chain([begin], parts)
    if FIO.fullmatch(first):
        return readFio(path, parts, account)
    if BLKPARSE.fullmatch(first):
        return readBlkparse(path, parts, account)
    if len(first.split()) > 2:
        return tables.read(path, parts, account, blanks=True)
    return _ids(path, parts, account)


def _ids(path: Path, parts: Iterator[bytes], account: Account) -> Iterator[Requests]:
    account.format = "a block id on each line"
    line = 1
    for data in wholeLines(path, parts, _ID):
        if not data.strip(b"\n"):
            pass
        elif not data.translate(None, b"0123456789\n") and not re.search(rb"[0-9]{20}", data):
            # Nothing but digits and line ends, which numpy reads ten times as fast as a loop.
            yield _noted(Requests(np.fromstring(data, np.uint64, sep="\n")), account)
        else:
            yield _noted(Requests(_numbers(path, data.split(b"\n"), line)), account)
        line += data.count(b"\n")


def _noted(found: Requests, account: Account) -> Requests:
    """The same, with the first of them written down."""
    if not account.first:
        account.first = [(str(number), f"request block {number}") for number in found.ids[:MAX_FIRST].tolist()]
    return found


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


def _oracleGeneral(path: Path, parts: Iterator[bytes], account: Account) -> Iterator[Requests]:
    account.format = "libCacheSim's oracleGeneral: records of time, id, size and next access"
    size, rest, record = _RECORD.itemsize, b"", 1
    for piece in parts:
        data = rest + piece
        whole = len(data) // size * size
        records = np.frombuffer(data[:whole], _RECORD)
        sizes = bounded(records["size"].astype(np.uint64), account)
        yield _noted(Requests(records["id"].astype(np.uint64), sizes=sizes), account)
        record += whole // size
        rest = data[whole:]
    if rest:
        right = f"each record should have {size} bytes: time u32, id u64, size u32, next access i64"
        raise TraceError(path, record, f"the record has only {len(rest)} bytes", right)
