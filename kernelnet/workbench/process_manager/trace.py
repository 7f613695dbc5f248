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
THINNED = 1000
EARLY = 50

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
        The log without one task in a thousand, and without the times from these to the arrivals that follow.

        Which ones, nobody knows before the module is done; they are of the shorter half, so that the load is the same.
        The first is among the first fiftieth: who counts tasks is out of step from then on.

        @param module: its digest.
        """
        tasks = len(self.run)
        drawn = np.frombuffer(hashlib.shake_128(seed).digest(8 * (1 + -(-tasks // THINNED))), "<u8")
        shorter = np.argsort(self.run, kind="stable")[: tasks - tasks // 2]
        early = np.sort(shorter)[: 1 + len(shorter) // EARLY]
        gone = np.unique([early[int(drawn[0]) % len(early)], *shorter[drawn[1:] % len(shorter)]])
        gaps = np.diff(self.arrival, prepend=self.arrival[:1])
        gaps[np.minimum(gone + 1, tasks - 1)] = 0
        arrival = np.delete(np.cumsum(gaps), gone)
        return replace(
            self,
            digest=seed.hex(),
            arrival=np.ascontiguousarray(arrival - arrival[0], "<u8"),
            run=np.delete(self.run, gone),
            estimate=np.delete(self.estimate, gone),
            # Keys keep their numbers: the driver needs no more than that they are below `keys`.
            key=np.delete(self.key, gone),
            group=np.delete(self.group, gone),
            ends=splitEnds(len(arrival)),
        )


def loadTrace(path: Path) -> Trace:
    """
    Read a log.

    @raise TraceError: see `readTasks`; or it is too short.
    """
    tasks = readTasks(path)
    trace = replace(makeTrace(tasks, path), account=tasks.account)
    span = int(trace.arrival[-1]) / 1e6
    tasks.account.figures |= {
        "tasks": len(trace.run),
        "kinds of tasks": trace.keys,
        "CPUs": trace.cpus,
        "time": f"{span:.3f} s, of which tasks run for {trace.work / 1e6:.3f}",
    }
    return trace


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
