"""
A hub put together, started, and stopped in order.

This module alone knows all parts: each is handed what it needs, and no other holds them all.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.daemon import endWithFailure, tellSupervisor
from kernelnet.hub.admin.control_client import LOCK, ControlError, shortPath
from kernelnet.hub.admin.control_server import ControlFactory
from kernelnet.hub.admin.status import HubStatus
from kernelnet.hub.auth.authenticator import TokenAuthenticator
from kernelnet.hub.auth.certificates import HubCertificates
from kernelnet.hub.config import HubConfig
from kernelnet.hub.connection.admission import AdmissionControl
from kernelnet.hub.connection.buffered_tls import BufferedTLSEndpoint
from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.connection.context import ConnectionContext
from kernelnet.hub.connection.factory import HubFactory
from kernelnet.hub.connection.fan_out import FanOut
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.liveness import Liveness
from kernelnet.hub.connection.presence import Presence
from kernelnet.hub.connection.search_history import SearchHistory
from kernelnet.hub.connection.sockets import withinDescriptors
from kernelnet.hub.routing import collaboration_sessions
from kernelnet.hub.routing.collaboration_sessions import Limits
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.routing.router import Router
from kernelnet.hub.storage import disk_space
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.retention import LogRetention
from kernelnet.hub.storage.retention_policy import RetentionPolicy
from kernelnet.hub.storage.sqlite import SqliteEngine
from kernelnet.hub.web.api import Sources
from kernelnet.hub.web.server import Dashboard, checkWhere
from kernelnet.hub.workbench_rules import installedRules
from kernelnet.identity import IdentityError, StateDirectory, tokenHash
from kernelnet.wire import WireProblem

__all__ = ["Hub", "HubService"]

BACKLOG = 1024
SWEEP_EVERY = 5.0
"""Seconds between two looks at connections, limits and sessions."""


class Hub:
    """
    The parts of one hub, put together; nothing listens yet.

    @ivar log: what was said, in order; C{directory}: who is known; C{connections}: who is here.
    @ivar factory: makes the connections of its port.

    @param joinHash: `kernelnet.identity.tokenHash` of the join token.
    @param wallClock: Unix seconds.
    """

    _logger = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        log: EventLog,
        directory: Directory,
        joinHash: str,
        clock: IReactorTime,
        wallClock: Callable[[], float],
        *,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        policy: RetentionPolicy | None = None,
    ) -> None:
        bounds = bounds or Bounds()
        self.log = log
        self.directory = directory
        self.clock = clock
        self.wallClock = wallClock
        self.received: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.connections = Connections(log.drain)
        byId = self.connections.byId
        self.presence = Presence(byId, directory, clock, wallClock)
        self.searches = SearchHistory(byId, wallClock)
        self.connections.left = self.presence.left
        self.fanOut = FanOut(byId)
        log.subscribe(directory.follow, first=True)
        log.subscribe(self.fanOut.committed)
        self.authenticator = TokenAuthenticator(log, joinHash, wallClock)
        self.admission = AdmissionControl(bounds, clock, self.authenticator)
        context = ConnectionContext(
            log=log,
            router=Router(directory, byId.keys(), limits or Limits(), bounds.line),
            admission=self.admission,
            listener=self.connections,
            presence=self.presence,
            fanOut=self.fanOut,
            searches=self.searches,
            received=self.received,
            errors=self.errors,
            clock=clock,
            wallClock=wallClock,
        )
        self.factory = HubFactory(context, lambda: self.connections.suspended)
        self.retention = LogRetention(
            log, self.connections.readPositions, clock, wallClock, policy or RetentionPolicy()
        )
        self.liveness = Liveness(byId, log.remembers, lambda: self.retention.asks, clock)
        self.status = HubStatus(
            log=log,
            connections=self.connections,
            directory=directory,
            admission=self.admission,
            received=self.received,
            errors=self.errors,
            removed=lambda: self.retention.removed,
            wallClock=wallClock,
        )
        self._jobs = [
            self._job("the sweep", self.liveness.sweep),
            self._job("forgetting limits", self.admission.sweep),
            self._job("ending sessions", self._expire),
            self._job("forgetting searches", self.searches.sweep),
            self._job("noting who was here", lambda: self.presence.note(log)),
        ]

    def __repr__(self) -> str:
        return f"<Hub {self.log!r} {self.connections!r}>"

    def _job(self, what: str, function: Callable[[], object]) -> LoopingCall:
        """Work to be done every few seconds, also after it has failed."""

        def failed(failure: Failure) -> None:
            self._logger.failure("{what} failed; it goes on", failure, what=what)

        job = LoopingCall(lambda: maybeDeferred(function).addErrback(failed))
        job.clock = self.clock
        return job

    def _expire(self) -> Deferred[int]:
        return self.log.write(collaboration_sessions.expire)

    def controls(self, certificates: HubCertificates | None) -> ControlFactory:
        """Make the server of its control socket."""
        return ControlFactory(self.log, self.connections, self.directory, self.status, certificates=certificates)

    def dashboard(
        self, reactor: Any, where: tuple[str, int], tls: IOpenSSLServerConnectionCreator | None = None
    ) -> Dashboard:
        """
        Make its HTTP face; nothing listens yet.

        @param where, tls: see `Dashboard`.
        """
        sources = Sources(
            log=self.log,
            connections=self.connections,
            directory=self.directory,
            presence=self.presence,
            searches=self.searches,
            status=self.status,
            received=self.received,
            clock=self.clock,
            wallClock=self.wallClock,
        )
        return Dashboard(sources, self.admission.bounds, reactor, where, tls)

    def start(self) -> None:
        """Begin the periodic work."""
        for job in self._jobs:
            job.start(SWEEP_EVERY, now=False)
        self.retention.start()

    def stop(self) -> Deferred[None]:
        """
        Take nothing more, commit and acknowledge what came, say goodbye to all.

        @return: fires when all connections are gone, within some seconds.
        """
        self.retention.stop()
        for job in self._jobs:
            if job.running:
                job.stop()
        self.presence.stop()
        stopped = self.connections.stop(WireProblem("shutting_down", "the hub is going away; come back"))
        return stopped.addCallback(lambda _: self.presence.note(self.log))


class HubService(Service):
    """
    A hub in its state directory.

    @ivar hub: C{None} until it has started.
    @ivar started: fires when the port listens; fails with why it doesn't.
    """

    name = "kernelhub"
    log = Logger(namespace="kernelnet.hub")

    def __init__(self, reactor: Any, state: StateDirectory, config: HubConfig) -> None:
        self._reactor = reactor
        self._state = state
        self._config = config
        self._port: IListeningPort | None = None
        self._control: IListeningPort | None = None
        self._dashboard: Dashboard | None = None
        self._eventLog: EventLog | None = None
        self._socketFolder: int | None = None
        self._stopping = False
        self.hub: Hub | None = None
        self.started: Deferred[None] = Deferred()
        self._lock: int | None = state.lock(LOCK)
        for made in state.prepareHub(config.hosts, datetime.now(UTC), certificate=config.ownFiles is None):
            self.log.info("made a new {made} in {state}", made=made, state=state.path)
        self._certificates = self._makeCertificates() if config.hasOwnTLS else None
        checkWhere(config.dashboard, self._certificates is not None)
        self._engine = SqliteEngine.onFile(state.database, reactor)
        self._unclean = self._engine.prepare()
        # Now, since a wrong file or description is told best before anything runs.
        self._endpoint = self._makeEndpoint()

    def _makeCertificates(self) -> HubCertificates:
        config, clientCA = self._config, None
        if config.requiresClientCertificate:
            clientCA = config.clientCA.absolute() if config.clientCA else self._state.caCertificate
        return HubCertificates(
            self._state, self._reactor, time.time, names=config.hosts, own=config.ownFiles, clientCA=clientCA
        )

    def _makeEndpoint(self) -> IStreamServerEndpoint:
        port = self._config.port
        if not port.isdecimal():
            endpoint: IStreamServerEndpoint = serverFromString(self._reactor, port)
            return endpoint
        if self._certificates is None:
            return TCP4ServerEndpoint(self._reactor, int(port), BACKLOG, "127.0.0.1")
        if self._config.twistedTLS:
            return SSL4ServerEndpoint(self._reactor, int(port), self._certificates.tls, BACKLOG)
        return BufferedTLSEndpoint(TCP4ServerEndpoint(self._reactor, int(port), BACKLOG), self._certificates.tls)

    def startService(self) -> None:
        super().startService()
        log = EventLog(self._engine, self._reactor, time.time)
        self._eventLog = log
        log.damaged = self._damaged
        rules = installedRules()
        log.whenOpened = lambda transaction: transaction.components.setRules(rules)
        log.findStorageProblem = disk_space.DiskSpaceMonitor(self._state.path, self._config.minFree).problem
        started = log.open().addCallback(lambda _: log.read(Directory.load)).addCallback(self._listen, log)
        started.addCallbacks(self._ready, self._failed)

    def _ready(self, _: object) -> None:
        tellSupervisor("READY=1")
        self.started.callback(None)

    def _listen(self, directory: Directory, log: EventLog) -> Deferred[None] | None:
        if self._stopping:
            return None
        config = self._config
        bounds = withinDescriptors(config.bounds)
        if bounds.connections < config.bounds.connections:
            self.log.warn(
                "this process may open too few files: at most {count} connections; `ulimit -n` and systemd's "
                "LimitNOFILE= allow more",
                count=bounds.connections,
            )
        hub = Hub(
            log,
            directory,
            tokenHash(self._state.readJoinToken()),
            self._reactor,
            time.time,
            limits=config.sessions,
            bounds=bounds,
            policy=config.retention,
        )
        self.hub = hub
        return self._endpoint.listen(hub.factory).addCallback(self._listening, hub)

    def _listening(self, port: IListeningPort, hub: Hub) -> Deferred[None]:
        self._port = port
        address = port.getHost()
        hub.status.port = getattr(address, "port", None)
        path, self._socketFolder = shortPath(self._state.controlSocket)
        controls = hub.controls(self._certificates)
        self._control = self._reactor.listenUNIX(path, controls, mode=0o600, wantPID=True)
        hub.start()
        if self._certificates is not None:
            self._certificates.start()
        self.log.info(
            "Listening on {where} ({how}), state directory {state}, log {logId} at {head}",
            where=f"port {hub.status.port}" if hub.status.port is not None else str(address),
            how="plaintext" if self._config.plaintext else "TLS",
            state=self._state.path,
            logId=hub.log.logId,
            head=hub.log.head,
        )
        if self._unclean:
            self._checkAll(hub.log)
        return self._openDashboard(hub, controls)

    def _openDashboard(self, hub: Hub, controls: ControlFactory, anyPort: bool = False) -> Deferred[None]:
        where = self._config.dashboard
        if where is None:
            return succeed(None)
        tls = self._certificates.tls if self._certificates is not None else None
        dashboard = hub.dashboard(self._reactor, (where[0], 0) if anyPort else where, tls)

        def opened(_: object) -> None:
            self._dashboard, controls.link = dashboard, dashboard.link
            # It works once; kernelnet dashboard prints another.
            self.log.info("dashboard: {link}", link=dashboard.link())

        def taken(failure: Failure) -> Deferred[None] | Failure:
            failure.trap(CannotListenError)
            # Such as by another hub's: nobody asked for this very one.
            if anyPort or not self._config.anyDashboardPort:
                return failure
            return self._openDashboard(hub, controls, anyPort=True)

        result: Deferred[None] = dashboard.start().addCallbacks(opened, taken)
        return result

    def _checkAll(self, log: EventLog) -> None:
        """After an unclean end: every row of the log, while the hub is at work; it ends when one is damaged."""
        self.log.info("the last hub here did not end in order: checking the log")
        checked = Deferred.fromCoroutine(disk_space.checkAll(self._engine, log.head, self._reactor))
        checked.addCallbacks(
            lambda upTo: self.log.info("the log is sound up to {upTo}", upTo=upTo),
            lambda failure: self._damaged(failure.value or Exception()),
        )
        checked.addErrback(lambda failure: None if self._stopping else self.log.failure("the check failed", failure))

    def _damaged(self, error: BaseException) -> None:
        """The database is damaged: end, with one line that says what to do."""
        if self._stopping:
            return
        self._stopping = True
        problem = self._engine.unusable(error)
        # The next start refuses, too.
        self._engine.rememberDamage(error).addBoth(lambda _: endWithFailure(self._reactor, f"kernelhub: {problem}"))

    def _failed(self, failure: Failure) -> None:
        # What the system or we ourselves say in one line needs no traceback.
        if not failure.check(OSError, CannotListenError, IdentityError, ControlError):
            self.log.failure("the hub can't start", failure)
        endWithFailure(self._reactor, f"kernelhub: {failure.getErrorMessage()}")
        self.started.errback(failure)
        self.started.addErrback(lambda _: None)

    def stopService(self) -> Deferred[None]:
        """Stop listening, commit and acknowledge what came, say goodbye, close the database."""
        super().stopService()
        tellSupervisor("STOPPING=1")
        self._stopping = True
        if self._certificates is not None:
            self._certificates.stop()
        ports = [port for port in (self._port, self._control) if port is not None]
        self._port = self._control = None
        ending: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in ports]
        if self._dashboard is not None:
            ending.append(self._dashboard.stop())
            self._dashboard = None
        stopped: Deferred[Any] = gatherResults(ending)
        if self.hub is not None:
            hub = self.hub
            stopped.addCallback(lambda _: hub.stop())

        def close(_: object) -> None:
            if self._eventLog is not None:
                self._eventLog.close()
                self._eventLog = None
            for fd in (self._socketFolder, self._lock):
                if fd is not None:
                    os.close(fd)
            self._socketFolder = self._lock = None
            self.log.info("hub stopped")

        return stopped.addBoth(close)
