"""A hub in its state directory, as a service: started, and stopped in order."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet import tcp
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from kernelnet.daemon import endWithFailure, tellSupervisor
from kernelnet.hub.admin.control_client import LOCK, ControlError, shortPath
from kernelnet.hub.admin.control_server import ControlFactory
from kernelnet.hub.auth.certificates import HubCertificates
from kernelnet.hub.auth.signing import Signing
from kernelnet.hub.composition import Hub
from kernelnet.hub.config import HubConfig
from kernelnet.hub.connection.buffered_tls import BufferedTLSEndpoint
from kernelnet.hub.connection.dual_stack import DualStackEndpoint
from kernelnet.hub.connection.payload_shelf import PayloadShelf
from kernelnet.hub.connection.sockets import withinDescriptors
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage import disk_space, offline
from kernelnet.hub.storage.blobs.files import FOLDER, FileBlobs
from kernelnet.hub.storage.blobs.shelf import Shelf
from kernelnet.hub.storage.blobs.store import BlobStore
from kernelnet.hub.storage.cluster import Cluster
from kernelnet.hub.storage.engine import Engine, Standing
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.sqlite import SqliteEngine
from kernelnet.hub.web.readiness import Starting
from kernelnet.hub.web.server import Dashboard, checkWhere, endpointAt
from kernelnet.hub.workbench_rules import installedRules
from kernelnet.identity import FilesInPlace, IdentityError, ReplaceableTLS, StateDirectory, tokenHash
from kernelnet.identity.signing import Certifier
from kernelnet.wire import WireProblem

__all__ = ["HubService"]

T = TypeVar("T")

BACKLOG = 1024
PAYLOAD_LINE = 400 * 1024
"""Bytes of a line with a part of a blob in it, at most; hubs with less for each line keep none."""
LAST_PART = 1.0
"""Seconds that a step with a blob may still take when the hub ends; nobody was told of it."""
LOOK_EVERY = 1.0
"""Seconds between two looks at whether the state directory is still there."""


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
        self._starting: Starting | None = None
        self._eventLog: EventLog | None = None
        self._socketFolder: int | None = None
        self._blobThread: ThreadPool | None = None
        self._blobs: BlobStore | None = None
        self._stopping = False
        self._loss: WireProblem | None = None
        self._looking = LoopingCall(self._findLoss)
        self.hub: Hub | None = None
        self.started: Deferred[None] = Deferred()
        self._lock: int | None = state.lock(LOCK)
        # A node's folder has neither the authority's key nor the join token, whose hash stands in the database.
        join = config.database is None or not state.isNode
        needed = state.prepareHub(config.hosts, datetime.now(UTC), certificate=config.ownFiles is None, join=join)
        for made in needed:
            self.log.info("made a new {made} in {state}", made=made, state=state.path)
        self._certificates = self._makeCertificates() if config.hasOwnTLS else None
        checkWhere(config.dashboard, self._certificates is not None)
        self._engine = self._makeEngine()
        self._unclean = self._engine.prepare()
        self._joinHash = self._findJoinHash()
        if config.database is not None:
            offline.remember(state.path, config.database)
        self._files = FilesInPlace(state.path, state.path / LOCK)
        self._files.watch(state.database)
        # Now, since a wrong file or description is told best before anything runs.
        self._endpoint = self._makeEndpoint()

    def _makeEngine(self) -> Engine:
        url, folder = self._config.database, self._state.path
        offline.checkChoice(folder, url)
        if url is None:
            return SqliteEngine.onFile(self._state.database, self._reactor)
        try:
            from kernelnet.hub.storage.postgres import PostgresEngine
        except ImportError:
            raise DatabaseError("--database takes psycopg: pip install 'kernelnet[postgres]'") from None
        return PostgresEngine.at(url, folder, self._reactor, self._config.node, self._standing)

    def _standing(self) -> Standing | None:
        return self._eventLog.standing if self._eventLog is not None else None

    def _findJoinHash(self) -> str:
        """@raise IdentityError: there is none, or the nodes of the database have another CA."""
        shared = offline.operatedAt(self._config.database).identity() if self._config.database is not None else None
        if shared is None:
            if self._state.isNode and not self._state.joinToken.exists():
                raise IdentityError(
                    f"neither {self._state.joinToken} nor the database says by which token trainers join: the operator "
                    "has to prepare the database first, by kernelnet cluster init --database …"
                )
            return tokenHash(self._state.readJoinToken())
        if self._config.ownFiles is None and self._state.caCertificate.read_text("utf-8") != shared.caCertificate:
            raise IdentityError(
                f"{self._state.caCertificate} is not the CA of the nodes on this database: start with the folder that "
                "kernelnet cluster add-node has made"
            )
        return shared.joinHash

    def _makeCluster(self, log: EventLog) -> Cluster | None:
        if self._config.database is None:
            return None
        from kernelnet.hub.storage.postgres import PostgresBlobs, PostgresEngine, aboutNode, clusterAt

        def cut() -> None:
            for one in (self._engine, self._blobs):
                if isinstance(one, PostgresEngine | PostgresBlobs):
                    one.cut()

        about = aboutNode(self._config.node, self._config.port)
        return clusterAt(self._config.database, self._reactor, about, lambda: log.standing, cut)

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
            return DualStackEndpoint(self._reactor, int(port), BACKLOG, "127.0.0.1")
        if self._config.twistedTLS:
            return SSL4ServerEndpoint(self._reactor, int(port), self._certificates.tls, BACKLOG)
        tcp = DualStackEndpoint(self._reactor, int(port), BACKLOG)
        return BufferedTLSEndpoint(tcp, self._certificates.tls, self._reactor)

    def startService(self) -> None:
        super().startService()
        log = EventLog(self._engine, self._reactor, time.time)
        self._eventLog = log
        log.damaged = self._damaged
        rules = installedRules()
        log.whenOpened = lambda transaction: transaction.components.setRules(rules)
        log.findStorageProblem = disk_space.DiskSpaceMonitor(self._state.path, self._config.minFree).problem
        log.findLoss = self._findLoss
        self._looking.clock = self._reactor
        self._looking.start(LOOK_EVERY)
        where = self._config.dashboard
        # Nobody knows of another port that it might have.
        if where is not None and where[1] and not self._config.anyDashboardPort:
            self._starting = Starting(endpointAt(self._reactor, where, self._tls))
            self._starting.start()
        started = log.open().addCallback(self._opened, log).addCallback(self._listen, log)
        started.addCallbacks(self._ready, self._failed)

    def _opened(self, _: object, log: EventLog) -> Deferred[Directory]:
        # What was committed last stands in it; it is there from the first write until the database is closed.
        self._files.watch(self._state.database.with_name(f"{self._state.database.name}-wal"))
        return log.read(Directory.load)

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
        payloads = self._makePayloads(directory)
        hub = Hub(
            log,
            directory,
            self._joinHash,
            self._reactor,
            time.time,
            limits=config.sessions,
            bounds=bounds,
            policy=config.retention,
            needsOwner=config.needsOwner,
            certify=Signing(Certifier(self._state.ca)).certify,
            cluster=self._makeCluster(log),
            payloads=payloads,
        )
        self.hub = hub
        hub.status.minFree = config.minFree
        return self._endpoint.listen(hub.factory).addCallback(self._listening, hub)

    def _makePayloads(self, directory: Directory) -> PayloadShelf | None:
        config, folder = self._config, self._state.path
        if not config.blobs.total or config.bounds.line < PAYLOAD_LINE:
            return None
        store: BlobStore = FileBlobs(folder / FOLDER)
        free = partial(disk_space.freeBytes, folder)
        if config.database is not None:
            from kernelnet.hub.storage.postgres import PostgresBlobs

            store = PostgresBlobs(config.database, time.time)
            free = partial(int, sys.maxsize)  # of the server's disk nobody here knows
        shelf = Shelf(store, config.blobs, time.time, free)
        self._blobs = store
        self._blobThread = pool = ThreadPool(0, 1, "blobs")
        # One that waits for a server that says nothing need not end.
        pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
        pool.start()

        def run(function: Callable[[], T]) -> Deferred[T]:
            return deferToThreadPool(self._reactor, pool, function)

        def ownerOf(aiId: str) -> str | None:
            return directory.owners.get(aiId)  # of today: a restore makes another dict

        return PayloadShelf(shelf, run, ownerOf, self._reactor)

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
        dashboard = hub.dashboard(self._reactor, (where[0], 0) if anyPort else where, self._tls)

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

        return self._endStarting().addCallback(lambda _: dashboard.start().addCallbacks(opened, taken))

    @property
    def _tls(self) -> ReplaceableTLS | None:
        return self._certificates.tls if self._certificates is not None else None

    def _endStarting(self) -> Deferred[None]:
        starting, self._starting = self._starting, None
        return succeed(None) if starting is None else starting.stop()

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

    def _findLoss(self) -> WireProblem | None:
        """
        The reason why nothing that is written is kept: somebody took the state directory away.  The hub ends then.

        It takes some microseconds, and is asked before and after each commit.
        """
        if self._loss is None and (lost := self._files.lost()) is not None:
            self._loss = WireProblem("busy", "what the hub keeps was taken away from it, and it ends; send it later")
            reason = f"{lost} was removed, moved or replaced while the hub ran, which can keep nothing now: it ends"
            endWithFailure(self._reactor, f"kernelhub: {reason}")
        return self._loss

    def _failed(self, failure: Failure) -> None:
        # What the system or we ourselves say in one line needs no traceback.
        if not failure.check(OSError, CannotListenError, IdentityError, ControlError, DatabaseError):
            self.log.failure("the hub can't start", failure)
        endWithFailure(self._reactor, f"kernelhub: {failure.getErrorMessage()}")
        self.started.errback(failure)
        self.started.addErrback(lambda _: None)

    def stopService(self) -> Deferred[None]:
        """Stop listening, commit and acknowledge what came, say goodbye, close the database."""
        super().stopService()
        tellSupervisor("STOPPING=1")
        self._stopping = True
        if self._looking.running:
            self._looking.stop()
        if self._certificates is not None:
            self._certificates.stop()
        ports = [port for port in (self._port, self._control) if port is not None]
        self._port = self._control = None
        ending: list[Deferred[Any]] = [maybeDeferred(port.stopListening).addErrback(_close, port) for port in ports]
        ending.append(self._endStarting())
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
            if (pool := self._blobThread) is not None and self._blobs is not None:
                pool.callInThread(self._blobs.close)
                ending = Thread(target=pool.stop, daemon=True)
                ending.start()
                ending.join(LAST_PART)
                self._blobThread = None
            if self._socketFolder is not None:
                os.close(self._socketFolder)
            if self._lock is not None:
                self._state.unlock(self._lock)
            self._socketFolder = self._lock = None
            self.log.info("hub stopped")

        return stopped.addBoth(close)


def _close(failure: Failure, port: IListeningPort) -> None:
    """
    Close what a port of Twisted's leaves open when somebody has removed its file before it could; who is connected is
    told of the end all the same.
    """
    failure.trap(FileNotFoundError)
    if isinstance(port, tcp.Port):
        tcp.Port.connectionLost(port, failure)
