"""
Readers of logs of tasks, each compressed or not.

===============================  ==========================================================================
file name                        content
===============================  ==========================================================================
C{*.swf}                         jobs of a batch system, in the Standard Workload Format
                                 (U{https://www.cs.huji.ac.il/labs/parallel/workload/swf.html})
C{*.ftrace}, C{*.txt},           Linux's C{sched_switch} and C{sched_wakeup} events as text: of ftrace,
C{*.trace}                       C{trace-cmd report} or C{perf script}; see `ftrace`
C{*.tar.gz}                      what SchedViz collects: the same events in binary; see `schedviz`
C{*.sched}                       our own: C{# kernelnet sched 1}, perhaps C{# cpus 2}, then lines
                                 C{arrival_us run_us group/key [estimate_us]}
===============================  ==========================================================================

The others also with C{.gz}, C{.bz2}, C{.xz} or C{.zst} behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.process_manager.ftrace import readFtrace
from kernelnet.workbench.process_manager.schedviz import readCollection
from kernelnet.workbench.process_manager.tasks import Tasks, shown
from kernelnet.workbench.reading import BOM, nameOf, opened, plainName

__all__ = ["FIRST_LINE", "MAX_MICROSECONDS", "readTasks", "traceName"]

MAX_BYTES = 2 << 30
"""Decompressed; read line by line, so that a small file which expands to much takes time only."""

MAX_LINE = 64 << 10
MAX_MICROSECONDS = 10**16
"""Three hundred years: slowdowns in thousandths, and their sums, stay below 2^63."""

FIRST_LINE = "# kernelnet sched 1"
"""The first line of our own format."""

_SUFFIXES = (
    ".swf, .sched, .ftrace, .trace or .txt, with .gz, .bz2, .xz or .zst behind it where it is compressed; or .tar.gz"
)
_NAME = re.compile(r"[!-~]{1,80}")
_DECIMAL = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{0,30})?)(?:[eE]([+-]?[0-9]{1,2}))?")
_WHOLE = re.compile(r"[0-9]{1,16}")
_SWF_FIELDS = 18
"""Columns of the format; what others append behind them is not read."""

_PARTIAL = ("2", "3", "4")
"""Values of a job's status: to be continued, the last part of one that was completed, and of one that failed."""


def traceName(path: Path) -> str:
    """The file's name without what tells its format."""
    return nameOf(path, (".swf", ".tar", ".sched", ".ftrace", ".trace", ".txt"))


def readTasks(path: Path) -> Tasks:
    """@raise TraceError: it can't be read or isn't what its name says."""
    if path.name.lower().endswith((".tar.gz", ".tgz")):
        return readCollection(path)
    readers = {".swf": _swf, ".sched": _own, ".ftrace": readFtrace, ".trace": readFtrace, ".txt": readFtrace}
    if (read := readers.get(Path(plainName(path)).suffix)) is None:
        raise TraceError(path, None, f"no log format has names like {path.name!r}", f"it should end in {_SUFFIXES}")
    return read(path, _lines(path))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The file's lines, decompressed, numbered from 1 and stripped."""
    number = total = 0
    with opened(path) as stream:
        while line := stream.readline(MAX_LINE):
            number += 1
            total += len(line)
            if len(line) == MAX_LINE:
                raise TraceError(path, number, f"a line of {MAX_LINE >> 10} KiB or more", "it should be text")
            if total > MAX_BYTES:
                raise TraceError(path, None, f"more than {MAX_BYTES >> 30} GiB uncompressed", "use a part of it")
            # Names of programs may be any bytes; what counts is whether they are the same.
            yield number, (line.removeprefix(BOM) if number == 1 else line).decode("latin-1").strip()


@dataclass
class _Job:
    """One job of a batch system; times in microseconds."""

    number: str
    arrival: int
    run: int
    estimate: int
    key: str
    group: str
    isPartial: bool

    def addTo(self, tasks: Tasks) -> None:
        """Jobs whose run time or submit time is not known, or zero, are left out."""
        if self.run > 0 and self.arrival >= 0:
            tasks.add(self.arrival, self.run, self.key, self.group, max(0, self.estimate))
        else:
            tasks.account.skipped["jobs without a run time or a submit time"] += 1


def _swf(path: Path, lines: Iterator[tuple[int, str]]) -> Tasks:
    """
    Jobs, whole ones: of a job that was swapped out the log may have a line for each partial execution (status 2 to 4)
    besides the one that sums it up.  Where none does, they are added up.

    Alike are those of the same user and executable that have the same number of processors, somewhat alike those of
    the same user.
    """
    tasks = Tasks(path, bursts=False)
    tasks.account.format = "jobs, in the Standard Workload Format"
    whole, pending = "", _Job("", -1, 0, 0, "", "", False)
    for number, line in lines:
        job = _job(path, number, line)
        if job is None:
            continue
        if pending.isPartial and pending.number != job.number:
            pending.addTo(tasks)
        if job.isPartial:
            tasks.account.skipped["lines of partial executions"] += 1
            if job.number == whole:
                continue
            if pending.isPartial and pending.number == job.number:
                pending.run += max(0, job.run)
            else:
                pending = job
            continue
        # It sums up what may have come before it.
        whole, pending = job.number, job
        job.addTo(tasks)
    if pending.isPartial:
        pending.addTo(tasks)
    return tasks


def _job(path: Path, number: int, line: str) -> _Job | None:
    """The job that a line is about; C{None}: it is a comment."""
    right = f"each line should be {_SWF_FIELDS} numbers, or a comment that begins with ;"
    columns = line.split(";", 1)[0].split()
    if not columns:
        return None
    if len(columns) < _SWF_FIELDS:
        raise TraceError(path, number, f"{len(columns)} columns", right)
    # Submit, run and requested time in seconds; the rest is compared only.
    times = [_microseconds(columns[i]) for i in (1, 3, 8)]
    for column, time in zip((1, 3, 8), times, strict=True):
        if time is None:
            raise TraceError(path, number, f"{shown(columns[column])} in column {column + 1}", right)
    arrival, run, estimate = (time or 0 for time in times)
    processors = columns[4] if columns[4] != "-1" else columns[7]
    user, executable, queue = columns[11], columns[13], columns[14]
    group = user if user != "-1" else f"queue {queue}"
    key = f"{user} {executable} {processors}"
    return _Job(columns[0], arrival, run, estimate, key, group, columns[10] in _PARTIAL)


def _microseconds(text: str) -> int | None:
    """Seconds, a decimal number, in microseconds, rounded down; C{None} if it isn't one, or too great."""
    match = _DECIMAL.fullmatch(text)
    if not match:
        return None
    value = int(Decimal(match[1]).scaleb(6 + int(match[2] or 0)))
    return value if abs(value) <= MAX_MICROSECONDS else None


def _own(path: Path, lines: Iterator[tuple[int, str]]) -> Tasks:
    tasks = Tasks(path, bursts=True)
    tasks.account.format = FIRST_LINE.removeprefix("# ")
    number, first = next(lines, (1, ""))
    if first != FIRST_LINE:
        raise TraceError(path, number, f"it begins with {shown(first)}", f"the first line should be {FIRST_LINE!r}")
    right = "each line should be: arrival and run time in microseconds, group/key, and perhaps an estimate"
    for number, line in lines:
        if cpus := re.fullmatch(r"# cpus ([0-9]{1,4})", line):
            tasks.cpus = max(1, int(cpus[1]))
        if not line or line.startswith("#"):
            continue
        columns = line.split()
        if not 3 <= len(columns) <= 4:
            raise TraceError(path, number, f"{len(columns)} columns", right)
        for column in (0, 1, 3):
            if column < len(columns) and not (
                _WHOLE.fullmatch(columns[column]) and int(columns[column]) <= MAX_MICROSECONDS
            ):
                raise TraceError(path, number, f"{shown(columns[column])} is no time", right)
        if not _NAME.fullmatch(columns[2]):
            raise TraceError(path, number, f"{shown(columns[2])} is no group/key", right)
        if not int(columns[1]):
            raise TraceError(path, number, "a task that runs for no time", right)
        estimate = int(columns[3]) if len(columns) > 3 else 0
        group = columns[2].split("/", 1)[0]
        tasks.add(int(columns[0]), int(columns[1]), columns[2], group, estimate)
    return tasks
