"""`HubClient`: this trainer's connection to the hub, made as soon as there is what it takes, and made again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConnector, IDelayedCall, IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.identity import IdentityError
from kernelnet.message import Handshake, NetworkMessage
from kernelnet.trainer.connection.addresses import Address
from kernelnet.trainer.connection.config import TrainerConfig
from kernelnet.trainer.connection.credentials import Credentials
from kernelnet.trainer.connection.interfaces import Connection, ConnectionHandler
from kernelnet.trainer.connection.reconnect import TrainerFactory
from kernelnet.trainer.connection.root_discovery import JoinError, RootDiscovery

__all__ = ["HubClient"]

LOOK_AGAIN = 2.0
"""Seconds until it is looked again for the files that a hub's first start makes."""


class HubClient:
    """
    Connects with the credentials that there are; the handshake is said here, all else by C{handler}.

    It is the `ConnectionHandler` of its own factory.

    @ivar factory: makes the connections.

    @param reactor: provides C{IReactorSSL} and C{IReactorTime}.
    @param handler: whom the connections serve.
    """

    log = Logger()

    def __init__(
        self, config: TrainerConfig, credentials: Credentials, reactor: Any, handler: ConnectionHandler
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._reactor = reactor
        self._handler = handler
        self.factory = TrainerFactory(config.aiId, config.hubs, reactor, self._dial, self)
        self._tls: dict[Address, IOpenSSLClientConnectionCreator] = {}
        self._discovery: RootDiscovery | None = None
        self._call: IDelayedCall | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"<HubClient {self._config.aiId} hub={self.factory.address} online={self.isOnline}>"

    @property
    def isOnline(self) -> bool:
        """Whether a connection is open."""
        return self.factory.connection is not None

    @property
    def isGreeted(self) -> bool:
        """Whether the hub has answered on the connection that is open now."""
        return self.factory.connection is not None and self.factory.connection.greeted

    def start(self) -> None:
        """Connect as soon as there is a CA and a token: a hub that is started later makes them."""
        self._call = None
        if self._stopped:
            return
        try:
            if (digest := self._credentials.wantedRoot()) is not None:
                self._discover(digest)
                return
            self._tls = {address: self._credentials.tls(address.host) for address in self._config.hubs}
            self._credentials.token()
        except IdentityError as e:
            if self._credentials.mayAppear():
                self.log.warn(
                    "waiting for a hub's first start with {state}: {e}; for a hub on another machine use --join, or "
                    "--ca and --token-file",
                    state=self._config.state.path,
                    e=e,
                )
                self._call = self._reactor.callLater(LOOK_AGAIN, self.start)
            else:
                self._handler.refused(str(e))
            return
        self.factory.connect()

    def stopTrying(self) -> None:
        """Make no further connection; one that is open stays."""
        self._stopped = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.factory.stopTrying()

    def close(self) -> Deferred[None]:
        """
        Close for good; what may still come in on the way is not heard: the hub has it for the next time.

        @return: fires when it is closed.
        """
        self.stopTrying()
        if self._discovery is not None:
            self._discovery.stop()
        return self.factory.close()

    # -- what its factory asks of it

    def openingLines(self, connection: Connection) -> Iterable[bytes]:
        """The handshake, and what the handler begins with."""
        try:
            token = self._credentials.token()
        except IdentityError as e:  # it was there when we first connected
            self._handler.refused(str(e))
            return
        yield msgspec.json.encode(Handshake(self._config.aiId, token))
        yield from self._handler.openingLines(connection)

    def received(self, batch: Sequence[NetworkMessage], connection: Connection) -> Deferred[None]:
        return self._handler.received(batch, connection)

    def skipped(self) -> None:
        self._handler.skipped()

    def lost(self) -> None:
        self._handler.lost()

    def refused(self, reason: str) -> None:
        self._handler.refused(reason)

    # -- how it begins

    def _dial(self, address: Address) -> IConnector:
        """Begin to connect to one of the hub's addresses; the certificate must be for its host."""
        timeout = 30 if len(self._config.hubs) == 1 else 10
        connector: IConnector = self._reactor.connectSSL(
            address.host, address.port, self.factory, self._tls[address], timeout
        )
        return connector

    def _discover(self, digest: str) -> None:
        """Before anything secret is said: get the CA that the join string names."""
        discovery = self._discovery = RootDiscovery(self._config.hubs, digest, self._reactor)

        def found(pem: bytes) -> None:
            self._credentials.keepRoot(pem)
            self.factory.address = discovery.address
            self.start()

        def failed(failure: Failure) -> None:
            if failure.check(JoinError, IdentityError, OSError):
                self._handler.refused(str(failure.value))
            elif not failure.check(CancelledError):
                self.log.failure("the trainer can't connect", failure=failure)
                self._handler.refused(f"{type(failure.value).__name__}: {failure.value}")

        discovery.find().addCallback(found).addErrback(failed)
