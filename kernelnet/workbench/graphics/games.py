"""
Frame timings of single programs, mostly games: tables of PresentMon, OCAT and CapFrameX, CapFrameX's JSON, and
MangoHud's logs.

Columns are known by their names, in whatever case; times are milliseconds:

  - the time between two frames: C{MsBetweenPresents}, C{FrameTime} (PresentMon 2), C{MsBetweenAppStart},
    C{frametime} (MangoHud);
  - the CPU's work: C{CPUBusy}, C{MsCPUBusy}; else the time between two frames without C{MsInPresentAPI} of the one
    before, in which a program waits: a frame's time is not its work;
  - the GPU's: C{GPUBusy}, C{MsGPUBusy}, C{msGPUActive}; else by C{MsUntilRenderComplete} the time from the call, or
    from when the frame before was done if that is later, to when this one was: what it did before the call nobody
    tells.

Of a table of several programs, or swap chains, the one with the most frames is read.  Nothing in these formats tells
what has changed: they leave a policy nothing but the past to go by.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.graphics.frames import MAX_FRAMES, Frames

__all__ = ["isTable", "readCapture", "readTable"]

MAX_JSON = 64 << 20
"""Bytes of a CapFrameX file, which is read as a whole."""

MAX_PROGRAMS = 4096
_BEFORE = 64
"""Maximum number of lines before the one with the names."""

_BETWEEN = ("msbetweenpresents", "frametime", "msbetweenappstart")
_CPU = ("cpubusy", "mscpubusy", "cpuactive")
_GPU = ("gpubusy", "msgpubusy", "msgpuactive", "gpuactive")
_API, _COMPLETE = "msinpresentapi", "msuntilrendercomplete"
_WHOSE = ("application", "processid", "swapchainaddress")
_KNOWN = (*_BETWEEN, *_CPU, *_GPU, _API, _COMPLETE)
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,2})?")
_RIGHT = "there should be a column MsBetweenPresents, FrameTime or frametime, in milliseconds"


def isTable(line: str) -> bool:
    """Whether a file's first line is one that such tables begin with."""
    names = {name.strip().lower() for name in line.split(",")}
    return line.startswith("//") or bool(names & {*_BETWEEN, "application"}) or {"os", "cpu", "gpu"} <= names


@dataclass
class _Program:
    """
    Frames of one swap chain; times in milliseconds.

    @ivar now: of the present before, from the first; C{complete}: when the GPU was done with it.
    """

    begin: list[int] = field(default_factory=list)
    work: list[int] = field(default_factory=list)
    now: float = 0.0
    inApi: float = 0.0
    complete: float = 0.0

    def add(self, row: Mapping[str, float]) -> bool:
        """One more frame; whether it has the times that it takes."""
        between = next((row[name] for name in _BETWEEN if name in row), None)
        cpu = next((row[name] for name in _CPU if name in row), None)
        if between is None and cpu is None:
            return False
        between = cpu if between is None else between
        assert between is not None
        cpu = max(0.0, between - self.inApi) if cpu is None else cpu
        self.now += max(0.0, between)
        self.inApi = row.get(_API, 0.0)
        gpu = next((row[name] for name in _GPU if name in row), None)
        if gpu is None:
            complete = self.now + max(0.0, row.get(_COMPLETE, 0.0))
            gpu = max(0.0, complete - max(self.now, self.complete))
            self.complete = max(self.complete, complete)
        self.begin.append(round(1000 * self.now))
        self.work.append(round(1000 * (max(0.0, cpu) + max(0.0, gpu))))
        return True


def readTable(path: Path, lines: Iterator[tuple[int, str]]) -> Frames:
    """@raise TraceError: no line has the names of columns, or one that follows isn't like it; names the line."""
    frames = Frames(path)
    account = frames.account
    names: list[str] = []
    programs: dict[tuple[str, ...], _Program] = {}
    scale = 1.0
    for number, line in lines:
        if not line.strip() or line.startswith("//"):
            continue
        if not names:
            found = [name.strip().lower() for name in _cells(path, number, line)]
            if set(found) & {*_BETWEEN, *_CPU}:
                names = found
                account.columns = {name: _meaning(name, names) for name in names if name in _KNOWN}
                account.format = _format(names)
            elif number > _BEFORE:
                break
            continue
        cells = _cells(path, number, line)
        # OCAT's first row tells of the machine besides; of what is behind the columns nothing is read.
        if len(cells) < min(len(names), 2 + max(at for at, name in enumerate(names) if name in _KNOWN)) - 1:
            raise TraceError(path, number, f"{len(cells)} columns", f"there should be {len(names)}, as in the header")
        row = _row(path, number, names, cells)
        if "frametime" in row and "fps" in names and not programs:
            scale = _scaleOf(row)
        if scale != 1.0 and "frametime" in row:
            row["frametime"] *= scale
        whose = tuple(cells[names.index(name)][:60] for name in _WHOSE if name in names)
        if whose not in programs and len(programs) == MAX_PROGRAMS:
            raise TraceError(path, number, f"more than {MAX_PROGRAMS} programs", "use a part of it")
        program = programs.setdefault(whose, _Program())
        if not program.add(row):
            account.skipped["rows without times"] += 1
        elif len(program.work) > MAX_FRAMES:
            raise TraceError(path, number, f"more than {MAX_FRAMES} frames", "use a part of it")
    if not names:
        raise TraceError(path, None, "no line has the names of columns", _RIGHT)
    return _chosen(frames, programs, names)


def readCapture(path: Path, lines: Iterator[tuple[int, str]]) -> Frames:
    """CapFrameX's JSON.  @raise TraceError: it isn't that."""
    right = 'it should have {"Runs": [{"CaptureData": {"MsBetweenPresents": [...], ...}}]}'
    text, size = [], 0
    for _, line in lines:
        size += len(line)
        if size > MAX_JSON:
            raise TraceError(path, None, f"more than {MAX_JSON >> 20} MiB", "use a part of it")
        text.append(line)
    try:
        found = json.loads("\n".join(text))
    except (ValueError, RecursionError) as error:
        where = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise TraceError(path, where, f"no JSON: {str(error)[:80]}", right) from None
    frames, programs = Frames(path), dict[tuple[str, ...], _Program]()
    frames.account.format = "CapFrameX's JSON"
    runs = found.get("Runs") if isinstance(found, dict) else None
    names: list[str] = []
    for at, run in enumerate(runs[:MAX_PROGRAMS] if isinstance(runs, list) else []):
        data = run.get("CaptureData") if isinstance(run, dict) else None
        if not isinstance(data, dict):
            raise TraceError(path, None, f"run {at + 1} has no CaptureData", right)
        columns = {name.lower(): values for name, values in data.items() if name.lower() in _KNOWN}
        columns = {name: values for name, values in columns.items() if isinstance(values, list) and values}
        if not set(columns) & {*_BETWEEN, *_CPU}:
            raise TraceError(path, None, f"run {at + 1} has no MsBetweenPresents", right)
        names = sorted(columns)
        program = programs.setdefault((f"run {at + 1}",), _Program())
        for place in range(min(MAX_FRAMES, *(len(values) for values in columns.values()), MAX_FRAMES)):
            row = {name: _float(values[place]) for name, values in columns.items()}
            if not program.add({name: value for name, value in row.items() if value is not None}):
                frames.account.skipped["frames without times"] += 1
    if not programs:
        raise TraceError(path, None, "it has no Runs", right)
    frames.account.columns = {name: _meaning(name, names) for name in names}
    return _chosen(frames, programs, names)


def _chosen(frames: Frames, programs: Mapping[tuple[str, ...], _Program], names: Sequence[str]) -> Frames:
    account = frames.account
    if programs:
        whose, most = max(programs.items(), key=lambda each: len(each[1].work))
        for begin, work in zip(most.begin, most.work, strict=True):
            frames.add(begin, work)
        if others := sum(len(program.work) for program in programs.values()) - len(most.work):
            account.skipped["frames of other programs, swap chains or runs"] += others
        if whose and "".join(whose):
            account.figures["read"] = ", ".join(whose)
    if not set(names) & {*_CPU, _API}:
        account.doubt(
            "nothing tells how long a frame waited: all of its time counts as work, so record without a limit"
        )
    return frames


def _cells(path: Path, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line]))
    except (csv.Error, StopIteration) as error:
        raise TraceError(
            path, number, f"no row of a table ({error})", "it should be values with commas between"
        ) from None


def _row(path: Path, number: int, names: Sequence[str], cells: Sequence[str]) -> dict[str, float]:
    """The times of a row; those that aren't there are left out."""
    row = {}
    for name, cell in zip(names, cells, strict=False):
        if name not in _KNOWN or cell.strip() in ("", "NA", "-"):
            continue
        if not _NUMBER.fullmatch(cell.strip()):
            raise TraceError(path, number, f"{name} is {cell[:40]!r}", "it should be a number of milliseconds, or NA")
        row[name] = float(cell)
    return row


def _float(value: Any) -> float | None:
    """A number of a JSON file."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        return None
    return float(value) if math.isfinite(value) else None


def _scaleOf(row: Mapping[str, float]) -> float:
    """MangoHud's first versions had microseconds: more than a second for a frame they would be in milliseconds."""
    return 0.001 if row["frametime"] > 1000 else 1.0


def _format(names: Sequence[str]) -> str:
    if "fps" in names:
        return "MangoHud's log"
    return "PresentMon's table" + (", version 2" if set(names) & {*_CPU} else " (or OCAT's, CapFrameX's)")


def _meaning(name: str, names: Sequence[str]) -> str:
    """Part that a column has, for people."""
    own = next((each for each in (*_CPU, *_BETWEEN) if each in names), "")
    gpu = next((each for each in (*_GPU, _COMPLETE) if each in names), "")
    if name == own:
        return "work of the CPU" + (", with waits" if name in _BETWEEN else "")
    if name == gpu:
        return "work of the GPU"
    if name == _API:
        return "waiting, of the frame before" if own in _BETWEEN else "not read"
    return "time between frames" if name in _BETWEEN and name == next(n for n in _BETWEEN if n in names) else "not read"
