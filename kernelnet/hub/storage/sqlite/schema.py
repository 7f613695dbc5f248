"""
The hub's SQLite file made, and brought to the newest schema.

Schema versions are the numbered files in ``schema/``; the row C{schema_version} of table C{meta} says which
one a database has.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kernelnet.hub.storage.errors import DatabaseError, DatabaseTooNew
from kernelnet.hub.storage.integrity import Damaged
from kernelnet.hub.storage.schemas import schemasOf
from kernelnet.hub.storage.sqlite.checks import quickCheck
from kernelnet.hub.storage.sqlite.connection import connect
from kernelnet.hub.storage.sqlite.errors import unusable

__all__ = ["prepare", "schemas", "tooNew", "versionOf"]


def schemas() -> dict[int, str]:
    """The SQL of each schema version."""
    return schemasOf(__package__)


def prepare(path: Path, steps: dict[int, str] | None = None) -> None:
    """
    Make the database, or bring it to the newest schema version: after a backup, and in one transaction.

    @param steps: the SQL of each version; C{None}: those that ship with the hub.
    @raise DatabaseError: it is damaged (as far as `quickCheck` can see), not ours, from a newer kernelnet, or can't be
        written.
    """
    steps = schemas() if steps is None else steps
    try:
        connection = connect(path)
    except sqlite3.Error as e:
        raise unusable(path, e) from None
    try:
        has = versionOf(connection, path)
        newest = max(steps)
        if has > newest:
            raise tooNew(path, has, newest)
        if has == newest:
            quickCheck(connection)
            return
        if has:
            _backup(connection, path.with_name(f"{path.name}.v{has}.backup"))
        connection.execute("BEGIN IMMEDIATE")
        for version in sorted(steps):
            for statement in _statements(steps[version]) if version > has else ():
                connection.execute(statement)
        if not has:
            connection.execute("INSERT INTO meta VALUES ('log_id', ?)", (secrets.token_hex(16),))
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema_version', ?)", (str(newest),))
        connection.execute("COMMIT")
        quickCheck(connection)
    except (sqlite3.Error, Damaged) as e:
        raise unusable(path, e) from None
    finally:
        connection.close()


def tooNew(path: Path, version: int, newest: int | None = None) -> DatabaseTooNew:
    """The error for a database of a newer kernelnet."""
    known = max(schemas()) if newest is None else newest
    return DatabaseTooNew(
        f"the database {path} has schema version {version}, this kernelnet knows {known}: use a newer kernelnet"
    )


def versionOf(connection: sqlite3.Connection, path: Path) -> int:
    """
    The schema version of a database; 0: it is empty.

    @raise DatabaseError: it is not a hub's.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return 0
    row = None
    if "meta" in tables:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    if row is None or not str(row[0]).isdecimal():
        raise DatabaseError(f"{path} is a database of something else: it has no schema_version of kernelnet")
    return int(row[0])


def _backup(source: sqlite3.Connection, path: Path) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    target = sqlite3.connect(path)
    try:
        source.backup(target)
    finally:
        target.close()


def _statements(sql: str) -> Iterator[str]:
    """One statement at a time: C{executescript} would commit what came before it."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if re.sub(r"--.*", "", statement).strip():
        raise DatabaseError(f"a schema file ends in the middle of a statement: {statement.strip()[:80]}")
