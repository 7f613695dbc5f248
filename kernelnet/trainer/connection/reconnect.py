"""`TrainerFactory`: connects to a hub, and connects again, there or elsewhere, after whatever may pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.trainer.connection.addresses import GREETING, NO_HUB, Address, AddressRotation
from kernelnet.trainer.connection.interfaces import Connection, ConnectionHandler
from kernelnet.trainer.connection.protocol import TrainerProtocol

__all__ = ["TrainerFactory"]


class TrainerFactory(AddressRotation, ReconnectingClientFactory):  # type: ignore[misc]  # its maxDelay is an int
    """
    Makes one `TrainerProtocol` at a time, with the address whose turn it is.

    Pauses and their growth are `AddressRotation`'s: a L{ReconnectingClientFactory} alone goes to one address for good.
    After a connection that had gone well the same address is tried again first.

    @ivar connection: the one that is open.
    @ivar connector: of the last attempt.
    @ivar reached: whether a hub has ever known us, in this run.

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
        self._wentWell = self.reached = False
        self._heard = True
        self._greetedAt: float | None = None
        self._connectedFor = 0.0
        self._waiting: IDelayedCall | None = None
        self._saidThatNone = False
        self._known: set[Address] = set()
        self.connection: TrainerProtocol | None = None

    def connect(self) -> None:
        """Try the address whose turn it is."""
        self._callID = None
        self._wentWell = False
        self._waiting = self._clock.callLater(GREETING, self._noGreeting)
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
        self._saidThatNone = False
        self._known.add(self.address)
        self._greetedAt = self._clock.seconds()
        self._stopWaiting()
        self.wentWell()

    @property
    def connectedSeconds(self) -> float:
        """Seconds in which a hub knew us, in this run, over all connections."""
        current = self._clock.seconds() - self._greetedAt if self._greetedAt is not None else 0.0
        return self._connectedFor + current

    def _noGreeting(self) -> None:
        """Whoever answers there, if anybody does, takes longer than a hub; that is said once until one greets."""
        self._waiting = None
        if not self._saidThatNone:
            self._saidThatNone = True
            what = "no hub has greeted at {address} within {seconds:g} s, and it goes on waiting: {question}"
            self.log.warn(what, address=str(self.address), seconds=GREETING, question=NO_HUB)

    def _stopWaiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    def stopTrying(self) -> None:
        """Make no further connection; one that is open stays."""
        self._stopWaiting()
        super().stopTrying()

    def comeBackLater(self) -> None:
        """Close, and come back after a long pause."""
        self.delay = self.maxDelay
        if self.connection is not None:
            self.connection.close()

    def close(self) -> Deferred[None]:
        """
        Close for good; what may still come in on the way is not heard: the hub has it for the next time.

        @return: fires when it is closed.
        """
        self.stopTrying()
        connection, self.connection = self.connection, None
        self._ended()
        if connection is None:
            return succeed(None)
        connection.close()
        return connection.closed

    def _ended(self) -> None:
        self._connectedFor, self._greetedAt = self.connectedSeconds, None

    def lost(self, connection: Connection, refusal: str | None) -> None:
        """
        A connection of ours has ended.

        @param refusal: what was wrong, if no waiting mends it.
        """
        self._heard = connection.heard
        if self.connection is connection:
            self.connection = None
            self._ended()
            self.handler.lost()
        if refusal is None:
            return
        if line := self.refuse(refusal):
            self.handler.refused(line)
        else:
            self.log.error("the hub at {address} {refusal}", address=str(self.address), refusal=refusal)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._stopWaiting()
        self.log.warn("can't reach the hub at {address}: {reason}", address=str(self.address), reason=_short(reason))
        super().clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: IConnector, unused_reason: Failure) -> None:
        self._stopWaiting()
        if self.continueTrying and self._heard:
            self.log.info("Lost the hub at {address}", address=str(self.address))
        elif self.continueTrying and self.address in self._known:
            # Such as a node that is being drained.
            self.log.info("The hub at {address} takes nobody now", address=str(self.address))
        elif self.continueTrying:
            self.log.warn(
                "Lost the hub at {address} before it said what a hub says: {question}",
                address=str(self.address),
                question=NO_HUB,
            )
        super().clientConnectionLost(connector, unused_reason)

    def retry(self, connector: IConnector | None = None) -> None:
        """Connect to the address whose turn it is next, after its pause."""
        if self.continueTrying:
            self._callID = self._clock.callLater(self.next(same=self._wentWell), self.connect)


def _short(reason: Failure) -> str:
    return str(reason.value) or type(reason.value).__name__
