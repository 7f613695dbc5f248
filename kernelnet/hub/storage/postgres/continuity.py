"""
Whether the log behind a new connection is the one that its hub has passed on, and lasts.

After a fail-over to a synchronous standby it is, but for what was visible without the standby's word: a commit whose
wait for that was cancelled, or that a primary found in its own files when it started again.  Who followed the log by
then has passed on what nobody has any more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from twisted.logger import Logger

from kernelnet.hub.storage.engine import Place, Standing
from kernelnet.hub.storage.postgres.connection import Connection, durably

__all__ = ["prove", "renew"]

_log = Logger(namespace="kernelnet.hub")


def prove(connection: Connection, standing: Callable[[], Standing | None]) -> str:
    """
    See that the log is what its hub has passed on; if it is not, give it another id: nobody goes on in it unawares.

    All that is there lasts when this returns: its commit waits for the synchronous standbys.

    @param standing: where the hub stands; C{None}, or of another log: nothing is known.
    @return: the log's id.
    @raise psycopg.Error: the server can't be used, or what is there may not last.
    """
    with durably(connection):
        connection.execute("BEGIN")
        # A lock on a row is written, too: that is what the commit waits for.
        ((given,),) = connection.execute("SELECT given FROM log_head FOR UPDATE").fetchall()
        # Asked once it holds the row: another node may have done so just before.
        ((logId,),) = connection.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchall()
        known = standing()
        isOther = known is not None and known.logId == logId and not _has(connection, given, known.last)
        if isOther:
            assert known is not None
            # It may have lost more than it ever could with a synchronous standby.
            upTo = known.lasting.seq if _has(connection, given, known.lasting) else 0
            logId = renew(connection, upTo)
        connection.execute("COMMIT")
    if isOther:
        assert known is not None
        _log.warn(
            "the database has lost what it showed up to {last}, such as by a fail-over, and is the same up to {upTo}: "
            "its log is {logId} from now on, all connections end, and trainers that were further are told so",
            last=known.last.seq,
            upTo=upTo,
            logId=logId,
        )
    return str(logId)


def _has(connection: Connection, given: int, place: Place) -> bool:
    """Whether C{place} is in the log, of which C{given} is the last position."""
    if given < place.seq:
        return False
    if not place.line:
        return True
    row = connection.execute("SELECT body FROM events WHERE seq = $1", (place.seq,), binary=True).fetchone()
    return row is None or row[0] == place.line  # none: retention has removed it


def renew(connection: Connection, upTo: int) -> str:
    """
    Give the log another id, in a transaction that has begun.

    @param upTo: up to where it stays what it was.
    @return: the id.
    """
    connection.execute(
        "INSERT INTO meta SELECT 'former_log', value || ' ' || $1::text FROM meta WHERE key = 'log_id'"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (str(upTo),),
    )
    logId = secrets.token_hex(16)
    connection.execute("UPDATE meta SET value = $1 WHERE key = 'log_id'", (logId,))
    return logId
