"""
Linux scheduler events as text, made into bursts.

A burst is what a thread does between being woken and going to sleep: it arrives when it is woken, or, where
that wasn't recorded, when it first runs; its size is for how long it ran.  A thread that is preempted
(C{prev_state=R}) is still in its burst.  Bursts that had begun before the log, or not ended by its end, are left out,
and so is the idle task; and where events were lost, those that ran or waited on that CPU.  Alike are bursts of one
thread, somewhat alike those of threads of one name.

Read are ftrace's own lines, those of C{trace-cmd report} and those of C{perf script}::

    bash-4210 [001] d..3. 8123.456789: sched_switch: prev_comm=bash prev_pid=4210 prev_prio=120 prev_state=S ==>
        next_comm=swapper/1 next_pid=0 next_prio=120
    bash-4210 [001] 8123.456789: sched_switch: bash:4210 [120] S ==> swapper/1:0 [120]
    bash 4210 [001] 8123.456789:          1 sched:sched_wakeup: comm=cc1 pid=4211 prio=120 target_cpu=000

(the first is one line).  What kind of event a line is says what stands behind its time; other events are passed over,
and so is what is no event, such as the lines of a stack.
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
    # who; perhaps (tgid), [cpu] and flags; the time; perhaps a period; the event and its fields
    r".*?[-\s](?:\d+/)?\d+\s+(?:\(\s*[-\d]+\)\s+)?(?:\[(?P<cpu>\d{1,5})\]\s+)?(?:[^\s:\[]{1,8}\s+)?"
    r"(?P<seconds>\d{1,20})(?:\.(?P<fraction>\d{6,9}))?:\s+(?:\d{1,20}\s+)?"
    r"(?:[A-Za-z_]\w*:)?(?P<event>[A-Za-z_]\w*|<stack trace>):?(?:\s+(?P<fields>.*)|)"
)
_LOST = re.compile(
    # ftrace, trace-cmd report, perf script --show-lost-events
    r"CPU:\s?(?P<one>\d{1,5})\s+\[(?:LOST\s+(?P<many>\d{1,18})\s+EVENTS|(?P<dropped>\d{1,18})\s+EVENTS\s+DROPPED)\].*"
    r"|(?P<before>.*)PERF_RECORD_LOST(?:_SAMPLES)?:?\s+lost\s+(?P<perf>\d{1,18}).*"
)
_CPU = re.compile(r"\[(\d{1,5})\]\s")
_SEEMS = re.compile(r".*\bsched_(?:switch|wakeup|wakeup_new|waking):\s+(?:prev_)?comm=.*")
_NEEDED = frozenset(("sched_switch", "sched_wakeup", "sched_wakeup_new", "sched_waking"))
# A name has 15 characters; if it could be any text, long lines would take their square in time.
_SWITCH = (
    re.compile(
        r"prev_comm=(.{0,255}) prev_pid=(\d+) prev_prio=-?\d+ prev_state=(\S+) ==>"
        r" next_comm=(.{0,255}) next_pid=(\d+) .*"
    ),
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
    cpu: str = ""


class Bursts:
    """
    Makes bursts of what is told of the threads, in the order of time; times are in nanoseconds.

    @ivar tasks: those that have ended.
    @ivar mostRunning: maximum number of threads that ran at a time.
    @ivar losses: places where events were lost, C{lostEvents} in all; C{dropped}: bursts that were left out for it.
    """

    def __init__(self, path: Path) -> None:
        self.tasks = Tasks(path, bursts=True)
        self._threads: dict[str, _Thread] = {}
        self._begun: set[str] = set()
        self._running: set[str] = set()
        self.mostRunning = self.losses = self.lostEvents = self.dropped = 0

    def woken(self, thread: str, now: int, cpu: str = "") -> None:
        """A thread that slept is ready on C{cpu}; nothing for one that doesn't."""
        self._threads.setdefault(thread, _Thread(now, cpu=cpu))

    def runs(self, thread: str, now: int, cpu: str = "") -> None:
        """It got a CPU."""
        if thread not in self._begun:
            burst = self._threads.setdefault(thread, _Thread(now))
            burst.since, burst.cpu = now, cpu
            self._running.add(thread)
            self.mostRunning = max(self.mostRunning, len(self._running))

    def lost(self, cpu: str, events: int) -> None:
        """
        Drop the bursts that ran or waited on a CPU whose events were lost: nobody knows how they went on.

        @param cpu: empty: any CPU may be meant.
        @param events: how many were lost, as far as that is said.
        """
        gone = [thread for thread, burst in self._threads.items() if cpu in ("", burst.cpu) or not burst.cpu]
        for thread in gone:
            del self._threads[thread]
            self._begun.add(thread)
            self._running.discard(thread)
        self.losses += 1
        self.lostEvents += events
        self.dropped += len(gone)

    def end(self) -> Tasks:
        """All bursts that have ended; the account says how many were left out."""
        account = self.tasks.account
        if self._threads:
            account.skipped["bursts that had not ended"] += len(self._threads)
        if self.losses:
            many = f"{self.lostEvents} events" if self.lostEvents else "events"
            account.skipped["bursts that ran or waited where events were lost"] += self.dropped
            account.doubt(
                f"{many} were lost in {self.losses} places; the {self.dropped} bursts that ran or waited there are left"
                " out: a larger buffer loses none"
            )
        return self.tasks

    def stops(self, thread: str, name: str, now: int, *, sleeps: bool) -> None:
        """It lost its CPU."""
        self._running.discard(thread)
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
    account = bursts.tasks.account
    whole = wakeups = False
    for number, line in lines:
        event = _EVENT.fullmatch(line)
        if event is None or event["event"] not in _NEEDED:
            if event is None:
                if lost := _LOST.fullmatch(line):
                    # Searched for alone: two parts of any length in one pattern take a long line's square in time.
                    named = _CPU.findall(lost["before"] or "")
                    cpu = lost["one"] or (named[-1] if named else "")
                    bursts.lost(cpu.zfill(3) if cpu else "", int(lost["many"] or lost["dropped"] or lost["perf"]))
                elif not said and (match := _CPUS.match(line)):
                    said = int(match[1] or match[2])
                elif _SEEMS.fullmatch(line) and not line.startswith("#"):
                    raise TraceError(path, number, f"{shown(line)} is no event", _RIGHT)
            elif event["event"].startswith("PERF_RECORD_LOST"):
                lost = re.search(r"lost (\d{1,18})", line)
                bursts.lost((event["cpu"] or "").zfill(3) if event["cpu"] else "", int(lost[1]) if lost else 0)
            continue
        if event["fraction"]:
            now = int(event["seconds"]) * 10**9 + int((event["fraction"] + "000")[:9])
        else:
            now, whole = int(event["seconds"]), True
        if now < latest:
            raise TraceError(path, number, "it is earlier than the event before", "events should be in order of time")
        latest = now
        cpu = event["cpu"].zfill(3) if event["cpu"] else ""
        cpus.add(cpu)
        name, fields = event["event"], event["fields"] or ""
        if name == "sched_waking" and wakeups:
            # The same wakeup, a little earlier.
            continue
        switch = name == "sched_switch"
        match = next((m for form in (_SWITCH if switch else _WAKEUP) if (m := form.fullmatch(fields))), None)
        if match is None:
            raise TraceError(path, number, f"{shown(fields)} says not who", _RIGHT)
        if not switch:
            wakeups = wakeups or name == "sched_wakeup"
            target = re.search(r"target_cpu=(\d{1,5})", fields)
            bursts.woken(match[2], now, target[1].zfill(3) if target else "")
            continue
        switches += 1
        _, previous, state, _, following = match.groups()
        if previous != "0":
            bursts.stops(previous, match[1].strip(), now, sleeps=not state.startswith("R"))
        if following != "0":
            bursts.runs(following, now, cpu)
    if not switches:
        what = "no event of the scheduler" if not cpus else "only wakeups"
        raise TraceError(path, None, f"{what} in it", f"sched_switch events are needed; {_RIGHT}")
    account.format = "Linux scheduler events as text"
    if whole:
        account.doubt(
            "its times are whole numbers, of a clock whose unit it does not say (x86-tsc, counter, uptime): they are"
            " taken as nanoseconds; record with 'echo mono > trace_clock' to be sure"
        )
    seen = len(cpus - {""})
    if not seen and not said:
        account.doubt(
            f"no line names a CPU; as many as ran threads at a time are assumed: {max(1, bursts.mostRunning)}"
        )
    bursts.tasks.cpus = said or seen or bursts.mostRunning or 1
    return bursts.end()
