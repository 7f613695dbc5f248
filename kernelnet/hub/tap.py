"""``twistd kernelhub``: its options, and the service that starts and stops a hub in order."""

from __future__ import annotations

import os
import re
import socket
import time
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from kernelnet import log_format
from kernelnet.daemon import (
    collectRarely,
    endWithFailure,
    placeFiles,
    refuse,
    refuseSecond,
    steadyTime,
    tellSupervisor,
)
from kernelnet.hub.admin import control_server
from kernelnet.hub.auth import certificates
from kernelnet.hub.auth.certificates import HubCertificates
from kernelnet.hub.connection.admission import withinDescriptors
from kernelnet.hub.connection.buffered_tls import PromptTLSEndpoint
from kernelnet.hub.connection.factory import HubFactory
from kernelnet.hub.connection.limits import OPTIONS, Bounds, LimitError
from kernelnet.hub.routing.collaboration_sessions import Limits
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage import disk_space
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.sqlite import SqliteEngine
from kernelnet.hub.web.server import DEFAULT_PORT, Dashboard, DashboardError, checkWhere, parseWhere
from kernelnet.identity import IdentityError, StateDirectory, defaultState, tokenHash

__all__ = ["HubService", "Options", "makeService"]

BACKLOG = 1024


class Options(usage.Options):
    """What a user can say to ``twistd kernelhub``."""

    synopsis = "[options]"
    longdesc = "The hub that kernelnet trainers connect to.  A fresh state directory gets all that is needed."
    optParameters = [
        ["port", "p", "6000", "TCP port (TLS; 0: any that is free), or an endpoint description such as ssl:6000:…"],
        ["state", "s", None, "state directory (default: $XDG_DATA_HOME/kernelnet)"],
        ["session-offered", None, 600.0, "seconds that a collaboration may wait for a partner", float],
        ["session-active", None, 1800.0, "seconds that a collaboration may take", float],
        [
            "dashboard",
            None,
            "auto",
            "its port on this machine, ADDRESS:PORT (TLS) or off (auto: 6080, or any that is free)",
        ],
        *certificates.OPTIONS,
        *disk_space.OPTIONS,
        *OPTIONS,
        *log_format.OPTIONS,
    ]
    optFlags = [
        ["insecure-plaintext", None, "no TLS; on a loopback address only"],
        ["twisted-tls", None, "write TLS in Twisted's own way, which is slower"],
        *certificates.FLAGS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self["hosts"] = []

    def opt_host(self, name: str) -> None:
        """a further name or address that the hub's certificate shall be for (repeatable)"""
        self["hosts"].append(name)

    def postOptions(self) -> None:
        self["state"] = Path(self["state"]) if self["state"] else defaultState()
        for name in ("session-offered", "session-active"):
            if not 0 < self[name] < 1e9:
                refuse("kernelhub", f"--{name} must be a number of seconds above 0, not {self[name]:g}")
        try:
            self["bounds"] = Bounds.fromOptions(self)
            self["policy"] = disk_space.policy(self)
            self["min-free-bytes"] = disk_space.minFree(self)
            self["dashboard-at"] = _whereDashboard(self["dashboard"])
        except (LimitError, disk_space.StorageError, DashboardError) as e:
            refuse("kernelhub", e)
        port = self["port"]
        if re.fullmatch(r"[0-9]+", port, re.ASCII):
            if int(port) > 65535:
                refuse("kernelhub", f"--port must be 0 to 65535, not {port}")
        elif ":" not in port:
            refuse("kernelhub", f"--port must be a number or an endpoint description such as tcp:6000, not {port!r}")
        elif self["insecure-plaintext"]:
            if not _isLoopback(port):
                refuse(
                    "kernelhub",
                    "--insecure-plaintext is for loopback only: give a number, or "
                    "tcp:PORT:interface=127.0.0.1 or unix:PATH",
                )
        elif not port.startswith(("ssl:", "tls:")):
            refuse("kernelhub", f"--port {port}: without --insecure-plaintext it must be a TLS endpoint (ssl:, tls:)")
        try:
            certificates.checkOptions(self)
        except IdentityError as e:
            refuse("kernelhub", e)
        state = StateDirectory(self["state"])
        try:
            state.open()
        except IdentityError as e:
            refuse("kernelhub", e)
        refuseSecond("kernelhub", "a hub", state, control_server.LOCK, state.path / "hub.pid")
        _refuseTakenPort(port, "127.0.0.1" if self["insecure-plaintext"] else "")
        if self["dashboard-at"] is not None and self["dashboard"] != "auto":
            _refuseTakenPort(str(self["dashboard-at"][1]), self["dashboard-at"][0])
        placeFiles(self, self["state"], "hub")
        log_format.chooseFormat("kernelhub", self)


def _whereDashboard(option: str) -> tuple[str, int] | None:
    return parseWhere(str(DEFAULT_PORT) if option == "auto" else option)


def _refuseTakenPort(port: str, address: str) -> None:
    """A daemon could say it in its log only, after the command that started it has ended well."""
    if not port.isdecimal():
        return
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, int(port)))
        except OSError as e:
            refuse("kernelhub", f"can't listen on port {port}: {e.strerror}")


def _isLoopback(description: str) -> bool:
    if description.startswith("unix:"):
        return True
    match = re.search(r":interface=((?:[^:\\]|\\.)*)(?::|$)", description)
    if not description.startswith(("tcp:", "tcp6:")) or match is None:
        return False
    try:
        return ip_address(match[1].replace("\\", "")).is_loopback
    except ValueError:
        return False


class HubService(Service):
    """
    A hub in its state directory.

    @ivar factory: C{None} until it has started.
    @ivar started: fires when the port listens; fails with why it doesn't.
    """

    name = "kernelhub"
    log = Logger(namespace="kernelnet.hub")

    def __init__(self, reactor: Any, state: StateDirectory, options: Options) -> None:
        self._reactor = reactor
        self._state = state
        self._options = options
        self._port: IListeningPort | None = None
        self._control: IListeningPort | None = None
        self._dashboard: Dashboard | None = None
        self._source: EventLog | None = None
        self._socketFolder: int | None = None
        self._stopping = False
        self.factory: HubFactory | None = None
        self.started: Deferred[None] = Deferred()
        self._lock: int | None = state.lock(control_server.LOCK)
        for made in state.prepareHub(options["hosts"], datetime.now(UTC), certificate=not options["cert"]):
            self.log.info("made a new {made} in {state}", made=made, state=state.path)
        self._certificates: HubCertificates | None = None
        if options["port"].isdecimal() and not options["insecure-plaintext"]:
            self._certificates = HubCertificates.fromOptions(state, reactor, time.time, options)
        checkWhere(options["dashboard-at"], self._certificates is not None)
        self._engine = SqliteEngine.onFile(state.database, reactor)
        self._unclean = self._engine.prepare()
        # Now, since a wrong file or description is told best before anything runs.
        self._endpoint = self._makeEndpoint()

    def _makeEndpoint(self) -> IStreamServerEndpoint:
        port = self._options["port"]
        if not port.isdecimal():
            endpoint: IStreamServerEndpoint = serverFromString(self._reactor, port)
            return endpoint
        if self._certificates is None:
            return TCP4ServerEndpoint(self._reactor, int(port), BACKLOG, "127.0.0.1")
        if self._options["twisted-tls"]:
            return SSL4ServerEndpoint(self._reactor, int(port), self._certificates.tls, BACKLOG)
        return PromptTLSEndpoint(TCP4ServerEndpoint(self._reactor, int(port), BACKLOG), self._certificates.tls)

    def startService(self) -> None:
        super().startService()
        source = EventLog(self._engine, self._reactor, time.time)
        self._source = source
        source.damaged = lambda error: self._damaged(source, error)
        source.findStorageProblem = disk_space.DiskSpaceMonitor(
            self._state.path, self._options["min-free-bytes"]
        ).problem
        started = source.open().addCallback(lambda _: source.read(Directory.load)).addCallback(self._listen)
        started.addCallbacks(self._ready, self._failed)

    def _ready(self, _: object) -> None:
        tellSupervisor("READY=1")
        self.started.callback(None)

    def _listen(self, registry: Directory) -> Deferred[None] | None:
        if self._stopping or self._source is None:
            return None
        bounds = withinDescriptors(self._options["bounds"])
        if bounds.connections < self._options["bounds"].connections:
            self.log.warn(
                "this process may open too few files: at most {count} connections; `ulimit -n` and systemd's "
                "LimitNOFILE= allow more",
                count=bounds.connections,
            )
        factory = HubFactory(
            self._source,
            registry,
            tokenHash(self._state.readJoinToken()),
            self._reactor,
            time.time,
            limits=Limits(self._options["session-offered"], self._options["session-active"]),
            bounds=bounds,
            policy=self._options["policy"],
        )
        self.factory = factory

        def listening(port: IListeningPort) -> Deferred[None]:
            self._port = port
            address = port.getHost()
            factory.port = getattr(address, "port", None)
            path, self._socketFolder = control_server.shortPath(self._state.controlSocket)
            commands = control_server.ControlFactory(factory, self._certificates, self._state)
            self._control = self._reactor.listenUNIX(path, commands, mode=0o600, wantPID=True)
            factory.start()
            if self._certificates is not None:
                self._certificates.start()
            self.log.info(
                "Listening on {where} ({how}), state directory {state}, log {logId} at {head}",
                where=f"port {factory.port}" if factory.port is not None else str(address),
                how="plaintext" if self._options["insecure-plaintext"] else "TLS",
                state=self._state.path,
                logId=self._source.logId if self._source else "",
                head=self._source.head if self._source else 0,
            )
            if self._unclean and self._source is not None:
                self._checkAll(self._source)
            return self._openDashboard(factory, commands)

        return self._endpoint.listen(factory).addCallback(listening)

    def _openDashboard(
        self, factory: HubFactory, commands: control_server.ControlFactory, anyPort: bool = False
    ) -> Deferred[None]:
        where = self._options["dashboard-at"]
        if where is None:
            return succeed(None)
        tls = self._certificates.tls if self._certificates is not None else None
        dashboard = Dashboard(factory, self._reactor, (where[0], 0) if anyPort else where, tls)

        def opened(_: object) -> None:
            self._dashboard, commands.link = dashboard, dashboard.link
            # It works once; kernelnet dashboard prints another.
            self.log.info("dashboard: {link}", link=dashboard.link())

        def taken(failure: Failure) -> Deferred[None] | Failure:
            failure.trap(CannotListenError)
            # Such as by another hub's: nobody asked for this very one.
            if anyPort or self._options["dashboard"] != "auto":
                return failure
            return self._openDashboard(factory, commands, anyPort=True)

        result: Deferred[None] = dashboard.start().addCallbacks(opened, taken)
        return result

    def _checkAll(self, source: EventLog) -> None:
        """After an unclean end: every row of the log, while the hub is at work; it ends when one is damaged."""
        self.log.info("the last hub here did not end in order: checking the log")
        checked = Deferred.fromCoroutine(disk_space.checkAll(self._engine, source.head, self._reactor))
        checked.addCallbacks(
            lambda upTo: self.log.info("the log is sound up to {upTo}", upTo=upTo),
            lambda failure: self._damaged(source, failure.value or Exception()),
        )
        checked.addErrback(lambda failure: None if self._stopping else self.log.failure("the check failed", failure))

    def _damaged(self, source: EventLog, error: BaseException) -> None:
        """The database is damaged: end, with one line that says what to do."""
        if self._stopping:
            return
        self._stopping = True
        problem = self._engine.unusable(error)
        # The next start refuses, too.
        self._engine.rememberDamage(error).addBoth(lambda _: endWithFailure(self._reactor, f"kernelhub: {problem}"))

    def _failed(self, failure: Failure) -> None:
        # What the system or we ourselves say in one line needs no traceback.
        if not failure.check(OSError, CannotListenError, IdentityError, control_server.ControlError):
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
        if self.factory is not None:
            factory = self.factory
            stopped.addCallback(lambda _: factory.stop())

        def close(result: Any) -> None:
            if self._source is not None:
                self._source.close()
                self._source = None
            for fd in (self._socketFolder, self._lock):
                if fd is not None:
                    os.close(fd)
            self._socketFolder = self._lock = None
            self.log.info("hub stopped")

        return stopped.addBoth(close)


def makeService(options: Options) -> HubService:
    """
    The hub's service; what can be wrong with options, state directory or database ends the process here.

    The database is opened, and its schema brought up to date, before anything listens.
    """
    from twisted.internet import reactor

    steadyTime(reactor)
    collectRarely()
    state = StateDirectory(options["state"])
    try:
        state.open()
        return HubService(reactor, state, options)
    except (IdentityError, DatabaseError, control_server.ControlError, DashboardError) as e:
        refuse("kernelhub", e)
    except (OSError, ValueError) as e:
        refuse("kernelhub", f"can't start with --port {options['port']}: {e}")
