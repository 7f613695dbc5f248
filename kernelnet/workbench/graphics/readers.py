"""
Readers of recorded frames, each plain or compressed; the content tells the format, whatever the file is called.

=================================  =========================================================================
it begins with                     content
=================================  =========================================================================
C{# kernelnet repaint 1}           our own: perhaps C{# period 16667}, then lines C{begin_us cpu_us gpu_us surfaces};
                                   C{surfaces}: numbers of those that changed, with commas between them, each perhaps
                                   with C{@} and its microseconds after the vblank; C{-}, or none: nobody says
C{# kernelnet frames 1}            the same without surfaces
C{{}                                Weston's timeline, as C{weston-debug timeline} writes it (see `weston`), or
                                   CapFrameX's JSON (see `games`)
a line with column names           PresentMon, OCAT, CapFrameX or MangoHud (see `games`)
=================================  =========================================================================
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.graphics.frames import FIRST_LINE, Frames
from kernelnet.workbench.graphics.games import isTable, readCapture, readTable
from kernelnet.workbench.graphics.weston import readTimeline
from kernelnet.workbench.reading import BOM, nameOf, opened

__all__ = ["MAX_MICROSECONDS", "readFrames", "traceName"]

MAX_BYTES = 1 << 30
"""Decompressed; read line by line, so that a small file which expands to much takes time only."""

MAX_LINE = 64 << 20
"""CapFrameX writes all of a capture in one line."""

MAX_ROW = 64 << 10
MAX_LINES = 1 << 22
MAX_MICROSECONDS = 10**15
"""Thirty years."""

_OWN = re.compile(r"# kernelnet (repaint|frames) 1(?::.*)?")
_PERIOD = re.compile(r"# period ([0-9]{1,9})")
_TIMELINE = re.compile(r"\s*\{\s*\"(?:id|T|N)\"\s*:")
_LOOKED_AT = 3
_WHOLE = re.compile(r"[0-9]{1,15}")
_SURFACE = re.compile(r"([!-+.-?A-~]{1,40})(?:@([0-9]{1,9}))?")
_RIGHT = "each line should be: begin, CPU and GPU time in microseconds, and perhaps surfaces such as 1,3@2300"
_KNOWN = (
    f"it should begin with {FIRST_LINE.split(':', maxsplit=1)[0]!r}, be Weston's timeline, CapFrameX's JSON, or a table"
    " of PresentMon, OCAT, CapFrameX or MangoHud"
)

Lines = Iterator[tuple[int, str]]
"""Lines of a file, each with its number, from 1."""


def traceName(path: Path) -> str:
    """The file's name without what tells its format."""
    return nameOf(path, (".repaint", ".frames", ".timeline.log", ".log", ".csv", ".json", ".txt"))


def readFrames(path: Path) -> Frames:
    """@raise TraceError: it can't be read, or is in no format that is known."""
    lines = _lines(path)
    number, first = next(((number, line) for number, line in lines if line.strip()), (1, ""))
    if match := _OWN.fullmatch(first.strip()):
        return _own(path, lines, match[1])
    whole = itertools.chain([(number, first)], lines)
    if first.lstrip().startswith("{"):
        # A timeline's first object is on its first line; a capture is one object, whose first word is of its own.
        start = list(itertools.islice(whole, _LOOKED_AT))
        text = "".join(line for _, line in start)
        whole = itertools.chain(start, whole)
        return readTimeline(path, whole) if _TIMELINE.match(text) else readCapture(path, whole)
    if isTable(first):
        return readTable(path, whole)
    raise TraceError(path, number, f"it begins with {shown(first)}", _KNOWN)


def _lines(path: Path) -> Lines:
    """The file's lines, decompressed, without what ends them."""
    number = total = 0
    with opened(path) as stream:
        while line := stream.readline(MAX_LINE):
            number += 1
            total += len(line)
            if len(line) == MAX_LINE or (
                len(line) >= MAX_ROW and not (number == 1 and line.lstrip(BOM + b" ")[:1] == b"{")
            ):
                raise TraceError(path, number, f"a line of {MAX_ROW >> 10} KiB or more", _KNOWN)
            if total > MAX_BYTES or number > MAX_LINES:
                most = f"{MAX_BYTES >> 20} MiB uncompressed, or {MAX_LINES} lines"
                raise TraceError(path, None, f"more than {most}", "use a part of it")
            yield number, (line.removeprefix(BOM) if number == 1 else line).decode("utf-8", "replace").rstrip("\r\n")


def shown(text: str) -> str:
    """A stranger's text for an error message."""
    return repr(text[:60]) + ("…" if len(text) > 60 else "")


def _own(path: Path, lines: Lines, kind: str) -> Frames:
    frames = Frames(path)
    frames.account.format = f"kernelnet {kind} 1"
    for number, line in lines:
        if period := _PERIOD.fullmatch(line.strip()):
            frames.period = int(period[1])
            if not 1000 <= frames.period <= 1_000_000:
                wrong = f"a period of {frames.period} µs"
                raise TraceError(path, number, wrong, "it should be 1000 to 1000000")
        columns = line.split()
        if not columns or columns[0].startswith("#"):
            continue
        if not 3 <= len(columns) <= 4:
            raise TraceError(path, number, f"{len(columns)} columns", _RIGHT)
        for column in columns[:3]:
            if not (_WHOLE.fullmatch(column) and int(column) <= MAX_MICROSECONDS):
                raise TraceError(path, number, f"{shown(column)} is no time", _RIGHT)
        begin, cpu, gpu = map(int, columns[:3])
        if frames.begin and begin < frames.begin[-1]:
            raise TraceError(path, number, f"{begin} comes after {frames.begin[-1]}", "times should never go back")
        frames.add(begin, cpu + gpu, _surfaces(path, number, columns[3]) if len(columns) > 3 else ())
    return frames


def _surfaces(path: Path, number: int, text: str) -> list[tuple[str, int]]:
    if text == "-":
        return []
    found = []
    for part in text.split(","):
        match = _SURFACE.fullmatch(part)
        if match is None:
            raise TraceError(path, number, f"{shown(part)} is no surface", _RIGHT)
        found.append((match[1], int(match[2] or 0)))
    return found
