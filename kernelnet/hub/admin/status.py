"""
The hub's account of itself, which ``kernelnet status`` prints.

==================  =======================================================================================
key                 value
==================  =======================================================================================
``version``         of kernelnet
``port``            the TCP port it listens on; C{None} for other endpoints
``uptime``          seconds
``started``         RFC 3339
``ais``             {id: {specialization, capabilities, protocol, since}} of those connected
``known_ais``       number of AIs that ever said hello
``connections``     number of open sockets, with those that are not authenticated (yet)
``stored``          {patterns, components, confirmed_components, code_blocks, performance_reports}
``blobs``           {count: of those that are whole, bytes: of all}: what is too large for a line
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

from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from twisted.internet.defer import Deferred

from kernelnet.hub.connection.admission import AdmissionControl
from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.views import projections
from kernelnet.wire import rfc3339

__all__ = ["HubStatus"]


class HubStatus:
    """
    @param received: number of messages since the start, by type; C{errors}: of errors sent, by code.
    @param removed: gives the number of rows that were removed from the log since the start.
    @param blobs: gives the number of blobs, and bytes.
    @param wallClock: Unix seconds.
    @ivar startedAt: Unix seconds.
    @ivar port: TCP port that the hub listens on; C{None} for other endpoints.
    @ivar minFree: bytes that must be free on its disk.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        connections: Connections,
        directory: Directory,
        admission: AdmissionControl,
        received: Counter[str],
        errors: Counter[str],
        removed: Callable[[], int],
        blobs: Callable[[], Deferred[tuple[int, int]]],
        wallClock: Callable[[], float],
    ) -> None:
        self._log = log
        self._connections = connections
        self._directory = directory
        self._admission = admission
        self._received = received
        self._errors = errors
        self._removed = removed
        self._blobs = blobs
        self._wallClock = wallClock
        self.startedAt = wallClock()
        self.port: int | None = None
        self.minFree = 0

    def __repr__(self) -> str:
        return f"<HubStatus of {self._connections!r}>"

    def fullStatus(self) -> Deferred[dict[str, Any]]:
        """Fires with the dict described above, JSON-able."""

        def gathered(found: tuple[dict[str, Any], tuple[int, int]]) -> dict[str, Any]:
            known = self._directory.ais
            counts, (blobs, size) = found
            return {
                **self.counters(),
                "ais": {
                    aiId: {
                        "specialization": known[aiId].hello.specialization,
                        "capabilities": list(known[aiId].hello.capabilities),
                        "protocol": connection.version,
                        "since": rfc3339(connection.since),
                    }
                    for aiId, connection in sorted(self._connections.byId.items())
                    if connection.greeted and aiId in known
                },
                "known_ais": len(known),
                **counts,
                "blobs": {"count": blobs, "bytes": size},
            }

        reading = self._log.read(projections.counts)
        return reading.addCallback(lambda counts: self._blobs().addCallback(lambda blobs: gathered((counts, blobs))))

    def counters(self) -> dict[str, Any]:
        """The part of it that stands in memory, and is not about single AIs."""
        now = self._wallClock()
        return {
            "version": _version(),
            "port": self.port,
            "uptime": round(now - self.startedAt, 3),
            "started": rfc3339(self.startedAt),
            "connections": self._connections.count,
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


@cache
def _version() -> str:
    try:
        return version("kernelnet")
    except PackageNotFoundError:
        return "unknown"
