"""Connections to PostgreSQL, set up so that a commit is on disk, and statements executed by them."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError
from kernelnet.hub.storage.sql.execution import Cursor, Execute, Row

__all__ = [
    "HUB_LOCK",
    "Connection",
    "argumentsFor",
    "checkUrl",
    "connect",
    "cut",
    "durably",
    "executing",
    "lock",
    "lockShared",
    "setUpReader",
    "setUpWriter",
    "storable",
    "withoutPassword",
]

Connection = psycopg.Connection[Any]

HUB_LOCK = 0x6B65726F
"""Number of the advisory lock that hubs share, and that a command has alone which needs that none runs."""
NAME_PATIENCE = 3.0
"""Seconds within which the server learns that a killed hub is gone, while its last statement waits for a lock."""
NODE_LOCK = 0x6B657270
"""First number of the advisory lock that a hub holds by its name."""

_ARGUMENTS = {"autocommit": True, "cursor_factory": psycopg.RawCursor}
"""Arguments of each connection: transactions are begun and ended by hand, parameters are bound by the server."""
_PATIENCE = {
    "connect_timeout": 10,
    # A server that has vanished from the network is given up after some 20 s, not after two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
"""Seconds, and milliseconds; what the address says itself goes before."""

_SETTINGS = {
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    # Who holds the log's head and is frozen holds up no other node for longer.
    "idle_in_transaction_session_timeout": "3s",
    # To compile a statement takes some hundred milliseconds; none of ours runs long enough to earn that.
    "jit": "off",
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    # The server sees as early that a client has vanished, and gives its locks back: the hub comes again and needs them.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "20s",
}
_PARAMETER = re.compile(r"\?([0-9]*)")


def checkUrl(url: str) -> None:
    """
    Check the address of a database, as operators write it.

    @raise DatabaseError: it is none, or has a password, which everybody would see who may list processes.
    """
    if not re.match(r"postgres(ql)?://", url) or " " in url or not url.isprintable():
        raise DatabaseError(
            f"{withoutPassword(url)!r} is no address of a database: give postgresql://USER@HOST:PORT/NAME"
        )
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

    def hidden(match: re.Match[str]) -> str:
        return f"{match[1]}=…" if "password" in unquote(match[1]).lower() else match[0]

    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:…@", re.sub(r"([^?&=\s]+)=[^&\s]*", hidden, url))


def argumentsFor(url: str) -> dict[str, Any]:
    """Arguments of each connection to C{url}."""
    given = conninfo_to_dict(url)
    ours: dict[str, Any] = dict(_PATIENCE)
    if "," in f"{given.get('host', '')}{given.get('hostaddr', '')}":
        # Of several servers only the primary has the last commit, and takes one.
        ours["target_session_attrs"] = "read-write"
    return {**_ARGUMENTS, **{name: value for name, value in ours.items() if name not in given}}


def connect(url: str) -> Connection:
    """A writing connection whose transactions are begun and ended by hand, usable in any one thread at a time."""
    connection: Connection = psycopg.Connection.connect(url, **argumentsFor(url))
    setUpWriter(connection)
    return connection


def setUpWriter(connection: Connection) -> None:
    """A commit returns when it is on the server's disk, and on that of synchronous standbys, if there are any."""
    # Behind an error in a pipeline psycopg takes for prepared what the server has skipped, and asks for it for good.
    connection.prepare_threshold = None
    _set(connection, {**_SETTINGS, "synchronous_commit": "on"})


def setUpReader(connection: Connection) -> None:
    """The read connections: they see the last commit and can't write."""
    _set(connection, {**_SETTINGS, "default_transaction_read_only": "on"})


def cut(connection: Connection) -> None:
    """Have who waits for it in another thread read its end; the server sees that, too."""
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)


@contextmanager
def durably(connection: Connection) -> Iterator[None]:
    """
    See that a commit within lasts.

    @raise psycopg.Error: it may not, such as where somebody cancelled the wait for a synchronous standby: it is here,
        and may be gone tomorrow.  The connection is closed.
    """
    warnings: list[str | None] = []

    def heard(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":  # readable within this call alone
            warnings.append(notice.message_primary)

    connection.add_notice_handler(heard)
    try:
        yield
    finally:
        connection.remove_notice_handler(heard)
    if warnings:
        connection.close()
        raise psycopg.OperationalError(f"the commit may not last: {warnings[0]}")


def _set(connection: Connection, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        connection.execute("SELECT set_config($1, $2, false)", (name, value))


def lock(connection: Connection, url: str) -> None:
    """
    Keep all hubs out for as long as C{connection} lasts.

    @raise DatabaseBusy: one uses it, or another command.
    """
    ((held,),) = connection.execute("SELECT pg_try_advisory_lock($1)", (HUB_LOCK,)).fetchall()
    if not held:
        raise DatabaseBusy(
            f"another hub uses the database {withoutPassword(url)}: give the --state of one, or stop all"
        )


def lockShared(connection: Connection, url: str, node: str) -> None:
    """
    Take a hub's locks for as long as C{connection} lasts: other hubs may use the database, too, under other names.

    @raise DatabaseBusy: another hub has this name, or a command keeps all out.
    """
    where = withoutPassword(url)
    ((held,),) = connection.execute("SELECT pg_try_advisory_lock_shared($1)", (HUB_LOCK,)).fetchall()
    if not held:
        raise DatabaseBusy(f"a command keeps all hubs from the database {where}: wait for its end")
    until = time.monotonic() + NAME_PATIENCE
    while True:
        ((held,),) = connection.execute("SELECT pg_try_advisory_lock($1, hashtext($2))", (NODE_LOCK, node)).fetchall()
        if held or time.monotonic() > until:
            break
        time.sleep(0.1)
    if not held:
        connection.execute("SELECT pg_advisory_unlock_shared($1)", (HUB_LOCK,))
        raise DatabaseBusy(
            f"another hub uses the database {where} as node {node}: stop that one first, or give this one another "
            "--node"
        )


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
        return connection.execute(_numbered(sql), storable(parameters), binary=True)

    return execute


def storable(row: Row) -> Row:
    """C{row} without the character NUL, which a stranger's word may have and PostgreSQL's texts can't."""
    if any(type(value) is str and "\0" in value for value in row):
        return [value.replace("\0", "\ufffd") if type(value) is str else value for value in row]
    return row
