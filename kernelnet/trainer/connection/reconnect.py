"""`TrainerFactory`: connects to a hub, and connects again, there or elsewhere, after whatever may pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from twisted.internet.error import NotConnectingError
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import ClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.trainer.connection.addresses import Address, AddressRotation
from kernelnet.trainer.connection.interfaces import Connection, ConnectionHandler
from kernelnet.trainer.connection.protocol import TrainerProtocol

__all__ = ["TrainerFactory"]


class TrainerFactory(AddressRotation, ClientFactory):
    """
    Makes one `TrainerProtocol` at a time, with the address whose turn it is.

    After a connection that had gone well the same address is tried again first.

    @ivar connection: the one that is open.
    @ivar connector: of the last attempt.
    @ivar reached: whether a hub has ever known us.

    @param aiId: who speaks.
    @param dial: begins to connect to an address.
    @param handler: whom the connections serve.
    """

    log = Logger()
    noisy = False

    def __init__(
        self,
        aiId: str,
        addresses: Sequence[Address],
        clock: IReactorTime,
        dial: Callable[[Address], IConnector],
        handler: ConnectionHandler,
    ) -> None:
        AddressRotation.__init__(self, addresses)
        self._aiId = aiId
        self._dial = dial
        self.handler = handler
        self._clock = clock
        self._continue = True
        self._wentWell = self.reached = False
        self._heard = True
        self._call: IDelayedCall | None = None
        self.connection: TrainerProtocol | None = None
        self.connector: IConnector | None = None

    def connect(self) -> None:
        """Try the address whose turn it is."""
        self._call = None
        self._wentWell = False
        self.connector = self._dial(self.address)

    def buildProtocol(self, addr: IAddress | None) -> TrainerProtocol:
        self.connection = TrainerProtocol(self._aiId, self, self._clock)
        return self.connection

    def openingLines(self, connection: Connection) -> list[bytes]:
        """The lines that C{connection} begins with."""
        return [*self.handler.openingLines(connection)]

    def greeted(self) -> None:
        """The hub's first valid answer: only now, and not with a mere connection, an attempt has gone well."""
        self._wentWell = self.reached = True
        self.wentWell()

    def comeBackLater(self) -> None:
        """Close, and come back after a long pause."""
        self.delay = self.maxDelay
        if self.connection is not None:
            self.connection.close()

    def close(self) -> None:
        """Close for good; what may still come in on the way is not heard: the hub has it for the next time."""
        self.stopTrying()
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def lost(self, connection: Connection, refusal: str | None) -> None:
        """
        A connection of ours has ended.

        @param refusal: what was wrong, if no waiting mends it.
        """
        self._heard = connection.heard
        if self.connection is connection:
            self.connection = None
            self.handler.lost()
        if refusal is None:
            return
        if line := self.refuse(refusal):
            self.handler.refused(line)
        else:
            self.log.error("the hub at {address} {refusal}", address=str(self.address), refusal=refusal)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.log.warn("can't reach the hub at {address}: {reason}", address=str(self.address), reason=_short(reason))
        self._retry()

    def clientConnectionLost(self, connector: IConnector, unused_reason: Failure) -> None:
        if self._continue and self._heard:
            self.log.info("Lost the hub at {address}", address=str(self.address))
        elif self._continue:
            self.log.warn(
                "Lost the hub at {address} before it said what a hub says: is it a hub that answers there, over TLS? "
                "Its default port is 6000",
                address=str(self.address),
            )
        self._retry()

    def stopTrying(self) -> None:
        """No attempt after this one, which ends if it isn't a connection yet."""
        self._continue = False
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self.connector is not None:
            with suppress(NotConnectingError):
                self.connector.stopConnecting()

    def _retry(self) -> None:
        if self._continue:
            self._call = self._clock.callLater(self.next(same=self._wentWell), self.connect)


def _short(reason: Failure) -> str:
    return str(reason.value) or type(reason.value).__name__
