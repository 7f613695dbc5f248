"""A log of tasks, made ready: dense numbers, its digest, where splits begin, arrivals at a given load."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.process_manager.readers import readTasks, traceName
from kernelnet.workbench.process_manager.tasks import MAX_TASKS, Tasks
from kernelnet.workbench.splits import splitEnds
from kernelnet.workbench.trace import BaseTrace, Numbers

__all__ = ["Trace", "loadTrace", "makeTrace"]

MIN_TASKS = 100

MISSING = 4
"""In a variant, one in so many tasks of the shorter half is missing."""

WANDER = 16
"""A task changes places with others that are less than so many away."""

GAP, SIZE = 512, 128
"""A time between arrivals, and a run time, is longer or shorter by up to so many 2048ths."""

Times = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a task.  Tasks in the order of arrival; times are in microseconds.

    @ivar arrival: the first is at 0.
    @ivar run: for how long each has to run; at least 1.
    @ivar estimate: what its user said about that; 0: nothing.
    @ivar key: what it has in common with tasks like it, numbered in the order of first appearance.
    @ivar group: the same for tasks that are somewhat like it.
    @ivar cpus: those of the machine that it was recorded on; 1 where the log doesn't say.
    @ivar bursts: whether tasks are times between wakeup and sleep rather than jobs of a batch system.
    """

    arrival: Times
    run: Times
    estimate: Times
    key: Numbers
    group: Numbers
    cpus: int
    bursts: bool

    @property
    def keys(self) -> int:
        return int(self.key.max()) + 1

    @property
    def groups(self) -> int:
        return int(self.group.max()) + 1

    @property
    def work(self) -> int:
        """The sum of all run times."""
        return int(self.run.sum())

    def arrivals(self, cpus: int, permille: int) -> Times:
        """
        The arrivals, drawn out or pushed together so that C{cpus} CPUs have C{permille} / 1000 of their time to work.

        The time that counts is that from the first arrival to the last.

        @param permille: 0: as they were recorded.
        """
        span = int(self.arrival[-1])
        if not permille or not span:
            return self.arrival
        # Whole numbers of any size: rounded down, the same everywhere.
        multiplier, divisor = self.work * 1000, span * cpus * permille
        return np.array([time * multiplier // divisor for time in self.arrival.tolist()], "<u8")

    def variant(self, seed: bytes) -> Trace:
        """
        The log without an eighth of its tasks, others a little earlier or later, larger or smaller, and out of order.

        Missing are tasks of the shorter half of a split, and the times from these to the arrivals that follow, so that
        the load stays about the same.  Tasks change places with others near by, but stay in order within their key:
        what the past of a key says of its future is as it was.

        @param seed: see `VariableTrace.variant`.
        """
        tasks = len(self.run)
        drawn = np.frombuffer(hashlib.shake_128(seed).digest(16 * tasks), "<u4").reshape(4, tasks).astype("<u8")
        gone = np.zeros(tasks, np.bool_)
        places = np.empty(tasks, np.int64)
        for _, start, end in self.windows("held_out"):
            shorter = start + np.argsort(self.run[start:end], kind="stable")[: (end - start) // 2]
            gone[shorter] = drawn[0, shorter] % MISSING == 0
            moved = np.argsort(np.arange(end - start, dtype="<u8") + drawn[1, start:end] % WANDER, kind="stable")
            places[start:end] = start + _inKeyOrder(self.key[start:end], moved)
        left = ~gone[places]
        gaps = np.diff(self.arrival, prepend=self.arrival[:1])
        gaps[1:][~left[:-1]] = 0
        arrival = np.cumsum(_jittered(gaps, drawn[2], GAP))[left]
        # The same factor for both: no estimate becomes too short.
        run, estimate = (np.maximum(_jittered(times, drawn[3], SIZE), 1) for times in (self.run, self.estimate))
        kept = places[left]
        return replace(
            self,
            digest=seed.hex(),
            arrival=np.ascontiguousarray(arrival - arrival[0], "<u8"),
            run=np.ascontiguousarray(run[kept], "<u8"),
            estimate=np.ascontiguousarray(np.where(self.estimate > 0, estimate, 0)[kept], "<u8"),
            # Keys keep their numbers: the driver needs no more than that they are below `keys`.
            key=self.key[kept],
            group=self.group[kept],
            ends={split: int(np.count_nonzero(~gone[:end])) for split, end in self.ends.items()},
        )


def _inKeyOrder(key: Numbers, moved: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Which task comes when, if keys come as C{moved} says, and the tasks of each key as before."""
    places = np.empty(len(key), np.int64)
    places[np.argsort(key[moved], kind="stable")] = np.argsort(key, kind="stable")
    return places


def _jittered(times: Times, drawn: Times, share: int) -> Times:
    """Times, each changed by a 2048th of as many as C{share} says at most, up or down; rounded."""
    return (times * (2048 - share + drawn % (2 * share + 1)) + 1024) // 2048


def loadTrace(path: Path) -> Trace:
    """
    Read a log.

    @raise TraceError: see `readTasks`; or it is too short.
    """
    tasks = readTasks(path)
    trace, account = makeTrace(tasks, path), tasks.account
    span = f"{int(trace.arrival[-1]) / 1e6:.6g} s from the first arrival to the last"
    what = "bursts" if trace.bursts else "jobs"
    account.figures = {what: len(trace.run), "kinds": trace.keys, "CPUs": trace.cpus, "time": span, **account.figures}
    return replace(trace, account=account)


def makeTrace(tasks: Tasks, path: Path) -> Trace:
    """Make a trace of what was read; C{path} is for its name and for errors."""
    count = len(tasks.run)
    if not MIN_TASKS <= count <= MAX_TASKS:
        raise TraceError(path, None, f"it has {count} tasks", f"{MIN_TASKS} to {MAX_TASKS} are needed")
    order = np.argsort(np.array(tasks.arrival, np.int64), kind="stable")
    arrival = np.array(tasks.arrival, np.int64)[order]
    arrival -= arrival[0]
    times: list[Times] = [
        arrival.astype("<u8"),
        *(np.array(column, "<u8")[order] for column in (tasks.run, tasks.estimate)),
    ]
    kinds = [_dense([names[i] for i in order.tolist()]) for names in (tasks.key, tasks.group)]
    head = f"kernelnet process_manager log 1\n{tasks.cpus} {int(tasks.bursts)} {count}\n".encode("ascii")
    digest = hashlib.sha256(b"".join((head, *(c.tobytes() for c in times), *(c.tobytes() for c in kinds)))).hexdigest()
    return Trace(
        name=traceName(path),
        digest=digest,
        arrival=times[0],
        run=times[1],
        estimate=times[2],
        key=kinds[0],
        group=kinds[1],
        cpus=tasks.cpus,
        bursts=tasks.bursts,
        ends=splitEnds(count),
    )


def _dense(names: list[str]) -> Numbers:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], "<u4")
