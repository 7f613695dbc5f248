"""Stretches of the log by their bytes: all that is asked for comes at once, and a line may have a megabyte."""

from __future__ import annotations

import psycopg

from kernelnet.hub.storage.cluster import Followed
from kernelnet.hub.storage.engine import Standing
from kernelnet.hub.storage.log_pages import PAGE_ROWS
from kernelnet.hub.storage.postgres.connection import Connection, executing
from kernelnet.hub.storage.sql.log import readRows

__all__ = ["STRETCH_BYTES", "endOfStretch", "follow", "headOf", "rowsAtOnce"]

STRETCH_BYTES = 1024 * 1024
"""Bytes of bodies in a stretch, and those of its last row."""


def endOfStretch(connection: Connection, after: int, rows: int, upTo: int | None = None) -> int | None:
    """
    The last position of the next C{rows} rows at most that follow C{after}, as many as have `STRETCH_BYTES`.

    @return: C{None}: there is none.
    """
    # The length of a body is known without reading it.
    ((end,),) = connection.execute(
        "SELECT MAX(seq) FROM (SELECT seq, SUM(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before"
        " FROM (SELECT seq, body FROM events WHERE seq > $1 AND ($2::bigint IS NULL OR seq <= $2) ORDER BY seq"
        " LIMIT $3) AS those) AS summed WHERE before < $4",
        (after, upTo, rows, STRETCH_BYTES),
    ).fetchall()
    return None if end is None else int(end)


def headOf(connection: Connection) -> int:
    """The last position of the log."""
    ((head,),) = connection.execute("SELECT given FROM log_head").fetchall()
    return int(head)


def rowsAtOnce(largest: int | None, most: int) -> int:
    """Number of rows of some stretches' bytes, C{most} at most.  @param largest: bytes of the largest one's body."""
    return max(1, min(most, 8 * STRETCH_BYTES // max(1, largest or 0)))


def follow(connection: Connection, standing: Standing) -> Followed:
    """
    The next rows of the log behind C{standing}.

    @raise psycopg.OperationalError: the server knows less than that, so it is another one, or one that came back.
    """
    ((logId, first, head),) = connection.execute(
        "SELECT (SELECT value FROM meta WHERE key = 'log_id'), (SELECT MIN(seq) FROM events), given FROM log_head"
    ).fetchall()
    after = standing.last.seq
    if logId == standing.logId and head < after:
        connection.close()  # the next one is proved
        raise psycopg.OperationalError(f"the log ends at {head} there, and was seen up to {after}")
    events = []
    if head > after and (end := endOfStretch(connection, after, PAGE_ROWS, head)) is not None:
        events = readRows(executing(connection), after, end)
    return Followed(logId, first or head + 1, head, events)
