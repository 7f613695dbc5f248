"""
Common ways of the two twistd services as processes: where their pid and log files go, and how they fail.

twistd itself ends with exit code 0 after C{reactor.stop()} and ignores a C{startService} that fails later; a
supervisor would take both for success.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorCore
from twisted.logger import LogEvent, Logger, globalLogBeginner
from twisted.python import usage
from twisted.python.failure import Failure

from kernelnet.identity import IdentityError, StateDirectory
from kernelnet.interrupt import INTERRUPTED

__all__ = [
    "ServiceOptions",
    "collectRarely",
    "endIfInterrupted",
    "endInTime",
    "endWithFailure",
    "forgetLostPidFile",
    "placeFiles",
    "refuse",
    "refuseSecond",
    "steadyTime",
    "takeTurns",
    "tellSupervisor",
    "withNumbers",
]

log = Logger(namespace="kernelnet")


def refuse(service: str, reason: object) -> NoReturn:
    """End before anything has started: one line on stderr, exit code 1 (C{UsageError} would print all options too)."""
    raise SystemExit(f"twistd {service}: {reason}")


class ServiceOptions(usage.Options):
    """
    Options of a service, of which a mistake is told in one line, where Twisted would print all options before it.

    @cvar service: its name, as twistd knows it.
    """

    service: str

    def parseOptions(self, options: list[str] | None = None) -> None:
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            refuse(self.service, f"{error}{self._meant(str(error))}; all of them: twistd {self.service} --help")

    def parseArgs(self, *words: str) -> None:
        if words:
            raise usage.UsageError(f"it takes options alone, not {words[0]!r}")

    def _meant(self, error: str) -> str:
        option = next((word for word in error.split() if word.startswith("--")), "")
        known = [f"--{name.rstrip('=')}" for name in self.longOpt]
        near = get_close_matches(option, known, 1)
        return f" (did you mean {near[0]}?)" if "not recognized" in error and near else ""


def withNumbers(service: str, parameters: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """
    Have a value that is no number refused in one line, where Twisted would print all options.

    @param parameters: C{optParameters}, of which some are coerced by C{int} or C{float}.
    """

    def named(row: Sequence[Any]) -> list[Any]:
        name, short, default, text, kind = row
        return [name, short, default, text, lambda value: _number(service, name, value, kind, default)]

    return [named(row) if len(row) > 4 and row[4] in (int, float) else [*row] for row in parameters]


def _number(service: str, option: str, value: str, kind: type[int] | type[float], default: float) -> float:
    try:
        return kind(value)
    except ValueError:
        what = f"a whole number such as {default}" if kind is int else f"a number such as {default:g}"
        refuse(service, f"--{option} takes {what}, not {value!r}")


def refuseSecond(service: str, who: str, state: StateDirectory, lock: str, pidFile: Path) -> None:
    """
    Refuse to start while another process holds the lock file C{lock} of C{state}; else its pid file is stale.

    @param who: what would be the second, for people, such as C{"a hub"}.

    twistd goes by the pid file alone: after a kill -9 or a reboot it could take any process for us, and refuse.
    """
    try:
        state.unlock(state.lock(lock))
    except (IdentityError, OSError) as e:
        if (pid := _runs(pidFile)) is not None:
            refuse(service, f"{who} is running already in {state.path} (pid {pid})")
        refuse(service, e)
    with contextlib.suppress(OSError):
        pidFile.unlink()


def _runs(pidFile: Path) -> int | None:
    """Whose number is in a pid file, if there is such a process."""
    try:
        pid = int(pidFile.read_text("ascii"))
        os.kill(pid, 0)
    except (OSError, ValueError, OverflowError):
        return None
    return pid


def placeFiles(options: usage.Options, folder: Path, name: str) -> None:
    """
    Put twistd's pid file, and its log file when it runs as a daemon, into C{folder} unless the user chose.

    Two services started in one folder would collide over C{twistd.pid}.
    """
    parent = getattr(options, "parent", None)
    if parent is None:
        return
    if parent["pidfile"] == "twistd.pid":
        parent["pidfile"] = str(folder / f"{name}.pid")
    if not parent["logfile"] and not parent["nodaemon"]:
        parent["logfile"] = str(folder / f"{name}.log")


def forgetLostPidFile(options: usage.Options, reactor: IReactorCore) -> None:
    """Have twistd not look for its pid file at its end if that was taken away: it would log a traceback."""
    parent = getattr(options, "parent", None)
    if parent is None:
        return

    def forget() -> None:
        if parent["pidfile"] and not os.path.exists(parent["pidfile"]):
            parent["pidfile"] = ""

    reactor.addSystemEventTrigger("after", "shutdown", forget)


def endInTime(reactor: IReactorCore, seconds: float) -> None:
    """
    Have the process end so many seconds after it was told to, whatever its threads do: Twisted waits for those that it
    has begun, such as one that looks up a name.
    """

    def cut() -> None:
        os._exit(128 + (getattr(reactor, "_exitSignal", None) or 1))

    def begin() -> None:
        timer = threading.Timer(seconds, cut)
        timer.daemon = True
        timer.start()

    reactor.addSystemEventTrigger("before", "shutdown", begin)


def collectRarely() -> None:
    """
    Have Python look for garbage cycles less often: a message makes some objects and no cycles.

    With the default, a look after every 700 new objects cost 4 of 14 µs for each message that was read and checked.
    """
    gc.freeze()  # what was imported stays anyway
    gc.set_threshold(50_000)


def takeTurns() -> None:
    """
    Have Python's threads wait for each other no longer than part of a client's turn.

    With the default, 5 ms, the thread that commits gets back from SQLite and waits while the reactor's reads on; it
    gets back from each statement.
    """
    sys.setswitchinterval(0.0002)


def steadyTime(reactor: Any) -> None:
    """
    Have the reactor's timers run on the monotonic clock; call it before there are any.

    Twisted's run on the wall clock: when that jumps ahead every peer seems silent for long and is dropped, and when it
    jumps back no timer fires until it has caught up.
    """
    if not reactor.getDelayedCalls():
        reactor.seconds = time.monotonic


def tellSupervisor(state: str) -> None:
    """
    Tell systemd how it stands (sd_notify(3)), such as C{"READY=1"}; nothing happens where no supervisor asked for it.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
        told.send(state.encode("utf-8"))


def endIfInterrupted() -> None:
    """
    End at once if Ctrl-C came while twistd loaded plugins.

    It keeps whatever is raised then for its log, C{KeyboardInterrupt} among it, and goes on.
    """

    def look(event: LogEvent) -> None:
        failure = event.get("log_failure") or event.get("failure")
        if isinstance(failure, Failure) and failure.check(KeyboardInterrupt):
            os._exit(INTERRUPTED)

    kept = getattr(globalLogBeginner, "_initialBuffer", None)  # no public name leads there
    if kept is not None:
        kept.replayTo(look)


def endWithFailure(reactor: IReactorCore, reason: object) -> None:
    """Log one line, stop the reactor in good order, and make the process end with exit code 1."""
    log.critical("{reason}", reason=str(reason))
    atexit.register(_exit)
    if reactor.running:
        with contextlib.suppress(ReactorNotRunning):  # it is stopping already: one failure seldom comes alone
            reactor.stop()
    else:
        reactor.callWhenRunning(reactor.stop)


def _exit() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
