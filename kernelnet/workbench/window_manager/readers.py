"""
Readers of a pointer's movements, each compressed or not; which one a file needs is told by how it begins.

=================================  ================================================================================
begins with                        content
=================================  ================================================================================
C{# kernelnet pointer 1}           our own, also C{*.pointer}: lines C{elapsed_us dx dy}: pixels since the sample
                                   before, with up to three decimals
a line with C{x} and C{y}          CSV with a header: places in pixels, and C{client timestamp} (seconds: the Balabit
                                   Mouse Dynamics Challenge, U{https://github.com/balabit/Mouse-Dynamics-Challenge}),
                                   C{time_s}, C{time_ms} or C{time_us}; of C{state}s C{Move} and C{Drag} count
C{[} or C{{}                       JSON with Flutter's C{PointerData} anywhere in it: C{timeStamp} (microseconds),
                                   C{physicalX}, C{physicalY} and C{change}
                                   (U{https://api.flutter.dev/flutter/dart-ui/PointerData-class.html})
anything with C{Event: time}       text of C{evtest}; see `evdev`
anything with C{evdev:}            YAML of C{libinput record}; see `evdev`
=================================  ================================================================================
"""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import BOM, nameOf, opened
from kernelnet.workbench.window_manager.evdev import EVTEST, LIBINPUT, evtestEvents, libinputEvents, readEvents
from kernelnet.workbench.window_manager.flutter import readFlutter
from kernelnet.workbench.window_manager.movement import FARTHEST, MAX_SAMPLES, REST, Movement, Samples

__all__ = ["FIRST_LINE", "readMovement", "traceName"]

FIRST_LINE = "# kernelnet pointer 1"
"""The first line of our own format."""

MAX_BYTES = 1 << 30
"""Decompressed; read line by line, so that a small file which expands to much takes time only."""

MAX_LINE = 64 << 10
_LOOKED_AT = 5000
"""Lines in which it should show what a file is: evtest first lists all that a device can do."""

_RIGHT = (
    "it should be our own .pointer, a CSV with x, y and client timestamp, Flutter's JSON, or what evtest or libinput"
    " record write"
)
_OWN = re.compile(r"(\d{1,12}) (-?\d{1,6}(?:\.\d{1,3})?) (-?\d{1,6}(?:\.\d{1,3})?)", re.ASCII)
_OWN_RIGHT = "a line is: microseconds since the sample before, pixels right, pixels down; such as 8000 3 -1.5"
_UNITS = {"client timestamp": 1_000_000, "time_s": 1_000_000, "time_ms": 1000, "time_us": 1}
"""By the name of a column of times: microseconds in one of its units."""

_NAMES = {1_000_000: "seconds", 1000: "milliseconds", 1: "microseconds"}
_MOVES = ("move", "drag")
_BROKEN = 65_535
"""Balabit's data has this as a place where there was none."""

Lines = Iterable[tuple[int, str]]


def traceName(path: Path) -> str:
    """The file's name without what tells its format."""
    return nameOf(path, (".pointer", ".csv", ".json", ".evtest", ".yml", ".yaml", ".txt"))


def readMovement(path: Path) -> Movement:
    """@raise TraceError: it can't be read, or is none of the formats."""

    def tooMany() -> TraceError:
        return TraceError(path, None, f"more than {MAX_SAMPLES} samples", "use a part of it")

    samples = Samples(Account(), tooMany)
    lines = _lines(path)
    begin: list[tuple[int, str]] = []
    for number, line in lines:
        begin.append((number, line))
        kind = _kind(line, first=not any(text for _, text in begin[:-1]))
        if kind is not None or len(begin) == _LOOKED_AT:
            break
    else:
        kind = None
    whole = itertools.chain(begin, lines)
    if kind == "own":
        _own(path, whole, samples)
    elif kind == "csv":
        _csv(path, whole, samples)
    elif kind == "json":
        readFlutter(path, samples)
    elif kind == "evtest":
        readEvents(path, evtestEvents(path, whole), samples)
    elif kind == "libinput":
        readEvents(path, libinputEvents(path, whole), samples)
    else:
        shown = next((text[:40] for _, text in begin if text), "")
        raise TraceError(path, None, f"no movements of a pointer: it begins with {shown!r}", _RIGHT)
    return samples.movement()


def _kind(line: str, *, first: bool) -> str | None:
    """The format that a line shows; C{first}: nothing but blank lines was before it."""
    if EVTEST in line:
        return "evtest"
    if LIBINPUT.search(line):
        return "libinput"
    if not first:
        return None
    if line == FIRST_LINE:
        return "own"
    if line.startswith(("[", "{")):
        return "json"
    names = _names(line)
    return "csv" if {"x", "y"} <= set(names) else None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The file's lines, decompressed, numbered from 1 and stripped."""
    number = total = 0
    with opened(path) as stream:
        while line := stream.readline(MAX_LINE):
            number += 1
            total += len(line)
            if len(line) == MAX_LINE and number > 1:
                raise TraceError(path, number, f"a line of {MAX_LINE >> 10} KiB or more", "it should be text")
            if total > MAX_BYTES:
                raise TraceError(path, None, f"more than {MAX_BYTES >> 30} GiB uncompressed", "use a part of it")
            yield number, (line.removeprefix(BOM) if number == 1 else line).decode("latin-1").strip()


def _own(path: Path, lines: Lines, samples: Samples) -> None:
    samples.account.format = "our own: microseconds, and pixels since the sample before"
    time = 0
    for number, line in lines:
        if not line or line.startswith("#"):
            continue
        match = _OWN.fullmatch(line)
        if match is None:
            raise TraceError(path, number, f"{line[:40]!r} is no movement", _OWN_RIGHT)
        elapsed, dx, dy = int(match[1]), float(match[2]), float(match[3])
        if not elapsed and samples.time is not None:
            raise TraceError(path, number, "0 us since the sample before", "samples should be 1 us apart at least")
        _note(samples.account, line, f"{min(elapsed, REST)} us later, {dx:g} right, {dy:g} down")
        time += min(elapsed, REST)
        samples.by(time, dx, dy)


def _csv(path: Path, lines: Lines, samples: Samples) -> None:
    rows = ((number, line) for number, line in lines if line)
    number, header = next(iter(rows))
    names = _names(header)
    unit = next((name for name in _UNITS if name in names), None)
    if unit is None:
        wrong = f"no column of times among {', '.join(names)[:100]}"
        raise TraceError(path, number, wrong, f"one should be called {', '.join(_UNITS)}")
    at = {name: names.index(name) for name in ("x", "y", unit)}
    state = names.index("state") if "state" in names else None
    account = samples.account
    account.format = "CSV with a header"
    account.columns = {"x": "pixels right", "y": "pixels down", unit: f"time, in {_NAMES[_UNITS[unit]]}"}
    if state is not None:
        account.columns["state"] = f"{' and '.join(_MOVES)} count"
    for number, line in rows:
        fields = _fields(path, number, line)
        if len(fields) <= max(at.values()):
            raise TraceError(path, number, f"{len(fields)} columns", f"there should be {len(names)}, as in the header")
        if state is not None and len(fields) > state and fields[state].strip().lower() not in _MOVES:
            account.skipped[f"rows of the state {fields[state].strip()[:20]!r}"] += 1
            continue
        x, y, time = (_number(path, number, name, fields[column]) for name, column in at.items())
        if x >= _BROKEN or y >= _BROKEN:
            account.skipped[f"rows with a place of {_BROKEN}, which is none"] += 1
            continue
        if max(abs(x), abs(y)) > FARTHEST:
            raise TraceError(path, number, f"the place {x:g}, {y:g}", f"it should be within {FARTHEST} pixels")
        _add(samples, round(time * _UNITS[unit]), x, y)
        _note(account, line, f"at {round(time * _UNITS[unit])} us: {x:g} right, {y:g} down")


def _number(path: Path, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e15:
        raise TraceError(path, line, f"{name} is {text[:40]!r}", "it should be a number")
    return value


def _add(samples: Samples, time: int, x: float, y: float) -> None:
    if samples.time is not None and time < samples.time:
        samples.account.skipped["times that go back: the pointer begins anew there (not left out)"] += 1
        samples.lift()
    samples.at(time, x, y)


def _names(header: str) -> list[str]:
    """Names of columns, if it is a header; else anything."""
    try:
        return [name.strip().lower() for name in next(csv.reader([header]), [])]
    except csv.Error:
        return []


def _fields(path: Path, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line]))
    except csv.Error as error:
        raise TraceError(path, number, f"no row of a CSV: {error}"[:100], "fields have commas between them") from None


def _note(account: Account, row: str, understood: str) -> None:
    if len(account.first) < MAX_FIRST:
        account.first.append((row[:80], understood))
