"""
A hub put together; nothing listens yet.

This module alone knows all parts: each is handed what it needs, and no other holds them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.admin.control_server import ControlFactory
from kernelnet.hub.admin.status import HubStatus
from kernelnet.hub.auth.authenticator import TokenAuthenticator
from kernelnet.hub.auth.certificates import HubCertificates
from kernelnet.hub.auth.signing import Certify
from kernelnet.hub.connection.absence import Absence
from kernelnet.hub.connection.admission import AdmissionControl
from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.connection.context import ConnectionContext
from kernelnet.hub.connection.factory import HubFactory
from kernelnet.hub.connection.fan_out import FanOut
from kernelnet.hub.connection.idleness import Idleness
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.liveness import Liveness
from kernelnet.hub.connection.other_nodes import Everywhere, OtherNodes
from kernelnet.hub.connection.payload_shelf import PayloadShelf
from kernelnet.hub.connection.presence import Presence
from kernelnet.hub.connection.search_history import SearchHistory
from kernelnet.hub.routing import collaboration_sessions
from kernelnet.hub.routing.collaboration_sessions import Limits
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.routing.router import Router
from kernelnet.hub.storage.cluster import Alone, Cluster
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.retention import LogRetention
from kernelnet.hub.storage.retention_policy import RetentionPolicy
from kernelnet.hub.storage.statements.sessions import SessionState
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.hub.web.api import Sources
from kernelnet.hub.web.server import Dashboard
from kernelnet.wire import WireProblem

__all__ = ["Hub"]

SWEEP_EVERY = 5.0
"""Seconds between two looks at connections, limits and sessions."""
OTHERS_KNOW = 5.0
"""Seconds after which other nodes read no more of what is about to be removed from the log."""
LAST_COMMITS = 1.5
"""Seconds that a hub which is going away commits what came; who sent the rest hears that it was not taken."""


class Hub:
    """
    The parts of one hub, put together; nothing listens yet.

    @ivar log: what was said, in order; C{directory}: who is known; C{connections}: who is here.
    @ivar factory: makes the connections of its port.

    @param joinHash: `kernelnet.identity.tokenHash` of the join token.
    @param wallClock: Unix seconds.
    @param needsOwner: whether nobody is let in who has no owner.
    @param cluster: the other hubs on its database; C{None}: there are none.
    @param certify: gives certificates for the keys that verdicts are signed with; C{None}: this hub gives none.
    @param payloads: keeps what is too large for a line; C{None}: this hub keeps none.
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
        needsOwner: bool = False,
        certify: Certify | None = None,
        cluster: Cluster | None = None,
        payloads: PayloadShelf | None = None,
    ) -> None:
        bounds = bounds or Bounds()
        self._limits = limits = limits or Limits()
        self.log = log
        self.directory = directory
        self.clock = clock
        self.wallClock = wallClock
        self.received: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.connections = Connections(log.drain)
        byId = self.connections.byId
        self.cluster = cluster = cluster or Alone()
        everywhere = Everywhere(byId, cluster.elsewhere)
        self.presence = Presence(byId, directory, clock, wallClock, cluster.elsewhere)
        self.searches = SearchHistory(byId, wallClock)
        self.absence = Absence(everywhere, clock)
        self.idleness = Idleness(byId, clock)
        self.connections.arrived = cluster.arrived
        self.connections.left = self._left
        self.connections.resumed = self._expectPartners
        self.fanOut = FanOut(byId)
        log.subscribe(directory.follow, first=True)
        log.subscribe(self.fanOut.committed)
        self.otherNodes = OtherNodes(
            cluster,
            log,
            directory=directory,
            connections=self.connections,
            presence=self.presence,
            absence=self.absence,
            status=lambda: self.status.counters(),  # noqa: PLW0108  # it is made later
        )
        if not cluster.isAlone:
            log.subscribe(self.otherNodes.committed)
            log.catchUp = cluster.caughtUp
        log.tellCosts = self._charge
        self.authenticator = TokenAuthenticator(log, joinHash, wallClock, needsOwner)
        self.admission = AdmissionControl(bounds, clock, self.authenticator)
        context = ConnectionContext(
            log=log,
            router=Router(
                *(directory, everywhere, limits, bounds.line),
                isComplete=cluster.isAlone,
                keepsBlobs=payloads is not None,
            ),
            admission=self.admission,
            listener=self.connections,
            presence=self.presence,
            fanOut=self.fanOut,
            searches=self.searches,
            idleness=self.idleness,
            received=self.received,
            errors=self.errors,
            clock=clock,
            wallClock=wallClock,
            certify=certify,
            payloads=payloads,
        )
        self.factory = HubFactory(context, lambda: self.connections.suspended)
        self.retention = LogRetention(
            log,
            self.connections.readPositions,
            clock,
            wallClock,
            policy or RetentionPolicy(),
            leads=lambda: cluster.leads,
            announce=self._announceFirst,
        )
        self.liveness = Liveness(byId, log.remembers, lambda: self.retention.asks, clock)
        self.status = HubStatus(
            log=log,
            connections=self.connections,
            directory=directory,
            admission=self.admission,
            cluster=cluster,
            received=self.received,
            errors=self.errors,
            removed=lambda: self.retention.removed,
            blobs=lambda: succeed((0, 0)) if payloads is None else payloads.count(),
            clock=clock,
            wallClock=wallClock,
        )
        self._jobs = [
            self._job("the sweep", self.liveness.sweep),
            self._job("forgetting limits", self.admission.sweep),
            self._job("ending sessions", self._endSessions),
            self._job("releasing sessions", self._releaseSessions),
            self._job("forgetting searches", self.searches.sweep),
            self._job("counting messages", self.status.count),
            self._job("noting who was here", lambda: self.presence.note(log)),
        ]
        self._payloads = payloads
        if payloads is not None:
            self._jobs.append(self._job("forgetting payloads", payloads.sweep))

    def __repr__(self) -> str:
        return f"<Hub {self.log!r} {self.connections!r}>"

    def _job(self, what: str, function: Callable[[], object]) -> LoopingCall:
        """Work to be done every few seconds, also after it has failed."""

        def failed(failure: Failure) -> None:
            if failure.check(WireProblem):  # the log's own words, such as of a full disk
                self._logger.error("{what} failed: {reason}; it goes on", what=what, reason=failure.getErrorMessage())
            else:
                self._logger.failure("{what} failed; it goes on", failure, what=what)

        job = LoopingCall(lambda: maybeDeferred(function).addErrback(failed))
        job.clock = self.clock
        return job

    def _charge(self, costs: dict[str, float]) -> None:
        for aiId, seconds in costs.items():
            if connection := self.connections.byId.get(aiId):
                connection.charge(seconds)

    def _announceFirst(self, first: int) -> float:
        """Tell the other nodes, which know it by their next look at the log at the latest."""
        if self.cluster.isAlone:
            return 0.0
        self.cluster.tell(first=first)
        return OTHERS_KNOW

    def _left(self, aiId: str) -> None:
        self.cluster.left(aiId)
        self.presence.left(aiId)
        self.absence.left(aiId)
        self.idleness.left(aiId)

    def _expectPartners(self) -> None:
        """Whoever works on a session has as long to come back as if it had left now."""
        found = self.log.read(lambda reader: reader.sessions.partners()).addCallback(self.absence.expect)
        found.addErrback(lambda failure: self._logger.failure("who has sessions can't be read", failure))

    def _endSessions(self) -> Deferred[None]:
        """End those whose time is over, and those whose partners are gone."""
        gone, leads = self.absence.gone(), self.cluster.leads

        def end(transaction: Transaction) -> list[str]:
            if leads:
                collaboration_sessions.expire(transaction)
            return collaboration_sessions.giveBack(transaction, gone, self.absence.patience)

        def failed(failure: Failure) -> Failure:
            self.absence.again(gone)
            return failure

        return self.log.write(end).addCallbacks(self.absence.again, failed)

    def _releaseSessions(self) -> Deferred[None] | None:
        """End those whose partners don't work on them."""
        if not self.idleness.known:
            return None
        # Those that were accepted long enough ago.
        until = self.wallClock() + self._limits.active - self.idleness.patience

        def release(found: list[SessionState]) -> Deferred[None] | None:
            if not (idle := self.idleness.idle(found)):
                return None
            patience = self.idleness.patience
            self.directory.released.update(partner for _, partner in idle)
            return self.log.write(lambda transaction: collaboration_sessions.release(transaction, idle, patience))

        return self.log.read(
            lambda reader: reader.sessions.activeUntil(until, collaboration_sessions.MAX_DUE)
        ).addCallback(release)

    def controls(self, certificates: HubCertificates | None) -> ControlFactory:
        """Make the server of its control socket."""
        return ControlFactory(
            self.log, self.connections, self.directory, self.status, certificates=certificates, tell=self.cluster.tell
        )

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
            elsewhere=self.cluster.elsewhere,
            silence=lambda: self.cluster.silence,
        )
        return Dashboard(sources, self.admission.bounds, reactor, where, tls)

    def start(self) -> None:
        """Begin the periodic work."""
        self._expectPartners()
        self.cluster.start(self.otherNodes)
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
        away = WireProblem("shutting_down", "the hub is going away; come back")

        def refuse(_: object) -> None:
            self.log.refuse(away)
            # Such as a server that hangs in the middle of a commit.
            self.log.drain().addTimeout(LAST_COMMITS, self.clock).addErrback(lambda _: self.log.giveUp(away))

        # None later than that: what waits still is refused, and comes again.
        self.log.drain().addTimeout(LAST_COMMITS, self.clock).addErrback(refuse)
        self.otherNodes.drain(False)
        stopped = self.connections.stop(away)

        def noted(_: object) -> Deferred[None] | None:
            if self._payloads is not None:
                self._payloads.stop()
            self.cluster.stop()
            noting = self.presence.note(self.log)
            # A server that hangs takes no word of that either.
            return noting.addTimeout(LAST_COMMITS, self.clock) if noting is not None else None

        return stopped.addCallback(noted)
