"""
Statements of a transaction, gathered so that the server is asked seldom.

Rows of one kind are written by one INSERT from arrays, and whatever is to be executed before a question travels with
it.  A transaction that asks nothing is sent whole with its commit: until then it holds no lock.
"""

from __future__ import annotations

import re
from functools import cache

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.postgres.connection import Connection, durably, executing, storable
from kernelnet.hub.storage.sql.execution import Cursor, Row
from kernelnet.hub.storage.sql.transaction import Gathering, repeated

__all__ = ["Batch", "Offset"]

_ARRAYS = {str: "text", bytes: "bytea", int: "bigint", float: "double precision"}
"""Types of arrays, by that of what is in them."""
_POSITION = "position"
"""The type of an array of positions, counted back from the last one that the transaction gives."""
_ALL_NEW = f"SELECT 1 / CASE WHEN {repeated('(SELECT given FROM log_head) - ?')} THEN 0 ELSE 1 END"  # noqa: S608
"""Fails where a message is a repetition of one whose row retention has removed."""


class Offset(int):
    """A position in the log, counted from where that ends when the transaction is sent."""

    __slots__ = ()

    def __add__(self, other: int) -> Offset:
        return Offset(int(self) + other)


class Batch(Gathering):
    """
    The statements of one transaction.

    @ivar after: the last number that was given out before it; C{None}: it has not begun at the server, and `Offset`s
        stand for positions.
    """

    __slots__ = ("_connection", "_count", "_statement", "_waiting", "after")

    def __init__(self, connection: Connection) -> None:
        self._statement = executing(connection)
        super().__init__(self._statement, self._write)
        self._connection = connection
        self._count = 0
        self._waiting: list[Event] = []
        self.after: int | None = None

    def number(self, event: Event) -> None:
        """Put the position in the place of the C{seq} of C{event}, an `Offset`, once it is known."""
        self._waiting.append(event)

    def execute(self, sql: str, parameters: Row = ()) -> Cursor:
        self._begin()
        known = self._known(parameters)
        if not self._rows:
            return self._statement(sql, known)
        with self._connection.pipeline():
            super().flush()
            cursor = self._statement(sql, known)
        return cursor

    def flush(self) -> None:
        if self._rows:
            self._begin()
            with self._connection.pipeline():
                super().flush()

    def _begin(self) -> None:
        """Begin it, and hold the log's head from now on: what is decided by what is read must stay true."""
        if self.after is None:
            with self._connection.pipeline():
                self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                cursor = self._connection.execute("SELECT given FROM log_head FOR UPDATE", binary=True)
            ((given,),) = cursor.fetchall()
            self._know(given)

    def _known(self, row: Row) -> Row:
        """C{row} with positions in the place of what stood for them, once it has begun."""
        after = self.after
        assert after is not None
        return [after + int(value) if type(value) is Offset else value for value in row]

    def _know(self, after: int) -> None:
        self.after = after
        for event in self._waiting:
            event.seq = after + int(event.seq)
        self._waiting.clear()

    def commit(self, count: int) -> None:
        """
        Commit it durably; nothing of it was sent by now if it asked nothing.

        @param count: number of messages that it appended.
        @raise psycopg.Error: it may not last, or can't be.
        """
        with durably(self._connection):
            self._send(count)

    def _send(self, count: int) -> None:
        self._count = count
        with self._connection.pipeline():
            isWhole = self.after is None
            if isWhole:
                self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            # It waits for the lock; the statements behind it see what was committed meanwhile.
            head = self._statement("UPDATE log_head SET given = given + ? RETURNING given", (count,))
            super().flush()
            if isWhole:
                self._statement(_ALL_NEW, (count,))
            self._connection.execute("COMMIT")
        if isWhole:
            ((given,),) = head.fetchall()
            self._know(given - count)

    def _write(self, sql: str, rows: list[Row]) -> None:
        if len(rows) == 1 and self.after is not None:
            self._statement(sql, self._known(rows[0]))  # arrays of one cost more than they save
            return
        columns = [*zip(*_lastOfEach(sql, [storable(row) for row in rows]), strict=True)]
        kinds, arrays = zip(*map(self._array, columns), strict=True)
        self._statement(_fromArrays(sql, kinds), arrays)

    def _array(self, column: Row) -> tuple[str, list[object]]:
        """Its type as `_fromArrays` takes it, and what is in it."""
        if any(type(value) is Offset for value in column):
            if self.after is None:
                return _POSITION, [int(value) - self._count for value in column]
            return "bigint", [self.after + int(value) if type(value) is Offset else value for value in column]
        types = {type(value) for value in column if value is not None}
        if types == {int, float}:
            return _ARRAYS[float], [None if value is None else float(value) for value in column]
        (one,) = types or {str}
        return _ARRAYS[one], [*column]


def _lastOfEach(sql: str, rows: list[Row]) -> list[Row]:
    """Of rows with the same key the last one, which took the place of those before: one INSERT can't do that."""
    found = re.search(r" ON CONFLICT \(([^)]*)\) DO UPDATE", sql)
    if found is None:
        return rows
    keys = found[1].count(",") + 1
    return [*{tuple(row[:keys]): row for row in rows}.values()]


@cache
def _fromArrays(sql: str, kinds: tuple[str, ...]) -> str:
    """
    The INSERT C{sql} of one row, for each element of arrays, one for each of its parameters.

    @param kinds: types of what is in them; `_POSITION`: counted from where the log now ends.
    """
    head, rest = sql.split(" VALUES ", 1)
    values, conflict, changes = rest.partition(" ON CONFLICT")
    names = iter(range(len(kinds)))

    def element(_: re.Match[str]) -> str:
        i = next(names)
        return f"(SELECT given FROM log_head) + p{i}" if kinds[i] == _POSITION else f"p{i}"  # noqa: S608

    chosen = re.sub(r"\?", element, values.removeprefix("(").removesuffix(")"))
    arrays = ", ".join(f"?::{'bigint' if kind == _POSITION else kind}[]" for kind in kinds)
    elements = ", ".join(f"p{i}" for i in range(len(kinds)))
    return f"{head} SELECT {chosen} FROM unnest({arrays}) AS given_rows ({elements}){conflict}{changes}"  # noqa: S608
