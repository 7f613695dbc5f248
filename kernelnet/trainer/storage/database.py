"""
The trainer's SQLite file: outbox, cursor, knowledge, jobs and sessions change in one transaction.

What a message teaches, the cursor that says it was read, and the answers to it become durable together or not
at all; so a crash can't lose a message, handle it twice or answer it twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.enterprise import adbapi
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, inlineCallbacks
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

__all__ = ["Changes", "Store", "StoreError"]

SCHEMA_VERSION = 4

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
-- what was said and is not acked yet, in the order it was said
CREATE TABLE outbox (position INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, line BLOB NOT NULL);
CREATE TABLE patterns (source TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (source, id));
CREATE TABLE blocks (source TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (source, id));
-- verdict and level on validation: what this trainer's own measurement said; NULL before it
CREATE TABLE components (digest TEXT PRIMARY KEY, source TEXT NOT NULL, body TEXT NOT NULL, verdict TEXT, level REAL);
CREATE TABLE benchmarks (component_id TEXT, reporter TEXT, timestamp TEXT, body TEXT NOT NULL,
                         PRIMARY KEY (component_id, reporter));
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, body TEXT NOT NULL);
"""

JOBS = """
-- work that a message asked for, and whom it is for; deleted together with saying its result
CREATE TABLE jobs (key TEXT PRIMARY KEY, kind TEXT NOT NULL, source TEXT NOT NULL, body TEXT NOT NULL);
"""

SITES = """
-- which components were tried on which of the user's traces: by voice of the author, whether it was told or not
CREATE TABLE tried (trace TEXT, digest TEXT, voice TEXT NOT NULL, PRIMARY KEY (trace, digest)) WITHOUT ROWID;
-- what was found on private traces: none of it is ever said; the level is on held-out, for people
CREATE TABLE private_components (digest TEXT PRIMARY KEY, task TEXT NOT NULL, level REAL NOT NULL, body TEXT NOT NULL);
"""

UPGRADES = {
    # Whom a job is for was looked up each time, in what the job is about.
    1: (
        "ALTER TABLE jobs RENAME TO jobs_before;",
        JOBS,
        """
INSERT INTO jobs
    SELECT key, kind, COALESCE(CASE kind
        WHEN 'measure' THEN (SELECT source FROM components WHERE digest = json_extract(jobs_before.body, '$'))
        WHEN 'feature' THEN json_extract(body, '$.requestor')
        ELSE (SELECT json_extract(sessions.body, '$.peer') FROM sessions
              WHERE session_id = json_extract(jobs_before.body, '$'))
    END, ''), body FROM jobs_before ORDER BY rowid;
""",
        "DROP TABLE jobs_before;",
    ),
    # Components were ranked by their scores, which are measured on different variants of a trace now.
    2: ("ALTER TABLE components ADD COLUMN level REAL;",),
    3: (SITES,),
}
"""By version the statements that make the next one of it."""

RETRY_SECONDS = 5.0
"""Seconds until a write that failed is tried again."""


class StoreError(Exception):
    """The file can't be used; the text says why and what to do."""


class Changes:
    """SQL statements that are to become durable together, in order."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, tuple[Any, ...]]] = []

    def add(self, sql: str, *parameters: Any) -> None:
        self.statements.append((sql, parameters))

    def extend(self, other: Changes) -> None:
        self.statements.extend(other.statements)


class Store:
    """
    One trainer's database, written through adbapi by one connection.

    @param path: the file; made if it is missing.
    @param clock: for the pause before a write that failed is tried again.
    """

    log = Logger()

    def __init__(self, path: Path, clock: IReactorTime) -> None:
        self.path = path
        self._clock = clock
        self._turn = DeferredLock()
        self._closed = False
        self._failed = False
        self._pool: Any = None
        self._retry: Deferred[Any] | None = None

    def open(self) -> None:
        """
        Open the file, and make it if it is missing.  Not in C{__init__}: threads would not survive a daemon's fork.

        @raise StoreError: it can't be used.
        """
        try:
            _prepare(self.path)
        except (sqlite3.Error, OSError) as e:
            raise StoreError(
                f"can't use the trainer's database {self.path}: {e}; move it away to start afresh"
            ) from None
        self._pool = adbapi.ConnectionPool(
            "sqlite3",
            str(self.path),
            check_same_thread=False,
            cp_min=1,
            cp_max=1,
            cp_noisy=False,
            cp_openfun=_configure,
        )

    def read(self, sql: str, *parameters: Any) -> Deferred[list[tuple[Any, ...]]]:
        """All rows of a query."""
        result: Deferred[list[tuple[Any, ...]]] = self._pool.runQuery(sql, parameters)
        return result

    def commit(self, changes: Changes) -> Deferred[None]:
        """
        Make C{changes} durable, after all that was committed before.

        A full disk or another passing fault is tried again until it works or the store is closed.  What can't be
        written is the last: a later commit, with a later cursor, would make it look as if it had been.
        """
        result: Deferred[None] = self._turn.run(self._commit, changes.statements)
        return result

    @inlineCallbacks
    def _commit(self, statements: list[tuple[str, tuple[Any, ...]]]) -> Any:
        while statements:
            if self._pool is None or self._failed:
                raise StoreError(f"{self.path} is closed")
            try:
                yield self._pool.runInteraction(_run, statements)
                return
            except Exception as e:
                if self._closed or not isinstance(e, sqlite3.OperationalError):
                    self._failed = True
                    raise
                self.log.error("can't write {path}: {error}; trying again", path=str(self.path), error=str(e))
                self._retry = task.deferLater(self._clock, RETRY_SECONDS)
                self._retry.addErrback(lambda failure: failure.trap(CancelledError))
                yield self._retry

    @inlineCallbacks
    def close(self) -> Any:
        """Fires when all that was committed before is written, or has failed once more."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        yield self._turn.acquire()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
        self._turn.release()


def _run(transaction: Any, statements: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    for sql, parameters in statements:
        transaction.execute(sql, parameters)


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _prepare(path: Path) -> None:
    # What stands in it is for this user alone, such as the secret of which names of traces come.
    path.touch(mode=0o600)
    path.chmod(0o600)
    connection = sqlite3.connect(path)
    try:
        _configure(connection)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(f"BEGIN; {SCHEMA} {JOBS} {SITES} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif not 0 < version <= SCHEMA_VERSION:
            raise StoreError(
                f"{path} has schema version {version}, this kernelnet knows {SCHEMA_VERSION}: install a newer kernelnet"
            )
        elif version < SCHEMA_VERSION:
            steps = "".join(sql for step in range(version, SCHEMA_VERSION) for sql in UPGRADES[step])
            connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    finally:
        connection.close()
