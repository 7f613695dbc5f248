"""
Reads link traces of mahimahi (U{http://mahimahi.mit.edu}; Netravali et al., Mahimahi: accurate record-and-replay for
HTTP, USENIX ATC 2015), plain, gzip or xz.

Each line is a whole number of milliseconds since the trace's start, at which the link can deliver 1500 bytes; a
number that is there several times stands for as many deliveries, and none is less than the one before.  The file may
have any name.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import nameOf, pieces, shown, wholeLines

__all__ = ["MAX_IN_ONE", "MAX_MILLISECONDS", "MAX_OPPORTUNITIES", "linkName", "readLink"]

MAX_OPPORTUNITIES = 1 << 24
MAX_MILLISECONDS = 6 * 3600 * 1000
MAX_IN_ONE = 1000
"""Opportunities in one millisecond: 12 Gbit/s."""

_RIGHT = "each line should be a whole number of milliseconds, at which the link can deliver 1500 bytes"


def linkName(path: Path) -> str:
    """The file's name without what tells its format."""
    return nameOf(path, (".txt", ".trace", ".mahi"))


def readLink(path: Path) -> npt.NDArray[np.uint16]:
    """
    @return: how many opportunities there are in each millisecond, from 0 to the trace's last.
    @raise TraceError: it can't be read, or is no link trace.
    """
    counts = np.zeros(0, np.int64)
    line, total, last = 1, 0, 0
    for data in wholeLines(path, pieces(path), _RIGHT):
        times = _times(path, line, data)
        if len(times):
            first = _firstWrong(times, last)
            if first is not None:
                line += _lineOf(data, first)
                before = int(times[first - 1]) if first else last
                raise TraceError(path, line, f"{times[first]} comes after {before}", "times should never go back")
            last, total = int(times[-1]), total + len(times)
            if last >= MAX_MILLISECONDS:
                raise TraceError(path, None, f"it lasts {last} ms", f"{MAX_MILLISECONDS} are the most; use a part")
            if total > MAX_OPPORTUNITIES:
                raise TraceError(path, None, f"more than {MAX_OPPORTUNITIES} opportunities", "use a part of it")
            counts = np.concatenate([counts, np.zeros(last + 1 - len(counts), np.int64)])
            counts += np.bincount(times, minlength=len(counts))
        line += data.count(b"\n")
    if len(counts) and (most := int(counts.max())) > MAX_IN_ONE:
        wrong = f"{most} opportunities in millisecond {int(counts.argmax())}"
        raise TraceError(path, None, wrong, f"{MAX_IN_ONE} are the most, which are 12 Gbit/s")
    return counts.astype(np.uint16)


def _times(path: Path, line: int, data: bytes) -> npt.NDArray[np.int64]:
    """The numbers of lines of which the first is C{line}; blank ones are left out."""
    if not data.strip(b"\n"):
        return np.zeros(0, np.int64)
    if not data.translate(None, b"0123456789\n") and not re.search(rb"[0-9]{13}", data):
        # Nothing but digits and line ends, which numpy reads ten times as fast as a loop.
        return np.fromstring(data, np.int64, sep="\n")
    fields = [field.strip() for field in data.split(b"\n")]
    for at, field in enumerate(fields):
        # Twelve digits are thirty years.
        if field and not (field.isdigit() and len(field) <= 12):
            raise TraceError(path, line + at, f"{shown(field)} is not a time", _RIGHT)
    return np.array([int(field) for field in fields if field], np.int64)


def _firstWrong(times: npt.NDArray[np.int64], last: int) -> int | None:
    """The first that is less than the one before it; C{last} is before the first."""
    wrong = np.flatnonzero(np.diff(times, prepend=last) < 0)
    return int(wrong[0]) if len(wrong) else None


def _lineOf(data: bytes, number: int) -> int:
    """In which line of C{data}, from 0, its C{number}-th number is."""
    return [at for at, field in enumerate(data.split(b"\n")) if field.strip()][number]
