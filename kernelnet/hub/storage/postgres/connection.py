"""Connections to PostgreSQL, set up so that a commit is on disk, and statements executed by them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.sql.execution import Cursor, Execute, Row

__all__ = [
    "ARGUMENTS",
    "Connection",
    "checkUrl",
    "connect",
    "executeMany",
    "executing",
    "setUpReader",
    "setUpWriter",
    "withoutPassword",
]

Connection = psycopg.Connection[Any]

ARGUMENTS = {"autocommit": True, "cursor_factory": psycopg.RawCursor}
"""Arguments of each connection: transactions are begun and ended by hand, parameters are bound by the server."""

_SETTINGS = {
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    # Who holds the log's head and is frozen holds up no other node for longer.
    "idle_in_transaction_session_timeout": "5s",
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
}
_PARAMETER = re.compile(r"\?([0-9]*)")


def checkUrl(url: str) -> None:
    """
    Check the address of a database, as operators write it.

    @raise DatabaseError: it is none, or has a password, which everybody would see who may list processes.
    """
    if not re.match(r"postgres(ql)?://", url):
        raise DatabaseError(f"{url!r} is no address of a database: give postgresql://USER@HOST:PORT/NAME")
    try:
        found = conninfo_to_dict(url)
    except psycopg.Error as e:
        raise DatabaseError(f"{withoutPassword(url)!r} is no address of a database: {str(e).strip()}") from None
    if found.get("password"):
        raise DatabaseError(
            f"no password in {withoutPassword(url)!r}: everybody on this machine can read a command line.  Put it into "
            "~/.pgpass or the file that PGPASSFILE names, which only you can read"
        )


def withoutPassword(url: str) -> str:
    """The address C{url} for eyes and logs."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:…@", re.sub(r"(password=)[^&\s]*", r"\1…", url))


def connect(url: str) -> Connection:
    """A writing connection whose transactions are begun and ended by hand, usable in any one thread at a time."""
    connection: Connection = psycopg.Connection.connect(url, connect_timeout=10, **ARGUMENTS)  # type: ignore[arg-type]
    setUpWriter(connection)
    return connection


def setUpWriter(connection: Connection) -> None:
    """A commit returns when it is on the server's disk, and on that of synchronous standbys, if there are any."""
    _set(connection, {**_SETTINGS, "synchronous_commit": "on"})


def setUpReader(connection: Connection) -> None:
    """The read connections: they see the last commit and can't write."""
    _set(connection, {**_SETTINGS, "default_transaction_read_only": "on"})


def _set(connection: Connection, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        connection.execute("SELECT set_config($1, $2, false)", (name, value))


@cache
def _numbered(sql: str) -> str:
    """C{sql} with its parameters as PostgreSQL has them: C{?} and C{?1} are C{$1}."""
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"${match[1] or count}"

    return _PARAMETER.sub(number, sql)


def executing(connection: Connection) -> Execute:
    """Execution of statements of `kernelnet.hub.storage.sql` by C{connection}."""

    def execute(sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        return connection.execute(_numbered(sql), _storable(parameters), binary=True)

    return execute


def executeMany(connection: Connection, sql: str, rows: list[Row]) -> None:
    """Execute C{sql} for each of C{rows}, without waiting for one before the next is sent."""
    with connection.cursor() as cursor:
        cursor.executemany(_numbered(sql), map(_storable, rows))


def _storable(row: Row) -> Row:
    """C{row} without the character NUL, which a stranger's word may have and PostgreSQL's texts can't."""
    if any(type(value) is str and "\0" in value for value in row):
        return [value.replace("\0", "\ufffd") if type(value) is str else value for value in row]
    return row
