"""
What messages asked a trainer to do: kept until it is done, and whose turn it is.

A job is durable: it is deleted together with saying its result.  As in start-time fair queueing (Goyal, Vin and Cheng,
IEEE/ACM Transactions on Networking 5(5), 1997) a peer's next turn comes when the others have had as many seconds as its
last job took: who asks for much, or for what takes long, waits for himself alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from twisted.internet.defer import inlineCallbacks

from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.verifier_selection import Witnesses

if TYPE_CHECKING:
    from kernelnet.trainer.service import Trainer

__all__ = ["MAX_TRIES", "Job", "Jobs"]

MAX_TRIES = 3
"""A job that failed so often is given up."""


class Job(NamedTuple):
    """
    @ivar kind: C{measure} (the body is a component's digest), C{feature} (a forwarded request as plain values) or
        C{collaborate} (a session's id).
    """

    kind: str
    body: Any


class Jobs:
    """The jobs of one trainer."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._witnesses = Witnesses(trainer)
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
        for key, kind, body in (yield self._trainer.store.read("SELECT key, kind, body FROM jobs ORDER BY rowid")):
            self._jobs[key] = Job(kind, msgspec.json.decode(body))

    def add(self, key: str, job: Job, changes: Changes) -> None:
        self._jobs[key] = job
        body = msgspec.json.encode(job.body).decode("utf-8")
        changes.add("REPLACE INTO jobs VALUES (?, ?, ?)", key, job.kind, body)

    def drop(self, key: str, changes: Changes) -> None:
        """A job is done, or nobody needs it any more."""
        self._jobs.pop(key, None)
        self._tries.pop(key, None)
        changes.add("DELETE FROM jobs WHERE key = ?", key)

    def ofKind(self, kind: str) -> dict[str, Any]:
        """By key the bodies of all jobs of a kind, the oldest first."""
        return {key: job.body for key, job in self._jobs.items() if job.kind == kind}

    def isNeeded(self, digest: str) -> bool:
        """Whether to measure a claim, now that its turn has come."""
        known = self._trainer.knowledge.components.get(digest)
        return known is not None and known.verdict is None and self._witnesses.isNeeded(known)

    def next(self, measure: bool) -> str | None:
        """
        The oldest job of the peer whose turn it is; of its claims those first that this trainer is a witness of.

        @param measure: of the claims to measure, or of all else.
        """
        jobs = [
            (key, self._source(job), self._witnesses.rank(job.body) if measure else 0)
            for key, job in self._jobs.items()
            if (job.kind == "measure") is measure
        ]
        due = [(key, source, rank) for key, source, rank in jobs if rank is not None]
        if not due:
            return None
        # Who was never served waits as if he had just been: else who comes under ever new names would always be next.
        start = {source: self._served.get(source, self._turn + 1) for _, source, _ in due}
        source = min(start, key=start.__getitem__)
        key, _, _ = min((job for job in due if job[1] == source), key=lambda job: job[2])
        self._turn = max(self._turn, start[source])
        self._served[source] = self._turn + 1
        return key

    def sourceOf(self, key: str) -> str | None:
        """Whom a job is for; C{None}: there is none of this key."""
        return self._source(self._jobs[key]) if key in self._jobs else None

    def took(self, source: str, seconds: float) -> None:
        """A job of C{source} has had so much of this trainer's time."""
        self._served[source] = self._served.get(source, 0.0) + seconds

    def failed(self, key: str) -> bool:
        """One more try at a job has failed.  @return: whether it is to be given up."""
        self._tries[key] = self._tries.get(key, 0) + 1
        return self._tries[key] >= MAX_TRIES and key in self._jobs

    def _source(self, job: Job) -> str:
        if job.kind == "feature":
            return str(job.body["requestor"])
        if job.kind == "measure":
            known = self._trainer.knowledge.components.get(job.body)
            return known.source if known is not None else ""
        session = self._trainer.collaboration.sessions.get(job.body)
        return session.peer if session is not None else ""
