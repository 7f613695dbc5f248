"""
Copies of the database: ``kernelnet backup`` makes one, ``kernelnet restore`` goes back to one, with or without a hub.

A copy is made by SQLite's online backup from one snapshot, while messages are taken, and is checked in full before it
gets its name.  What is restored gets a new C{log_id}, so that an AI that had read further than the copy reaches notices
and pages the knowledge base; tokens and owners are not rolled back: those of today stay as they are, revoked or not.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Damaged, Tell, silent
from kernelnet.hub.storage.sql.owners import countAll
from kernelnet.hub.storage.sqlite import checks
from kernelnet.hub.storage.sqlite.connection import connect, connectReader
from kernelnet.hub.storage.sqlite.errors import unusable
from kernelnet.hub.storage.sqlite.schema import prepare, schemas, tooNew, versionOf

__all__ = [
    "backUp",
    "contentOf",
    "examine",
    "headOf",
    "keep",
    "look",
    "makePrivate",
    "prepared",
    "putInPlace",
    "remove",
    "replace",
    "sync",
]

_STEP = 4096
"""Pages, of 4 KiB each, between two words of how far a copy is."""


def backUp(source: Path, file: Path, tell: Tell = silent) -> dict[str, Any]:
    """
    Copy the database C{source} to C{file}, which only its owner can read.  Blocks; a hub may go on writing.

    @param tell: is told how far it is, in this thread.
    @return: C{file}, C{bytes}, C{events}.
    @raise DatabaseError: it can't be done; nothing is left at C{file}.
    """
    if file.exists():
        raise DatabaseError(f"{file} is there already: give another name")
    if not source.exists():
        raise DatabaseError(f"there is no database {source}")
    scratch = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        makePrivate(scratch)
        with closing(connectReader(source)) as connection, closing(sqlite3.connect(scratch)) as target:
            _copy(connection, target, tell)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the source has beside it
            events = checks.fullCheck(target, tell)
        sync(scratch)
        if file.exists():
            raise DatabaseError(f"{file} is there already: give another name")
        scratch.rename(file)
        sync(file.parent)
    except (sqlite3.Error, Damaged) as e:
        raise unusable(source, e) from None
    except OSError as e:
        raise DatabaseError(f"can't write {file}: {e.strerror}") from None
    finally:
        remove(scratch)
    return {"file": str(file), "bytes": file.stat().st_size, "events": events}


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, tell: Tell) -> None:
    # In a transaction of its own it is one snapshot, and what a hub writes meanwhile doesn't make it begin anew.
    source.isolation_level = None
    source.execute("BEGIN")
    try:
        source.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        source.backup(target, pages=_STEP, progress=lambda _, left, pages: tell("copying", pages - left, pages))
    finally:
        source.execute("ROLLBACK")


@contextmanager
def prepared(database: Path, file: Path, tell: Tell = silent) -> Iterator[Path]:
    """
    A database made of the backup C{file}, beside C{database}, ready to take that one's place: of the newest schema,
    sound, with a new C{log_id} and today's tokens and owners.  C{file} itself is only read.

    @param tell: is told how far it is, in this thread.
    @raise DatabaseError: it is no backup, is damaged, or is of a newer kernelnet.
    """
    scratch = database.parent / f".restore.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        makePrivate(scratch)
        with closing(_open(file)) as source, closing(sqlite3.connect(scratch)) as target:
            _copy(source, target, tell)
        try:
            tell("preparing it", 0, None)
            prepare(scratch)
            with closing(connect(scratch)) as connection:
                checks.fullCheck(connection, tell)
                _makeNew(connection, database)
        except DatabaseError as e:
            # what it is called here means nothing to the user
            words = str(e).split(". Go back to", maxsplit=1)[0].replace(str(scratch), str(file))
            raise DatabaseError(words) from None
        except Damaged as e:
            raise DatabaseError(f"the backup {file} is damaged: {e}") from None
        yield scratch
    except (sqlite3.Error, OSError) as e:
        raise DatabaseError(f"can't restore {file}: {e}") from None
    finally:
        remove(scratch)
        for old in database.parent.glob(f"{scratch.name}.*"):
            old.unlink(missing_ok=True)


def look(file: Path) -> None:
    """
    See whether something is a backup at all, before anything is made for it.

    @raise DatabaseError: it is none.
    """
    _open(file).close()


def _open(file: Path) -> sqlite3.Connection:
    if not file.is_file():
        raise DatabaseError(f"there is no file {file}")
    connection = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)
    try:
        connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    except sqlite3.Error as e:
        connection.close()
        what = "is damaged" if "malformed" in str(e) else "is no backup of a kernelnet hub"
        raise DatabaseError(f"{file} {what}: {e}") from None
    return connection


def _makeNew(connection: sqlite3.Connection, current: Path) -> None:
    connection.execute("UPDATE meta SET value = ? WHERE key = 'log_id'", (secrets.token_hex(16),))
    connection.execute("DELETE FROM meta WHERE key = 'damaged'")
    # Nobody can resume in the new log at a position of the old one.
    connection.execute("UPDATE ais SET read_seq = (SELECT COALESCE(MAX(seq), 0) FROM events)")
    if not current.exists():
        return
    # Whose an AI is, and what was revoked, is not rolled back either: who was found out would be in again.
    for table in ("tokens", "owners", "signing_certificates"):
        with suppress(sqlite3.Error):  # a damaged or older database may have none: then those of the backup serve
            with closing(connectReader(current)) as live:
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                found = live.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()  # noqa: S608
            if table == "owners":
                connection.execute("DELETE FROM owners")
            marks = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})", found)  # noqa: S608
    countAll(connection.execute)


def putInPlace(scratch: Path, path: Path) -> Path | None:
    """
    Make C{scratch} the hub's database C{path}, while no hub runs.

    @return: where the former one is now; C{None}: there was none.
    """
    with closing(sqlite3.connect(scratch)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sync(scratch)
    former: Path | None = None
    if path.exists():
        former = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        # The database last: as long as it is there without them, it is what it was at its last checkpoint.
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(former.with_name(former.name + suffix))
    scratch.rename(path)
    sync(path.parent)
    return former


def keep(path: Path) -> Path:
    """A copy of the database as it is, damaged or not as far as SQLite can read it."""
    former = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    former.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(former)) as target:
        source.backup(target)
    return former


def replace(path: Path, scratch: Path) -> None:
    """Make the content of C{scratch} that of the live database: in one transaction, readers see before or after."""
    with closing(sqlite3.connect(scratch)) as source, closing(connect(path)) as target:
        source.backup(target)


_COMPUTED = {("events", "digest"), ("events", "checksum"), ("removed_keys", "digest")}
"""Columns that one engine computes when they are asked for, and the other when they are written."""


def contentOf(path: Path) -> dict[str, tuple[int, int]]:
    """
    By table: how many rows it has, and a checksum of their columns, whichever engine the copy C{path} is of.

    It is a sum over the rows, so their order is none of it; C{NUL} in a text counts as what PostgreSQL has instead.
    """
    found = {}
    with closing(connectReader(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            names = sorted(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
            kept = [name for name in names if (table, name) not in _COMPUTED]
            count = total = 0
            for row in connection.execute(f"SELECT {', '.join(kept)} FROM {table}"):  # noqa: S608
                same = [value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row]
                count += 1
                total += int.from_bytes(blake2b(repr(same).encode(), digest_size=8).digest())
            found[table] = count, total % 2**64
    return found


def headOf(path: Path) -> tuple[int, str]:
    """The end of a database's log, and its C{log_id}."""
    with closing(connectReader(path)) as connection:
        (head,) = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()
        (logId,) = connection.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchone()
        return head, logId


def examine(path: Path, tell: Tell = silent) -> dict[str, Any]:
    """
    Check a database in full, whether a hub runs or not.

    @param tell: is told how far it is.
    @return: C{events}, C{log_id}, C{schema}, C{bytes}, C{unclean}.
    @raise DatabaseError: it is damaged, not ours or missing.
    """
    if not path.exists():
        raise DatabaseError(f"there is no database {path}: no hub has been started here yet")
    unclean = checks.endedUncleanly(path)
    try:
        with closing(connectReader(path)) as connection:
            version = versionOf(connection, path)
            if version > max(schemas()):
                raise tooNew(path, version)
            if version < 2:
                raise DatabaseError(
                    f"{path} has schema version {version}: start the hub once, which brings it up to date"
                )
            events = checks.fullCheck(connection, tell)
            (logId,) = connection.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchone()
    except (sqlite3.Error, Damaged) as e:
        raise unusable(path, e) from None
    return {"events": events, "log_id": logId, "schema": version, "bytes": path.stat().st_size, "unclean": unclean}


def makePrivate(path: Path) -> None:
    """Make an empty file that only its owner can read."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def remove(path: Path) -> None:
    """Remove a database's files, if there are any."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have a file, or a folder's entries, on disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
