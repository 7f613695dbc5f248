"""A PostgreSQL server for tests: started once in a process, by an ordinary user, reached by a socket in its folder."""

from __future__ import annotations

import atexit
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from unittest import SkipTest

__all__ = ["Server", "server"]

ROOM = 2 << 30
"""Bytes that a folder in memory must have."""
KEPT = 16
"""Databases, of 8 MB each, that are kept: more than a test makes."""
_PR_SET_PDEATHSIG = 1


class Server:
    """
    A running server.

    @ivar folder: its socket is in there.
    """

    def __init__(self, bin: Path) -> None:
        # In memory where that is a place: fsync is on, as the hub demands.
        within = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="kernelnet-pg-", dir=within))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._bin = bin
        self._numbers = itertools.count()
        data = self.folder / "data"
        self._run("initdb", "-D", str(data), "-U", "kernelnet", "--auth=trust", "--encoding=UTF8", "--no-locale", "-N")
        self._data = data
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        atexit.register(self._end)

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / command, *arguments], check=True, user=self._user, capture_output=True, cwd=self.folder
        )

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = {
            "unix_socket_directories": str(self.folder),
            "listen_addresses": "",
            "max_connections": "60",
            "shared_buffers": "32MB",
            "max_wal_size": "128MB",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._bin / "postgres", "-D", str(self._data), *settings],
                user=self._user,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                # it ends with us, however we end
                preexec_fn=lambda: ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT),  # noqa: PLW1509
            )
        for _ in range(600):
            ready = subprocess.run([self._bin / "pg_isready", "-q", "-h", str(self.folder)], check=False)
            if ready.returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """End it at once, as a crash does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It does nothing, and its connections stay."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
        assert self.process is not None
        pids = [self.process.pid, *(pid for (pid,) in rows)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def url(self, name: str) -> str:
        """The address of the database C{name}."""
        return f"postgresql://kernelnet@/{name}?host={self.folder}"

    def database(self) -> str:
        """The address of a database that is empty."""
        import psycopg

        number = next(self._numbers)
        name = f"test{number}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
            if number >= KEPT:
                connection.execute(f"DROP DATABASE IF EXISTS test{number - KEPT} WITH (FORCE)".encode())
        return self.url(name)

    def _end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _found() -> Server | str:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed: pip install 'kernelnet[postgres]'"
    places = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for bin in places:
        if (bin / "initdb").exists() and (bin / "postgres").exists():
            return Server(bin)
    return "no PostgreSQL server is installed: apt install postgresql"


def server() -> Server:
    """
    The server of this process.

    @raise SkipTest: there can be none.
    """
    found = _found()
    if isinstance(found, str):
        raise SkipTest(found)
    return found
