"""
Linux scheduler events as text, made into bursts.

A burst is what a thread does between being woken and going to sleep: it arrives when it is woken, or, where
that wasn't recorded, when it first runs; its size is for how long it ran.  A thread that is preempted
(C{prev_state=R}) is still in its burst.  Bursts that had begun before the log, or not ended by its end, are left out,
and so is the idle task.  Alike are bursts of one thread, somewhat alike those of threads of one name.

Read are ftrace's own lines, those of C{trace-cmd report} and those of C{perf script}::

    bash-4210 [001] d..3. 8123.456789: sched_switch: prev_comm=bash prev_pid=4210 prev_prio=120 prev_state=S ==>
        next_comm=swapper/1 next_pid=0 next_prio=120
    bash-4210 [001] 8123.456789: sched_switch: bash:4210 [120] S ==> swapper/1:0 [120]
    bash 4210 [001] 8123.456789: sched:sched_wakeup: comm=cc1 pid=4211 prio=120 target_cpu=000

(the first is one line).  Lines about other events are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.process_manager.tasks import Tasks, shown

__all__ = ["Bursts", "readFtrace"]

_EVENT = re.compile(
    r".*[-\s](?:\d+/)?\d+\s+(?:\(\s*[-\d]+\)\s+)?\[(\d{1,5})\]\s+(?:[^\s:]{1,8}\s+)?"
    r"(\d{1,10})\.(\d{6,9}):\s+(?:sched:)?(sched_switch|sched_wakeup|sched_wakeup_new):\s*(.*)"
)
_SWITCH = (
    re.compile(r"prev_comm=(.*) prev_pid=(\d+) prev_prio=-?\d+ prev_state=(\S+) ==> next_comm=(.*) next_pid=(\d+) .*"),
    re.compile(r"(.*):(\d+) \[-?\d+\] (\S+) ==> (.*):(\d+) \[-?\d+\].*"),
)
_WAKEUP = (re.compile(r"comm=(.*) pid=(\d+) .*"), re.compile(r"(.*):(\d+) \[-?\d+\].*"))
_CPUS = re.compile(r"cpus=([0-9]{1,4})|# entries-in-buffer.*#P:([0-9]{1,4})")
_RIGHT = "it should be like: bash-4210 [001] 8123.456789: sched_switch: prev_comm=bash prev_pid=4210 …"


@dataclass
class _Thread:
    """A burst under way; times in nanoseconds."""

    arrival: int
    ran: int = 0
    since: int | None = None


class Bursts:
    """
    Makes bursts of what is told of the threads, in the order of time; times are in nanoseconds.

    @ivar tasks: those that have ended.
    """

    def __init__(self, path: Path) -> None:
        self.tasks = Tasks(path, bursts=True)
        self._threads: dict[str, _Thread] = {}
        self._begun: set[str] = set()

    def woken(self, thread: str, now: int) -> None:
        """A thread that slept is ready; nothing for one that doesn't."""
        self._threads.setdefault(thread, _Thread(now))

    def runs(self, thread: str, now: int) -> None:
        """It got a CPU."""
        if thread not in self._begun:
            self._threads.setdefault(thread, _Thread(now)).since = now

    def stops(self, thread: str, name: str, now: int, *, sleeps: bool) -> None:
        """It lost its CPU."""
        burst = self._threads.get(thread)
        if burst is None or burst.since is None:
            # It ran before the log began: for how long isn't known.
            self._threads.pop(thread, None)
            self._begun.add(thread)
            if sleeps:
                self._begun.discard(thread)
            return
        burst.ran += now - burst.since
        burst.since = None
        if sleeps:
            del self._threads[thread]
            run = max(1, (burst.ran + 500) // 1000)
            self.tasks.add(burst.arrival // 1000, run, f"{name}/{thread}", name)


def readFtrace(path: Path, lines: Iterator[tuple[int, str]]) -> Tasks:
    """
    @param lines: numbered.
    @raise TraceError: an event of the scheduler can't be read.
    """
    bursts, cpus, said, latest, switches = Bursts(path), set[str](), 0, 0, 0
    for number, line in lines:
        if "sched_switch:" not in line and "sched_wakeup" not in line:
            if not said and (match := _CPUS.match(line)):
                said = int(match[1] or match[2])
            continue
        if line.startswith("#"):
            continue
        event = _EVENT.fullmatch(line)
        if event is None:
            raise TraceError(path, number, f"{shown(line)} is no event", _RIGHT)
        now = int(event[2]) * 10**9 + int((event[3] + "000")[:9])
        if now < latest:
            raise TraceError(path, number, "it is earlier than the event before", "events should be in order of time")
        latest = now
        cpus.add(event[1])
        switch = event[4] == "sched_switch"
        match = next((m for form in (_SWITCH if switch else _WAKEUP) if (m := form.fullmatch(event[5]))), None)
        if match is None:
            raise TraceError(path, number, f"{shown(event[5])} says not who", _RIGHT)
        if not switch:
            bursts.woken(match[2], now)
            continue
        switches += 1
        _, previous, state, _, following = match.groups()
        if previous != "0":
            bursts.stops(previous, match[1].strip(), now, sleeps=not state.startswith("R"))
        if following != "0":
            bursts.runs(following, now)
    if not switches:
        what = "no event of the scheduler" if not cpus else "only sched_wakeup events"
        raise TraceError(path, None, f"{what} in it", f"sched_switch events are needed; {_RIGHT}")
    bursts.tasks.cpus = said or len(cpus) or 1
    return bursts.tasks
