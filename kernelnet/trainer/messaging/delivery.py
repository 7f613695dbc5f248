"""
How what the hub sent gets into the inbox: one batch after another, and what can't be handled is tried again.

A message whose handling raises holds up all that is behind it, so that order stays; after `inbox.MAX_TRIES` it is
skipped.  The tries are counted in the store, so a restart in between does not begin them anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredLock, inlineCallbacks

from kernelnet.message import Heartbeat, MessageType, NetworkMessage

if TYPE_CHECKING:
    from kernelnet.trainer.connection.protocol import TrainerProtocol
    from kernelnet.trainer.service import Trainer

__all__ = ["Delivery"]

TRY_AGAIN = 1.0
"""Seconds until a message that could not be handled is tried again; nothing is read meanwhile."""


class Delivery:
    """Hands the batches of the present connection to the inbox of C{trainer}, in order."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._turn = DeferredLock()

    def deliver(self, batch: Sequence[NetworkMessage], connection: TrainerProtocol) -> Deferred[None]:
        """Fires when C{batch} and all that follows from it at once is durable, or the connection has ended."""
        done: Deferred[None] = self._turn.run(self._deliver, list(batch), connection)
        return done

    @inlineCallbacks
    def _deliver(self, batch: list[NetworkMessage], connection: TrainerProtocol) -> Any:
        trainer = self._trainer
        while batch and connection is trainer.factory.connection:
            changes, batch = trainer.inbox.take(batch)
            yield trainer.commit(changes)
            trainer.workshop.wake()
            if (position := trainer.inbox.takeReport()) is not None and connection is trainer.factory.connection:
                # Now that it is durable: the hub may count everything up to there as read.
                trainer.sayNow(MessageType.HEARTBEAT, Heartbeat(seq=position))
            if batch:
                yield trainer.pause(TRY_AGAIN)
