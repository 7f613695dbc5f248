"""The hub's database on a server, for commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from kernelnet.hub.storage.blobs.store import BlobStore
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Tell
from kernelnet.hub.storage.postgres import backup, checks
from kernelnet.hub.storage.postgres.blobs import PostgresBlobs
from kernelnet.hub.storage.postgres.connection import checkUrl, connect, lock, setUpReader, withoutPassword
from kernelnet.hub.storage.postgres.errors import unusable
from kernelnet.hub.storage.postgres.schema import connected, prepare
from kernelnet.hub.storage.postgres.transaction import PostgresReader, PostgresTransaction
from kernelnet.hub.storage.sqlite.backup import look
from kernelnet.hub.storage.transaction import Reader, Transaction

__all__ = ["OfflinePostgres"]

T = TypeVar("T")


class OfflinePostgres:
    """A `kernelnet.hub.storage.offline.Database` on a server."""

    def __init__(self, url: str, folder: Path) -> None:
        """
        @param folder: where copies of what was gone back from are kept.
        @raise DatabaseError: C{url} is no address of a database.
        """
        checkUrl(url)
        self._url = url
        self._folder = folder

    def __str__(self) -> str:
        return withoutPassword(self._url)

    def exists(self) -> bool:
        """Whether a hub has ever used it: one has written down that it does."""
        return True

    @contextmanager
    def alone(self) -> Iterator[None]:
        try:
            with connect(self._url) as connection:
                lock(connection, self._url)
                yield
        except psycopg.Error as error:
            raise unusable(self._url, error) from None

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        with connected(self._url) as connection:
            setUpReader(connection)
            yield PostgresReader(connection)

    def write(self, function: Callable[[Transaction], T], now: float) -> T:
        with self.alone():
            prepare(self._url)
            return self._write(function, now)

    def _write(self, function: Callable[[Transaction], T], now: float) -> T:
        with connected(self._url) as connection:
            transaction = PostgresTransaction(connection, now)
            transaction.begin()
            result = function(transaction)
            transaction.flush()
            transaction.end()
        return result

    def backUp(self, file: Path, tell: Tell) -> dict[str, Any]:
        return backup.backUp(self._url, file, tell)

    def restore(self, file: Path, tell: Tell) -> dict[str, Any]:
        look(file)
        with self.alone():
            return self._restore(file, tell)

    def _restore(self, file: Path, tell: Tell) -> dict[str, Any]:
        prepare(self._url)
        made = backup.Prepared(self._url, self._folder, file, tell)
        try:
            former = backup.keep(self._url, self._folder)
            with connected(self._url) as connection:
                backup.replace(connection, made.path)
                ((head, logId),) = connection.execute(
                    "SELECT given, (SELECT value FROM meta WHERE key = 'log_id') FROM log_head"
                ).fetchall()
        finally:
            made.remove()
        return {"events": head, "log_id": logId, "former": str(former)}

    def take(self, file: Path, tell: Tell) -> None:
        look(file)
        prepare(self._url)
        with connected(self._url) as connection:
            ((given, tokens),) = connection.execute(
                "SELECT given, (SELECT COUNT(*) FROM tokens) FROM log_head"
            ).fetchall()
            if given or tokens:
                raise DatabaseError(f"a hub has used {self} already: give an empty database, or kernelnet restore")
            backup.replace(connection, file, tell)

    @contextmanager
    def blobs(self) -> Iterator[BlobStore]:
        with connected(self._url), closing(PostgresBlobs(self._url, time.time)) as store:
            yield store

    def examine(self, tell: Tell) -> dict[str, Any]:
        with connected(self._url) as connection:
            unclean = connection.execute("SELECT 1 FROM meta WHERE key = 'in_use'").fetchone() is not None
            events = checks.fullCheck(connection, tell)
            meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
            ((size,),) = connection.execute("SELECT pg_database_size(current_database())").fetchall()
        return {
            "events": events,
            "log_id": meta["log_id"],
            "schema": int(meta["schema_version"]),
            "bytes": size,
            "unclean": unclean,
        }
