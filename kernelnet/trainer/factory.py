"""Connects to the hub, and connects again after whatever may pass."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress, IConnector, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.trainer.protocol import TrainerProtocol

if TYPE_CHECKING:
    from kernelnet.trainer.service import Trainer

__all__ = ["TrainerFactory"]


class TrainerFactory(ReconnectingClientFactory):
    """
    Makes one `TrainerProtocol` at a time.

    The pause before attempt I{n} is drawn evenly from 0 to min(C{maxDelay}, C{initialDelay}·2ⁿ) seconds ("full
    jitter": Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015), so that a thousand trainers
    do not all come back in the same moment after a restart of the hub.

    @param address: host and port, for the log.
    """

    log = Logger()
    noisy = False
    initialDelay = 0.5
    delay = 0.5
    maxDelay = 30.0  # type: ignore[assignment]
    factor = 2.0

    def __init__(self, trainer: Trainer, address: str, clock: IReactorTime) -> None:
        self.trainer = trainer
        self.address = address
        self.clock = clock  # type: ignore[assignment]
        self._clock = clock
        self.connection: TrainerProtocol | None = None
        self._random = random.Random()

    def buildProtocol(self, addr: IAddress | None) -> TrainerProtocol:  # type: ignore[override]
        protocol = TrainerProtocol(self._clock)
        protocol.factory = self
        self.connection = protocol
        return protocol

    def lost(self, protocol: TrainerProtocol, certificateProblem: str | None) -> None:
        """A connection of ours has ended."""
        if self.connection is protocol:
            self.connection = None
            self.trainer.disconnected()
        if certificateProblem is not None:
            self.trainer.fail(f"the hub at {self.address} is not trusted: {certificateProblem}")

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.log.warn("can't reach the hub at {address}: {reason}", address=self.address, reason=_short(reason))
        super().clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: IConnector, unused_reason: Failure) -> None:
        if self.continueTrying:
            self.log.info("Lost the hub at {address}", address=self.address)
        super().clientConnectionLost(connector, unused_reason)

    def retry(self, connector: Any = None) -> None:
        """Try again after a jittered pause."""
        connector = connector or self.connector
        if not self.continueTrying or connector is None:
            return
        self.connector = connector
        self.retries += 1
        pause = self._random.uniform(0, self.delay)
        self.delay = min(self.maxDelay, self.delay * self.factor)
        self._callID = self._clock.callLater(pause, self._again, connector)

    def _again(self, connector: Any) -> None:
        self._callID = None
        connector.connect()


def _short(reason: Failure) -> str:
    return str(reason.value) or type(reason.value).__name__
