"""The reader and the transaction in SQLite, and the commit itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from kernelnet.hub.storage.engine import Commit
from kernelnet.hub.storage.sql import transaction as sql
from kernelnet.hub.storage.sql.execution import Dialect, Row
from kernelnet.hub.storage.sql.transaction import Gathering, SqlReader, SqlTransaction
from kernelnet.hub.storage.sqlite.errors import problemOf
from kernelnet.hub.storage.sqlite.log import lastGiven
from kernelnet.hub.storage.transaction import Work

__all__ = ["DIALECT", "SqliteReader", "SqliteTransaction", "commit"]

DIALECT = Dialect(
    listHas="EXISTS (SELECT 1 FROM json_each({list}) WHERE value = ?1)",
    payload="json_extract(CAST(e.body AS TEXT), '$.payload.{field}')",
    digest="CASE digest WHEN x'' THEN digest_of(body) ELSE digest END",
)

_ROWS = 32
"""Rows written by one statement: 7.2 µs a message with its projection instead of 8.4 one by one."""


@cache
def _forRows(sql: str) -> str:
    """The INSERT C{sql} of one row, for `_ROWS` of them."""
    head, rest = sql.split("VALUES ")
    values, conflict, changes = rest.partition(" ON CONFLICT")
    return f"{head}VALUES {', '.join([values] * _ROWS)}{conflict}{changes}"


def _executeMany(connection: sqlite3.Connection, sql: str, some: list[Row]) -> None:
    rest = len(some) - len(some) % _ROWS
    for start in range(0, rest, _ROWS):
        connection.execute(_forRows(sql), [*chain.from_iterable(some[start : start + _ROWS])])
    connection.executemany(sql, some[rest:])


class SqliteReader(SqlReader):
    """A `kernelnet.hub.storage.transaction.Reader` of a connection."""

    __slots__ = ()

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection.execute, DIALECT)


class SqliteTransaction(SqlTransaction):
    """A transaction on a connection."""

    def __init__(self, connection: sqlite3.Connection, now: float, *, allNew: bool = False) -> None:
        """@param allNew: see `SqlTransaction`."""
        gathering = Gathering(connection.execute, lambda sql, rows: _executeMany(connection, sql, rows))
        super().__init__(gathering, DIALECT, now, allNew=allNew)
        self._connection = connection

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        self._connection.execute("COMMIT")

    def rollBack(self) -> None:
        if self._stands:
            self._connection.execute("ROLLBACK")

    def _lastGiven(self) -> int:
        return lastGiven(self._connection.execute)

    @property
    def _stands(self) -> bool:
        return self._connection.in_transaction


def commit(connection: sqlite3.Connection, works: Sequence[Work], now: float) -> Commit:
    """The outcome of `kernelnet.hub.storage.engine.Engine.commit`."""
    return sql.commit(lambda allNew: SqliteTransaction(connection, now, allNew=allNew), works, problemOf)
