"""The test case of the conformance suite: an engine that was opened, and words to write to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from kernelnet import wire
from kernelnet.hub.storage import group_commit
from kernelnet.hub.storage.engine import Commit, Engine, Identity
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.message import MessageType, NetworkMessage
from kernelnet.wire import WireProblem
from tests.hub.databases import HubDatabase, OnSqlite

__all__ = ["NOW", "TIMESTAMP", "EngineTestCase", "FunctionWork", "append", "appends", "message"]

T = TypeVar("T")

NOW = 1_800_000_000.0
TIMESTAMP = "2026-11-22T15:00:00Z"


class FunctionWork:
    """
    A function as `kernelnet.hub.storage.transaction.Work`.

    @ivar result: what it returned when it was called last.
    @ivar calls: how often it was.
    """

    author = ""
    size = 1

    def __init__(self, function: Callable[[Transaction], Any], source: object | None = None) -> None:
        self.source = source
        self.result: Any = None
        self.calls = 0
        self._function = function

    def withdrawn(self) -> WireProblem | None:
        return None

    def apply(self, transaction: Transaction) -> None:
        self.calls += 1
        self.result = self._function(transaction)

    def settle(self, problem: WireProblem | None) -> None:
        raise AssertionError("an engine settles nothing")


def message(
    sender: str,
    id: str,
    *,
    type: MessageType = MessageType.PATTERN_SHARE,
    payload: dict[str, Any] | None = None,
    target: str | None = None,
    timestamp: str = TIMESTAMP,
) -> NetworkMessage:
    return NetworkMessage(id, sender, type, timestamp, payload or {}, target)


def append(
    transaction: Transaction,
    sender: str,
    id: str,
    *,
    to: Iterable[str] | None = None,
    digest: bytes = b"",
    **fields: Any,
) -> Event:
    """Append a message; see `message` for its fields."""
    made = message(sender, id, **fields)
    return transaction.append(made, wire.encode(made), to, digest)


def appends(sender: str, id: str, **fields: Any) -> Callable[[Transaction], Event]:
    """What appends a message; see `append`."""
    return lambda transaction: append(transaction, sender, id, **fields)


class EngineTestCase(SynchronousTestCase):
    """
    An engine on an empty database.

    @cvar databaseType: see `tests.hub.databases.onEveryEngine`.
    """

    databaseType: type[HubDatabase] = OnSqlite

    def setUp(self) -> None:
        self.patch(group_commit, "MAX_SECONDS", 1e9)  # however busy the machine is
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.database = self.databaseType(self.folder)
        self.identity = self.begin()

    def begin(self) -> Identity:
        """Open an engine."""
        self.engine: Engine = self.database.engine()
        self.engine.prepare()
        return self.successResultOf(self.engine.open())

    def again(self) -> Identity:
        """End the engine, and open another one."""
        self.engine.close()
        return self.begin()

    def tearDown(self) -> None:
        self.engine.close()

    def fired(self, done: Deferred[T]) -> T:
        """What it fired with."""
        return self.successResultOf(done)

    def commit(self, *works: Callable[[Transaction], Any] | FunctionWork, now: float = NOW) -> Commit:
        """Commit functions, or works, together."""
        some = [work if isinstance(work, FunctionWork) else FunctionWork(work) for work in works]
        return self.fired(self.engine.commit(some, now))

    def write(self, function: Callable[[Transaction], T], now: float = NOW) -> T:
        """Commit a function alone, which must be taken, and give what it returned."""
        work = FunctionWork(function)
        done = self.fired(self.engine.commit([work], now))
        self.assertEqual(done.refused, {})
        result: T = work.result
        return result

    def ask(self, function: Callable[[Reader], T]) -> T:
        return self.fired(self.engine.read(function))

    def append(self, sender: str, id: str, **fields: Any) -> Event:
        """Commit one message; see `append`."""
        return self.write(appends(sender, id, **fields))

    def remove(self, upTo: int, limit: int = 99) -> int:
        """Remove the log's beginning."""
        return self.write(lambda transaction: transaction.marks.remove(upTo, limit))

    def head(self) -> int:
        return self.fired(self.engine.open()).head
