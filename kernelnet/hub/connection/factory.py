"""
Who is connected, and what a commit means for all of them.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet import wire
from kernelnet.hub.admin.status import gatherStatus
from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection.admission import Gate, TurnedAway
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.log_reader import Flush
from kernelnet.hub.connection.protocol import HubProtocol
from kernelnet.hub.routing import collaboration_sessions
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.routing.router import Router
from kernelnet.hub.storage.engine import Committed
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.retention import LogRetention
from kernelnet.hub.storage.retention_policy import RetentionPolicy
from kernelnet.hub.storage.transaction import hubMessage
from kernelnet.message import AiInfo, Handshake, Heartbeat, Hello, MessageType, TrainingSync
from kernelnet.untrusted import plain
from kernelnet.wire import WireProblem

__all__ = ["HubFactory"]

_rfc3339 = lru_cache(10_000)(wire.rfc3339)
"""Everybody who comes is told since when 200 others are here: half of what that takes."""


class HubFactory(Factory):
    """
    @ivar gate: who may come in, and how fast.
    @ivar keeper: how long the log is kept.
    @ivar byId: the connection of each authenticated AI; the router sees who is connected in it.
    @ivar counts: messages received since the start, by type.
    @ivar errors: errors sent since the start, by code.
    @ivar port: where it listens, for the status.
    @ivar acking: connections with acks that wait for the end of this commit.
    """

    noisy = False
    log = Logger(namespace="kernelnet.hub")

    pingAfter = 30.0
    dropAfter = 90.0
    """Seconds of silence after which a version 2 peer is dropped."""
    newsDelay = 0.1
    """Seconds in which comings and goings are gathered into one line."""

    def __init__(
        self,
        source: EventLog,
        registry: Directory,
        joinHash: str,
        clock: IReactorTime,
        wallClock: Callable[[], float],
        *,
        limits: collaboration_sessions.Limits | None = None,
        bounds: Bounds | None = None,
        policy: RetentionPolicy | None = None,
    ) -> None:
        bounds = bounds or Bounds()
        self.source = source
        self.registry = registry
        self.clock = clock
        self.wallClock = wallClock
        self.startedAt = wallClock()
        self.byId: dict[str, HubProtocol] = {}
        self.router = Router(registry, self.byId.keys(), limits or collaboration_sessions.Limits(), bounds.line)
        self.gate = Gate(bounds, clock, self._check)
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.acking: dict[HubProtocol, None] = {}
        self.port: int | None = None
        self._joinHash = joinHash
        self._connections: set[HubProtocol] = set()
        self._allGone: Deferred[None] | None = None
        self._news: set[str] = set()
        self._newsCall: IDelayedCall | None = None
        self._jobs = [self._job(self._sweep), self._job(self._expire)]
        self._stopping = False
        self.keeper = LogRetention(source, self._readPositions, clock, wallClock, policy or RetentionPolicy())
        source.subscribe(registry.follow, first=True)
        source.subscribe(self._committed)

    def __repr__(self) -> str:
        return f"<HubFactory {len(self.byId)} AIs, {len(self._connections)} connections>"

    def _job(self, function: Callable[[], object]) -> LoopingCall:
        job = LoopingCall(function)
        job.clock = self.clock
        return job

    def start(self) -> None:
        """Begin the periodic work."""
        for job in self._jobs:
            job.start(5.0, now=False)
        self.keeper.start()

    def buildProtocol(self, addr: IAddress | None) -> HubProtocol | TurnedAway:  # type: ignore[override]
        if self._stopping or not self.gate.admits(getattr(addr, "host", None)):
            return TurnedAway()  # TLS can't do with None
        return HubProtocol(self)

    @property
    def connectionCount(self) -> int:
        return len(self._connections)

    # --- who is connected

    def connected(self, connection: HubProtocol) -> None:
        self._connections.add(connection)
        self.gate.entered(connection)

    def _check(self, handshake: Handshake) -> Deferred[Grant]:
        """Fires with how the handshake is answered; a first use of an own token is on disk by then."""

        def checked(grant: Grant) -> Grant | Deferred[Grant]:
            if grant is not Grant.FIRST_USE:
                return grant
            return self.source.write(
                lambda transaction: tokens.markUsed(transaction, handshake.ai_id, handshake.token)
            ).addCallback(lambda _: Grant.OWN)

        now = self.wallClock()
        return self.source.read(
            lambda reader: tokens.check(reader, handshake.ai_id, handshake.token, self._joinHash, now)
        ).addCallback(checked)

    def authenticated(self, connection: HubProtocol) -> None:
        """C{connection} is that of its AI now; an older one ends."""
        older = self.byId.get(connection.aiId)
        self.byId[connection.aiId] = connection
        if older is not None:
            older.close(WireProblem("taken_over", "a newer connection of the same ai_id took over"))

    def greeted(self, connection: HubProtocol, hello: Hello, again: bool) -> None:
        """Its hello is committed."""
        if connection.closing:
            return
        self.log.info(
            "{ai} {joined}: specialization={specialization}, capabilities={capabilities}, protocol {version}, {peer}",
            ai=connection.aiId,
            joined="is here anew" if again else "joined",
            specialization=plain(hello.specialization),
            capabilities=plain(", ".join(hello.capabilities), 200),
            version=connection.version,
            peer=connection.peer,
        )
        self._tellOf(connection.aiId)

    def disconnected(self, connection: HubProtocol, reason: Failure) -> None:
        self._connections.discard(connection)
        self.gate.left(connection)
        self.acking.pop(connection, None)
        if connection.aiId and self.byId.get(connection.aiId) is connection:
            del self.byId[connection.aiId]
            self.log.info("{ai} left: {reason}", ai=connection.aiId, reason=plain(reason.getErrorMessage(), 200))
            self._tellOf(connection.aiId)
        if self._allGone is not None and not self._connections:
            gone, self._allGone = self._allGone, None
            gone.callback(None)

    def disconnect(self, aiId: str, problem: WireProblem) -> bool:
        """End the connection of C{aiId}, if there is one."""
        connection = self.byId.get(aiId)
        if connection is None:
            return False
        connection.close(problem)
        return True

    # --- what others are told of an AI

    def infoOf(self, ids: Iterable[str]) -> dict[str, AiInfo]:
        found = {}
        for aiId in ids:
            connection = self.byId.get(aiId)
            since = _rfc3339(connection.since) if connection is not None else None
            if info := self.registry.info(aiId, since):
                found[aiId] = info
        return found

    def whoIsHere(self, limit: int = 200) -> tuple[list[str], dict[str, AiInfo]]:
        """The ids that are connected, and what is known of them and of those who were here last; both bounded."""
        here = [aiId for aiId, connection in self.byId.items() if connection.greeted]
        away: list[str] = []
        if len(here) < limit:
            known = self.registry.ais
            away = heapq.nlargest(limit, known.keys() - set(here), key=lambda aiId: known[aiId].seenAt)
        return here[:1000], self.infoOf([*here, *away][:limit])

    def _tellOf(self, aiId: str) -> None:
        self._news.add(aiId)
        if self._newsCall is None and not self._stopping:
            self._newsCall = self.clock.callLater(self.newsDelay, self._tellNews)

    def _tellNews(self) -> None:
        self._newsCall = None
        ids, self._news = sorted(self._news), set()
        for start in range(0, len(ids), 200):
            info = self.infoOf(ids[start : start + 200])
            payload = wire.encodePayload(TrainingSync(ai_info=info))
            line = wire.encode(hubMessage(MessageType.TRAINING_SYNC, payload, self.wallClock())) + b"\n"
            for connection in list(self.byId.values()):
                if connection.greeted and connection.version >= 2 and info.keys() != {connection.aiId}:
                    connection.tellNews(line, info)

    # --- after each commit

    def _readPositions(self) -> list[tuple[int, str]]:
        return [(c.readSeq, aiId) for aiId, c in self.byId.items() if c.version >= 2 and c.readSeq]

    def _committed(self, committed: Committed) -> None:
        acking, self.acking = self.acking, {}
        flushes = list(Flush.of(committed.events))
        # Those who wait for an ack come first: to tell a hundred others takes longer than a commit.
        everybody = list(acking | dict.fromkeys(self.byId.values())) if flushes else []
        for flush in flushes:
            for connection in everybody:
                connection.flush(flush)
        for connection in acking if not flushes else ():
            connection.flush(None)

    # --- what happens from time to time

    def _sweep(self) -> None:
        """Ping who is silent, drop who is silent for long, cut who can't keep up."""
        try:
            self.gate.sweep()
            now = self.clock.seconds()
            ping = Heartbeat(nonce=int(now * 1000))
            for connection in list(self.byId.values()):
                silent = now - connection.lastHeard
                if not connection.greeted or connection.closing:
                    continue
                if connection.version >= 2 and silent >= self.dropAfter:
                    self.log.info("{ai} dropped: silent for {silent:.0f} s", ai=connection.aiId, silent=silent)
                    connection.transport.abortConnection()
                elif (
                    connection.version == 1
                    and connection.cursor.paused
                    and not self.source.remembers(connection.cursor.position)
                ):
                    connection.close(WireProblem("too_slow", "this client did not keep up with what others share"))
                elif now - connection.lastPing >= self.pingAfter and (
                    silent >= self.pingAfter or self._asks(connection)
                ):
                    connection.lastPing = now
                    # all up to there was handed to it before this ping
                    ping.seq = connection.cursor.position if connection.version >= 2 else None
                    connection.send(MessageType.HEARTBEAT, ping)
        except Exception:
            self.log.failure("the sweep failed; it goes on")

    def _asks(self, connection: HubProtocol) -> bool:
        """Whether a ping shall find out how far it has read: who talks all the time is never silent."""
        return self.keeper.asks and connection.version >= 2 and connection.cursor.live

    def _expire(self) -> Deferred[None]:
        def failed(failure: Failure) -> None:
            self.log.failure("ending sessions failed; it goes on", failure)

        return self.source.write(collaboration_sessions.expire).addCallbacks(lambda _: None, failed)

    def get_hub_status(self) -> Deferred[dict[str, Any]]:
        """Fires with a JSON-able dict; its keys stand in `kernelnet.hub.admin.status`."""
        return gatherStatus(self)

    # --- the end

    def stop(self) -> Deferred[None]:
        """
        Take nothing more, commit and acknowledge what came, say goodbye to all.

        @return: fires when all connections are gone, within some seconds.
        """
        self.keeper.stop()
        for job in self._jobs:
            if job.running:
                job.stop()
        return self.standStill(WireProblem("shutting_down", "the hub is going away; come back"))

    def goOn(self) -> None:
        """Let clients in again, after `standStill`."""
        self._stopping = False

    def standStill(self, why: WireProblem) -> Deferred[None]:
        """
        Take nothing more, commit and acknowledge what came, close all connections with C{why}.

        @return: fires when all are gone, within some seconds.
        """
        self._stopping = True
        for connection in self._connections:
            connection.hold("stopping")

        def goodbye(_: object) -> Deferred[None] | None:
            if self._newsCall is not None:
                self._newsCall.cancel()
                self._newsCall = None
            if not self._connections:
                return None
            self._allGone = Deferred()
            gone = self._allGone
            for connection in list(self._connections):
                connection.close(why)
            return gone

        return self.source.drain().addCallback(goodbye)
