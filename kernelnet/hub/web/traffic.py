"""
C{/api/traffic}: messages and commits of the last ten minutes, kept in memory.

Every five seconds a sample is taken of counters that are there anyway; nothing is done for a message.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall

from kernelnet.hub.admin.status import HubStatus
from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.latency_histogram import quantile

__all__ = ["EVERY", "SAMPLES", "TrafficHistory"]

EVERY = 5.0
"""Seconds between two samples."""
SAMPLES = 120
MAX_SLOW = 20
"""Number of those who are behind that are named at most."""


class _Sample(Struct):
    """Events in the time before C{at} (Unix seconds), and how it stood then; the table in `TrafficHistory.asked`."""

    at: float
    seconds: float
    position: int
    messages: dict[str, int]
    commits: list[int]
    commitSeconds: float
    waiting: int
    behind: int
    connections: int


class TrafficHistory:
    """
    The last samples of one hub.

    @param received: number of messages since the start, by type.
    @param wallClock: Unix seconds.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        connections: Connections,
        status: HubStatus,
        received: Mapping[str, int],
        clock: IReactorTime,
        wallClock: Callable[[], float],
    ) -> None:
        self._log = log
        self._connections = connections
        self._status = status
        self._received = received
        self._clock = clock
        self._wallClock = wallClock
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._job = LoopingCall(self.sample)
        self._job.clock = clock
        self._first: IDelayedCall | None = None
        self._remember()

    def __repr__(self) -> str:
        return f"<TrafficHistory {len(self._samples)} samples>"

    def start(self) -> None:
        # Halfway between the hub's own periodic work, which would always be found waiting for its commit.
        self._first = self._clock.callLater(EVERY / 2, self._begin)

    def _begin(self) -> None:
        self._first = None
        self._remember()
        self._job.start(EVERY, now=False)

    def stop(self) -> None:
        if self._first is not None:
            self._first.cancel()
            self._first = None
        if self._job.running:
            self._job.stop()

    def _remember(self) -> None:
        commits = self._log.commits
        self._since = self._clock.seconds()
        self._counted = Counter(self._received)
        self._commits, self._commitSeconds = list(commits.counts), commits.seconds

    def sample(self) -> None:
        """Note what happened since the last one."""
        log, now = self._log, self._clock.seconds()
        self._samples.append(
            _Sample(
                at=round(self._wallClock(), 3),
                seconds=max(now - self._since, 0.001),
                position=log.head,
                messages=dict(Counter(self._received) - self._counted),
                commits=[now - then for now, then in zip(log.commits.counts, self._commits, strict=True)],
                commitSeconds=log.commits.seconds - self._commitSeconds,
                waiting=log.waiting,
                behind=len(self._connections.lagging()),
                connections=self._connections.count,
            )
        )
        self._remember()

    def asked(self) -> dict[str, Any]:
        """
        The samples, oldest first, as columns.

        ===============  ===============================================================================
        ``at``           Unix seconds at the end of each sample
        ``messages``     {type: messages received a second}
        ``commits``      commits a second
        ``commit_mean``  seconds from a commit's begin to its being on disk; C{None}: there was none
        ``commit_p99``   the same, within which 99 of 100 were
        ``waiting``      messages that waited for a commit
        ``behind``       connections that had fallen behind the log
        ``connections``  open sockets
        ``position``     the log's last number
        ``slow``         [{id, behind}] of those who are behind now, the farthest first
        ``nodes``        the hubs that use the database, as in the hub's status
        ``now``          of the hub's status what costs nothing: version, started, messages, limits, log
        ===============  ===============================================================================
        """
        samples = list(self._samples)
        counts = [sum(sample.commits) for sample in samples]
        kinds = sorted({kind for sample in samples for kind in sample.messages})
        head = self._log.head
        slow = [(head - connection.reader.position, connection.aiId) for connection in self._connections.lagging()]
        return {
            "at": [sample.at for sample in samples],
            "messages": {
                kind: [round(sample.messages.get(kind, 0) / sample.seconds, 3) for sample in samples] for kind in kinds
            },
            "commits": [round(count / sample.seconds, 3) for count, sample in zip(counts, samples, strict=True)],
            "commit_mean": [
                round(sample.commitSeconds / count, 6) if count else None
                for count, sample in zip(counts, samples, strict=True)
            ],
            "commit_p99": [
                round(quantile(sample.commits, 0.99), 6) if count else None
                for count, sample in zip(counts, samples, strict=True)
            ],
            **{
                name: [getattr(sample, name) for sample in samples]
                for name in ("waiting", "behind", "connections", "position")
            },
            "slow": [{"id": aiId, "behind": behind} for behind, aiId in heapq.nlargest(MAX_SLOW, slow)],
            "nodes": self._status.nodes(),
            "now": self._status.counters(),
        }
