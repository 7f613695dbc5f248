"""
C{kernelnet record -- COMMAND…}: a trace of the pages of files that a program, and all that it starts, reads and writes.

It is strace that sees them, system call by system call.  Each page of 4 KiB that a call reads or writes is a request.
What can't be seen this way: files that are mapped into memory (it is told how many), what is asked of the kernel
through io_uring, and what it reads ahead.

Other ways were weighed: valgrind sees memory, not files, and is fifty times slower; LD_PRELOAD misses programs that
call the kernel themselves; BPF and perf need root.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.file_system._calls import CALLS, Calls

__all__ = ["MAX_RECORDED", "RecordError", "Recorded", "recordCommand"]

MAX_RECORDED = 20_000_000
"""Requests; what comes after is not recorded."""

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
_FORMATS = (".txt", ".csv")
_NEEDS = "recording needs strace; on Debian and Ubuntu: apt install strace"
_FORBIDDEN = "strace may not follow programs here; it needs ptrace (in containers --cap-add=SYS_PTRACE)"
_READ = 1 << 16


class RecordError(WorkbenchError):
    """Nothing was recorded; the text is one line for people."""


@dataclass(frozen=True)
class Recorded:
    """
    @ivar requests: in the trace.
    @ivar distinct: pages.
    @ivar exitCode: the command's; 128 and the signal if one ended it, as a shell says it.
    @ivar mapped: how often files were mapped into memory, where reading and writing can't be seen.
    @ivar cut: whether there were more than `MAX_RECORDED` requests.
    """

    requests: int
    distinct: int
    exitCode: int
    mapped: int
    cut: bool


class _Pages:
    """The requests so far, with pages numbered in the order of first appearance."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, int], int] = {}
        self.requests = array("Q")
        self.cut = False

    def add(self, file: int, page: int, write: bool) -> None:
        if len(self.requests) == MAX_RECORDED:
            self.cut = True
            return
        number = self.numbers.setdefault((file, page), len(self.numbers))
        self.requests.append(number << 1 | write)

    def lines(self, table: bool) -> Iterator[str]:
        """Pieces of the trace file."""
        if table:
            yield "op,page\n"
        for start in range(0, len(self.requests), _READ):
            part = self.requests[start : start + _READ]
            if table:
                yield "".join(f"{'rw'[request & 1]},{request >> 1}\n" for request in part)
            else:
                yield "".join(f"{request >> 1}\n" for request in part)


def recordCommand(command: Sequence[str], out: Path, ended: Callable[[], object] = lambda: None) -> Recorded:
    """
    Run a command to its end, and write what it read and wrote.  Its input and output are this process's.

    Ctrl-C ends the command, not the recording: what it did until then is kept; the second one ends everything, and
    no file is written.

    @param command: a program, found like the shell does, and its arguments.
    @param out: C{.txt} (pages), or C{.csv} (also what is written), with C{.gz} or C{.xz} behind it if wanted; it is
        there as a whole or not at all.
    @param ended: called when the command has ended, and its trace is about to be written.
    @raise RecordError: strace is missing or may not be used, there is no such command, it used no files, …
    """
    table = _isTable(out)
    if not command or shutil.which(command[0]) is None:
        raise RecordError(f"{command[0] if command else ''!r}: no such command, or it may not be run")
    strace = _strace()
    pages = _Pages()
    calls = Calls(pages.add, str(Path.cwd()))
    with _whole(out) as part:
        code, stopped = _run([*strace, *command], calls)
        if stopped:
            raise RecordError("stopped; nothing was written")
        if not pages.requests:
            mapped = f" (it mapped {calls.mapped} into memory, which can't be seen)" if calls.mapped else ""
            raise RecordError(f"the command ended with {code}, and read and wrote no files that could be seen{mapped}")
        ended()
        with _OPENERS.get(out.suffix, open)(part, "wt", encoding="ascii") as file:
            file.writelines(pages.lines(table))
    return Recorded(len(pages.requests), len(pages.numbers), code, calls.mapped, pages.cut)


def _isTable(out: Path) -> bool:
    plain = out.with_suffix("") if out.suffix in _OPENERS else out
    if plain.suffix not in _FORMATS:
        raise RecordError(f"{out.name!r}: a trace's name should end in .txt or .csv, with .gz or .xz behind it")
    return plain.suffix == ".csv"


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A file to write to, which becomes C{out} at the end; made first, so that the command doesn't run for nothing."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise RecordError(f"{out}: can't be written: {error.strerror}") from None
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(out)
    except OSError as error:
        raise RecordError(f"{out}: can't be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _strace() -> list[str]:
    """
    The command before the command.

    @raise RecordError: it isn't here, or isn't allowed to work.
    """
    program, true = shutil.which("strace"), shutil.which("true")
    if program is None:
        raise RecordError(_NEEDS)
    # Calls that a processor's Linux doesn't have are marked: they may be missing.
    traced = ",".join(f"?{name}" for name in CALLS)
    options = [program, "-f", "-y", "-qq", "-s", "0", "-e", "signal=none", "-e", f"trace={traced}"]
    for more in (["--seccomp-bpf"], []):
        # With it only what is traced is slow; older ones don't know it.
        tried = subprocess.run([*options, *more, "-o", "/dev/null", true or "true"], capture_output=True, check=False)
        if tried.returncode == 0 and not tried.stderr:
            return [*options, *more]
    said = tried.stderr.decode(errors="replace").strip().splitlines()
    raise RecordError(f"{_FORBIDDEN}: {said[0]}" if said else _FORBIDDEN)


def _run(command: list[str], calls: Calls) -> tuple[int, bool]:
    """
    Run strace with a pipe for what it writes, and follow that to the end.

    @return: the exit code, and whether the user stopped it all.
    """
    reading, writing = os.pipe()
    interrupts = [0]

    def interrupted(number: int, frame: FrameType | None) -> None:
        # The command got the first one itself, from the terminal.
        interrupts[0] += 1 if number == signal.SIGINT else 2
        if interrupts[0] > 1:
            threading.Thread(target=_end, args=(process,), daemon=True).start()

    at = command.index("-e")
    words = [*command[:at], "-o", f"/dev/fd/{writing}", *command[at:]]
    try:
        process = subprocess.Popen(words, pass_fds=(writing,))
    except OSError as error:
        os.close(reading)
        raise RecordError(f"strace can't be started: {error.strerror}") from None
    finally:
        os.close(writing)
    try:
        with _handling(interrupted):
            _follow(reading, calls)
            code = process.wait()
    finally:
        os.close(reading)
        process.kill()
        process.wait()
    return (code if code >= 0 else 128 - code), interrupts[0] > 1


def _end(strace: subprocess.Popen[bytes]) -> None:
    """
    Kill all that strace follows; then it ends by itself.

    Killed itself it would let them go, and run on.
    """
    mark = f"TracerPid:\t{strace.pid}\n"
    while strace.poll() is None:
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                if mark in status.read_text(encoding="utf-8", errors="replace"):
                    os.kill(int(status.parent.name), signal.SIGKILL)
        time.sleep(0.05)


def _follow(descriptor: int, calls: Calls) -> None:
    """Each line as it comes: what is read of files' sizes must not be old."""
    rest = b""
    while data := os.read(descriptor, _READ):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            calls.line(line)


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """With this handler for Ctrl-C and for being ended; only the main thread can have one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(number, signal.signal(number, handler)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, old in before:
            signal.signal(number, old)
