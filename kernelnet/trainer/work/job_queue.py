"""
Jobs that messages gave to a trainer: kept until they are done, and whose turn it is.

A job is durable: it is deleted together with saying its result.  As in start-time fair queueing (Goyal, Vin and Cheng,
IEEE/ACM Transactions on Networking 5(5), 1997) a peer's next turn comes when the others have had as many seconds as its
last job took: who asks for much, or for what takes long, waits for himself alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import msgspec
from twisted.internet.defer import inlineCallbacks

from kernelnet.trainer.storage.database import Changes, Store

__all__ = ["MAX_TRIES", "Job", "JobHandler", "JobQueue"]

MAX_TRIES = 3
"""Number of failures after which a job is given up."""

MAX_SERVED = 4096
"""Number of peers of whom it is remembered when they are served next, besides those that wait."""


class Job(NamedTuple):
    """
    One piece of work that somebody waits for.

    @ivar kind: which `JobHandler` does it.
    @ivar source: the peer that it is for, whose time it takes.
    @ivar body: what the handler needs to know, as plain values.
    """

    kind: str
    source: str
    body: Any


class JobHandler(Protocol):
    """Does the jobs of one kind."""

    async def run(self, key: str, job: Job) -> None:
        """Do a job, and drop it from the queue with its result; one that stays there is done again."""

    def abandon(self, job: Job, changes: Changes) -> None:
        """A job failed again and again, and is dropped: tell who waits for it."""


class JobQueue:
    """The jobs of one trainer, the oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: dict[str, Job] = {}
        self._tries: dict[str, int] = {}
        self._served: dict[str, float] = {}
        self._turn = 0.0

    def __contains__(self, key: str) -> bool:
        return key in self._jobs

    def __getitem__(self, key: str) -> Job:
        return self._jobs[key]

    @inlineCallbacks
    def load(self) -> Any:
        """Take up the jobs that an earlier run left."""
        rows = yield self._store.read("SELECT key, kind, source, body FROM jobs ORDER BY rowid")
        for key, kind, source, body in rows:
            self._jobs[key] = Job(kind, source, msgspec.json.decode(body))

    def add(self, key: str, job: Job, changes: Changes) -> None:
        self._jobs[key] = job
        body = msgspec.json.encode(job.body).decode("utf-8")
        changes.add("REPLACE INTO jobs (key, kind, source, body) VALUES (?, ?, ?, ?)", key, job.kind, job.source, body)

    def drop(self, key: str, changes: Changes) -> None:
        """A job is done, or nobody needs it any more."""
        self._jobs.pop(key, None)
        self._tries.pop(key, None)
        changes.add("DELETE FROM jobs WHERE key = ?", key)

    def ofKind(self, kind: str) -> dict[str, Job]:
        """By key all jobs of a kind, the oldest first."""
        return {key: job for key, job in self._jobs.items() if job.kind == kind}

    def next(self, kinds: Iterable[str], rank: Callable[[Job], int | None] = lambda job: 0) -> str | None:
        """
        The key of the oldest job of the peer whose turn it is; of its jobs those first whose rank is least.

        @param kinds: of these only.
        @param rank: C{None} of a job: it is not its time yet.
        """
        wanted = set(kinds)
        jobs = [(key, job.source, rank(job)) for key, job in self._jobs.items() if job.kind in wanted]
        due = [(key, source, rank) for key, source, rank in jobs if rank is not None]
        if not due:
            return None
        # Who was never served waits as if he had just been: else who comes under ever new names would always be next.
        start = {source: self._served.get(source, self._turn + 1) for _, source, _ in due}
        source = min(start, key=start.__getitem__)
        key, _, _ = min((job for job in due if job[1] == source), key=lambda job: job[2])
        self._turn = max(self._turn, start[source])
        self._served[source] = self._turn + 1
        if len(self._served) > MAX_SERVED:
            # Who was never served counts alike, but for a turn: nobody gains by it that we forget him.
            waiting = {job.source for job in self._jobs.values()}
            self._served = {who: at for who, at in self._served.items() if who in waiting or at > self._turn}
        return key

    def took(self, source: str, seconds: float) -> None:
        """A job of C{source} has had so much of this trainer's time."""
        self._served[source] = self._served.get(source, 0.0) + seconds

    def failed(self, key: str) -> bool:
        """One more try at a job has failed.  @return: whether it is to be given up."""
        self._tries[key] = self._tries.get(key, 0) + 1
        return self._tries[key] >= MAX_TRIES and key in self._jobs
