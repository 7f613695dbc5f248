"""
Records what the threads of this machine do, in our own format (see `readers`): `recordSched`.

The best way that there is is taken:

  1. **ftrace**, where tracefs is mounted and may be written to (root): wakeups and switches, to the microsecond;
  2. **perf**, where it is installed and may look at the whole machine (root, or C{kernel.perf_event_paranoid} 0 or
     less): switches only, so that a burst arrives when it first runs, and what it waited before is lost;
  3. **/proc**, which needs nothing: for how long each thread ran is read some hundred times a second, so that bursts
     which follow each other faster become one.

Names of programs and numbers of threads are replaced by numbers in the order of first appearance: nothing of the
machine is in the file but how its threads take turns.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.process_manager.ftrace import Bursts, readFtrace
from kernelnet.workbench.process_manager.readers import FIRST_LINE
from kernelnet.workbench.process_manager.tasks import Tasks

__all__ = ["perfBursts", "recordSched", "writeTasks"]

TRACEFS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
PROC = Path("/proc")
EVENTS = ("sched_switch", "sched_wakeup", "sched_wakeup_new")
MAX_SECONDS = 86_400
BUFFER_KIB = 65536
"""Of ftrace's, for each CPU: about half a million events."""

SAMPLE_SECONDS = 0.004
_SWITCH = re.compile(r"\s*(.*?)\s+(\d+)\s+(\d+)\.(\d{9}):\s+PERF_RECORD_SWITCH(?:_CPU_WIDE)?\s+(IN|OUT)(\s+preempt)?.*")


def recordSched(seconds: float, out: Path) -> int:
    """
    Record this machine for some seconds; blocks for so long, and a little longer.

    @param out: C{NAME.sched}, with C{.xz} or C{.gz} behind it if it is to be compressed.
    @return: how many bursts it has.
    @raise WorkbenchError: it can't be recorded or written, says what would be needed.
    """
    if not 0 < seconds <= MAX_SECONDS:
        raise WorkbenchError(f"{seconds} seconds can't be recorded; it should be more than 0 and at most {MAX_SECONDS}")
    _suffixOf(out)
    root = next((root for root in TRACEFS if os.access(root / "instances", os.W_OK)), None)
    if root is not None:
        tasks = _ftrace(root, seconds)
    elif _perfMayAll():
        tasks = perfBursts(["-a", "--", "sleep", str(seconds)])
    else:
        tasks = _sampled(seconds)
    if not tasks.run:
        raise WorkbenchError(
            f"no thread began and ended to run within {seconds} seconds; record for longer, or as root (for ftrace)"
        )
    writeTasks(tasks, out)
    return len(tasks.run)


def _suffixOf(out: Path) -> str:
    match = re.fullmatch(r".+\.sched(\.xz|\.gz)?", out.name)
    if match is None:
        raise WorkbenchError(f"{out}: a recording of the scheduler should be called NAME.sched, .sched.xz or .sched.gz")
    return match[1] or ""


def writeTasks(tasks: Tasks, out: Path) -> None:
    """
    Write tasks in the order of arrival, the first at 0, keys and groups as numbers.

    @raise WorkbenchError: it can't be written.
    """
    suffix = _suffixOf(out)
    order = sorted(range(len(tasks.run)), key=tasks.arrival.__getitem__)
    first = tasks.arrival[order[0]] if order else 0
    keys: dict[str, int] = {}
    groups: dict[str, int] = {}
    lines = [FIRST_LINE, f"# cpus {tasks.cpus}"]
    for i in order:
        group = groups.setdefault(tasks.group[i], len(groups))
        key = keys.setdefault(tasks.key[i], len(keys))
        estimate = f" {tasks.estimate[i]}" if tasks.estimate[i] else ""
        lines.append(f"{tasks.arrival[i] - first} {tasks.run[i]} {group}/{key}{estimate}")
    data = ("\n".join(lines) + "\n").encode("ascii")
    if suffix == ".xz":
        data = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    elif suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    try:
        out.write_bytes(data)
    except OSError as error:
        raise WorkbenchError(f"{out}: {error.strerror or error}; it should be a file that can be written") from None


def _ftrace(root: Path, seconds: float) -> Tasks:
    """Events of an instance of its own, so that nobody's tracing is disturbed."""
    instance = root / "instances" / f"kernelnet-{os.getpid()}"
    try:
        instance.mkdir()
        try:
            (instance / "buffer_size_kb").write_text(str(BUFFER_KIB))
            for event in EVENTS:
                (instance / "events" / "sched" / event / "enable").write_text("1")
            time.sleep(seconds)
            (instance / "tracing_on").write_text("0")
            with (instance / "trace").open(encoding="latin-1") as trace:
                return readFtrace(instance / "trace", ((n, line.strip()) for n, line in enumerate(trace, 1)))
        finally:
            # An instance goes as a whole, with the files in it, which can't be removed.
            instance.rmdir()
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkbenchError(f"ftrace in {root} can't be used: {reason}; it takes root and CONFIG_FTRACE") from None


def _perfMayAll() -> bool:
    """Whether perf can look at all threads."""
    if shutil.which("perf") is None:
        return False
    probe = ["perf", "record", "-q", "-a", "-e", "dummy", "--switch-events", "-o", os.devnull, "--", "true"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(probe, capture_output=True, check=False, timeout=20).returncode == 0
    return False


def perfBursts(arguments: Sequence[str]) -> Tasks:
    """
    Bursts of what C{perf record} sees when it is given these arguments, such as C{["--", "make"]}.

    A command's own threads may be recorded by anybody (C{kernel.perf_event_paranoid} 2 or less).

    @raise WorkbenchError: perf isn't there, or must not.
    """
    with tempfile.TemporaryDirectory(prefix="kernelnet-perf-") as folder:
        data = str(Path(folder, "perf.data"))
        record = ["perf", "record", "-q", "-e", "dummy:u", "--switch-events", "-o", data, *arguments]
        script = ["perf", "script", "--ns", "--show-switch-events", "-F", "comm,tid,time", "-i", data]
        try:
            done = subprocess.run(record, capture_output=True, check=False, text=True, errors="replace")
            if not Path(data).exists() or not Path(data).stat().st_size:
                why = next(iter(done.stderr.strip().splitlines()), f"it ended with {done.returncode}")
                raise WorkbenchError(f"perf record: {why[:200]}; it takes kernel.perf_event_paranoid 2, or root")
            with subprocess.Popen(
                script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="latin-1"
            ) as lines:
                return _switches(lines.stdout or ())
        except (OSError, subprocess.SubprocessError) as error:
            raise WorkbenchError(
                f"perf can't be run ({error}); it is in the package linux-perf or linux-tools"
            ) from None


def _switches(lines: Iterable[str]) -> Tasks:
    """Bursts of the switches that C{perf script} tells of."""
    bursts = Bursts(Path("perf script"))
    for line in lines:
        match = _SWITCH.fullmatch(line.rstrip())
        if match is None or match[2] == "0":
            continue
        name, thread, now = match[1], match[2], int(match[3]) * 10**9 + int(match[4])
        if match[5] == "IN":
            bursts.runs(thread, now)
        else:
            bursts.stops(thread, name, now, sleeps=not match[6])
    bursts.tasks.cpus = os.cpu_count() or 1
    return bursts.tasks


def _sampled(seconds: float) -> Tasks:
    """Bursts as far as they can be told from for how long each thread has run, read again and again."""
    bursts = Tasks(Path("/proc"), bursts=True, cpus=os.cpu_count() or 1)
    before: dict[str, int] = {}
    under: dict[str, tuple[int, int, str]] = {}
    own = str(os.getpid())
    begin, following = time.monotonic(), 0.0
    while (passed := time.monotonic() - begin) < seconds:
        now = int(passed * 1_000_000)
        for thread, name, ran in _threads(own):
            used = ran - before.get(thread, ran if not following else 0)
            before[thread] = ran
            arrival, sum_, _ = under.get(thread, (now, 0, name))
            if used > 0:
                under[thread] = (arrival, sum_ + used, name)
            elif thread in under:
                del under[thread]
                bursts.add(arrival, max(1, sum_ // 1000), f"{name}/{thread}", name)
        following = max(passed, following + SAMPLE_SECONDS)
        time.sleep(max(0.0, begin + following - time.monotonic()))
    return bursts


def _threads(own: str) -> Iterator[tuple[str, str, int]]:
    """Of each thread but the recorder's: its number, its name, and for how many nanoseconds it ran."""
    for process in PROC.iterdir():
        if not process.name.isdigit() or process.name == own:
            continue
        # It may be gone before it is read.
        with contextlib.suppress(OSError, ValueError, IndexError):
            for task in (process / "task").iterdir():
                ran = int((task / "schedstat").read_text().split()[0])
                yield task.name, (task / "comm").read_text().strip(), ran
