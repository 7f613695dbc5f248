"""
C{/api/traffic}: what went through the hub in the last ten minutes, kept in memory.

Every five seconds a sample is taken of counters that are there anyway; nothing is done for a message.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall

from kernelnet.hub.admin.status import standing
from kernelnet.hub.storage.latency_histogram import quantile

if TYPE_CHECKING:
    from kernelnet.hub.connection.factory import HubFactory

__all__ = ["EVERY", "SAMPLES", "History"]

EVERY = 5.0
"""Seconds between two samples."""
SAMPLES = 120
MAX_SLOW = 20
"""So many who are behind are named."""


class _Sample(Struct):
    """What happened in the time before C{at} (Unix seconds), and how it stood then; the table in `History.asked`."""

    at: float
    seconds: float
    position: int
    messages: dict[str, int]
    commits: list[int]
    commitSeconds: float
    waiting: int
    behind: int
    connections: int


class History:
    """The last samples of one hub."""

    def __init__(self, factory: HubFactory) -> None:
        self._factory = factory
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._job = LoopingCall(self.sample)
        self._job.clock = factory.clock
        self._first: IDelayedCall | None = None
        self._remember()

    def __repr__(self) -> str:
        return f"<History {len(self._samples)} samples>"

    def start(self) -> None:
        # Halfway between the hub's own periodic work, which would always be found waiting for its commit.
        self._first = self._factory.clock.callLater(EVERY / 2, self._begin)

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
        factory = self._factory
        commits = factory.source.commits
        self._since = factory.clock.seconds()
        self._messages = Counter(factory.counts)
        self._commits, self._commitSeconds = list(commits.counts), commits.seconds

    def sample(self) -> None:
        """Note what happened since the last one."""
        factory = self._factory
        source, now = factory.source, factory.clock.seconds()
        self._samples.append(
            _Sample(
                at=round(factory.wallClock(), 3),
                seconds=max(now - self._since, 0.001),
                position=source.head,
                messages=dict(factory.counts - self._messages),
                commits=[now - then for now, then in zip(source.commits.counts, self._commits, strict=True)],
                commitSeconds=source.commits.seconds - self._commitSeconds,
                waiting=source.waiting,
                behind=sum(1 for c in factory.byId.values() if c.greeted and not c.cursor.live),
                connections=factory.connectionCount,
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
        ``now``          of the hub's status what costs nothing: version, started, messages, limits, log
        ===============  ===============================================================================
        """
        samples = list(self._samples)
        counts = [sum(sample.commits) for sample in samples]
        kinds = sorted({kind for sample in samples for kind in sample.messages})
        head = self._factory.source.head
        slow = [
            (head - c.cursor.position, c.aiId) for c in self._factory.byId.values() if c.greeted and not c.cursor.live
        ]
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
            "now": standing(self._factory),
        }
