"""`Goodbye`: a trainer's last seconds, in which its work stops, what it said is acked, and its connection closes."""

from __future__ import annotations

from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.interfaces import ILocalTrainer
from kernelnet.trainer.connection.client import HubClient
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.worker import Worker

__all__ = ["Goodbye"]

STOP_WORK = 0.8
"""Seconds a trainer that is stopped waits for its work to stop; what takes longer is left alone."""

LAST_WORDS = 0.7
"""Seconds it then waits for the acks of what it said; what has none by then goes out next time."""

CLOSE = 0.2
"""Seconds that its connection then has to close in order."""

TIME_OVER = 8.0
"""Seconds that a trainer whose time is over gives itself for work and acks: there may be no next time."""


class Goodbye:
    """
    Ends within some seconds, whatever hangs.

    @param local: what does the learning.
    @param clock: the reactor's.
    """

    log = Logger()

    def __init__(
        self, worker: Worker, local: ILocalTrainer, client: HubClient, outbox: Outbox, clock: IReactorTime
    ) -> None:
        self._worker = worker
        self._local = local
        self._client = client
        self._outbox = outbox
        self._clock = clock
        self._workStopped: Deferred[Any] | None = None
        self._isHurried = False

    async def atLeisure(self) -> None:
        """The time that was given is over; whoever is stopped meanwhile waits no longer than anybody who is stopped."""
        await self._say(TIME_OVER, TIME_OVER, isHurried=False)

    async def inHaste(self) -> None:
        """Somebody waits for our end."""
        self._isHurried = True
        await self._say(STOP_WORK, STOP_WORK + LAST_WORDS, isHurried=True)

    async def _say(self, patience: float, seconds: float, isHurried: bool) -> None:
        """
        Stop working, and wait a little for the acks of what was said.

        @param patience: seconds that the work has to stop; C{seconds}: that all of it takes at most.
        """
        until = self._clock.seconds() + seconds
        if self._workStopped is None:
            stopped = self._worker.stop()
            local = maybeDeferred(self._local.stop)
            local.addErrback(lambda failure: self.log.failure("stopping {local} failed", failure, local=self._local))
            self._workStopped = DeferredList([local, stopped], consumeErrors=True)
        # A search may not look at its clock, and a full disk keeps a loop waiting until the store is closed.
        await self._within(patience, self._workStopped)
        while (
            self._isHurried == isHurried
            and self._clock.seconds() < until
            and self._client.isGreeted
            and len(self._outbox)
        ):
            await task.deferLater(self._clock, 0.02)

    def close(self) -> Deferred[None]:
        """Close the connection: a process that ended before would cut it, which looks to the hub like a fault."""
        return self._within(CLOSE, self._client.close())

    def _within(self, seconds: float, work: Deferred[Any]) -> Deferred[None]:
        """Fires when C{work} has ended, well or not, or after C{seconds}."""
        done: Deferred[None] = Deferred()

        def end(_: object) -> None:
            if not done.called:
                done.callback(None)

        timer = self._clock.callLater(seconds, end, None)
        DeferredList([work], consumeErrors=True).addCallback(end)
        return done.addBoth(lambda _: timer.cancel() if timer.active() else None)
