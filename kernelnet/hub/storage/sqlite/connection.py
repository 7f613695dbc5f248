"""Connections to the hub's SQLite file, set up so that a commit is on disk."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
from pathlib import Path

from kernelnet.hub.storage.integrity import digestOf

__all__ = ["checkpoint", "connect", "connectReader", "setUpCheckpoints", "setUpReader", "setUpWriter"]

LOWER = 5
"""Steps of niceness."""


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
    """The read connections: they see the last commit and can't write."""
    connection.execute("PRAGMA busy_timeout=1000")
    connection.execute("PRAGMA query_only=ON")


def setUpCheckpoints(connection: sqlite3.Connection) -> None:
    """The connection for `checkpoint`, whose thread lets all others go first: none of them waits for it."""
    setUpReader(connection)
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
    """A reading connection, usable in any one thread at a time."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    setUpReader(connection)
    return connection
