"""
Traces of block devices in formats of their own: VSCSI, fio's I/O logs, blkparse's text, and those of the ARC paper.

  - C{.vscsi}: records of VMware's vscsiStats, as libCacheSim reads them (versions 1 and 2); a request is for one
    logical block number, as there;
  - fio's C{--write_iolog} of versions 2 and 3
    (U{https://fio.readthedocs.io/en/latest/fio_doc.html#trace-file-format-v2});
  - the text of C{blkparse}: the queued requests (action C{Q}), or, where there are none, the issued (C{D}) or completed
    ones (C{C});
  - C{.lis}: the first block and how many, a number that is ignored, and the request's number (N. Megiddo and D. Modha,
    ARC: a self-tuning, low overhead replacement cache, FAST 2003).
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system.layouts import SECTOR
from kernelnet.workbench.file_system.requests import PAGE, Requests, bounded
from kernelnet.workbench.reading import shown, wholeLines

__all__ = ["BLKPARSE", "FIO", "MAX_BLOCKS", "readArc", "readBlkparse", "readFio", "readVscsi"]

MAX_BLOCKS = 1 << 14
"""Blocks of one request: 64 MiB of pages."""

FIO = re.compile(rb"fio version ([0-9]+) iolog\s*")
BLKPARSE = re.compile(
    rb"\s*(\d+),(\d+)\s+\d+\s+\d+\s+(\d+\.\d+)\s+\d+\s+([A-Z]+)\s+([A-Z]+)\s+(?:(\d+)\s*\+\s*(\d+)\b.*|.*)"
)
_DISK = 1 << 44
_ONCE = 1 << 18


class _Out:
    """Requests as they are found, handed on in pieces."""

    def __init__(self, path: Path, account: Account) -> None:
        self._path, self.account = path, account
        self._ids: list[int] = []
        self._writes: list[bool] = []
        self._disks: dict[object, int] = {}

    def add(self, line: int, disk: object, blocks: range, *, write: bool, text: str) -> None:
        """@param text: the row, for people."""
        start, end = blocks.start, blocks.stop
        if end - start > MAX_BLOCKS or end > _DISK:
            right = f"at most {MAX_BLOCKS} blocks a request, and less than 2^44 a disk"
            raise TraceError(self._path, line, f"a request for blocks {start} to {end - 1}", right)
        number = self._disks.setdefault(disk, len(self._disks))
        if number >= 1 << 20:
            raise TraceError(self._path, line, "more than a million disks", "use a part of it")
        base = number * _DISK
        self._ids.extend(range(base + start, base + end))
        self._writes.extend([write] * len(blocks))
        if len(self.account.first) < MAX_FIRST:
            what = "write" if write else "read"
            pages = f"page {start}" if end == start + 1 else f"pages {start} to {end - 1}"
            self.account.first.append((text[:100], f"{what} {pages} of {disk}" if disk else f"{what} {pages}"))

    @property
    def isFull(self) -> bool:
        return len(self._ids) >= _ONCE

    def taken(self) -> Requests:
        found = Requests(np.array(self._ids, np.uint64), np.array(self._writes, np.bool_))
        self._ids, self._writes = [], []
        if any(self._disks):
            self.account.figures["disks"] = len(self._disks)
        return found


def _lines(path: Path, parts: Iterator[bytes], right: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    for data in wholeLines(path, parts, right):
        for line in data.removesuffix(b"\n").split(b"\n"):
            number += 1
            if line.strip():
                yield number, line.strip()


def readArc(path: Path, parts: Iterator[bytes], account: Account) -> Iterator[Requests]:
    """@raise TraceError: it is no such file."""
    right = "each line should be: first block, how many, a number that is ignored, the request's number"
    account.format = "the ARC paper's: first block and how many"
    out = _Out(path, account)
    for number, line in _lines(path, parts, right):
        fields = line.split()
        if len(fields) != 4 or not all(field.isdigit() and len(field) < 20 for field in fields):
            raise TraceError(path, number, f"{shown(line)} is no such request", right)
        start, count = int(fields[0]), int(fields[1])
        out.add(number, "", range(start, start + count), write=False, text=line.decode("latin-1"))
        if out.isFull:
            yield out.taken()
    yield out.taken()


def readFio(path: Path, parts: Iterator[bytes], account: Account) -> Iterator[Requests]:
    """@raise TraceError: it is no such file."""
    right = "it should be fio's I/O log of version 2 or 3: lines of (time,) file, action, offset and length"
    out, skipped = _Out(path, account), Counter[str]()
    timed = 0
    for number, line in _lines(path, parts, right):
        if number == 1:
            version = FIO.fullmatch(line)
            if version is None or version[1] not in (b"2", b"3"):
                raise TraceError(path, 1, f"it begins with {shown(line)}", right)
            timed = int(version[1] == b"3")
            account.format = f"fio's I/O log, version {version[1].decode()}"
            continue
        fields = line.split()[timed:]
        action = fields[1].decode("latin-1") if len(fields) > 1 else ""
        if action not in {"read", "write", "trim"}:
            if action not in {"add", "open", "close", "wait", "sync", "datasync"}:
                raise TraceError(path, number, f"{shown(line)} is no line of it", right)
            skipped[f"{action} lines"] += 1
            continue
        if len(fields) != 4 or not all(field.isdigit() and len(field) < 20 for field in fields[2:]):
            raise TraceError(path, number, f"{shown(line)} is no line of it", right)
        if action == "trim":
            skipped["trim lines"] += 1
            continue
        offset, length = int(fields[2]), int(fields[3])
        end = -(-(offset + length) // PAGE) if length else offset // PAGE
        text = line.decode("latin-1")
        out.add(number, fields[0].decode("latin-1"), range(offset // PAGE, end), write=action == "write", text=text)
        if out.isFull:
            yield out.taken()
    account.skipped.update(skipped)
    yield out.taken()


def readBlkparse(path: Path, parts: Iterator[bytes], account: Account) -> Iterator[Requests]:
    """@raise TraceError: it has no request."""
    right = "it should be what blkparse prints: 8,0 3 1 0.000000000 697 Q W 223490 + 8 [name]"
    # Whether requests are seen when they are queued may be known late: what was issued before that is given up.
    chosen, out, handedOn = b"", _Out(path, account), False
    taken = 0
    for number, line in _lines(path, parts, right):
        match = BLKPARSE.fullmatch(line)
        if match is None:
            account.skipped["lines that are no event"] += 1
            continue
        action, rwbs = match[4], match[5].decode("latin-1")
        if match[6] is None or action not in (b"Q", b"D", b"C") or "N" in rwbs or int(match[7]) == 0:
            account.skipped[f"events of action {action.decode('latin-1')[:8]}"] += 1
            continue
        if "D" in rwbs:
            account.skipped["discards"] += 1
            continue
        if action == b"Q" and chosen in (b"D", b"C") and not handedOn:
            account.skipped[f"events of action {chosen.decode()}"] += taken
            chosen, out, taken = b"Q", _Out(path, account), 0
            account.first.clear()
        chosen = chosen or action
        if action != chosen:
            account.skipped[f"events of action {action.decode()}"] += 1
            continue
        start, sectors = int(match[6]), int(match[7])
        first, end = start * SECTOR // PAGE, -(-(start + sectors) * SECTOR // PAGE)
        disk = f"{match[1].decode()},{match[2].decode()}"
        out.add(number, disk, range(first, end), write="W" in rwbs, text=line.decode("latin-1"))
        taken += 1
        if out.isFull:
            handedOn = True
            yield out.taken()
    if not chosen:
        raise TraceError(path, None, "no request of a block device in it", right)
    account.format = f"blkparse's text, requests by action {chosen.decode()}"
    yield out.taken()


_VSCSI = {1: struct.Struct("<IIIHHQQ"), 2: struct.Struct("<HHIIIQQQ")}
"""
Records of vscsiStats, as libCacheSim's C{vscsi.h} has them.  Version 1: serial number, length, SGEs, command, version,
block number, time in microseconds.  Version 2: command, version, serial number, length, SGEs, block number, time,
response time.  The version is the upper byte of the field.
"""

_FIELDS = {1: (3, 4, 5, 1), 2: (0, 1, 5, 3)}
"""Which fields are the command, the version, the block number and the length in bytes."""


def readVscsi(path: Path, parts: Iterator[bytes], account: Account) -> Iterator[Requests]:
    """@raise TraceError: it is no such file."""
    right = "it should be records of vscsiStats of version 1 or 2, as libCacheSim's .vscsi files"
    record: struct.Struct | None = None
    version, rest, number = 0, b"", 1
    for piece in parts:
        data = rest + piece
        if record is None:
            if len(data) < 80:
                rest = data
                continue
            version = _versionOf(data)
            if not version:
                raise TraceError(path, 1, "its first record has no known version", right)
            record = _VSCSI[version]
            account.format = f"vscsiStats, version {version}"
        whole = len(data) // record.size * record.size
        rows = list(record.iter_unpack(data[:whole]))
        command, _, block, length = _FIELDS[version]
        ids = np.array([row[block] for row in rows], np.uint64)
        writes = np.array([row[command] & 0xFF in (0x0A, 0x2A, 0x8A, 0xAA) for row in rows], np.bool_)
        for row in rows[: MAX_FIRST - len(account.first)]:
            what = "write" if row[command] & 0xFF in (0x0A, 0x2A, 0x8A, 0xAA) else "read"
            account.first.append((f"command {row[command]:#x}, block {row[block]}", f"{what} block {row[block]}"))
        sizes = bounded(np.array([row[length] for row in rows], np.uint64), account)
        yield Requests(ids, writes, sizes=sizes)
        number += len(rows)
        rest = data[whole:]
    if record is None:
        raise TraceError(path, 1, "it is too short", right)
    if rest:
        raise TraceError(path, number, f"the record has only {len(rest)} bytes", right)


def _versionOf(data: bytes) -> int:
    """The version that a file's first two records have; 0: none that is known."""
    for version, record in sorted(_VSCSI.items(), reverse=True):
        field = _FIELDS[version][1]
        if all(record.unpack_from(data, at * record.size)[field] >> 8 == version for at in range(2)):
            return version
    return 0
