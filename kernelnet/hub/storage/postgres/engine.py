"""
The engine on PostgreSQL.

Works are committed by the only connection that writes, one transaction after the other, each of which holds the row
C{log_head} while it decides and writes; what reads has two connections of its own.  Several hubs, called nodes, may use
a database: each holds an advisory lock by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg.pq import ConnStatus
from psycopg.pq.abc import PGconn
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from kernelnet.hub.storage.engine import Commit, Identity, Restoration, Standing
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.high_water import HighWater
from kernelnet.hub.storage.integrity import Tell
from kernelnet.hub.storage.log_pages import PAGE_ROWS, Event, Page
from kernelnet.hub.storage.postgres import backup, checks, errors, nodes
from kernelnet.hub.storage.postgres.connection import Connection, executing, lockShared, withoutPassword
from kernelnet.hub.storage.postgres.continuity import prove, renew
from kernelnet.hub.storage.postgres.log import endOfStretch
from kernelnet.hub.storage.postgres.pools import READERS, Pool, pools
from kernelnet.hub.storage.postgres.schema import prepare
from kernelnet.hub.storage.postgres.transaction import PostgresReader, commit
from kernelnet.hub.storage.sql.log import readPage, readRows
from kernelnet.hub.storage.transaction import Reader, Work
from kernelnet.wire import WireProblem

__all__ = ["PostgresEngine"]

T = TypeVar("T")

MISSED = 500
"""Maximum number of others' messages that a commit brings along."""


class PostgresEngine:
    """A `kernelnet.hub.storage.engine.Engine` on the database C{url}."""

    readClock = staticmethod(perf_counter)
    """While a thread waits the server works for it."""

    def __init__(
        self,
        url: str,
        folder: Path,
        makePools: Callable[[], tuple[Pool, Pool]],
        node: str = "hub",
        standing: Callable[[], Standing | None] = lambda: None,
    ) -> None:
        """
        @param url: C{postgresql://…}.
        @param folder: where copies of what was gone back from are kept, and the high-water mark.
        @param makePools: makes the pool that writes and the one that reads, when it is opened; see `pools`.
        @param node: the name of this hub among those that use the database.
        @param standing: where it stands in the log; is asked in any thread.
        """
        self._standing = standing
        self._url = url
        self._folder = folder
        self._makePools = makePools
        self._node = node
        self._pools: tuple[Pool, Pool] | None = None
        self._isOpen = False
        self._highWater = HighWater(folder / "postgresql")
        self._logId = ""
        self._told = 0
        self._locked: PGconn | None = None

    def __repr__(self) -> str:
        return f"<PostgresEngine {withoutPassword(self._url)} {'open' if self._isOpen else 'closed'}>"

    @classmethod
    def at(
        cls,
        url: str,
        folder: Path,
        reactor: Any,
        node: str = "hub",
        standing: Callable[[], Standing | None] = lambda: None,
    ) -> PostgresEngine:
        """The engine on C{url}, with threads of its own."""
        return cls(url, folder, lambda: pools(url, reactor), node, standing)

    def prepare(self) -> bool:
        return prepare(self._url)

    def open(self) -> Deferred[Identity]:
        if not self._isOpen:
            self._pools = self._makePools()
            self._isOpen = True
        return self._write(self._identity)

    def _identity(self, connection: Connection) -> Identity:
        connection.execute("INSERT INTO meta VALUES ('in_use', '1') ON CONFLICT DO NOTHING")
        found, lost = _identity(connection), 0
        logId, head = self._highWater.read()
        if logId == found.logId and head > found.head:
            lost = head
            self._renew(connection, found.head)
            found = _identity(connection)
        self._logId, self._told = found.logId, found.head
        self._highWater.write(found.logId, found.head)
        return msgspec.structs.replace(found, lost=lost)

    def renew(self, upTo: int) -> Deferred[Identity]:
        def renewed(connection: Connection) -> Identity:
            self._renew(connection, upTo)
            return self._identity(connection)

        return self._write(renewed)

    def _renew(self, connection: Connection, upTo: int) -> None:
        connection.execute("BEGIN")
        renew(connection, upTo)
        connection.execute("COMMIT")

    @property
    def _writer(self) -> Pool:
        assert self._pools is not None, "it is not open"
        return self._pools[0]

    @property
    def _reader(self) -> Pool:
        assert self._pools is not None, "it is not open"
        return self._pools[1]

    def _write(self, function: Callable[[Connection], T]) -> Deferred[T]:
        """Fires with what C{function} returns for the connection that writes, and holds the hub's locks."""

        def write(connection: Connection) -> T:
            self._lock(connection)
            return function(connection)

        return self._writer.runWithConnection(write)

    def _lock(self, connection: Connection) -> None:
        # The pool's connection is another object in each call, and this one of it is not.
        if (link := connection.pgconn) is self._locked and link.status == ConnStatus.OK:
            return
        # The server gives it back when the connection is lost.
        lockShared(connection, self._url, self._node)
        # What this hub passes on from now on lasts, and follows what it has passed on.
        self._logId = prove(connection, self._standing)
        self._locked = link

    def commit(self, works: Sequence[Work], now: float) -> Deferred[Commit]:
        def write(connection: Connection) -> Commit:
            done, after = commit(connection, works, now)
            events = done.committed.events
            if after > self._told:
                # Another node wrote these, or the answer to an earlier commit was lost: nobody here was told of them.
                earlier = self._missed(connection, after)
                committed = msgspec.structs.replace(done.committed, events=[*earlier, *events])
                done = msgspec.structs.replace(done, committed=committed)
            self._told = max(after, events[-1].seq if events else 0)
            self._highWater.write(self._logId, self._told)
            return done

        return self._write(write)

    def _missed(self, connection: Connection, upTo: int) -> list[Event]:
        # If there are many, whoever follows the log reads them, and what was written behind them.
        if endOfStretch(connection, self._told, MISSED, upTo) != upTo:
            return []
        return readRows(executing(connection), self._told, upTo)

    def page(self, after: int, upTo: int, aiId: str) -> Deferred[Page]:
        def page(connection: Connection) -> Page:
            end = endOfStretch(connection, after, PAGE_ROWS, upTo)
            return readPage(executing(connection), after, upTo if end is None else end, aiId)

        return self._ask(page)

    def read(self, function: Callable[[Reader], T]) -> Deferred[T]:
        return self._ask(lambda connection: function(PostgresReader(connection)))

    def _ask(self, function: Callable[[Connection], T], more: int = READERS) -> Deferred[T]:
        """@param more: how often it is asked again because a connection was lost: the next may be, too."""
        isLost = False

        def ask(connection: Connection) -> T:
            nonlocal isLost
            if not self._isOpen:
                raise psycopg.OperationalError("the database is closed")  # nobody waits for the answer
            try:
                return function(connection)
            finally:
                isLost = connection.closed

        def failed(failure: Failure) -> Deferred[T]:
            return self._ask(function, more - 1) if isLost and more and self._isOpen else fail(failure)

        asked: Deferred[T] = self._reader.runWithConnection(ask).addErrback(failed)
        return asked

    def problemOf(self, error: BaseException) -> WireProblem:
        return errors.problemOf(error)

    def isDamage(self, error: BaseException) -> bool:
        return errors.isDamage(error)

    def unusable(self, error: BaseException) -> DatabaseError:
        return errors.unusable(self._url, error)

    def rememberDamage(self, error: BaseException) -> Deferred[None]:
        return self._write(lambda connection: checks.remember(connection, error))

    def checkRows(self, after: int) -> Deferred[int | None]:
        return self._ask(lambda connection: checks.checkRows(connection, after))

    def backUp(self, file: Path, tell: Tell) -> Deferred[dict[str, Any]]:
        made: Deferred[dict[str, Any]] = deferToThread(backup.backUp, self._url, file, tell)
        return made

    def prepareRestore(self, file: Path, tell: Tell) -> Deferred[Restoration]:
        made: Deferred[Restoration] = deferToThread(backup.Prepared, self._url, self._folder, file, tell)
        return made

    def replace(self, restoration: Restoration) -> Deferred[Path]:
        assert isinstance(restoration, backup.Prepared)

        def replaced(former: Path) -> Deferred[Path]:
            done = self._write(lambda connection: backup.replace(connection, restoration.path))
            return done.addCallback(lambda _: former)

        kept: Deferred[Path] = deferToThread(backup.keep, self._url, self._folder)
        return kept.addCallback(replaced)

    def cut(self) -> None:
        """Cut all connections, such as to a server that says nothing; the next work makes new ones."""
        for pool in self._pools or ():
            pool.cut()

    def close(self) -> None:
        # The pools stay: what comes after the end, such as the next step of long work, is never answered by them.
        if self._pools is not None and self._isOpen:
            self._isOpen = False
            self._writer.runWithConnection(_endOrderly, self._node).addErrback(lambda _: None)
            for pool in self._pools:
                pool.close()
            self._highWater.close()


def _endOrderly(connection: Connection, node: str) -> None:
    with suppress(psycopg.Error):  # the next hub checks all rows, and that is all
        nodes.leave(connection, node)
        connection.execute("SELECT pg_advisory_unlock_all()")


def _identity(connection: Connection) -> Identity:
    ((logId, head, first, former),) = connection.execute(
        "SELECT (SELECT value FROM meta WHERE key = 'log_id'), given, (SELECT MIN(seq) FROM events),"
        " (SELECT value FROM meta WHERE key = 'former_log') FROM log_head"
    ).fetchall()
    before, upTo = former.split() if former else ("", 0)
    return Identity(logId, head, first or head + 1, (before, int(upTo)))
