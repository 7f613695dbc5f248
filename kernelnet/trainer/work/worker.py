"""
`Worker`: runs a trainer's own rounds, and the jobs that messages gave to it.

Two loops run side by side, so that re-measuring peers' claims never waits for a search: one measures, one builds.  In
the build loop a job comes after some of the trainer's own rounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.job_queue import MAX_TRIES, Job, JobHandler, JobQueue

__all__ = ["OWN_ROUNDS", "Worker"]

OWN_ROUNDS = 2
"""
Number of the trainer's own rounds between two jobs for peers.

With one, peers' wishes took a third of all that three trainers on one bench searched, and they were hardly better than
three that work alone.
"""

PAUSE = 1.0
"""Seconds after which jobs are looked at again whose time hasn't come, and after a failure."""


class Worker:
    """
    Runs the `JobHandler`s that were registered, each for its kind of job.

    @param round: does one round of the trainer's own search.
    """

    log = Logger()

    def __init__(
        self, jobs: JobQueue, outbox: Outbox, round: Callable[[], Awaitable[None]], clock: IReactorTime
    ) -> None:
        self._jobs = jobs
        self._outbox = outbox
        self._round = round
        self._clock = clock
        self._handlers: dict[str, JobHandler] = {}
        self._ranks: dict[str, Callable[[Job], int | None]] = {}
        self._idle: Deferred[None] | None = None
        self._loops: list[Deferred[None]] = []
        self._running = False
        self._own = OWN_ROUNDS - 1

    def registerBuild(self, kind: str, handler: JobHandler) -> None:
        """Jobs of C{kind} are for C{handler}, in the build loop."""
        self._handlers[kind] = handler

    def registerMeasurement(self, kind: str, handler: JobHandler, rank: Callable[[Job], int | None]) -> None:
        """
        Jobs of C{kind} are for C{handler}, in the measure loop.

        @param rank: their order among one peer's; C{None}: not yet.
        """
        self._handlers[kind] = handler
        self._ranks[kind] = rank

    def start(self) -> None:
        self._running = True
        self._loops = [Deferred.fromCoroutine(self._measure()), Deferred.fromCoroutine(self._build())]

    def stop(self) -> Deferred[Any]:
        """Fires when both loops have ended; `ILocalTrainer.stop` makes what they wait for end soon."""
        self._running = False
        self.wake()
        return gatherResults(self._loops, consumeErrors=True)

    def wake(self) -> None:
        """There may be a new job."""
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.callback(None)

    @property
    def isIdle(self) -> bool:
        """Whether there is nothing to measure."""
        return self._idle is not None

    async def _measure(self) -> None:
        while self._running:
            key = self._jobs.next(self._ranks, lambda job: self._ranks[job.kind](job))
            if key is not None:
                await self._attempt(key)
            elif any(self._jobs.ofKind(kind) for kind in self._ranks):
                # they wait for their verifiers, or for their time
                await task.deferLater(self._clock, PAUSE)
            else:
                self._idle = Deferred()
                await self._idle

    async def _build(self) -> None:
        while self._running:
            key = self._jobs.next(self._handlers.keys() - self._ranks.keys())
            if key is None or self._own < OWN_ROUNDS:
                self._own += 1
                await self._guarded("round", self._round())
            else:
                self._own = 0
                await self._attempt(key)

    async def _attempt(self, key: str) -> None:
        """One try at a job; after too many it is given up."""
        job, began = self._jobs[key], self._clock.seconds()
        try:
            await self._guarded(key, self._handlers[job.kind].run(key, job))
        finally:
            self._jobs.took(job.source, self._clock.seconds() - began)

    async def _guarded(self, key: str, work: Awaitable[None]) -> None:
        """Await work; an error of it is logged, and the loop goes on."""
        try:
            await work
        except CancelledError:
            return
        except Exception:
            if not self._running:
                return
            self.log.failure("{key} failed", key=key)
            changes = Changes()
            if self._jobs.failed(key):
                self.log.error("giving {key} up after {n} tries", key=key, n=MAX_TRIES)
                job = self._jobs[key]
                self._handlers[job.kind].abandon(job, changes)
                self._jobs.drop(key, changes)
            await self._outbox.commit(changes)
            # A generator that fails at once must not spin.
            await task.deferLater(self._clock, PAUSE)
