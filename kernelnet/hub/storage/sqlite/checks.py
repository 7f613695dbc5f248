"""
Checks of a whole database file.

=================  ==============================================  ==================================================
check              when                                            finds
=================  ==============================================  ==================================================
`quickCheck`       each start                                      a truncated file, a damaged schema, damage at the
                                                                   log's end, in a sample of it, or (files up to 64 MB)
                                                                   anywhere in the structure
`checkRows`        after an unclean end, in slices                 a log row that is not what was written
`fullCheck`        ``kernelnet doctor``, ``backup``, ``restore``   all of it: structure, indexes, each row, projections
=================  ==============================================  ==================================================
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kernelnet.hub.storage.integrity import Damaged, Row, Tell, checkRow, silent

__all__ = ["checkRows", "endedUncleanly", "fullCheck", "quickCheck", "remember"]

SMALL = 64 * 1024 * 1024
"""Bytes up to which a database file has its whole structure checked at each start."""
LAST_ROWS = 1000
SAMPLES = 500
"""Rows that the quick check reads at the log's end, and spread over the rest."""
SLICE = 1000
"""Rows in one slice of a check of all rows."""
_ROW = "seq, body, digest, recipients, checksum, sender_id, message_id, message_type, timestamp"


def _checksumsFrom(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM meta WHERE key = 'checksums_from'").fetchone()
    if row is None:
        raise Damaged("its table meta lacks checksums_from")
    return int(row[0])


def endedUncleanly(path: Path) -> bool:
    """Whether the hub that used the database last was killed: an orderly end leaves no write-ahead log."""
    wal = path.with_name(f"{path.name}-wal")
    try:
        return wal.stat().st_size > 0
    except OSError:
        return False


def remember(connection: sqlite3.Connection, problem: object) -> None:
    """Write down that the database is damaged, so that no quick check lets it pass."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('damaged', ?)", (str(problem),))


def quickCheck(connection: sqlite3.Connection) -> None:
    """
    Check what takes well under a second, however long the log is.

    @raise Damaged: it is.
    """
    try:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (pageSize,) = connection.execute("PRAGMA page_size").fetchone()
        if pages * pageSize <= SMALL:
            _structure(connection, "PRAGMA quick_check(1)")
        known = connection.execute("SELECT value FROM meta WHERE key = 'damaged'").fetchone()
        if known is not None:
            raise Damaged(known[0])
        checksumsFrom = _checksumsFrom(connection)
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall():
            connection.execute(f'SELECT * FROM "{table}" LIMIT 1').fetchone()  # noqa: S608
        _checkEnd(connection)
        for row in connection.execute(f"SELECT {_ROW} FROM events ORDER BY seq DESC LIMIT {LAST_ROWS}"):  # noqa: S608
            checkRow(row, checksumsFrom)
        for row in _sample(connection):
            checkRow(row, checksumsFrom)
    except sqlite3.Error as e:
        raise Damaged(str(e)) from None


def _checkEnd(connection: sqlite3.Connection) -> None:
    (last,) = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    if last > (row[0] if row else 0):
        raise Damaged(f"its log ends at {last}, but only {row[0] if row else 0} numbers were given out")


def _sample(connection: sqlite3.Connection) -> Iterator[Row]:
    # Two queries: asked for both at once SQLite would read the whole table.
    (first,) = connection.execute("SELECT MIN(seq) FROM events").fetchone()
    (last,) = connection.execute("SELECT MAX(seq) FROM events").fetchone()
    if first is None:
        return
    step = max(1, (last - first) // SAMPLES)
    for seq in range(first, max(first, last - LAST_ROWS), step):
        row = connection.execute(f"SELECT {_ROW} FROM events WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
        if row is not None:
            yield row


def checkRows(connection: sqlite3.Connection, after: int, limit: int | None = None) -> int | None:
    """
    Check up to C{limit} (C{None}: `SLICE`) rows of the log that follow C{after}.

    @return: after which row to go on; C{None}: that was the last.
    @raise Damaged: one of them is.
    """
    try:
        checksumsFrom = _checksumsFrom(connection)
        last = None
        found = connection.execute(
            f"SELECT {_ROW} FROM events WHERE seq > ? ORDER BY seq LIMIT ?",  # noqa: S608
            (after, SLICE if limit is None else limit),
        )
        for row in found:
            checkRow(row, checksumsFrom)
            last = row[0]
    except sqlite3.Error as e:
        raise Damaged(str(e)) from None
    return last


def fullCheck(connection: sqlite3.Connection, tell: Tell = silent) -> int:
    """
    Everything: it reads the whole file.

    @param tell: is told how far it is.
    @return: how many rows the log has.
    @raise Damaged: it is.
    """
    try:
        tell("checking the structure", 0, None)
        _structure(connection, "PRAGMA integrity_check(1)")
        _checkEnd(connection)
        (first, last) = connection.execute("SELECT MIN(seq) - 1, MAX(seq) FROM events").fetchone()
        after: int | None = first or 0
        while after is not None:
            after = checkRows(connection, after)
            if after is not None:
                tell("checking the messages", after - first, last - first)
        for table in ("shared_patterns", "shared_components", "performance_reports", "observations"):
            (beyond,) = connection.execute(
                f"SELECT COUNT(*) FROM {table}"  # noqa: S608
                " WHERE seq > COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)"
            ).fetchone()
            if beyond:
                raise Damaged(f"{beyond} rows of {table} come from messages that the log never had")
        (count,) = connection.execute("SELECT COUNT(*) FROM events").fetchone()
    except sqlite3.Error as e:
        raise Damaged(str(e)) from None
    return int(count)


def _structure(connection: sqlite3.Connection, check: str) -> None:
    (found,) = connection.execute(check).fetchone()
    if found != "ok":
        raise Damaged(" ".join(str(found).split()))
