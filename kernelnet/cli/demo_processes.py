"""The processes of C{kernelnet demo}: each in a session of its own, with a log file, ended in order."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

__all__ = ["DemoError", "Processes", "program"]

ENDS = 20.0
"""Seconds that a process has to end in order."""


class DemoError(Exception):
    """The demo can't go on; the text says why and where the logs are."""


class Processes:
    """
    @param folder: where their logs go.
    @param uninterrupted: a time in which no signal breaks off what is done: no process may start unnoticed, or be left
        while it ends.
    """

    def __init__(self, folder: Path, uninterrupted: Callable[[], AbstractContextManager[None]]) -> None:
        self._folder = folder
        self._uninterrupted = uninterrupted
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        """The file with what it says."""
        return self._folder / f"{name}.log"

    def start(self, name: str, *command: str, user: str | None = None) -> None:
        """@param user: whose it is; C{None}: ours."""
        with open(self.log(name), "wb", opener=partial(os.open, mode=0o600)) as log, self._uninterrupted():
            # In a session of its own: Ctrl-C reaches this process alone, which ends the others in order.
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
                cwd="/" if user is not None else None,
            )

    def check(self) -> None:
        """@raise DemoError: one has ended as it should not."""
        for name, process in self._running.items():
            if process.poll() not in (None, 0):
                said = f"{lastLine(self.log(name))} (all of it: {self.log(name)})"
                raise DemoError(f"{name} ended with exit code {process.poll()}: {said}")

    def haveEnded(self, names: Iterable[str]) -> bool:
        """Whether none of these runs any more."""
        return all(self._running[name].poll() is not None for name in names if name in self._running)

    def kill(self, name: str) -> None:
        """End one at once, as a machine does that loses its power, and forget it."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, names: Iterable[str], how: signal.Signals = signal.SIGTERM) -> None:
        """End these in order, side by side."""
        with self._uninterrupted():
            processes = {name: self._running[name] for name in names if name in self._running}
            for process in processes.values():
                process.send_signal(how)
            for name, process in processes.items():
                try:
                    process.wait(ENDS)
                except subprocess.TimeoutExpired:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                del self._running[name]


def program(name: str) -> str:
    """A program of ours: beside this interpreter, else on the path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


def lastLine(path: Path) -> str:
    """The line of a log that says most of why its process has ended."""
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    wanted = [line for line in lines if "critical" in line or "Error" in line or "FATAL" in line] or lines
    return wanted[-1] if wanted else "it said nothing"
