"""
Copies of the database in SQLite's form, which every engine makes and goes back to.

A copy is one snapshot of the server's, written while messages are taken into a file that a hub on SQLite could run on.
So it is also the way from one engine to the other.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Damaged, Tell, checksum, digestOf, silent
from kernelnet.hub.storage.postgres.connection import Connection, connect, durably, storable
from kernelnet.hub.storage.postgres.errors import unusable
from kernelnet.hub.storage.postgres.log import rowsAtOnce
from kernelnet.hub.storage.sqlite import backup as files
from kernelnet.hub.storage.sqlite import checks, schema

__all__ = ["Prepared", "backUp", "keep", "replace"]

_ROWS = 500
"""Maximum number of rows that are in memory at once."""
_OWN = {"meta", "sqlite_sequence", "nodes", "presence", "blobs", "blob_uploads", "blob_parts"}
"""
Tables that are not copied row by row, or not at all: who is here is no matter of what is stored, and blobs may be more
than all else.
"""


def backUp(url: str, file: Path, tell: Tell = silent) -> dict[str, Any]:
    """
    Copy the database C{url} to C{file}, which only its owner can read.  Blocks; a hub may go on writing.

    @param tell: is told how far it is, in this thread.
    @return: C{file}, C{bytes}, C{events}.
    @raise DatabaseError: it can't be done; nothing is left at C{file}.
    """
    if file.exists():
        raise DatabaseError(f"{file} is there already: give another name")
    scratch = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        files.makePrivate(scratch)
        schema.prepare(scratch)
        with connect(url) as source, closing(sqlite3.connect(scratch, isolation_level=None)) as target:
            target.execute("PRAGMA journal_mode=DELETE")  # one file
            target.execute("BEGIN")
            source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            source.execute("SET LOCAL statement_timeout = 0")
            source.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            _export(source, target, tell)
            target.execute("COMMIT")
            source.execute("ROLLBACK")
            events = checks.fullCheck(target, tell)
        files.sync(scratch)
        if file.exists():
            raise DatabaseError(f"{file} is there already: give another name")
        scratch.rename(file)
        files.sync(file.parent)
    except (psycopg.Error, sqlite3.Error, Damaged) as e:
        raise unusable(url, e) from None
    except OSError as e:
        raise DatabaseError(f"can't write {file}: {e.strerror}") from None
    finally:
        files.remove(scratch)
    return {"file": str(file), "bytes": file.stat().st_size, "events": events}


def _export(source: Connection, target: sqlite3.Connection, tell: Tell) -> None:
    version = dict(source.execute("SELECT key, value FROM meta").fetchall()).get("schema_version")
    if int(version or 0) > max(schema.schemas()):
        raise DatabaseError(f"the database has schema version {version}: use the newer kernelnet of its other nodes")
    if int(version or 0) != max(schema.schemas()):
        raise DatabaseError(
            f"the database has schema version {version}: start the hub once, which brings it up to date"
        )
    (total,) = source.execute("SELECT COUNT(*) FROM events").fetchall()[0]
    target.execute("DELETE FROM meta")
    rows = source.execute(
        "SELECT key, value FROM meta WHERE key NOT IN ('in_use', 'damaged', 'min_node_version')"
    ).fetchall()
    target.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    for table, columns in _tables(target):
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        insert = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
        done, atOnce = 0, _ROWS
        if "body" in columns:
            ((largest,),) = source.execute(f"SELECT MAX(octet_length(body)) FROM {table}").fetchall()  # noqa: S608
            atOnce = rowsAtOnce(largest, _ROWS)
        with source.cursor(f"copy_{table}", binary=True) as cursor:
            cursor.execute(f"SELECT {names} FROM {table}{' ORDER BY seq' if table == 'events' else ''}")  # noqa: S608
            while some := cursor.fetchmany(atOnce):
                target.executemany(insert, some)
                done += len(some)
                if table == "events":
                    tell("copying the messages", done, total)
    target.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
    (given,) = source.execute("SELECT given FROM log_head").fetchall()[0]
    target.execute("INSERT INTO sqlite_sequence VALUES ('events', ?)", (given,))


def _tables(database: sqlite3.Connection) -> Iterator[tuple[str, list[str]]]:
    """Each table of an SQLite file that is copied row by row, with its columns but those that are computed."""
    for (table,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall():
        if table not in _OWN:
            yield table, [row[1] for row in database.execute(f"PRAGMA table_xinfo({table})") if not row[6]]


class Prepared:
    """A database in a file, made of a backup, ready to be put in the place of the server's."""

    def __init__(self, url: str, folder: Path, file: Path, tell: Tell = silent) -> None:
        """
        @param folder: where it is made.
        @raise DatabaseError: C{file} is no backup, is damaged, or is of a newer kernelnet.
        """
        files.look(file)
        with ExitStack() as stack:
            # With today's tokens and owners, which are taken from a database in a file, too.
            today = stack.enter_context(_today(url, folder))
            self.path = stack.enter_context(files.prepared(today, file, tell))
            self._making = stack.pop_all()

    def remove(self) -> None:
        """Remove what was made for it."""
        self._making.close()

    def discard(self) -> Deferred[None]:
        """Remove what was made for it."""
        done: Deferred[Any] = deferToThread(self.remove)
        return done.addCallback(lambda _: None)


@contextmanager
def _today(url: str, folder: Path) -> Iterator[Path]:
    scratch = folder / f".today.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        backUp(url, scratch)
        yield scratch
    finally:
        files.remove(scratch)


def keep(url: str, folder: Path) -> Path:
    """A copy of the database as it is."""
    former = folder / f"hub_data.db.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z"
    backUp(url, former)
    return former


def replace(connection: Connection, scratch: Path, tell: Tell = silent) -> None:
    """Make the content of C{scratch} that of the live database: in one transaction, readers see before or after."""
    with closing(sqlite3.connect(scratch)) as source:
        connection.execute("BEGIN")
        try:
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            _import(source, connection, tell)
            with durably(connection):
                connection.execute("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise


def _import(source: sqlite3.Connection, target: Connection, tell: Tell) -> None:
    (total,) = source.execute("SELECT COUNT(*) FROM events").fetchone()
    target.execute("SELECT given FROM log_head FOR UPDATE")
    target.execute("DELETE FROM meta WHERE key NOT IN ('in_use', 'join_hash', 'ca_certificate', 'min_node_version')")
    for key, value in source.execute("SELECT key, value FROM meta"):
        target.execute("INSERT INTO meta VALUES ($1, $2) ON CONFLICT DO NOTHING", storable((key, value)))
    for table, columns in [*_tables(source)]:
        target.execute(f"DELETE FROM {table}")  # noqa: S608
        rows = source.execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608
        marks = ", ".join(f"${i + 1}" for i in range(len(columns)))
        atOnce = _ROWS
        if "body" in columns:
            (largest,) = source.execute(f"SELECT MAX(LENGTH(body)) FROM {table}").fetchone()  # noqa: S608
            atOnce = rowsAtOnce(largest, _ROWS)
        with target.cursor() as cursor:
            done = 0
            while some := rows.fetchmany(atOnce):
                if table == "events":
                    tell("writing the messages", done := done + len(some), total)
                    some = [_withDigest(dict(zip(columns, row, strict=True))) for row in some]
                cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", map(storable, some))  # noqa: S608
    (given,) = source.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'events'").fetchone()
    target.execute("UPDATE log_head SET given = $1", (given,))


def _withDigest(row: dict[str, Any]) -> list[Any]:
    """The row of the log with its digest, which SQLite's engine computes when it is asked for."""
    if not row["digest"]:
        row["digest"] = digestOf(row["body"])
        if row["checksum"] is not None:
            row["checksum"] = checksum(row["body"], row["digest"], row["recipients"])
    return [*row.values()]
