"""
The engine in memory.

All runs in the caller's thread: nothing waits there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from time import thread_time
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail, maybeDeferred

from kernelnet.hub.storage.engine import Commit, Identity, Restoration
from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError
from kernelnet.hub.storage.integrity import Damaged, Tell
from kernelnet.hub.storage.log_pages import Page
from kernelnet.hub.storage.memory.log import readPage
from kernelnet.hub.storage.memory.tables import Tables
from kernelnet.hub.storage.memory.transaction import MemoryReader, commit
from kernelnet.hub.storage.transaction import Reader, Work
from kernelnet.wire import WireProblem

__all__ = ["MemoryDatabase", "MemoryEngine", "Run"]

T = TypeVar("T")


class Run(Protocol):
    """Calls a function, now or later, and fires with what it returns."""

    def __call__(self, function: Callable[[], T], /) -> Deferred[T]: ...


class MemoryDatabase:
    """
    All that a `MemoryEngine` keeps; the next engine on it goes on where the last one ended.

    @ivar tables: what was committed last.  It is never changed: a commit puts another one in its place.
    @ivar damage: why it is not to be used any more.
    @ivar former: see `kernelnet.hub.storage.engine.Identity`.
    @ivar inUse: whether an engine has opened it and not closed it.
    """

    def __init__(self) -> None:
        self.tables = Tables()
        self.damage: str | None = None
        self.inUse = False
        self.former = ("", 0)

    def __repr__(self) -> str:
        return f"<MemoryDatabase head={self.tables.given}>"


class MemoryEngine:
    """
    A `kernelnet.hub.storage.engine.Engine` on a database in memory.

    It makes no backups and takes none: what has to last is to be in another one.
    """

    readClock = staticmethod(thread_time)

    def __init__(
        self, database: MemoryDatabase | None = None, write: Run = maybeDeferred, read: Run = maybeDeferred
    ) -> None:
        """
        @param database: C{None}: an empty one.
        @param write: calls what commits, one after the other.
        @param read: calls what reads.
        """
        self._database = MemoryDatabase() if database is None else database
        self._write = write
        self._read = read

    def __repr__(self) -> str:
        return f"<MemoryEngine {self._database} {'open' if self._database.inUse else 'closed'}>"

    def prepare(self) -> bool:
        if self._database.damage is not None:
            raise self.unusable(Damaged(self._database.damage))
        return self._database.inUse

    def open(self) -> Deferred[Identity]:
        def identity() -> Identity:
            tables = self._database.tables
            return Identity(tables.logId, tables.given, tables.first, self._database.former)

        self._database.inUse = True
        return self._write(identity)

    def renew(self, upTo: int) -> Deferred[Identity]:
        def renew() -> None:
            self._database.former = (self._database.tables.logId, upTo)
            self._database.tables.logId = secrets.token_hex(16)

        return self._write(renew).addCallback(lambda _: self.open())

    def commit(self, works: Sequence[Work], now: float) -> Deferred[Commit]:
        def write() -> Commit:
            tables, done = commit(self._database.tables, works, now, self.problemOf)
            self._database.tables = tables
            return done

        return self._write(write)

    def page(self, after: int, upTo: int, aiId: str) -> Deferred[Page]:
        return self._read(lambda: readPage(self._database.tables, after, upTo, aiId))

    def read(self, function: Callable[[Reader], T]) -> Deferred[T]:
        return self._read(lambda: function(MemoryReader(self._database.tables)))

    def problemOf(self, error: BaseException) -> WireProblem:
        if isinstance(error, WireProblem):
            return error
        if isinstance(error, MemoryError):
            return WireProblem("storage_full", "the hub's memory is full; send it again later")
        if isinstance(error, DatabaseBusy):
            return WireProblem("busy", f"the hub can't store it now ({error}); send it again later")
        if self.isDamage(error):  # not the message's fault, so it must not be dropped
            return WireProblem("busy", f"the hub's database is in trouble ({error}); send it again later")
        return WireProblem("invalid_message", "the hub could not store this message; its log says why")

    def isDamage(self, error: BaseException) -> bool:
        return isinstance(error, Damaged)

    def unusable(self, error: BaseException) -> DatabaseError:
        what = "is damaged" if self.isDamage(error) else "can't be used"
        return DatabaseError(f"the database in memory {what}: {error}")

    def rememberDamage(self, error: BaseException) -> Deferred[None]:
        def remember() -> None:
            self._database.damage = str(error)

        return self._write(remember)

    def checkRows(self, after: int) -> Deferred[int | None]:
        """Nothing damages rows in memory: all there are pass at once."""
        return self._read(lambda: max(self._database.tables.seqs(after, self._database.tables.given), default=None))

    def backUp(self, file: Path, tell: Tell) -> Deferred[dict[str, Any]]:
        return fail(DatabaseError("a database in memory makes no backups"))

    def prepareRestore(self, file: Path, tell: Tell) -> Deferred[Restoration]:
        return fail(DatabaseError("a database in memory goes back to no backup"))

    def replace(self, restoration: Restoration) -> Deferred[Path]:
        return fail(DatabaseError("a database in memory goes back to no backup"))

    def close(self) -> None:
        self._database.inUse = False
