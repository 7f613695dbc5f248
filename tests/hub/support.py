"""A hub without sockets, threads or waiting: string transports, a clock, and a database that is used at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from kernelnet import wire
from kernelnet.hub import composition
from kernelnet.hub.auth import tokens
from kernelnet.hub.connection import admission, protocol
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.payload_shelf import PayloadShelf
from kernelnet.hub.connection.protocol import HubProtocol
from kernelnet.hub.routing.collaboration_sessions import Limits
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage import group_commit
from kernelnet.hub.storage.cluster import Cluster
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.identity import tokenHash
from kernelnet.message import MessageType, NetworkMessage
from tests.hub.databases import Gate, HubDatabase, LoggedRow, OnSqlite

T = TypeVar("T")

NOON = 1_800_000_000.0
JOIN = "the-join-token"
_numbers = itertools.count(1)
TIMESTAMP = "2026-11-22T15:00:00Z"


class Transport(StringTransport):
    """Counts nothing, but keeps what a closing connection wrote, and can be full."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnecting = True


class Client:
    """The far end of one connection; it speaks in whole lines."""

    def __init__(self, hub: Hub, aiId: str) -> None:
        self.hub = hub
        self.aiId = aiId
        self.transport = Transport()
        protocol = hub.factory.buildProtocol(None)
        assert isinstance(protocol, HubProtocol)
        self.protocol: HubProtocol = protocol
        self.protocol.makeConnection(self.transport)
        self._partial = b""

    def raw(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def line(self, value: object) -> None:
        self.raw(msgspec.json.encode(value) + b"\n")

    def authenticate(self, token: str | None = None) -> None:
        self.line({"ai_id": self.aiId, "token": self.hub.issue(self.aiId) if token is None else token})

    def message(self, type: str, payload: Any, target: str | None = None, **fields: Any) -> dict[str, Any]:
        return {
            "message_id": f"{self.aiId}-{type}-{next(_numbers)}",
            "sender_id": self.aiId,
            "message_type": type,
            "timestamp": TIMESTAMP,
            "payload": payload,
            "target_ai": target,
            **fields,
        }

    def send(self, type: str, payload: Any, target: str | None = None, **fields: Any) -> str:
        """@return: the message's id."""
        message = self.message(type, payload, target, **fields)
        self.line(message)
        return str(message["message_id"])

    def hello(self, version: int = 2, **payload: Any) -> None:
        self.send("hello", {"specialization": "general", **({"protocol": 2} if version == 2 else {}), **payload})

    def lines(self) -> list[bytes]:
        """What came since the last call."""
        data: bytes = self._partial + self.transport.value()
        self.transport.clear()
        *lines, self._partial = data.split(b"\n")
        return lines

    def received(self, *types: str) -> list[dict[str, Any]]:
        """What came since the last call, in order; of the named types only."""
        found = []
        for line in self.lines():
            message = wire.decodeFromHub(line)  # whatever the hub says must be a valid line
            if not types or message.message_type.value in types:
                found.append(msgspec.json.decode(line))
        return found

    def payloads(self, *types: str) -> list[dict[str, Any]]:
        return [message["payload"] for message in self.received(*types)]

    def errors(self) -> list[str]:
        return [payload["code"] for payload in self.payloads("error")]

    @property
    def closing(self) -> bool:
        return self.transport.disconnecting

    def pause(self) -> None:
        """The far end does not read, so the transport asks to pause."""
        self.protocol.reader.pauseProducing()

    def resume(self) -> None:
        self.protocol.reader.resumeProducing()

    def leave(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


class Hub(composition.Hub):
    """Everything of a hub but its listening port."""

    clock: Clock

    def __init__(
        self,
        database: HubDatabase | Path,
        clock: Clock | None = None,
        bounds: Bounds | None = None,
        payloads: PayloadShelf | None = None,
        makeCluster: Callable[[EventLog, Clock], Cluster] | None = None,
    ) -> None:
        """
        @param database: of a file: that in SQLite, of this name.
        @param makeCluster: makes what tells of other hubs; C{None}: there are none.
        """
        self.database = OnSqlite(database.parent) if isinstance(database, Path) else database
        self.engine = self.database.engine()
        self.engine.prepare()
        clock = clock or Clock()
        log = EventLog(self.engine, clock, lambda: NOON + clock.seconds())
        log.open()
        super().__init__(
            log,
            Directory.load(self.stored),
            tokenHash(JOIN),
            clock,
            lambda: NOON + clock.seconds(),
            limits=Limits(offered=600, active=1800),
            bounds=bounds,
            cluster=makeCluster(log, clock) if makeCluster is not None else None,
            payloads=payloads,
        )
        self.start()
        self._tokens: dict[str, str] = {}

    def now(self) -> float:
        return NOON + self.clock.seconds()

    def issue(self, aiId: str) -> str:
        """A token of an operator for C{aiId}; always the same one."""
        if aiId not in self._tokens:
            self._tokens[aiId] = self.transact(lambda transaction: tokens.issue(transaction, aiId))
        return self._tokens[aiId]

    def transact(self, function: Callable[[Transaction], T]) -> T:
        results: list[T] = []
        self.log.write(function).addCallback(results.append)
        return results[0]

    def client(self, aiId: str) -> Client:
        """A client that is authenticated and has not said hello."""
        client = Client(self, aiId)
        client.authenticate()
        return client

    def resume(self, aiId: str, after: int) -> Client:
        """A version 2 client that was away since it had read up to C{after}."""
        client = self.client(aiId)
        client.hello(2, log_id=self.log.logId, resume_after=after)
        return client

    def connect(self, aiId: str, version: int = 2, **hello: Any) -> Client:
        """A client that has said hello and heard the answer."""
        client = self.client(aiId)
        client.hello(version, **hello)
        self.clock.advance(self.presence.newsDelay)
        for connection in self.connections.byId.values():
            assert connection.greeted
        client.received()
        return client

    @property
    def writer(self) -> Gate:
        return self.database.writer

    @property
    def reader(self) -> Gate:
        return self.database.reader

    @property
    def stored(self) -> Reader:
        """All that is committed."""
        return self.database.stored

    def logged(self) -> list[LoggedRow]:
        """The log as it is committed."""
        return self.database.logged()

    @property
    def sqlite(self) -> OnSqlite:
        """For tests that are about SQLite alone."""
        assert isinstance(self.database, OnSqlite)
        return self.database

    def execute(self, sql: str, *parameters: Any) -> None:
        """Change what is stored in SQLite behind the hub's back."""
        self.sqlite.writer.connection.execute(sql, parameters)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.sqlite.reader.connection.execute(sql, parameters).fetchall()

    def cutAll(self) -> None:
        """All connections are lost."""
        for connection in self.connections.everyone():
            assert isinstance(connection, HubProtocol)
            connection.connectionLost(Failure(ConnectionDone()))

    def kill(self) -> None:
        """End it as a kill would, but for the database file's handles."""
        self.presence.note = lambda log: None  # type: ignore[method-assign]  # a kill leaves no time for it
        self.cutAll()
        self.stop()
        self.log.close()


class HubTestCase(SynchronousTestCase):
    """
    A fresh hub for each test; no timer may be left at its end.

    @cvar databaseType: see `tests.hub.databases.onEveryEngine`.
    """

    databaseType: type[HubDatabase] = OnSqlite

    def setUp(self) -> None:
        # However busy the machine is; and what tests do takes no time of their clock.
        self.patch(group_commit, "MAX_SECONDS", 1e9)
        self.patch(admission, "WORK_AT_ONCE", 1e9)
        self.patch(protocol, "TURN", 1e9)
        self.patch(EventLog, "EACH", 1e9)
        self.patch(EventLog, "LARGE", 1e9)
        self.path = Path(self.mktemp())
        self.path.mkdir(parents=True)
        self.database = self.databaseType(self.path)
        self.hubs: list[Hub] = []
        self.hub = self.makeHub()

    def makeHub(self, bounds: Bounds | None = None) -> Hub:
        hub = Hub(self.database, bounds=bounds)
        self.hubs.append(hub)
        return hub

    def restart(self, bounds: Bounds | None = None) -> Hub:
        """The hub ends and another one opens its database."""
        self.hub.kill()
        self.hubs.remove(self.hub)
        self.hub = self.makeHub(bounds)
        return self.hub

    def tearDown(self) -> None:
        for hub in self.hubs:
            hub.kill()
            self.assertEqual(hub.clock.getDelayedCalls(), [])


def aPattern(id: str = "p1", **fields: Any) -> dict[str, Any]:
    return {"pattern": {"id": id, "type": "loop", "confidence": 0.5, **fields}}


def aComponent(id: str = "c1", **fields: Any) -> dict[str, Any]:
    return {"component": {"id": id, "name": "cache", "implementation": "int x;", "specialization": "general", **fields}}


def anEvent(sender: str, id: str, payload: dict[str, Any]) -> NetworkMessage:
    return NetworkMessage(id, sender, MessageType.PATTERN_SHARE, TIMESTAMP, payload)


def captureLog(case: SynchronousTestCase) -> list[str]:
    """The text of everything that is logged during a test."""
    seen: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        seen.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    case.addCleanup(globalLogPublisher.removeObserver, observe)
    return seen
