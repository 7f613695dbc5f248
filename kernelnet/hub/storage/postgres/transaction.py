"""The reader and the transaction in PostgreSQL, and the commit itself."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.pq import TransactionStatus

from kernelnet.hub.storage.engine import Commit
from kernelnet.hub.storage.integrity import digestOf
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.postgres.batch import Batch, Offset
from kernelnet.hub.storage.postgres.connection import Connection, executing
from kernelnet.hub.storage.postgres.errors import problemOf
from kernelnet.hub.storage.sql import transaction as sql
from kernelnet.hub.storage.sql.execution import Dialect
from kernelnet.hub.storage.sql.transaction import SqlReader, SqlTransaction
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

    From its first question on it holds the row C{log_head}: all that is written has one order, whoever writes.  If it
    asks nothing, all of it is sent with the commit, and the row is held for no answer of ours.

    @ivar after: the last number that was given out before it, once it has begun at the server.
    """

    def __init__(self, connection: Connection, now: float, *, allNew: bool = False) -> None:
        """@param allNew: see `SqlTransaction`."""
        self._batch = Batch(connection)
        super().__init__(self._batch, DIALECT, now, allNew=allNew)
        self._connection = connection

    @property
    def after(self) -> int:
        return self._batch.after or 0

    def begin(self) -> None:
        """The server is told later."""

    def checkAllNew(self) -> None:
        if self._batch.after is not None:  # or else it is found out with the commit
            self._follow()
            super().checkAllNew()

    def end(self) -> None:
        self._batch.commit(len(self.events))

    def rollBack(self) -> None:
        if self._stands:
            self._connection.execute("ROLLBACK")

    def _lastGiven(self) -> int:
        after = self._batch.after
        return Offset(len(self.events)) if after is None else after + len(self.events)

    def _follow(self) -> None:
        """Go on with positions once they are known."""
        if type(self.head) is Offset and self._batch.after is not None:
            self._appendedAfter = self._batch.after
            self.head = self._batch.after + int(self.head)

    def _write(self, event: Event, message: NetworkMessage, digest: bytes) -> None:
        self._follow()
        # PostgreSQL can't compute it from the line when it is asked for.
        super()._write(event, message, digest or digestOf(event.line))
        if type(event.seq) is Offset:
            self._batch.number(event)

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
