"""The reader and the transaction in SQL, and the commit itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from kernelnet.hub.storage.engine import Commit, Committed
from kernelnet.hub.storage.group_commit import applyAll, applyEach
from kernelnet.hub.storage.integrity import checksum
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sql.access import SqlAis, SqlTokens
from kernelnet.hub.storage.sql.certificates import SqlSigningCertificates
from kernelnet.hub.storage.sql.components import SqlComponents
from kernelnet.hub.storage.sql.execution import Cursor, Dialect, Execute, Put, Row
from kernelnet.hub.storage.sql.log import SqlLog, SqlMarks, findMessage
from kernelnet.hub.storage.sql.observations import SqlObservations
from kernelnet.hub.storage.sql.owners import SqlOwners
from kernelnet.hub.storage.sql.patterns import SqlPatterns
from kernelnet.hub.storage.sql.reports import SqlReports
from kernelnet.hub.storage.sql.sessions import SqlSessions
from kernelnet.hub.storage.transaction import Transaction, Work
from kernelnet.message import NetworkMessage
from kernelnet.wire import WireProblem

__all__ = ["Gathering", "Repeated", "SqlReader", "SqlTransaction", "commit", "repeated"]

_encode = msgspec.json.Encoder().encode

_APPEND = (
    "INSERT INTO events (seq, sender_id, message_id, message_type, target, timestamp, recipients, body, digest,"
    " checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Repeated(Exception):
    """A message was taken for a new one, and is none."""


def repeated(after: str) -> str:
    """Whether a message behind the position C{after}, an expression, has the key of one whose row was removed."""
    return (
        f"EXISTS (SELECT 1 FROM removed_keys) AND EXISTS (SELECT 1 FROM events e WHERE seq > {after}"  # noqa: S608
        " AND EXISTS (SELECT 1 FROM removed_keys k WHERE k.sender_id = e.sender_id AND k.message_id = e.message_id))"
    )


class SqlReader:
    """A `kernelnet.hub.storage.transaction.Reader` by way of C{execute}."""

    __slots__ = (
        "ais",
        "certificates",
        "components",
        "log",
        "marks",
        "observations",
        "owners",
        "patterns",
        "reports",
        "sessions",
        "tokens",
    )

    def __init__(self, execute: Execute, dialect: Dialect, put: Put | None = None) -> None:
        """@param put: C{None}: rows are written at once."""
        put = put or execute
        self.log = SqlLog(execute, dialect)
        self.marks = SqlMarks(execute, dialect)
        self.tokens = SqlTokens(execute)
        self.ais = SqlAis(execute)
        self.owners = SqlOwners(execute)
        self.certificates = SqlSigningCertificates(execute)
        self.sessions = SqlSessions(execute, dialect)
        self.patterns = SqlPatterns(execute, put)
        self.components = SqlComponents(execute, put)
        self.reports = SqlReports(execute, put)
        self.observations = SqlObservations(execute)


class Gathering:
    """Rows that are gathered, and written with few calls for each statement before anything else is read or written."""

    __slots__ = ("_execute", "_executeMany", "_rows")

    def __init__(self, execute: Execute, executeMany: Callable[[str, list[Row]], object]) -> None:
        """@param executeMany: executes an INSERT of one row for each of these."""
        self._execute = execute
        self._executeMany = executeMany
        self._rows: dict[str, list[Row]] = {}

    def execute(self, sql: str, parameters: Row = ()) -> Cursor:
        """Execute it after all that was put before."""
        if self._rows:
            self.flush()
        return self._execute(sql, parameters)

    def put(self, sql: str, row: Row) -> None:
        """Have an INSERT executed for C{row}, in the order of the calls with the same C{sql}."""
        rows = self._rows.get(sql)
        if rows is None:
            self._rows[sql] = [row]
        else:
            rows.append(row)

    def flush(self) -> None:
        """
        Write what was gathered.

        @raise Exception: the database's: it can't be, so nothing of this transaction may stay.
        """
        rows, self._rows = self._rows, {}
        for sql, some in rows.items():
            self._executeMany(sql, some)

    def forget(self) -> None:
        """Never write what was gathered."""
        self._rows.clear()


class SqlTransaction(Transaction):
    """
    A transaction from `begin` to `end`.

    @ivar head: the last number that it gave; C{None}: none yet.
    """

    def __init__(self, gathering: Gathering, dialect: Dialect, now: float, *, allNew: bool = False) -> None:
        """@param allNew: take each message for one that was not appended before; `checkAllNew` finds out if one was."""
        super().__init__(now)
        # An object of its own, so that the groups don't refer back: a commit leaves no circle to the garbage collector.
        self._gathering = gathering
        self._dialect = dialect
        self._allNew = allNew
        self.head: int | None = None
        self._appendedAfter = 0
        groups = SqlReader(gathering.execute, dialect, gathering.put)
        self.log, self.marks, self.tokens, self.ais = groups.log, groups.marks, groups.tokens, groups.ais
        self.owners, self.certificates, self.sessions = groups.owners, groups.certificates, groups.sessions
        self.patterns, self.components, self.reports = groups.patterns, groups.components, groups.reports
        self.observations = groups.observations

    @abstractmethod
    def begin(self) -> None:
        """Begin it: nobody else writes from its first question on until it ends."""

    @abstractmethod
    def end(self) -> None:
        """Commit it durably; what was gathered is written by then."""

    @abstractmethod
    def rollBack(self) -> None:
        """Undo all of it, if that is not done yet."""

    @abstractmethod
    def _lastGiven(self) -> int:
        """The last number that was given out before it."""

    @property
    @abstractmethod
    def _stands(self) -> bool:
        """Whether the database has not undone all of it by itself."""

    def flush(self) -> None:
        """
        Write what was gathered.

        @raise Exception: the database's: it can't be, so nothing of this transaction may stay.
        """
        self._gathering.flush()

    def find(self, sender: str, messageId: str) -> tuple[int, bytes] | None:
        return None if self._allNew else findMessage(self._gathering.execute, self._dialect, sender, messageId)

    def _write(self, event: Event, message: NetworkMessage, digest: bytes) -> None:
        ids, line = event.recipients, event.line
        listed = None if ids is None else _encode(sorted(ids)).decode()
        if self.head is None:
            self.head = self._appendedAfter = self._lastGiven()
        self.head = event.seq = self.head + 1
        self._gathering.put(
            _APPEND,
            (
                event.seq,
                event.sender,
                message.message_id,
                message.message_type._value_,
                message.target_ai,
                message.timestamp,
                listed,
                line,
                digest,
                checksum(line, digest, listed),
            ),
        )

    def checkAllNew(self) -> None:
        """
        See that all that was appended was really new.

        @raise Exception: it was not.
        """
        self.flush()
        if not self._allNew or self.head is None:
            return
        again = self._gathering.execute(
            f"SELECT 1 WHERE {repeated('?')}",
            (self._appendedAfter,),
        ).fetchone()
        if again is not None:
            raise Repeated("a message whose row retention has removed")

    def savepoint(self) -> None:
        super().savepoint()
        self._gathering.execute("SAVEPOINT work")

    def undo(self) -> bool:
        super().undo()
        self._gathering.forget()
        self.head = None
        if not self._stands:
            return False  # such as with a full disk
        self._gathering.execute("ROLLBACK TO work")
        self._gathering.execute("RELEASE work")
        return True

    def release(self) -> None:
        self.flush()
        self._gathering.execute("RELEASE work")


def commit(
    make: Callable[[bool], SqlTransaction], works: Sequence[Work], problemOf: Callable[[BaseException], WireProblem]
) -> Commit:
    """
    One transaction for all works; if one of them fails or repeats an earlier message, again with each in a savepoint
    of its own.

    Most commits hold new messages only.  They are not looked up first: the index of unique keys refuses a repetition.

    @param make: makes one, not yet begun; it is told whether to take all messages for new ones.
    """
    # Whatever went wrong in the first attempt: the second finds out whose it is.
    with suppress(Exception):
        transaction = make(True)
        return _attempt(transaction, lambda: applyAll(transaction, works))
    careful = make(False)
    return _attempt(careful, lambda: applyEach(careful, works, problemOf))


def _attempt(transaction: SqlTransaction, applied: Callable[[], Any]) -> Commit:
    transaction.begin()
    try:
        done = applied()
        transaction.checkAllNew()
        transaction.end()
    except BaseException:
        transaction.rollBack()
        raise
    return Commit(Committed.of(transaction), transaction.notes, done.refused, done.costs)
