"""
The hub's tables in PostgreSQL made, and brought to the newest schema.

Versions are those of SQLite's files, which say what each is for: a backup of either engine fits the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError, DatabaseTooNew
from kernelnet.hub.storage.integrity import Damaged
from kernelnet.hub.storage.postgres import nodes
from kernelnet.hub.storage.postgres.checks import quickCheck
from kernelnet.hub.storage.postgres.connection import Connection, checkUrl, connect, withoutPassword
from kernelnet.hub.storage.postgres.errors import unusable
from kernelnet.hub.storage.schemas import schemasOf

__all__ = ["OLDEST_NODE", "OLDEST_SERVER", "checkVersion", "connected", "prepare", "schemas"]

OLDEST_SERVER = 150000
"""Oldest version of the server, as C{server_version_num} has it."""
OLDEST_NODE = 9
"""
Oldest schema version whose nodes get along with the tables of the newest one: every step since has only added what they
leave alone.  A step that takes something away, or gives it another sense, raises this; it comes a release later than
the one from which on nobody needs that any more.
"""
_LOCK = 0x6B65726E
"""Number of the advisory lock that is held while tables are made."""


def schemas() -> dict[int, str]:
    """The SQL of each schema version; the first has all that came before it."""
    return schemasOf(__package__)


def prepare(url: str) -> bool:
    """
    Make the tables, or bring them to the newest version, in one transaction.

    @return: whether the hub that used them last did not end in order.
    @raise DatabaseError: there is no such database, it is damaged, not ours, from a newer kernelnet, can't be written,
        or its server forgets what it has acknowledged.
    """
    checkUrl(url)
    try:
        with connect(url) as connection:
            _checkServer(connection, url)
            connection.execute("BEGIN")
            connection.execute("SELECT pg_advisory_xact_lock($1)", (_LOCK,))
            _bring(connection, url, schemas())
            connection.execute("COMMIT")
            quickCheck(connection)
            return nodes.ended(connection)
    except (psycopg.Error, Damaged) as e:
        raise unusable(url, e) from None


def _checkServer(connection: Connection, url: str) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise DatabaseError(f"the server of {withoutPassword(url)} is PostgreSQL {version // 10000}; 15 is the oldest")
    for name in ("fsync", "full_page_writes"):
        (value,) = connection.execute("SELECT current_setting($1)", (name,)).fetchone() or ("",)
        if value != "on":
            raise DatabaseError(
                f"the server of {withoutPassword(url)} has {name} = {value}: it forgets what it acknowledged when the "
                f"power fails. Set {name} = on"
            )


def _bring(connection: Connection, url: str, steps: dict[int, str]) -> None:
    has, newest = _versionOf(connection, url), max(steps)
    if has > newest:
        return  # a newer node has brought it there, and gets along with this one
    if has >= nodes.FIRST_SCHEMA and (names := nodes.olderThan(connection, OLDEST_NODE)):
        raise DatabaseError(
            f"{', '.join(names)} can't use the tables of this kernelnet, and would lose what they are told: drain, "
            "stop and upgrade these nodes first"
        )
    for version, sql in steps.items():
        if version > has:
            connection.cursor().execute(sql.encode())
    if not has:
        connection.execute("INSERT INTO meta VALUES ('log_id', $1), ('checksums_from', '1')", (secrets.token_hex(16),))
    connection.execute(
        "INSERT INTO meta VALUES ('schema_version', $1), ('min_node_version', $2)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (str(newest), str(OLDEST_NODE)),
    )


def checkVersion(connection: Connection, url: str) -> None:
    """
    See that a database is of this version, or of a newer one that gets along with it.

    @raise DatabaseError: it is not, or is none of a hub's.
    """
    if (version := _versionOf(connection, url)) < (newest := max(schemas())):
        raise DatabaseError(
            f"the database {withoutPassword(url)} has schema version {version}: start the hub once, which brings it to "
            f"{newest}"
        )


def _versionOf(connection: Connection, url: str) -> int:
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    ).fetchall()
    tables = {name for (name,) in rows}
    if not tables:
        return 0
    row = None
    if "meta" in tables:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    if row is None or not str(row[0]).isdecimal():
        raise DatabaseError(
            f"{withoutPassword(url)} is a database of something else: it has no schema_version of kernelnet"
        )
    if (version := int(row[0])) > (newest := max(schemas())) and nodes.oldestNode(connection, version) > newest:
        raise DatabaseTooNew(
            f"the database {withoutPassword(url)} has schema version {version}, this kernelnet knows {newest}: use a "
            "newer kernelnet"
        )
    return version


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """
    Connection to a database of this schema version.

    @raise DatabaseError: it can't be used; in what is within, too.
    """
    try:
        with connect(url) as connection:
            checkVersion(connection, url)
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseBusy(" ".join(str(error).split())) from None
    except (psycopg.Error, Damaged) as error:
        raise unusable(url, error) from None
