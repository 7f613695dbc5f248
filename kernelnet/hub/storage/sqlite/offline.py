"""The hub's SQLite file, for commands."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kernelnet.hub.storage.blobs.files import FOLDER, FileBlobs
from kernelnet.hub.storage.blobs.store import BlobStore
from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError
from kernelnet.hub.storage.integrity import Tell
from kernelnet.hub.storage.sqlite import backup
from kernelnet.hub.storage.sqlite.connection import connect, connectReader
from kernelnet.hub.storage.sqlite.schema import prepare, schemas, tooNew, versionOf
from kernelnet.hub.storage.sqlite.transaction import SqliteReader, SqliteTransaction
from kernelnet.hub.storage.transaction import Reader, Transaction

__all__ = ["OfflineSqlite"]

T = TypeVar("T")


class OfflineSqlite:
    """A `kernelnet.hub.storage.offline.Database` in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        return self._path.exists()

    @contextmanager
    def alone(self) -> Iterator[None]:
        yield  # a file is of one machine

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        path = self._path
        version = newest = max(schemas())
        try:
            with closing(connectReader(path)) as connection:
                if (version := versionOf(connection, path)) > newest:
                    raise tooNew(path, version)
                yield SqliteReader(connection)
        except sqlite3.OperationalError as error:
            if version < newest:  # of a table or column that came later
                raise DatabaseError(
                    f"the database {path} has schema version {version}: start the hub once, which brings it to {newest}"
                    " and keeps a backup"
                ) from None
            raise DatabaseBusy(str(error)) from None
        except sqlite3.Error as error:
            raise DatabaseError(str(error)) from None

    def write(self, function: Callable[[Transaction], T], now: float) -> T:
        prepare(self._path)
        with closing(connect(self._path)) as connection:
            transaction = SqliteTransaction(connection, now)
            transaction.begin()
            result = function(transaction)
            transaction.flush()
            transaction.end()
        return result

    def backUp(self, file: Path, tell: Tell) -> dict[str, Any]:
        return backup.backUp(self._path, file, tell)

    def restore(self, file: Path, tell: Tell) -> dict[str, Any]:
        with backup.prepared(self._path, file, tell) as scratch:
            former = backup.putInPlace(scratch, self._path)
        # It was checked in full before it got its place.
        head, logId = backup.headOf(self._path)
        return {"events": head, "log_id": logId, "former": str(former) if former else None}

    def take(self, file: Path, tell: Tell) -> None:
        if self._path.exists():
            raise DatabaseError(f"{self._path} is there already: give another name, or move it away")
        backup.look(file)
        try:
            backup.backUp(file, self._path, tell)
        except OSError as e:
            raise DatabaseError(f"can't write {self._path}: {e.strerror}") from None

    @contextmanager
    def blobs(self) -> Iterator[BlobStore]:
        folder = self._path.parent / FOLDER
        try:
            yield FileBlobs(folder)
        except OSError as error:
            raise DatabaseError(f"can't read or write {error.filename or folder}: {error.strerror}") from None

    def examine(self, tell: Tell) -> dict[str, Any]:
        return backup.examine(self._path, tell)
