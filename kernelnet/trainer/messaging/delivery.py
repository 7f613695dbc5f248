"""
Delivery of what the hub sent: one batch after another, and what can't be handled is tried again.

A message whose handling raises holds up all that is behind it, so that order stays; after `dispatcher.MAX_TRIES` it is
skipped.  The tries are counted in the store, so a restart in between does not begin them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, DeferredLock, inlineCallbacks
from twisted.internet.interfaces import IReactorTime

from kernelnet.message import Heartbeat, MessageType, NetworkMessage
from kernelnet.trainer.connection.interfaces import Connection
from kernelnet.trainer.messaging.dispatcher import Dispatcher
from kernelnet.trainer.messaging.hub_sync import HubSync
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.wire import encode, newMessage

__all__ = ["Delivery"]

TRY_AGAIN = 1.0
"""Seconds until a message that could not be handled is tried again; nothing is read meanwhile."""


class Delivery:
    """
    Hands the batches of the present connection to the dispatcher, in order; a `ConnectionHandler`.

    @param aiId: who speaks.
    @param wake: called when there may be new work.
    @param fail: called with a reason, for the user, to end the trainer.
    """

    def __init__(
        self,
        *,
        aiId: str,
        dispatcher: Dispatcher,
        sync: HubSync,
        outbox: Outbox,
        payloads: PayloadExchange,
        clock: IReactorTime,
        wake: Callable[[], None],
        fail: Callable[[str], None],
    ) -> None:
        self._aiId = aiId
        self._dispatcher = dispatcher
        self._sync = sync
        self._outbox = outbox
        self._payloads = payloads
        self._clock = clock
        self._wake = wake
        self._fail = fail
        self._turn = DeferredLock()

    def openingLines(self, connection: Connection) -> Iterable[bytes]:
        """Our hello."""
        return [encode(newMessage(self._aiId, MessageType.HELLO, self._sync.connected(connection)))]

    def received(self, batch: Sequence[NetworkMessage], connection: Connection) -> Deferred[None]:
        """Fires when C{batch} and all that follows from it at once is durable, or the connection has ended."""
        done: Deferred[None] = self._turn.run(self._deliver, list(batch), connection)
        return done

    def skipped(self) -> None:
        self._sync.skipped()

    def lost(self) -> None:
        self._outbox.disconnected()
        self._payloads.lost()

    def refused(self, reason: str) -> None:
        self._fail(reason)

    @inlineCallbacks
    def _deliver(self, batch: list[NetworkMessage], connection: Connection) -> Any:
        while batch and connection.isCurrent:
            changes, batch = self._dispatcher.take(batch)
            yield self._outbox.commit(changes)
            self._wake()
            if (position := self._sync.takeReport()) is not None and connection.isCurrent:
                # Now that it is durable: the hub may count everything up to there as read.
                connection.sayNow(MessageType.HEARTBEAT, Heartbeat(seq=position))
            if batch:
                yield task.deferLater(self._clock, TRY_AGAIN)
