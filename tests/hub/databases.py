"""
A database for a test on each engine, used at once and in the caller's thread.

`onEveryEngine` has a test case that is run on SQLite run on every other engine, too.
"""

from __future__ import annotations

import sqlite3
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import msgspec
import psycopg
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.engine import Engine
from kernelnet.hub.storage.errors import DatabaseBusy
from kernelnet.hub.storage.integrity import Damaged
from kernelnet.hub.storage.memory import MemoryDatabase, MemoryEngine
from kernelnet.hub.storage.memory.transaction import MemoryReader
from kernelnet.hub.storage.postgres import PostgresEngine
from kernelnet.hub.storage.postgres import connect as connectPostgres
from kernelnet.hub.storage.postgres.connection import Connection, setUpReader
from kernelnet.hub.storage.postgres.transaction import PostgresReader
from kernelnet.hub.storage.sqlite import SqliteEngine, connect, connectReader
from kernelnet.hub.storage.sqlite.transaction import SqliteReader
from kernelnet.hub.storage.transaction import Reader
from tests.postgres import server

__all__ = ["ENGINES", "Gate", "HubDatabase", "InMemory", "LoggedRow", "OnPostgres", "OnSqlite", "Pool", "onEveryEngine"]

T = TypeVar("T")


class Gate:
    """
    Calls functions at once.

    @ivar held: whether they wait until `release`.
    @ivar error: what is raised instead.
    @ivar calls: how many were called, or wait.
    """

    def __init__(self) -> None:
        self.held = False
        self.error: Exception | None = None
        self.calls = 0
        self._waiting: list[Callable[[], object]] = []

    def run(self, function: Callable[[], T], /) -> Deferred[T]:
        self.calls += 1
        if not self.held:
            return maybeDeferred(self._call, function)
        done: Deferred[T] = Deferred()
        self._waiting.append(lambda: maybeDeferred(self._call, function).chainDeferred(done))
        return done

    def _call(self, function: Callable[[], T]) -> T:
        if self.error is not None:
            raise self.error
        return function()

    def release(self) -> None:
        self.held = False
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()


class Pool(Gate):
    """One connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self.connection = connection

    def runWithConnection(self, func: Callable[..., T], *args: Any) -> Deferred[T]:
        return self.run(lambda: func(self.connection, *args))

    def close(self) -> None:
        self.connection.close()


class PostgresPool(Gate):
    """One connection to PostgreSQL."""

    def __init__(self, connection: Connection, again: Callable[[], Connection] | None = None) -> None:
        """@param again: makes the next one at its first use after this one was lost; C{None}: there is none."""
        super().__init__()
        self.connection = connection
        self._again = again

    def runWithConnection(self, func: Callable[..., T], *args: Any) -> Deferred[T]:
        if self.connection.closed and self._again is not None:
            try:
                self.connection = self._again()
            except psycopg.Error:
                return fail()
        return self.run(lambda: func(self.connection, *args))

    def cut(self) -> None:
        self.connection.close()

    def close(self) -> None:
        self.connection.close()


class LoggedRow(NamedTuple):
    """A row of the log; C{recipients}: sorted; C{None}: all but the sender."""

    seq: int
    sender: str
    messageId: str
    recipients: list[str] | None
    body: bytes


class HubDatabase(ABC):
    """
    A database for one test; each engine on it goes on where the last one ended.

    @cvar name: of its engine.
    @cvar isQuick: whether ten thousand questions take some seconds only.
    @cvar makesBackups: whether its engine does, and goes back to them.
    @ivar writer: what commits of its engine go through.
    @ivar reader: what reads.
    @cvar full: what its engine raises when there is no more room; C{busy}: when it can't write now; C{damage}: when it
        finds damage; C{poison}: what it can't store.
    """

    name: ClassVar[str]
    isQuick: ClassVar[bool] = True
    makesBackups: ClassVar[bool]
    full: ClassVar[Exception]
    busy: ClassVar[Exception]
    damage: ClassVar[Exception]
    poison: ClassVar[Exception]
    writer: Gate
    reader: Gate

    @abstractmethod
    def __init__(self, folder: Path) -> None: ...

    @abstractmethod
    def engine(self) -> Engine:
        """The next engine, not yet prepared; the last one is closed by then, or was killed."""

    @property
    @abstractmethod
    def stored(self) -> Reader:
        """What is committed."""

    @abstractmethod
    def logged(self) -> list[LoggedRow]:
        """The log, by seq."""

    @property
    @abstractmethod
    def known(self) -> int:
        """How many messages are known whose rows were removed."""


def _logged(connection: sqlite3.Connection | Connection) -> list[LoggedRow]:
    sql: Any = "SELECT seq, sender_id, message_id, recipients, body FROM events ORDER BY seq"
    return [
        LoggedRow(seq, sender, id_, None if ids is None else msgspec.json.decode(ids), body)
        for seq, sender, id_, ids, body in connection.execute(sql)
    ]


class OnSqlite(HubDatabase):
    """A file, written without waiting for the disk."""

    name = "Sqlite"
    makesBackups = True
    full = sqlite3.OperationalError("database or disk is full")
    busy = sqlite3.OperationalError("database is locked")
    damage = sqlite3.DatabaseError("database disk image is malformed")
    poison = sqlite3.DataError("poison")
    writer: Pool
    reader: Pool
    checkpoints: Pool

    def __init__(self, folder: Path) -> None:
        self.path = folder / "hub_data.db"

    def engine(self) -> SqliteEngine:
        return SqliteEngine(self.path, self._pools)

    def _pools(self) -> tuple[Pool, Pool, Pool]:
        writer = connect(self.path)
        writer.execute("PRAGMA synchronous=OFF")  # nobody pulls the plug here
        self.writer, self.reader = Pool(writer), Pool(connectReader(self.path))
        self.checkpoints = Pool(connectReader(self.path))
        return self.writer, self.reader, self.checkpoints

    @property
    def stored(self) -> Reader:
        return SqliteReader(self.reader.connection)

    def logged(self) -> list[LoggedRow]:
        return _logged(self.reader.connection)

    @property
    def known(self) -> int:
        (count,) = self.reader.connection.execute("SELECT COUNT(*) FROM removed_keys").fetchone()
        return int(count)


class OnPostgres(HubDatabase):
    """A database of the tests' own server."""

    name = "Postgres"
    isQuick = False
    makesBackups = True
    full = psycopg.errors.DiskFull("no space left on device")
    busy = psycopg.OperationalError("the connection is lost")
    damage = psycopg.errors.DataCorrupted("invalid page in block 7")
    poison = psycopg.DataError("poison")
    writer: PostgresPool
    reader: PostgresPool

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = server().database()

    def engine(self) -> PostgresEngine:
        return PostgresEngine(self.url, self.folder, self._pools)

    def _pools(self) -> tuple[PostgresPool, PostgresPool]:
        reader = connectPostgres(self.url)
        setUpReader(reader)
        self.writer, self.reader = PostgresPool(connectPostgres(self.url)), PostgresPool(reader)
        return self.writer, self.reader

    @property
    def stored(self) -> Reader:
        return PostgresReader(self.reader.connection)

    def logged(self) -> list[LoggedRow]:
        return _logged(self.reader.connection)

    @property
    def known(self) -> int:
        ((count,),) = self.reader.connection.execute("SELECT COUNT(*) FROM removed_keys").fetchall()
        return int(count)


class InMemory(HubDatabase):
    """Nothing but memory."""

    name = "Memory"
    makesBackups = False
    full = MemoryError("no more")
    busy = DatabaseBusy("not now")
    damage = Damaged("by a cosmic ray")
    poison = TypeError("poison")

    def __init__(self, folder: Path) -> None:
        self.database = MemoryDatabase()

    def engine(self) -> MemoryEngine:
        self.writer, self.reader = Gate(), Gate()
        return MemoryEngine(self.database, self.writer.run, self.reader.run)

    @property
    def stored(self) -> Reader:
        return MemoryReader(self.database.tables)

    def logged(self) -> list[LoggedRow]:
        return [
            LoggedRow(
                row.event.seq,
                row.event.sender,
                row.messageId,
                None if row.event.recipients is None else sorted(row.event.recipients),
                row.event.line,
            )
            for row in self.database.tables.log.values()
        ]

    @property
    def known(self) -> int:
        return sum(digest is not None for _, digest in self.database.tables.known.values())


ENGINES: list[type[HubDatabase]] = [OnSqlite, InMemory, OnPostgres]
"""Those that conform; the first one is what tests are run on that need not be run on all."""


C = TypeVar("C", bound=type[SynchronousTestCase])


def onEveryEngine(case: C) -> C:
    """Have the tests of C{case}, which has a C{databaseType}, run on the other engines, too."""
    for databaseType in ENGINES[1:]:
        name = f"{case.__name__}On{databaseType.name}"
        again = type(name, (case,), {"databaseType": databaseType, "__module__": case.__module__})
        setattr(sys.modules[case.__module__], name, again)
    return case
