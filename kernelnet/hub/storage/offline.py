"""
The hub's database read by other processes, whether a hub runs or not, and written while none does.

For commands; a hub has an engine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError
from kernelnet.hub.storage.sqlite.connection import connect, connectReader
from kernelnet.hub.storage.sqlite.schema import prepare, schemas, tooNew, versionOf
from kernelnet.hub.storage.sqlite.transaction import SqliteReader, SqliteTransaction
from kernelnet.hub.storage.transaction import Reader, Transaction

__all__ = ["reading", "write"]

T = TypeVar("T")


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """
    A reader of the database C{path}, which is there.

    @raise DatabaseTooNew: it is of a newer kernelnet.
    @raise DatabaseBusy: it can't be read now.
    @raise DatabaseError: it can't be read.
    """
    version = newest = max(schemas())
    try:
        with closing(connectReader(path)) as connection:
            if (version := versionOf(connection, path)) > newest:
                raise tooNew(path, version)
            yield SqliteReader(connection)
    except sqlite3.OperationalError as error:
        if version < newest:  # of a table or column that came later
            raise DatabaseError(
                f"the database {path} has schema version {version}: start the hub once, which brings it to {newest} "
                "and keeps a backup"
            ) from None
        raise DatabaseBusy(str(error)) from None
    except sqlite3.Error as error:
        raise DatabaseError(str(error)) from None


def write(path: Path, function: Callable[[Transaction], T], now: float) -> T:
    """
    The result of C{function} in one transaction of the database C{path}, which is made or brought up to date before.

    The hub's lock must be held.

    @param now: Unix seconds.
    @raise DatabaseError: it can't be used.
    """
    prepare(path)
    with closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        transaction = SqliteTransaction(connection, now)
        result = function(transaction)
        transaction.flush()
        connection.execute("COMMIT")
    return result
