"""Reader and transaction in memory, and the commit itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernelnet.hub.storage.engine import Commit, Committed
from kernelnet.hub.storage.group_commit import applyAll, applyEach
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.memory.access import MemoryAis, MemoryTokens
from kernelnet.hub.storage.memory.knowledge import MemoryComponents, MemoryPatterns, MemoryReports
from kernelnet.hub.storage.memory.log import MemoryLog, MemoryMarks, findMessage
from kernelnet.hub.storage.memory.observations import MemoryObservations
from kernelnet.hub.storage.memory.sessions import MemorySessions
from kernelnet.hub.storage.memory.tables import LogRow, Tables
from kernelnet.hub.storage.transaction import Transaction, Work
from kernelnet.message import NetworkMessage
from kernelnet.wire import WireProblem

__all__ = ["MemoryReader", "MemoryTransaction", "commit"]


class MemoryReader:
    """A `kernelnet.hub.storage.transaction.Reader` of what was committed when it was made."""

    def __init__(self, tables: Tables) -> None:
        self.log = MemoryLog(tables)
        self.marks = MemoryMarks(tables)
        self.tokens = MemoryTokens(tables)
        self.ais = MemoryAis(tables)
        self.sessions = MemorySessions(tables)
        self.patterns = MemoryPatterns(tables)
        self.components = MemoryComponents(tables)
        self.reports = MemoryReports(tables)
        self.observations = MemoryObservations(tables)


class MemoryTransaction(Transaction):
    """
    A transaction on a copy of what was committed.

    @ivar tables: what is committed if it ends well.
    """

    def __init__(self, committed: Tables, now: float) -> None:
        super().__init__(now)
        self.tables = tables = committed.fork()
        self._before = tables
        self.log = MemoryLog(tables)
        self.marks = MemoryMarks(tables)
        self.tokens = MemoryTokens(tables)
        self.ais = MemoryAis(tables)
        self.sessions = MemorySessions(tables)
        self.patterns = MemoryPatterns(tables)
        self.components = MemoryComponents(tables)
        self.reports = MemoryReports(tables)
        self.observations = MemoryObservations(tables)

    def find(self, sender: str, messageId: str) -> tuple[int, bytes] | None:
        return findMessage(self.tables, sender, messageId)

    def _write(self, event: Event, message: NetworkMessage, digest: bytes) -> None:
        seq = self.tables.given + 1
        self.tables.known.add((event.sender, message.message_id), (seq, None))
        self.tables.given = event.seq = seq
        self.tables.log[seq] = LogRow(
            event,
            message.message_id,
            message.message_type.value,
            message.target_ai,
            message.timestamp,
            digest,
        )

    def savepoint(self) -> None:
        super().savepoint()
        self._before = self.tables.fork()

    def undo(self) -> bool:
        self.tables.become(self._before)
        return super().undo()

    def release(self) -> None:
        self._before = self.tables


def commit(
    committed: Tables, works: Sequence[Work], now: float, problemOf: Callable[[BaseException], WireProblem]
) -> tuple[Tables, Commit]:
    """
    Apply all works, and if one of them fails, again with each in a savepoint of its own.

    @return: what is committed from now on; C{committed} has not changed.
    """
    transaction = MemoryTransaction(committed, now)
    try:
        done = applyAll(transaction, works)
    except Exception:  # whatever it was: the second attempt finds out whose it is
        transaction = MemoryTransaction(committed, now)
        done = applyEach(transaction, works, problemOf)
    return transaction.tables, Commit(Committed.of(transaction), transaction.notes, done.refused, done.costs)
