"""
Interfaces by which the parts around a connection see each other.

`kernelnet.hub.connection.protocol` knows the parts that serve it; they know a connection as it is described here.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection.log_reader import Broadcast, LogReader
from kernelnet.message import AiInfo, Handshake, MessageType
from kernelnet.wire import WireProblem

__all__ = ["Authenticator", "Connection", "ConnectionListener", "Peer", "Suspendable"]


class Peer(Protocol):
    """
    A connection as the limits on connections see it.

    @ivar address: what the limits for one address count it among; C{""} where it has none.
    @ivar peer: host and port, for the log.
    """

    address: str
    peer: str

    def abort(self) -> None:
        """Cut it, with nothing said."""


class Connection(Peer, Protocol):
    """
    One client's connection.

    @ivar aiId: who it is; C{""} until it is authenticated.
    @ivar version: the protocol version it speaks.
    @ivar greeted: whether it has said hello.
    @ivar closing: whether nothing is written to it any more.
    @ivar syncing: whether a page of the knowledge base is on its way to it.
    @ivar since: Unix time of its authentication.
    @ivar grant: how its handshake was answered.
    @ivar reader: how far it has got in the log.
    @ivar readSeq: up to which position of the log it has said that it dealt with everything.
    @ivar lastHeard: when something came from it (reactor's time); C{lastPing}: when it was pinged last.
    """

    aiId: str
    version: int
    greeted: bool
    closing: bool
    syncing: bool
    since: float
    grant: Grant
    reader: LogReader
    readSeq: int
    lastHeard: float
    lastPing: float

    @property
    def isKeptWaiting(self) -> bool:
        """Whether it is not read because an answer of the hub's is due: its silence tells nothing."""

    @property
    def mayRenew(self) -> bool:
        """Whether a new credential can be sent to it now."""

    def send(self, messageType: MessageType, payload: msgspec.Struct) -> None:
        """Send a message of the hub's own that is not logged."""

    def sendPayload(self, messageType: MessageType, payload: dict[str, Any]) -> None:
        """Do the same with a payload that is encoded already."""

    def tellNews(self, data: bytes, info: dict[str, AiInfo]) -> None:
        """Tell it that others came or went: C{data} is the line that says C{info}."""

    def committed(self, broadcast: Broadcast | None) -> None:
        """Send what a commit means for it: its acks, and what others shared; C{None}: nobody did."""

    def hold(self, why: str) -> None:
        """Read no more of it until all reasons are gone."""

    def charge(self, seconds: float) -> None:
        """The hub has worked so long for it: read no more of it until that is within its share."""

    def close(self, problem: WireProblem) -> None:
        """Say why, and end; a peer that doesn't take it is cut after some seconds."""

    def failed(self, failure: Failure) -> None:
        """Something of ours went wrong while it was served: end it; the client may try again."""


class ConnectionListener(Protocol):
    """Account of connections."""

    def connected(self, connection: Connection) -> None:
        """It is open."""

    def authenticated(self, connection: Connection) -> None:
        """It is that of its AI now."""

    def disconnected(self, connection: Connection, reason: Failure) -> None:
        """It is gone."""


class Authenticator(Protocol):
    """Judge of handshakes."""

    def check(self, handshake: Handshake) -> Deferred[Grant]:
        """Fires with how the handshake is answered; a first use of an own token is on disk by then."""


class Suspendable(Protocol):
    """Service that can stand still for a while, the port listening all the time."""

    def suspend(self, why: WireProblem) -> Deferred[None]:
        """
        Take nothing more, commit and acknowledge what came, close all connections with C{why}.

        @return: fires when all are gone, within some seconds; fails if it stands still already.
        """

    def resume(self) -> None:
        """Let clients in again, after `suspend`."""
