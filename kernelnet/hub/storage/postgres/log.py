"""Stretches of the log by their bytes: all that is asked for comes at once, and a line may have a megabyte."""

from __future__ import annotations

from kernelnet.hub.storage.postgres.connection import Connection

__all__ = ["STRETCH_BYTES", "endOfStretch", "rowsAtOnce"]

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


def rowsAtOnce(largest: int | None, most: int) -> int:
    """Number of rows of some stretches' bytes, C{most} at most.  @param largest: bytes of the largest one's body."""
    return max(1, min(most, 8 * STRETCH_BYTES // max(1, largest or 0)))
