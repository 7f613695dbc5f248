"""`Trainer`: one AI as a service.  It wires store, outbox, inbox, workshop and connection together."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from twisted.application.service import Service
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred, DeferredList, inlineCallbacks, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.identity import IdentityError, JoinString, StateDirectory
from kernelnet.learning.specializations import capabilitiesOf, featureOf
from kernelnet.message import AiInfo, Handshake, Heartbeat, MessageType, NetworkMessage
from kernelnet.trainer.collaboration.sessions import SEEK_EVERY, Collaboration
from kernelnet.trainer.connection.addresses import Address
from kernelnet.trainer.connection.credentials import Credentials
from kernelnet.trainer.connection.protocol import TrainerProtocol
from kernelnet.trainer.connection.reconnect import TrainerFactory
from kernelnet.trainer.connection.root_discovery import JoinError, RootFinder
from kernelnet.trainer.messaging.delivery import Delivery
from kernelnet.trainer.messaging.dispatcher import Inbox, greetingPayload
from kernelnet.trainer.storage.database import Changes, Store, StoreError
from kernelnet.trainer.storage.knowledge_base import Knowledge
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.worker import Workshop
from kernelnet.wire import encode, encodePayload, newMessageId, rfc3339
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["Trainer", "TrainerConfig"]

STOP_WORK = 5.0
"""Seconds a trainer that ends waits for its work to stop; what takes longer is left alone."""

LAST_WORDS = 8.0
"""Seconds it then waits for the acks of what it said."""


class TrainerConfig(Struct):
    """
    Where a trainer finds the hub, and as whom.

    @ivar hubs: where the hub may be; they are tried in turn.
    @ivar tokenFile: C{None}: the credential that enrolling gave, else the hub's join token in the state directory.
    @ivar token: instead of a file, from the Python API.
    @ivar join: instead of a token.
    @ivar caFile: C{None}: the CA from joining, else the state directory's.
    @ivar clientCertificate: to show to a hub that asks for one; C{clientKey}: its key, C{None}: in the same file.
    @ivar minutes: end after so long; C{None}: never.
    """

    aiId: str
    state: StateDirectory
    specialization: str = "general"
    capabilities: tuple[str, ...] = ()
    hubs: tuple[Address, ...] = (Address("localhost", 6000),)
    tokenFile: Path | None = None
    token: str | None = None
    join: JoinString | None = None
    caFile: Path | None = None
    clientCertificate: Path | None = None
    clientKey: Path | None = None
    minutes: float | None = None


class Trainer(Service):
    """
    One AI: learns by an `ILocalTrainer`, talks to the hub, keeps all that matters in its store.

    @ivar ended: fires when the trainer has stopped by itself: with C{None}, or with the reason as a L{Failure}.
    """

    log = Logger()

    def __init__(self, config: TrainerConfig, local: Any, reactor: Any, generator: str = "search") -> None:
        self.config = config
        self.aiId = config.aiId
        self.specialization = config.specialization
        self.capabilities = capabilitiesOf(config.specialization, config.capabilities)
        self.feature = featureOf(config.specialization)
        self.version = version("kernelnet")
        self.local = local
        self.generator = generator
        self.reactor = reactor
        self.ended: Deferred[None] = Deferred()
        self.folder = config.state.trainer(config.aiId)
        self._lock: int | None = None
        self.credentials = Credentials(config, self.folder)
        self.store = Store(self.folder / "trainer.db", reactor)
        self.outbox = Outbox(self.store)
        self.knowledge = Knowledge(self.aiId, self.store)
        self.inbox = Inbox(self)
        self._delivery = Delivery(self)
        self.workshop = Workshop(self)
        self.collaboration = Collaboration(self)
        self.factory = TrainerFactory(self, config.hubs, reactor)
        self._tls: dict[Address, Any] = {}
        self._finder: RootFinder | None = None
        self._timers: list[Any] = []
        self._failed = False
        self._hidden = False
        self._began = 0.0

    def __repr__(self) -> str:
        return (
            f"<Trainer {self.aiId} {self.specialization} hub={self.factory.address} "
            f"online={self.factory.connection is not None} unacked={len(self.outbox)}>"
        )

    # -- life

    def startService(self) -> None:
        super().startService()
        self._began = self.now()
        Deferred.fromCoroutine(self._start()).addErrback(self._broken)

    async def _start(self) -> None:
        try:
            self._lock = self.config.state.lock(f"trainers/{self.aiId}/lock")
            self.store.open()
        except (IdentityError, StoreError, OSError) as e:
            self.fail(e)
            return
        for part in (self.outbox, self.knowledge, self.inbox, self.workshop, self.collaboration):
            await part.load()
            if not self.running:
                return
        self._connectWhenPossible()
        try:
            await self.local.start()
        except WorkbenchError as e:
            self.fail(e)
            return
        if not self.running:
            return
        self.log.info(
            "{aiId} ({specialization}) trains on {benches}: {local}",
            aiId=self.aiId,
            specialization=self.specialization,
            benches=", ".join(self.local.workbenches),
            local=self.local,
        )
        self._every(SEEK_EVERY, self._seek)
        self._every(1.0, self._writeProgress)
        if self.config.minutes is not None:
            remaining = max(0.0, self.config.minutes * 60 - (self.now() - self._began))
            self._timers.append(self.reactor.callLater(remaining, self._finish))
        await self.workshop.sharePatterns()
        if self.running:
            self.workshop.start()

    def _every(self, seconds: float, function: Any) -> None:
        """Call again and again; what goes wrong once does not end it."""
        loop = task.LoopingCall(self._guarded, function)
        loop.clock = self.reactor
        loop.start(seconds, now=False)
        self._timers.append(loop)

    def _guarded(self, function: Any) -> None:
        try:
            function()
        except Exception:
            self.log.failure("{name} failed", name=function.__name__)

    def _broken(self, failure: Failure) -> None:
        if self.running:  # or it was stopped while it started, and what it needs is gone
            self.log.failure("the trainer can't start", failure=failure)
            self.fail(f"{type(failure.value).__name__}: {failure.value}")

    def _finish(self) -> None:
        """The time that was given is over."""
        self.log.info("{aiId}: time is over", aiId=self.aiId)
        changes = Changes()
        self.collaboration.end(changes)
        self.commit(changes).addErrback(lambda _: None)  # it has ended the trainer
        self._end(None)

    def fail(self, reason: object) -> None:
        """End for good, with a reason for the user."""
        if self._failed:
            return
        self._failed = True
        self.factory.stopTrying()
        self._end(Failure(TrainerFailed(str(reason))))

    def _end(self, result: Failure | None) -> None:
        if not self.ended.called:
            self.ended.callback(result) if result is None else self.ended.errback(result)

    @inlineCallbacks
    def stopService(self) -> Any:
        """Stop working, wait a little for the acks of what was said, close: within some seconds, whatever hangs."""
        wasRunning = self.running
        super().stopService()
        if not wasRunning:
            return
        for timer in self._timers:
            if isinstance(timer, task.LoopingCall):
                if timer.running:
                    timer.stop()
            elif timer.active():
                timer.cancel()
        stopped = self.workshop.stop()
        local = maybeDeferred(self.local.stop)
        local.addErrback(lambda failure: self.log.failure("stopping {local} failed", failure, local=self.local))
        # A search may not look at its clock, and a full disk keeps a lane waiting until the store is closed.
        yield self._within(STOP_WORK, local, stopped)
        deadline = self.now() + LAST_WORDS
        while len(self.outbox) and self.factory.connection is not None and self.now() < deadline:
            yield task.deferLater(self.reactor, 0.05)
        self._guarded(self._writeProgress)
        self._disconnect()
        yield self.store.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _within(self, seconds: float, *work: Deferred[Any]) -> Deferred[None]:
        """Fires when all of C{work} has ended, well or not, or after C{seconds}."""
        done: Deferred[None] = Deferred()

        def end(_: object) -> None:
            if not done.called:
                done.callback(None)

        timer = self.reactor.callLater(seconds, end, None)
        DeferredList(work, consumeErrors=True).addCallback(end)
        return done.addBoth(lambda _: timer.cancel() if timer.active() else None)

    def _disconnect(self) -> None:
        """Close for good; what may still come in on the way is not heard: the hub has it for the next time."""
        if self._finder is not None:
            self._finder.stop()
        self.factory.stopTrying()
        connection, self.factory.connection = self.factory.connection, None
        self.outbox.disconnected()
        if connection is not None:
            connection.close()

    # -- the connection

    def _connectWhenPossible(self) -> None:
        """Connect as soon as there is a CA and a token: a hub that is started later makes them."""
        if not self.running or self._failed:
            return
        try:
            if (digest := self.credentials.wantedRoot()) is not None:
                self._findRoot(digest)
                return
            self._tls = {address: self.credentials.tls(address.host) for address in self.config.hubs}
            self.credentials.token()
        except IdentityError as e:
            if self.credentials.mayAppear():
                self.log.warn(
                    "waiting for a hub's first start with {state}: {e}; for a hub on another machine use --join, or "
                    "--ca and --token-file",
                    state=self.config.state.path,
                    e=e,
                )
                self._timers.append(self.reactor.callLater(2.0, self._connectWhenPossible))
            else:
                self.fail(e)
            return
        self.factory.connect()

    def _findRoot(self, digest: str) -> None:
        """Before anything secret is said: get the CA that the join string names."""
        finder = self._finder = RootFinder(self.config.hubs, digest, self.reactor)

        def found(pem: bytes) -> None:
            self.credentials.keepRoot(pem)
            self.factory.address = finder.address
            self._connectWhenPossible()

        def failed(failure: Failure) -> None:
            if failure.check(JoinError, IdentityError, OSError):
                self.fail(failure.value)
            elif not failure.check(CancelledError):
                self._broken(failure)

        finder.find().addCallback(found).addErrback(failed)

    def dial(self, address: Address) -> Any:
        """Begin to connect to one of the hub's addresses; the certificate must be for its host."""
        timeout = 30 if len(self.config.hubs) == 1 else 10
        return self.reactor.connectSSL(address.host, address.port, self.factory, self._tls[address], timeout)

    def greeting(self) -> Iterator[bytes]:
        """The lines that open a connection: handshake and hello."""
        self.inbox.connected()
        try:
            token = self.credentials.token()
        except IdentityError as e:  # it was there when we first connected
            self.fail(e)
            return
        yield msgspec.json.encode(Handshake(self.aiId, token))
        hello = greetingPayload(self, self.inbox, [self.generator], list(self.local.workbenches))
        yield encode(self._message(MessageType.HELLO, hello))

    def greeted(self) -> None:
        """The hub knows us: what is unacked goes out."""
        connection = self.factory.connection
        if connection is not None:
            self.outbox.connected(connection.sendLines)

    def disconnected(self) -> None:
        self.outbox.disconnected()

    def comeBackLater(self) -> None:
        """Close, and come back after a long pause: a hub in trouble is not helped by all its trainers at its door."""
        self.factory.delay = self.factory.maxDelay
        if self.factory.connection is not None:
            self.factory.connection.close()

    @inlineCallbacks
    def received(self, batch: Sequence[NetworkMessage], connection: TrainerProtocol) -> Any:
        """Fires when C{batch} and all that follows from it at once is durable."""
        yield self._delivery.deliver(batch, connection)

    # -- speaking

    def say(self, kind: MessageType, payload: Struct, changes: Changes, target: str | None = None) -> None:
        """Put a logged message into the outbox, as part of C{changes}."""
        self.outbox.add(self._message(kind, encodePayload(payload), target), changes)

    def sayNow(self, kind: MessageType, payload: Struct) -> None:
        """Send a message that is of no use later; lost if there is no connection."""
        if self.factory.connection is not None:
            self.factory.connection.sendLines([encode(self._message(kind, encodePayload(payload)))])

    def pong(self, payload: Heartbeat) -> NetworkMessage:
        return self._message(MessageType.HEARTBEAT, encodePayload(payload))

    def _message(self, kind: MessageType, payload: dict[str, Any], target: str | None = None) -> NetworkMessage:
        now = time.time()
        return NetworkMessage(newMessageId(now), self.aiId, kind, rfc3339(now), payload, target)

    @inlineCallbacks
    def commit(self, changes: Changes) -> Any:
        """
        Make C{changes} durable; then what was said in them goes out.

        Where that is impossible the trainer ends: what it has in memory is ahead of its store, and the next start goes
        on from what is stored.
        """
        try:
            yield self.store.commit(changes)
        except Exception as e:
            if self.running:
                self.fail(f"can't write {self.store.path}: {e}")
            raise
        self.outbox.release(changes)

    # -- the rest

    def now(self) -> float:
        seconds: float = self.reactor.seconds()
        return seconds

    def pause(self, seconds: float) -> Deferred[None]:
        return task.deferLater(self.reactor, seconds)

    def getAiInfo(self, aiId: str) -> AiInfo | None:
        """What the hub last told of an AI; C{None} if it never did."""
        return self.knowledge.ais.get(aiId)

    def _seek(self) -> None:
        if self.factory.connection is not None and self.factory.connection.greeted:
            changes = Changes()
            if self.collaboration.seek(self.now(), changes):
                self.commit(changes).addErrback(lambda _: None)  # it has ended the trainer

    def progress(self) -> dict[str, Any]:
        """A JSON-able dict of how the training goes, for whoever shows it."""
        sessions = [s.status for s in self.collaboration.sessions.values()]
        return {
            "ai_id": self.aiId,
            "specialization": self.specialization,
            "online": self.factory.connection is not None,
            "rounds": self.workshop.rounds,
            "built": self.workshop.built,
            "confirmed": self.workshop.confirmed(),
            "to_measure": self.workshop.unmeasured(),
            "sessions": {status: sessions.count(status) for status in sorted(set(sessions))},
            "unacked": len(self.outbox),
            "skipped": self.inbox.failed,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            **self.local.status(),
        }

    def _writeProgress(self) -> None:
        scratch = self.folder / ".progress.json"
        try:
            scratch.write_text(json.dumps(self.progress()))
            scratch.rename(self.folder / "progress.json")
            self._hidden = False
        except OSError as e:
            if not self._hidden:  # such as a full disk: one line is enough
                self._hidden = True
                self.log.warn("can't write {path}: {e}", path=str(scratch), e=e)


class TrainerFailed(Exception):
    """Why a trainer ended for good; the text is for the user."""
