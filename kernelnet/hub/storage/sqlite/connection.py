"""Connections to the hub's SQLite file, set up so that a commit is on disk."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
import time
from pathlib import Path

from kernelnet.hub.storage.integrity import digestOf

__all__ = ["checkpoint", "connect", "connectReader", "setUpCheckpoints", "setUpReader", "setUpWriter"]

LOWER = 5
"""Steps of niceness."""
STRETCH = 30_000
"""Instructions of SQLite's virtual machine, some 0.4 ms, after which who reads gives way."""
GIVE_WAY = 0.0002
"""Seconds for which it does."""


def setUpWriter(connection: sqlite3.Connection) -> None:
    """
    A commit returns after fsync: WAL with synchronous=FULL syncs the write-ahead log at each commit.

    One second of C{busy_timeout} lets C{sqlite3} in a shell or a backup look on without failing us.
    """
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=1000")
    # The engine has the log copied into the file beside its commits; where that comes to nothing, one of them does it.
    connection.execute("PRAGMA wal_autocheckpoint=16000")
    connection.execute("PRAGMA cache_size=-65536")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.create_function("digest_of", 1, digestOf, deterministic=True)


def setUpReader(connection: sqlite3.Connection) -> None:
    """The hub's read connections: they see the last commit, can't write, and let all others go first."""
    _setUpReading(connection)
    connection.set_progress_handler(_giveWay, STRETCH)


def _setUpReading(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA busy_timeout=1000")
    connection.execute("PRAGMA query_only=ON")


def _giveWay() -> None:
    """
    Let the others have the core: who reads long, such as a page of a large knowledge base, keeps it until the kernel's
    next tick (4 ms), for which the reactor and the commits of all others would wait, again and again.
    """
    time.sleep(GIVE_WAY)


def setUpCheckpoints(connection: sqlite3.Connection) -> None:
    """The connection for `checkpoint`, whose thread lets all others go first: none of them waits for it."""
    _setUpReading(connection)
    if sys.platform == "linux":  # where a thread has a priority of its own
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + LOWER)


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy of the write-ahead log into the file what nobody needs there any more; whoever writes goes on meanwhile."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def connect(path: Path) -> sqlite3.Connection:
    """A writing connection whose transactions are begun and ended by hand, usable in any one thread at a time."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    setUpWriter(connection)
    return connection


def connectReader(path: Path) -> sqlite3.Connection:
    """A reading connection that gives way to nobody, usable in any one thread at a time."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    _setUpReading(connection)
    return connection
