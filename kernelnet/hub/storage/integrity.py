"""
Whether a database is what the hub wrote.

=================  ==============================================  ==================================================
check              when                                            finds
=================  ==============================================  ==================================================
`quickCheck`       each start                                      a truncated file, a damaged schema, damage at the
                                                                   log's end, in a sample of it, or (files up to 64 MB)
                                                                   anywhere in the structure
`checkRows`        after an unclean end, in slices                 a log row that is not what was written
`fullCheck`        ``kernelnet doctor``, ``backup``, ``restore``   all of it: structure, indexes, each row, projections
=================  ==============================================  ==================================================

A row's checksum is CRC-32: it finds what disks do, it does not prove who wrote the row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

__all__ = [
    "Damaged",
    "Tell",
    "checkRows",
    "checksum",
    "digest",
    "digestOf",
    "endedUncleanly",
    "fullCheck",
    "quickCheck",
    "remember",
    "silent",
]

Tell = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and of how much; C{None}: nobody knows."""

SMALL = 64 * 1024 * 1024
"""A database file up to so many bytes has its whole structure checked at each start."""
LAST_ROWS = 1000
SAMPLES = 500
"""How many rows the quick check reads at the log's end, and how many spread over the rest."""
SLICE = 1000
"""How many rows one slice of a check of all rows reads."""
_ROW = "seq, body, digest, recipients, checksum, sender_id, message_id, message_type, timestamp"

Row = tuple[int, bytes, bytes, str | None, int | None, str, str, str, str]


class Damaged(Exception):
    """The database is not what the hub wrote; the text says where."""


def silent(what: str, done: int, total: int | None) -> None:
    """For whom nobody asked how far it is."""


def checksum(body: bytes, digest: bytes, recipients: str | None) -> int:
    """Of one row of the log.  It is computed once for each message: about 0.4 µs for 500 bytes."""
    value = crc32(digest, crc32(body))
    return value if recipients is None else crc32(recipients.encode(), value)


def digest(messageType: str, target: str | None, payload: object) -> bytes:
    """What an author sent, in 16 bytes; the same however the JSON is written."""
    return blake2b(_canonical.encode([messageType, target, payload]), digest_size=16).digest()


def digestOf(body: bytes) -> bytes:
    """The digest of a message that is passed on as it came, as SQL function C{digest_of}, too: see ``0003.sql``."""
    sent = _sent.decode(body)
    return digest(sent.message_type, sent.target_ai, sent.payload)


class _Sent(msgspec.Struct):
    message_type: str
    target_ai: str | None
    payload: Any


_sent = msgspec.json.Decoder(_Sent)
_canonical = msgspec.json.Encoder(order="deterministic")


class _Line(msgspec.Struct):
    """What a row says besides its body."""

    message_id: str
    sender_id: str
    message_type: str
    timestamp: str


_line = msgspec.json.Decoder(_Line)


def _checkRow(row: Row, checksumsFrom: int) -> None:
    seq, body, digest, recipients, stored, *columns = row
    if stored is None:
        if seq >= checksumsFrom:
            raise Damaged(f"row {seq} of the log has no checksum")
    elif not isinstance(body, bytes) or not isinstance(digest, bytes) or checksum(body, digest, recipients) != stored:
        raise Damaged(f"row {seq} of the log does not fit its checksum")
    try:
        line = _line.decode(body)
    except (ValueError, TypeError):
        raise Damaged(f"row {seq} of the log holds no message") from None
    if columns != [line.sender_id, line.message_id, line.message_type, line.timestamp]:
        raise Damaged(f"row {seq} of the log: its columns differ from the message in it")


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
    What can be checked in well under a second, however long the log is.

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
            _checkRow(row, checksumsFrom)
        for row in _sample(connection):
            _checkRow(row, checksumsFrom)
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
            _checkRow(row, checksumsFrom)
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
        for table in ("shared_patterns", "shared_components", "performance_reports"):
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
