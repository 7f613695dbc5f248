"""
What the hub says of itself: ``kernelnet status`` prints it.

==================  =======================================================================================
key                 value
==================  =======================================================================================
``version``         of kernelnet
``port``            the TCP port it listens on; C{None} for other endpoints
``uptime``          seconds
``started``         RFC 3339
``ais``             {id: {specialization, capabilities, protocol, since}} of those connected
``known_ais``       how many AIs ever said hello
``connections``     how many sockets are open, with those that are not authenticated (yet)
``stored``          {patterns, components, confirmed_components, code_blocks, performance_reports}
``sessions``        {offered, active, completed, declined, expired}
``messages``        {type: how many came in since the start}
``errors``          {code: how many were sent since the start}
``limits``          {unauthenticated: connections now; since the start refused: connections there was no room for,
                    displaced: unauthenticated ones that went for newer ones, failed: authentications, unchecked: more
                    of them when too many had failed, slowed: how often somebody was read more slowly}
``log``             {log_id, position, oldest, waiting, removed: rows since the start, full: whether the disk is}
==================  =======================================================================================
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from kernelnet.hub.views import projections
from kernelnet.wire import rfc3339

if TYPE_CHECKING:
    from kernelnet.hub.connection.factory import HubFactory

__all__ = ["gatherStatus", "standing"]


def gatherStatus(factory: HubFactory) -> Deferred[dict[str, Any]]:
    """Fires with the dict described above."""

    def gathered(counts: dict[str, Any]) -> dict[str, Any]:
        return {
            **standing(factory),
            "ais": {
                aiId: {
                    "specialization": known.hello.specialization,
                    "capabilities": list(known.hello.capabilities),
                    "protocol": connection.version,
                    "since": rfc3339(connection.since),
                }
                for aiId, connection in sorted(factory.byId.items())
                if connection.greeted and (known := factory.registry.ais.get(aiId))
            },
            "known_ais": len(factory.registry.ais),
            **counts,
        }

    return factory.source.read(projections.counts).addCallback(gathered)


def standing(factory: HubFactory) -> dict[str, Any]:
    """What of it stands in memory, and is not about single AIs."""
    now = factory.wallClock()
    return {
        "version": _version(),
        "port": factory.port,
        "uptime": round(now - factory.startedAt, 3),
        "started": rfc3339(factory.startedAt),
        "connections": factory.connectionCount,
        "messages": dict(sorted(factory.counts.items())),
        "errors": dict(sorted(factory.errors.items())),
        "limits": factory.gate.counters(),
        "log": {
            "log_id": factory.source.logId,
            "position": factory.source.head,
            "oldest": factory.source.first,
            "waiting": factory.source.waiting,
            "removed": factory.keeper.removed,
            "full": factory.source.findStorageProblem() is not None,
        },
    }


@cache
def _version() -> str:
    try:
        return version("kernelnet")
    except PackageNotFoundError:
        return "unknown"
