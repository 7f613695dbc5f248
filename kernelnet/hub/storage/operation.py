"""The operation of several hubs on one database: what they share, which there are, and which shall go."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["NodeRow", "Operated", "SharedIdentity"]


class SharedIdentity(NamedTuple):
    """
    The identity that all nodes share; no secret is in it.

    @ivar joinHash: `kernelnet.identity.tokenHash` of the join token.
    @ivar caCertificate: PEM.
    """

    joinHash: str
    caCertificate: str


class NodeRow(NamedTuple):
    """
    A node, as the database knows it.

    @ivar leaseUntil: Unix seconds, by the server's clock; C{started}: Unix seconds.
    @ivar ais: number of AIs that are connected to it.
    @ivar status: its own counters, JSON, some seconds old.
    """

    name: str
    address: str
    alive: bool
    leaseUntil: float
    started: float
    version: str
    draining: bool
    ais: int
    status: str


class Operated(Protocol):
    """The database of several hubs, for their operator.  Its C{str} is its name for eyes."""

    def establish(self, identity: SharedIdentity) -> None:
        """
        Make the tables, and store what the nodes share.

        @raise DatabaseError: it can't be done, or nodes of another CA use it.
        """

    def identity(self) -> SharedIdentity | None:
        """@return: C{None}: nobody has established one."""

    def nodes(self) -> list[NodeRow]:
        """All that ever used it, by name."""

    def drain(self, name: str, wanted: bool) -> bool:
        """
        Have a node send its AIs to others and take nobody, or take them again.

        @return: whether it is alive.
        @raise DatabaseError: there is no such node.
        """
