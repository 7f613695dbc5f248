"""
The hub's account of itself, which ``kernelnet status`` prints.

==================  =======================================================================================
key                 value
==================  =======================================================================================
``version``         of kernelnet
``port``            the TCP port it listens on; C{None} for other endpoints
``uptime``          seconds
``started``         RFC 3339
``node``            its name among the hubs that use its database
``nodes``           [{node, state, address, version, started, ais, connections, messages_per_second, position, behind}]
                    of all of these; of others as they were some seconds ago, C{None} where that is not known.  C{state}
                    as in `NodeRow`; C{behind}: messages in the log that it had not passed on
``total``           {nodes, ais, connections, messages_per_second} of all that are there
``ais``             {id: {specialization, capabilities, protocol, since, node}} of those connected; of those to other
                    nodes C{protocol} is C{None}, and `MAX_ELSEWHERE` at most are named
``known_ais``       number of AIs that ever said hello
``here``            number of AIs that are connected to this hub
``connections``     number of open sockets, with those that are not authenticated (yet)
``messages_per_second``  number of messages that came in, of late
``stored``          {patterns, components, confirmed_components, code_blocks, performance_reports}
``blobs``           {count: of those that are whole, bytes: of all}: what is too large for a line; C{None} where their
                    disk or database does not say so in time
``sessions``        {offered, active, completed, declined, expired}
``messages``        {type: number that came in since the start}
``errors``          {code: number that was sent since the start}
``limits``          {unauthenticated: connections now; since the start refused: connections there was no room for,
                    displaced: unauthenticated ones that went for newer ones, failed: authentications, unchecked: more
                    of them when too many had failed, slowed: number of times that somebody was read more slowly}
``log``             {log_id, position, oldest, waiting, removed: rows since the start, full: whether the disk is,
                    min_free: bytes that must be free there}
==================  =======================================================================================
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.connection.admission import AdmissionControl
from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.cluster import Cluster
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.operation import NodeRow
from kernelnet.hub.views import projections
from kernelnet.wire import rfc3339

__all__ = ["COUNT_EVERY", "MAX_ELSEWHERE", "HubStatus"]

COUNT_EVERY = 5.0
"""Seconds between two counts of the messages that came in."""
MAX_ELSEWHERE = 1000
PATIENCE = 3.0
"""Seconds that a status waits for the count of the blobs."""


class HubStatus:
    """
    @param cluster: the other hubs on its database.
    @param received: number of messages since the start, by type; C{errors}: of errors sent, by code.
    @param removed: gives the number of rows that were removed from the log since the start.
    @param blobs: gives the number of blobs, and bytes.
    @param wallClock: Unix seconds.
    @ivar startedAt: Unix seconds.
    @ivar port: TCP port that the hub listens on; C{None} for other endpoints.
    @ivar minFree: bytes that must be free on its disk.
    """

    _logger = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        *,
        log: EventLog,
        connections: Connections,
        directory: Directory,
        admission: AdmissionControl,
        cluster: Cluster,
        received: Counter[str],
        errors: Counter[str],
        removed: Callable[[], int],
        blobs: Callable[[], Deferred[tuple[int, int]]],
        clock: IReactorTime,
        wallClock: Callable[[], float],
    ) -> None:
        self._log = log
        self._connections = connections
        self._directory = directory
        self._admission = admission
        self._cluster = cluster
        self._received = received
        self._errors = errors
        self._removed = removed
        self._blobs = blobs
        self._clock = clock
        self._wallClock = wallClock
        self._awaiting: list[Deferred[tuple[int, int] | None]] = []
        self._isCounting = False
        self._counted = clock.seconds(), 0
        self._rate = 0.0
        self.startedAt = wallClock()
        self.port: int | None = None
        self.minFree = 0

    def __repr__(self) -> str:
        return f"<HubStatus of {self._connections!r}>"

    def fullStatus(self) -> Deferred[dict[str, Any]]:
        """Fires with the dict described above, JSON-able."""

        def gathered(counts: dict[str, Any], blobs: tuple[int, int] | None) -> dict[str, Any]:
            nodes = self.nodes()
            return {
                **self.counters(),
                "nodes": nodes,
                "total": _total(nodes),
                "ais": self._ais(),
                "known_ais": len(self._directory.ais),
                **counts,
                "blobs": None if blobs is None else dict(zip(("count", "bytes"), blobs, strict=True)),
            }

        reading = self._log.read(projections.counts)
        return reading.addCallback(lambda counts: self._countBlobs().addCallback(lambda blobs: gathered(counts, blobs)))

    def _countBlobs(self) -> Deferred[tuple[int, int] | None]:
        """
        Count the blobs, once for all who ask meanwhile: however often somebody looks, one count waits for a store that
        hangs.

        @return: fires with C{None} if the store fails, or says nothing in time.
        """

        def counted(found: tuple[int, int] | Failure) -> None:
            self._isCounting = False
            if isinstance(found, Failure):
                self._logger.error("can't count the blobs: {reason}", reason=found.getErrorMessage())
            awaiting, self._awaiting = self._awaiting, []
            for one in awaiting:
                one.callback(None if isinstance(found, Failure) else found)

        def late(failure: Failure) -> None:
            failure.trap(TimeoutError)

        waiting: Deferred[tuple[int, int] | None] = Deferred(self._awaiting.remove)
        self._awaiting.append(waiting)
        if not self._isCounting:
            self._isCounting = True
            self._blobs().addBoth(counted)
        return waiting.addTimeout(PATIENCE, self._clock).addErrback(late)

    def _ais(self) -> dict[str, Any]:
        here = {
            aiId: self._ai(aiId, self._cluster.name, connection.since, connection.version)
            for aiId, connection in self._connections.byId.items()
            if connection.greeted and aiId in self._directory.ais
        }
        others = (
            (aiId, self._ai(aiId, arrival.node, arrival.since, None))
            for aiId, arrival in self._cluster.elsewhere.items()
            if aiId not in self._connections.byId and aiId in self._directory.ais
        )
        return dict(sorted([*here.items(), *islice(others, MAX_ELSEWHERE)]))

    def _ai(self, aiId: str, node: str, since: float, version: int | None) -> dict[str, Any]:
        hello = self._directory.ais[aiId].hello
        return {
            "specialization": hello.specialization,
            "capabilities": list(hello.capabilities),
            "protocol": version,
            "since": rfc3339(since),
            "node": node,
        }

    def nodes(self) -> list[dict[str, Any]]:
        """All hubs that use the database, by name; see C{nodes} above."""
        others = {row.name: _described(row) for row in self._cluster.nodes}
        mine = others.pop(self._cluster.name, {"address": None, "behind": 0})
        own = {
            "node": self._cluster.name,
            "state": "draining" if self._connections.suspended else "alive",
            "address": mine["address"],
            "version": _version(),
            "started": rfc3339(self.startedAt),
            "ais": self._here,
            "connections": self._connections.count,
            "messages_per_second": self._rate,
            "position": self._log.head,
            "behind": mine["behind"],
        }
        return sorted([own, *others.values()], key=lambda one: str(one["node"]))

    @property
    def node(self) -> str:
        """Name of this hub among those that use its database."""
        return self._cluster.name

    @property
    def _here(self) -> int:
        return sum(connection.greeted for connection in self._connections.byId.values())

    def count(self) -> None:
        """Count the messages that came in; each `COUNT_EVERY` seconds."""
        (before, number), now, total = self._counted, self._clock.seconds(), sum(self._received.values())
        if now > before:
            self._rate = round((total - number) / (now - before), 1)
            self._counted = now, total

    def counters(self) -> dict[str, Any]:
        """The part of it that stands in memory, and is not about single AIs."""
        now = self._wallClock()
        return {
            "version": _version(),
            "port": self.port,
            "uptime": round(now - self.startedAt, 3),
            "started": rfc3339(self.startedAt),
            "node": self._cluster.name,
            "here": self._here,
            "connections": self._connections.count,
            "messages_per_second": self._rate,
            "messages": dict(sorted(self._received.items())),
            "errors": dict(sorted(self._errors.items())),
            "limits": self._admission.counters(),
            "log": {
                "log_id": self._log.logId,
                "position": self._log.head,
                "oldest": self._log.first,
                "waiting": self._log.waiting,
                "removed": self._removed(),
                "full": self._log.findStorageProblem() is not None,
                "min_free": self.minFree,
            },
        }


def _described(row: NodeRow) -> dict[str, Any]:
    said = row.account if row.alive else None
    last = row.account
    return {
        "node": row.name,
        "state": row.state,
        "address": row.address,
        "version": row.version,
        "started": rfc3339(row.started),
        "ais": row.ais,
        "connections": said.connections if said is not None else None,
        "messages_per_second": said.messages_per_second if said is not None else None,
        "position": last.log.position if last is not None else None,
        "behind": said.behind if said is not None else None,
    }


def _total(nodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    there = [one for one in nodes if one["connections"] is not None]
    return {
        "nodes": len(there),
        "ais": sum(one["ais"] for one in there),
        "connections": sum(one["connections"] for one in there),
        "messages_per_second": round(math.fsum(one["messages_per_second"] for one in there), 1),
    }


@cache
def _version() -> str:
    try:
        return version("kernelnet")
    except PackageNotFoundError:
        return "unknown"
