"""
PostgreSQL servers for tests, started by an ordinary user, reached by a socket in their folders: one that all tests of a
process share, and pairs of a primary and its synchronous standby.
"""

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
from typing import Any
from unittest import SkipTest

__all__ = ["Pair", "Server", "freshServer", "pair", "server"]

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

    def __init__(self, bin: Path, primary: Server | None = None) -> None:
        """@param primary: of which it is a standby, to begin with."""
        # In memory where that is a place: fsync is on, as the hub demands.
        within = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="kernelnet-pg-", dir=within))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._bin = bin
        self._numbers: Iterator[int] = itertools.count() if primary is None else primary._numbers
        self._data = data = self.folder / "data"
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self.end)
        if primary is None:
            more = ("--auth=trust", "--encoding=UTF8", "--no-locale", "-N")
            self._run("initdb", "-D", str(data), "-U", "kernelnet", *more)
            self.start()
        else:
            self.follow(primary)

    def follow(self, primary: Server) -> None:
        """Begin, or begin again, as a standby: a copy of C{primary}, which it follows."""
        shutil.rmtree(self._data, ignore_errors=True)
        source = ("-h", str(primary.folder), "-U", "kernelnet", "-D", str(self._data))
        self._run("pg_basebackup", *source, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        self.start()

    def promote(self) -> None:
        """Have a standby be a primary from now on."""
        self.execute("SELECT pg_promote()")

    def execute(self, sql: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute it in the database C{name}."""
        import psycopg

        with psycopg.connect(self.url(name), autocommit=True) as connection:
            done = connection.execute(sql.encode())
            return done.fetchall() if done.description else []

    def set(self, name: str, value: str) -> None:
        """Change a setting for good."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("SET synchronous_commit = local")
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")

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
            "wal_retrieve_retry_interval": "200ms",
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

    @property
    def isRunning(self) -> bool:
        return self.process is not None and self.process.poll() is None

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

    def create(self) -> str:
        """Make a database that is empty.  @return: its name."""
        number = next(self._numbers)
        name = f"test{number}"
        self.execute(f"CREATE DATABASE {name}")
        if number >= KEPT:
            self.execute(f"DROP DATABASE IF EXISTS test{number - KEPT} WITH (FORCE)")
        return name

    def database(self) -> str:
        """The address of a database that is empty."""
        return self.url(self.create())

    def end(self) -> None:
        """End it for good."""
        if self.isRunning:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Pair:
    """
    A primary, and a standby without whose word it acknowledges nothing.

    @ivar primary, standby: who is what now.
    """

    def __init__(self, bin: Path) -> None:
        self.primary = Server(bin)
        self.primary.set("synchronous_standby_names", "*")  # of whoever is a copy of it, too
        self.standby = Server(bin, self.primary)
        self._hosts = f"{self.primary.folder},{self.standby.folder}"

    def url(self, name: str) -> str:
        """The address of the database C{name} on whichever is the primary."""
        return f"postgresql://kernelnet@/{name}?host={self._hosts}&target_session_attrs=read-write"

    def database(self) -> str:
        """The address of a database that is empty, on whichever is the primary."""
        return self.url(self.primary.create())

    def kill(self) -> None:
        """End the primary at once."""
        self.primary.kill()

    def start(self) -> None:
        """Start it again as what it was."""
        self.primary.start()

    def failOver(self) -> None:
        """Have the standby take over from the primary, which does not come back; until `restore` it is alone."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def restore(self) -> None:
        """Have who was the primary be a standby of who took over."""
        if self.standby.isRunning:
            self.standby.kill()
        self.standby.follow(self.primary)

    def mend(self) -> None:
        """Have both do what they are there for, whatever happened to them."""
        if not self.primary.isRunning:
            self.primary.start()
        if not self.standby.isRunning or not self.primary.execute("SELECT 1 FROM pg_stat_replication"):
            self.restore()


@cache
def _programs() -> Path | str:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed: pip install 'kernelnet[postgres]'"
    places = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for bin in places:
        if (bin / "initdb").exists() and (bin / "postgres").exists():
            return bin
    return "no PostgreSQL server is installed: apt install postgresql"


def _bin() -> Path:
    found = _programs()
    if isinstance(found, str):
        raise SkipTest(found)
    return found


@cache
def _pair(bin: Path) -> Pair:
    return Pair(bin)


def pair() -> Pair:
    """
    The primary and its standby of this process, both at work.

    @raise SkipTest: there can be none.
    """
    found = _pair(_bin())
    found.mend()
    return found


def freshServer() -> Server:
    """
    A server of its own, for who may break it, and ends it.

    @raise SkipTest: there can be none.
    """
    return Server(_bin())


@cache
def _server(bin: Path) -> Server:
    return Server(bin)


def server() -> Server:
    """
    The server of this process.

    @raise SkipTest: there can be none.
    """
    return _server(_bin())
