"""A PostgreSQL server of the demo's own: fresh, reached by a socket in a folder that nobody else gets into."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from kernelnet.cli.demo_processes import DemoError, Processes

__all__ = ["OwnPostgres"]

STARTS = 30.0
"""Seconds that the server has to take connections."""
_NAME = "postgres"


class OwnPostgres:
    """
    A server that runs between `start` and `stop`; then all that it had is removed.

    @ivar url: address of an empty database.
    """

    def __init__(self, processes: Processes) -> None:
        """@raise DemoError: something that it takes is not installed."""
        if importlib.util.find_spec("psycopg") is None:
            raise DemoError("--nodes needs psycopg: pip install 'kernelnet[postgres]'")
        bin_ = _programs()
        if bin_ is None:
            raise DemoError("--nodes needs a PostgreSQL server of its own: apt install postgresql (initdb, postgres)")
        self._bin = bin_
        self._processes = processes
        # It refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder: Path | None = None
        self.url = ""

    def start(self) -> None:
        """@raise DemoError: it does not start; the text says why."""
        # A socket's path may have 107 bytes.
        self._folder = folder = Path(tempfile.mkdtemp(prefix="kernelnet-demo-pg-"))
        try:
            if self._user is not None:
                shutil.chown(folder, self._user)
        except LookupError:
            raise DemoError("--nodes as root runs PostgreSQL as the user postgres, and there is none") from None
        make = ("-D", str(folder / "data"), "-U", "kernelnet", "--auth=trust", "--encoding=UTF8", "--no-locale", "-N")
        made = subprocess.run(
            [self._bin / "initdb", *make], user=self._user, cwd="/", capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise DemoError(f"initdb failed: {(made.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
        settings = {
            "unix_socket_directories": str(folder),
            "listen_addresses": "",
            "max_connections": "100",
            "max_wal_size": "256MB",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        program = str(self._bin / "postgres")
        self._processes.start(_NAME, program, "-D", str(folder / "data"), *words, user=self._user)
        self.url = f"postgresql://kernelnet@/postgres?host={folder}"
        deadline = time.monotonic() + STARTS
        while subprocess.run([self._bin / "pg_isready", "-q", "-h", folder], check=False).returncode:
            self._processes.check()
            if time.monotonic() > deadline:
                raise DemoError(f"PostgreSQL did not start within {STARTS:.0f} s: see {self._processes.log(_NAME)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it and remove its files; it may never have been started."""
        self._processes.stop([_NAME], signal.SIGINT)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _programs() -> Path | None:
    """The folder with the newest server's programs."""
    places = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
    for place in places:
        if all((place / name).exists() for name in ("initdb", "postgres", "pg_isready")):
            return place
    return None
