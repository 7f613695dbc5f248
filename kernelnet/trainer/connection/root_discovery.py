"""First look at a hub elsewhere: from the chain that it shows the CA is taken that a join string names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import SSL4ClientEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from kernelnet.identity import unverifiedTLS
from kernelnet.identity.certificates import digestOf
from kernelnet.trainer.connection.addresses import GREETING, NO_HUB, Address, AddressRotation

__all__ = ["JoinError", "RootDiscovery"]

PATIENCE = 15.0
"""Seconds that a hub has to connect, and as many to show its chain."""


class JoinError(Exception):
    """No hub shows the CA that the join string names; the text is for the user."""


class RootDiscovery(AddressRotation):
    """
    Looks for the CA with a digest at each address in turn, until one shows it.

    Whoever answers there is not verified yet, so nothing is said to them.
    """

    log = Logger()

    def __init__(self, addresses: Sequence[Address], digest: str, reactor: Any) -> None:
        super().__init__(addresses)
        self._digest = digest
        self._reactor = reactor
        self._stopped = False
        self._saidThatNone = False
        self._search: Deferred[bytes] | None = None

    def find(self) -> Deferred[bytes]:
        """
        Fires with the CA's certificate in PEM.

        It fails with L{JoinError} if each address shows other certificates, with L{CancelledError} after `stop`.
        """
        self._search = Deferred.fromCoroutine(self._find())
        return self._search

    def stop(self) -> None:
        """Look no further."""
        self._stopped = True
        if self._search is not None:
            self._search.cancel()

    async def _find(self) -> bytes:
        while True:
            try:
                chain = await self._look()
            except Exception as e:
                if self._stopped:  # a cancelled attempt may end in several ways
                    raise CancelledError() from None
                self.log.warn("can't reach the hub at {address}: {reason}", address=str(self.address), reason=_short(e))
            else:
                for certificate in chain:
                    if digestOf(certificate) == self._digest:
                        self.log.info("The hub at {address} shows the CA of the join string", address=str(self.address))
                        return certificate.public_bytes(Encoding.PEM)
                reason = "is not trusted: it does not show the CA that the join string names"
                if line := self.refuse(reason):
                    raise JoinError(line)
                self.log.error("the hub at {address} {reason}", address=str(self.address), reason=reason)
            await deferLater(self._reactor, self.next())

    def _noChain(self) -> None:
        """Whoever answers there, if anybody does, takes longer than a hub; that is said once."""
        if not self._saidThatNone:
            self._saidThatNone = True
            what = (
                "no hub has shown its certificate at {address} within {seconds:g} s, and it goes on waiting: {question}"
            )
            self.log.warn(what, address=str(self.address), seconds=GREETING, question=NO_HUB)

    async def _look(self) -> list[x509.Certificate]:
        waiting = self._reactor.callLater(GREETING, self._noChain)
        try:
            return await self._lookAt(*self.address)
        finally:
            if waiting.active():
                waiting.cancel()

    async def _lookAt(self, host: str, port: int) -> list[x509.Certificate]:
        endpoint = SSL4ClientEndpoint(self._reactor, host, port, unverifiedTLS(), timeout=PATIENCE)
        look = await endpoint.connect(_LookFactory(self._reactor))
        chain: list[x509.Certificate] = await look.chain
        return chain


@implementer(IHandshakeListener)
class _Look(Protocol):
    """
    Sends nothing, and closes as soon as it has seen the chain.

    @ivar chain: fires with it.
    """

    def __init__(self, reactor: Any) -> None:
        self.chain: Deferred[list[x509.Certificate]] = Deferred(self._cancelled)
        self._reactor = reactor
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._timer = self._reactor.callLater(PATIENCE, self._tooLong)

    def handshakeCompleted(self) -> None:
        transport: Any = self.transport
        chain = transport.getHandle().get_peer_cert_chain(as_cryptography=True) or []
        self._end(chain)
        transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Whatever it says, we don't listen."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(reason)

    def _tooLong(self) -> None:
        self._timer = None
        self._end(Failure(ConnectError(string="it did not answer in TLS")))
        self._abort()

    def _cancelled(self, chain: object) -> None:
        self._stopTimer()
        self._abort()

    def _abort(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, result: Any) -> None:
        self._stopTimer()
        if not self.chain.called:
            self.chain.callback(result)


class _LookFactory(Factory):
    noisy = False

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def buildProtocol(self, addr: object) -> _Look:
        return _Look(self._reactor)


def _short(error: Exception) -> str:
    if isinstance(error, SSL.Error | ConnectionClosed):
        return f"it showed no certificate: {NO_HUB}"
    return str(error) or type(error).__name__
