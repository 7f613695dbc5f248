"""
Statements executed, whichever database it is, and what databases say differently.

They are written so that SQLite and PostgreSQL take them: parameters are C{?}, or C{?1}, C{?2}, … throughout a
statement.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

__all__ = ["Cursor", "Dialect", "Execute", "Put", "Row", "inPieces", "marks", "upsert"]

PIECE = 500
"""Maximum number of things that one statement names."""


class Cursor(Protocol):
    """The part of a DB-API cursor that is used."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def close(self) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...


class Dialect(NamedTuple):
    """
    Expressions that databases say differently.

    @ivar listHas: whether the JSON list in column C{{list}} has the first parameter, which is numbered.
    @ivar payload: field C{{field}} of the payload of the message C{body} in C{events e}.
    @ivar digest: the digest of what an author sent, of a row of C{events}.
    """

    listHas: str
    payload: str
    digest: str


class Execute(Protocol):
    """Executes a statement."""

    def __call__(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor: ...


Row = Sequence[Any]

Put = Callable[[str, Row], object]
"""Has an INSERT of one row executed, now or later in the transaction, together with others."""


def upsert(table: str, keys: int, *columns: str, **others: str) -> str:
    """
    An INSERT of one row, which takes the place of the one with the same key.

    @param columns: those given as parameters; the first C{keys} of them are the key.
    @param others: columns and the expressions for them, whose parameters follow.
    """
    names = [*columns, *others]
    values = ", ".join([*("?" * len(columns)), *others.values()])
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[keys:])
    head = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"  # noqa: S608
    return f"{head} ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET {changes}"


def marks(count: int, each: str = "?") -> str:
    """A list of so many parameters."""
    return ", ".join([each] * count)


def inPieces(things: Collection[Any]) -> Iterator[list[Any]]:
    """C{things}, so many at once as one statement may name."""
    rest = [*things]
    return (rest[start : start + PIECE] for start in range(0, len(rest), PIECE))
