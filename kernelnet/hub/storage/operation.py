"""The operation of several hubs on one database: what they share, which there are, and which shall go."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

__all__ = ["NodeAccount", "NodeRow", "Operated", "SharedIdentity"]


class SharedIdentity(NamedTuple):
    """
    The identity that all nodes share; no secret is in it.

    @ivar joinHash: `kernelnet.identity.tokenHash` of the join token.
    @ivar caCertificate: PEM.
    """

    joinHash: str
    caCertificate: str


class _Log(msgspec.Struct, frozen=True):
    position: int = 0


class NodeAccount(msgspec.Struct, frozen=True):
    """
    The account of a node of itself, as far as others show it; see `kernelnet.hub.admin.status`.

    @ivar behind: messages that were in the log and that it had not passed on yet.
    """

    log: _Log
    connections: int = 0
    messages_per_second: float = 0.0
    behind: int = 0


_decode = msgspec.json.Decoder(NodeAccount).decode


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

    @property
    def state(self) -> str:
        """C{alive}, C{draining}, C{away}, or C{away, draining}: it takes nobody when it is back."""
        words = [*([] if self.alive else ["away"]), *(["draining"] if self.draining else [])]
        return ", ".join(words) or "alive"

    @property
    def account(self) -> NodeAccount | None:
        """Its own words, the last ones; C{None}: none that can be read."""
        try:
            return _decode(self.status)
        except msgspec.MsgspecError:
            return None


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
