"""
The engine on an SQLite file.

Works are committed in one thread, that of the only connection that writes: SQLite has one writer anyway, and the log's
order is that of its thread.  What reads has two connections of its own, which see the last commit and can't write.  A
fourth one, in a thread that lets all others go first, copies the write-ahead log into the file beside the commits.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from time import thread_time
from typing import Any, Protocol, TypeVar

import msgspec
from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from kernelnet.hub.storage.engine import Commit, Identity, Restoration
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.high_water import HighWater
from kernelnet.hub.storage.integrity import Tell
from kernelnet.hub.storage.log_pages import Page
from kernelnet.hub.storage.sql.log import readPage
from kernelnet.hub.storage.sqlite import backup, checks, errors
from kernelnet.hub.storage.sqlite.connection import (
    checkpoint,
    setUpCheckpoints,
    setUpReader,
    setUpWriter,
)
from kernelnet.hub.storage.sqlite.log import lastGiven
from kernelnet.hub.storage.sqlite.schema import prepare
from kernelnet.hub.storage.sqlite.transaction import SqliteReader, commit
from kernelnet.hub.storage.transaction import Reader, Work
from kernelnet.wire import WireProblem

__all__ = ["Pool", "SqliteEngine", "pools"]

T = TypeVar("T")

CHECKPOINT_BYTES = 16_000_000
"""
Bytes of the write-ahead log after which it is copied into the file, beside the commits that go on.

SQLite itself does it at the end of a commit, after 16 MB: whoever comes meanwhile waits 30 ms, and so do those whom one
AI makes wait that shares megabytes.
"""
COMMIT_BYTES = 100_000
"""Bytes of the log that a commit of small works has at least: a page for each place that it changes."""


class Pool(Protocol):
    """The part of `twisted.enterprise.adbapi.ConnectionPool` that is used."""

    def runWithConnection(self, func: Callable[..., T], *args: Any) -> Deferred[T]: ...

    def close(self) -> None: ...


Pools = tuple[Pool, Pool, Pool]


def pools(path: Path, reactor: Any) -> Pools:
    """The writer's connection, in a thread of its own, two that read, and one for `checkpoint`."""

    def pool(setUp: Callable[[sqlite3.Connection], None], threads: int) -> Any:
        return adbapi.ConnectionPool(
            "sqlite3",
            str(path),
            check_same_thread=False,
            isolation_level=None,
            cp_min=1,
            cp_max=threads,
            cp_noisy=False,
            cp_openfun=setUp,
            cp_reactor=reactor,
        )

    return pool(setUpWriter, 1), pool(setUpReader, 2), pool(setUpCheckpoints, 1)


class SqliteEngine:
    """A `kernelnet.hub.storage.engine.Engine` on the file C{path}."""

    readClock = staticmethod(thread_time)
    """The thread's own: while it lets others go first it costs nobody anything."""

    def __init__(self, path: Path, makePools: Callable[[], Pools]) -> None:
        """@param makePools: makes the pools when it is opened; see `pools`."""
        self._path = path
        self._makePools = makePools
        self._pools: Pools | None = None
        self._isOpen = False
        self._highWater = HighWater(path)
        self._logId = ""
        self._reading: set[sqlite3.Connection] = set()
        self._logged = 0
        self._isCopying = False

    def __repr__(self) -> str:
        return f"<SqliteEngine {self._path} {'open' if self._isOpen else 'closed'}>"

    @classmethod
    def onFile(cls, path: Path, reactor: Any) -> SqliteEngine:
        """The engine on C{path}, with threads of its own."""
        return cls(path, lambda: pools(path, reactor))

    def prepare(self) -> bool:
        unclean = checks.endedUncleanly(self._path)
        prepare(self._path)
        return unclean

    def open(self) -> Deferred[Identity]:
        if not self._isOpen:
            self._pools = self._makePools()
            self._isOpen = True
        return self._writer.runWithConnection(self._identity)

    def _identity(self, connection: sqlite3.Connection) -> Identity:
        found, lost = _identity(connection), 0
        logId, head = self._highWater.read()
        if logId == found.logId and head > found.head:
            lost = head
            _renew(connection, found.head)
            found = _identity(connection)
        self._logId = found.logId
        self._highWater.write(found.logId, found.head)
        return msgspec.structs.replace(found, lost=lost)

    def renew(self, upTo: int) -> Deferred[Identity]:
        def renew(connection: sqlite3.Connection) -> Identity:
            _renew(connection, upTo)
            return self._identity(connection)

        return self._writer.runWithConnection(renew)

    @property
    def _writer(self) -> Pool:
        assert self._pools is not None, "it is not open"
        return self._pools[0]

    @property
    def _reader(self) -> Pool:
        assert self._pools is not None, "it is not open"
        return self._pools[1]

    def commit(self, works: Sequence[Work], now: float) -> Deferred[Commit]:
        def write(connection: sqlite3.Connection) -> Commit:
            done = commit(connection, works, now)
            if events := done.committed.events:
                self._highWater.write(self._logId, events[-1].seq)
            return done

        def written(done: Commit) -> Commit:
            # Of what a work brings, the log has the line, and about as much for what is told of it.
            self._logged += COMMIT_BYTES + 2 * sum(work.size for work in works[: len(done.costs)])
            self._copyInTime()
            return done

        return self._writer.runWithConnection(write).addCallback(written)

    def _copyInTime(self) -> None:
        """Have the log copied into the file once it is long enough."""

        def copied(result: T) -> T:
            self._isCopying = False
            return result

        if self._isOpen and self._pools is not None and not self._isCopying and self._logged >= CHECKPOINT_BYTES:
            self._isCopying, self._logged = True, 0
            copying = self._pools[2].runWithConnection(checkpoint)
            # It stops at what somebody reads, and goes on there the next time; a disk that fails tells the next commit.
            copying.addBoth(copied).addErrback(lambda failure: failure.trap(sqlite3.Error))

    def page(self, after: int, upTo: int, aiId: str) -> Deferred[Page]:
        return self._reader.runWithConnection(lambda connection: readPage(connection.execute, after, upTo, aiId))

    def read(self, function: Callable[[Reader], T]) -> Deferred[T]:
        def read(connection: sqlite3.Connection) -> T:
            if not self._isOpen:
                raise sqlite3.OperationalError("the database is closed")  # nobody waits for the answer
            self._reading.add(connection)
            try:
                return function(SqliteReader(connection))
            finally:
                self._reading.discard(connection)

        return self._reader.runWithConnection(read)

    def problemOf(self, error: BaseException) -> WireProblem:
        return errors.problemOf(error)

    def isDamage(self, error: BaseException) -> bool:
        return errors.isDamage(error)

    def unusable(self, error: BaseException) -> DatabaseError:
        return errors.unusable(self._path, error)

    def rememberDamage(self, error: BaseException) -> Deferred[None]:
        return self._writer.runWithConnection(checks.remember, error)

    def checkRows(self, after: int) -> Deferred[int | None]:
        return self._reader.runWithConnection(checks.checkRows, after)

    def backUp(self, file: Path, tell: Tell) -> Deferred[dict[str, Any]]:
        made: Deferred[dict[str, Any]] = deferToThread(backup.backUp, self._path, file, tell)
        return made

    def prepareRestore(self, file: Path, tell: Tell) -> Deferred[Restoration]:
        making = backup.prepared(self._path, file, tell)
        made: Deferred[Path] = deferToThread(making.__enter__)
        return made.addCallback(_Scratch, making)

    def replace(self, restoration: Restoration) -> Deferred[Path]:
        assert isinstance(restoration, _Scratch)
        scratch = restoration.path

        def replaced(former: Path) -> Deferred[Path]:
            done = self._writer.runWithConnection(lambda _: backup.replace(self._path, scratch))
            return done.addCallback(lambda _: former)

        kept: Deferred[Path] = deferToThread(backup.keep, self._path)
        return kept.addCallback(replaced)

    def close(self) -> None:
        # The pools stay: what comes after the end, such as the next step of long work, is never answered by them.
        if self._pools is not None and self._isOpen:
            self._isOpen = False
            for connection in tuple(self._reading):
                connection.interrupt()
            for pool in self._pools:
                pool.close()
            self._highWater.close()


class _Scratch:
    """A database beside the hub's, ready to take its place."""

    def __init__(self, path: Path, making: AbstractContextManager[Path]) -> None:
        self.path = path
        self._making = making

    def discard(self) -> Deferred[None]:
        done: Deferred[Any] = deferToThread(self._making.__exit__, None, None, None)
        return done.addCallback(lambda _: None)


def _identity(connection: sqlite3.Connection) -> Identity:
    (logId,) = connection.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchone()
    # Retention may have removed every row: the numbers go on all the same.
    last = lastGiven(connection.execute)
    (first,) = connection.execute("SELECT min(seq) FROM events").fetchone()
    former = connection.execute("SELECT value FROM meta WHERE key = 'former_log'").fetchone()
    before, upTo = former[0].split() if former else ("", 0)
    return Identity(logId, last, first or last + 1, (before, int(upTo)))


def _renew(connection: sqlite3.Connection, upTo: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT OR REPLACE INTO meta SELECT 'former_log', value || ' ' || ? FROM meta WHERE key = 'log_id'", (upTo,)
    )
    connection.execute("UPDATE meta SET value = ? WHERE key = 'log_id'", (secrets.token_hex(16),))
    connection.execute("COMMIT")
