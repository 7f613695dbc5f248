"""Protocols between a connection to the hub, who owns it, and whom it serves: all that these know of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct
from twisted.internet.defer import Deferred

from kernelnet.message import MessageType, NetworkMessage
from kernelnet.trainer.connection.addresses import Address

__all__ = ["Connection", "ConnectionHandler", "ConnectionOwner"]


class Connection(Protocol):
    """
    One connection to the hub, as it is seen by whom it serves.

    @ivar greeted: whether the hub has answered, so that we know it knows us.
    @ivar heard: whether anything came that a hub says.
    """

    greeted: bool
    heard: bool

    @property
    def isCurrent(self) -> bool:
        """Whether no other has taken its place, and nobody has closed it."""

    def sendLines(self, lines: list[bytes]) -> None:
        """Send whole lines, without their newlines."""

    def sayNow(self, kind: MessageType, payload: Struct) -> str:
        """Send a message that is of no use later.  @return: its id."""

    def comeBackLater(self) -> None:
        """Close, and come back after a long pause."""


class ConnectionHandler(Protocol):
    """Whom connections to the hub serve: one at a time."""

    def openingLines(self, connection: Connection) -> Iterable[bytes]:
        """A connection is open: the lines that it begins with; none if there is nothing more to say."""

    def received(self, batch: Sequence[NetworkMessage], connection: Connection) -> Deferred[None]:
        """
        The hub has sent a batch of messages.

        @return: fires when it is dealt with; nothing more is read before that.
        """

    def skipped(self) -> None:
        """A line of the hub was too long to be heard, and was passed over."""

    def lost(self) -> None:
        """The current connection has ended; another one may come."""

    def refused(self, reason: str) -> None:
        """There will be no connection any more; the reason is for the user."""


class ConnectionOwner(Protocol):
    """
    Who makes connections, and makes another when one has ended.

    @ivar address: where the current one goes.
    @ivar handler: whom they serve.
    """

    address: Address
    handler: ConnectionHandler

    @property
    def connection(self) -> Connection | None:
        """The current one."""

    def openingLines(self, connection: Connection) -> list[bytes]:
        """The lines that a connection begins with."""

    def greeted(self) -> None:
        """The hub has given its first valid answer."""

    def lost(self, connection: Connection, refusal: str | None) -> None:
        """
        A connection has ended.

        @param refusal: what was wrong, if no waiting mends it.
        """

    def comeBackLater(self) -> None:
        """Close, and come back after a long pause."""
