"""A hub without sockets, threads or waiting: string transports, a clock, and a real database file."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from kernelnet import wire
from kernelnet.hub import service
from kernelnet.hub.auth import tokens
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.protocol import HubProtocol
from kernelnet.hub.routing.collaboration_sessions import Limits
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage import sqlite
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.sqlite.transaction import SqliteReader
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.identity import tokenHash
from kernelnet.message import MessageType, NetworkMessage

T = TypeVar("T")

NOON = 1_800_000_000.0
JOIN = "the-join-token"
_numbers = itertools.count(1)
TIMESTAMP = "2026-11-22T15:00:00Z"


class Pool:
    """
    One connection, used at once and in the caller's thread.

    @ivar held: whether calls wait until `release`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.held = False
        self.calls = 0
        self._waiting: list[Callable[[], object]] = []

    def runWithConnection(self, func: Callable[..., T], *args: Any) -> Deferred[T]:
        self.calls += 1
        if not self.held:
            return maybeDeferred(func, self.connection, *args)
        done: Deferred[T] = Deferred()
        self._waiting.append(lambda: maybeDeferred(func, self.connection, *args).chainDeferred(done))
        return done

    def release(self) -> None:
        self.held = False
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def close(self) -> None:
        self.connection.close()


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


class Hub(service.Hub):
    """Everything of a hub but its listening port."""

    clock: Clock

    def __init__(self, path: Path, clock: Clock | None = None, bounds: Bounds | None = None) -> None:
        self.path = path
        self.engine = sqlite.SqliteEngine(path, self._pools)
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
        )
        self.start()
        self._tokens: dict[str, str] = {}

    def _pools(self) -> tuple[Pool, Pool]:
        writer = sqlite.connect(self.path)
        writer.execute("PRAGMA synchronous=OFF")  # nobody pulls the plug here
        self.writer, self.reader = Pool(writer), Pool(sqlite.connectReader(self.path))
        return self.writer, self.reader

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
    def stored(self) -> Reader:
        """All that is committed."""
        return SqliteReader(self.reader.connection)

    def execute(self, sql: str, *parameters: Any) -> None:
        """Change what is stored behind the hub's back."""
        self.writer.connection.execute(sql, parameters)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.reader.connection.execute(sql, parameters).fetchall()

    def cutAll(self) -> None:
        """All connections are lost."""
        for connection in self.connections.everyone():
            assert isinstance(connection, HubProtocol)
            connection.connectionLost(Failure(ConnectionDone()))

    def kill(self) -> None:
        """End it as a kill would, but for the database file's handles."""
        self.cutAll()
        self.stop()
        self.log.close()


class HubTestCase(SynchronousTestCase):
    """A fresh hub for each test; no timer may be left at its end."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.mkdir(parents=True)
        self.hubs: list[Hub] = []
        self.hub = self.makeHub()

    def makeHub(self, bounds: Bounds | None = None) -> Hub:
        hub = Hub(self.path / "hub_data.db", bounds=bounds)
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
