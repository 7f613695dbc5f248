"""The reader and the transaction in PostgreSQL, and the commit itself."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg.pq import TransactionStatus

from kernelnet.hub.storage.engine import Commit
from kernelnet.hub.storage.integrity import digestOf
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.postgres.connection import Connection, executeMany, executing
from kernelnet.hub.storage.postgres.errors import problemOf
from kernelnet.hub.storage.sql import transaction as sql
from kernelnet.hub.storage.sql.execution import Dialect
from kernelnet.hub.storage.sql.transaction import Gathering, SqlReader, SqlTransaction
from kernelnet.hub.storage.transaction import Work
from kernelnet.message import NetworkMessage

__all__ = ["DIALECT", "PostgresReader", "PostgresTransaction", "commit"]

DIALECT = Dialect(
    listHas="jsonb_exists({list}::jsonb, ?1)",
    payload="(convert_from(e.body, 'UTF8')::jsonb #>> '{{payload,{field}}}')",
    digest="digest",
)


class PostgresReader(SqlReader):
    """A `kernelnet.hub.storage.transaction.Reader` of a connection."""

    __slots__ = ()

    def __init__(self, connection: Connection) -> None:
        super().__init__(executing(connection), DIALECT)


class PostgresTransaction(SqlTransaction):
    """
    A transaction on a connection.

    It holds the row C{log_head} from its begin to its end: all that is written has one order, whoever writes.

    @ivar after: the last number that was given out before it.
    """

    def __init__(self, connection: Connection, now: float, *, allNew: bool = False) -> None:
        """@param allNew: see `SqlTransaction`."""
        gathering = Gathering(executing(connection), lambda sql, rows: executeMany(connection, sql, rows))
        super().__init__(gathering, DIALECT, now, allNew=allNew)
        self._connection = connection
        self.after = 0

    def begin(self) -> None:
        self._connection.execute("BEGIN")
        ((self.after,),) = self._connection.execute("SELECT given FROM log_head FOR UPDATE", binary=True).fetchall()

    def end(self) -> None:
        self._connection.execute(
            "UPDATE log_head SET given = GREATEST(given, COALESCE((SELECT MAX(seq) FROM events), 0))"
        )
        warnings: list[str | None] = []

        def heard(notice: psycopg.errors.Diagnostic) -> None:
            if notice.severity_nonlocalized == "WARNING":  # readable within this call alone
                warnings.append(notice.message_primary)

        self._connection.add_notice_handler(heard)
        try:
            self._connection.execute("COMMIT")
        finally:
            self._connection.remove_notice_handler(heard)
        if warnings:
            # Such as a wait for a synchronous standby that was cancelled: it is here, and may be gone tomorrow.
            self._connection.close()
            raise psycopg.OperationalError(f"the commit may not last: {warnings[0]}")

    def rollBack(self) -> None:
        if self._stands:
            self._connection.execute("ROLLBACK")

    def _lastGiven(self) -> int:
        self.flush()
        ((last,),) = self._connection.execute(
            "SELECT GREATEST(given, COALESCE((SELECT MAX(seq) FROM events), 0)) FROM log_head", binary=True
        ).fetchall()
        return int(last)

    def _write(self, event: Event, message: NetworkMessage, digest: bytes) -> None:
        # PostgreSQL can't compute it from the line when it is asked for.
        super()._write(event, message, digest or digestOf(event.line))

    @property
    def _stands(self) -> bool:
        return self._connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)


def commit(connection: Connection, works: Sequence[Work], now: float) -> tuple[Commit, int]:
    """
    The outcome of `kernelnet.hub.storage.engine.Engine.commit`, and the last number that was given out before it.
    """
    made: list[PostgresTransaction] = []

    def make(allNew: bool) -> PostgresTransaction:
        made.append(PostgresTransaction(connection, now, allNew=allNew))
        return made[-1]

    done = sql.commit(make, works, problemOf)
    return done, made[-1].after
