"""
Checks of the log's rows.

PostgreSQL itself sees to its files (``initdb --data-checksums``, ``amcheck``); these see whether the rows are what the
hub wrote.
"""

from __future__ import annotations

from kernelnet.hub.storage.integrity import Damaged, Tell, checkRow, silent
from kernelnet.hub.storage.postgres.connection import Connection
from kernelnet.hub.storage.postgres.log import endOfStretch

__all__ = ["checkRows", "fullCheck", "quickCheck", "remember"]

LAST_ROWS = 1000
"""Rows at the log's end that are read at each start."""
SLICE = 1000
"""Rows in one slice of a check of all rows."""
_ROW = "seq, body, digest, recipients, checksum, sender_id, message_id, message_type, timestamp"


def remember(connection: Connection, problem: object) -> None:
    """Write down that the database is damaged, so that no quick check lets it pass."""
    connection.execute(
        "INSERT INTO meta VALUES ('damaged', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (str(problem),),
    )


def quickCheck(connection: Connection) -> None:
    """
    Check what takes well under a second, however long the log is.

    @raise Damaged: it is.
    """
    _checkEnd(connection)
    ((first,),) = connection.execute(
        "SELECT MIN(seq) - 1 FROM (SELECT seq FROM events ORDER BY seq DESC LIMIT $1) AS those", (LAST_ROWS,)
    ).fetchall()
    after: int | None = first or 0
    while after is not None:
        after = checkRows(connection, after)


def fullCheck(connection: Connection, tell: Tell = silent) -> int:
    """
    Check all rows of the log, and that what follows from it ends where it does.

    @param tell: is told how far it is.
    @return: how many rows the log has.
    @raise Damaged: it is.
    """
    _checkEnd(connection)
    ((count, first, last),) = connection.execute("SELECT COUNT(*), MIN(seq) - 1, MAX(seq) FROM events").fetchall()
    after: int | None = first or 0
    while after is not None:
        after = checkRows(connection, after)
        if after is not None:
            tell("checking the messages", after - first, last - first)
    for table in ("shared_patterns", "shared_components", "performance_reports", "observations"):
        ((beyond,),) = connection.execute(
            f"SELECT COUNT(*) FROM {table} WHERE seq > (SELECT given FROM log_head)"  # noqa: S608
        ).fetchall()
        if beyond:
            raise Damaged(f"{beyond} rows of {table} come from messages that the log never had")
    return int(count)


def _checkEnd(connection: Connection) -> None:
    known = connection.execute("SELECT value FROM meta WHERE key = 'damaged'").fetchone()
    if known is not None:
        raise Damaged(known[0])
    ((given, last),) = connection.execute("SELECT given, (SELECT MAX(seq) FROM events) FROM log_head").fetchall()
    if last is not None and last > given:
        raise Damaged(f"its log ends at {last}, but only {given} numbers were given out")


def checkRows(connection: Connection, after: int, limit: int | None = None) -> int | None:
    """
    Check up to C{limit} (C{None}: `SLICE`) rows of the log that follow C{after}: fewer of large ones.

    @return: after which row to go on; C{None}: that was the last.
    @raise Damaged: one of them is.
    """
    end = endOfStretch(connection, after, SLICE if limit is None else limit)
    if end is None:
        return None
    rows = connection.execute(
        f"SELECT {_ROW} FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq",  # noqa: S608
        (after, end),
        binary=True,
    ).fetchall()
    _check(connection, rows)
    return end


def _check(connection: Connection, rows: list[tuple[int, bytes, bytes, str, int, str, str, str, str]]) -> None:
    found = connection.execute("SELECT value FROM meta WHERE key = 'checksums_from'").fetchone()
    if found is None:
        raise Damaged("its table meta lacks checksums_from")
    for row in rows:
        checkRow(row, int(found[0]))
