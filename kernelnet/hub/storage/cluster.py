"""
The other hubs that use the same database, as one of them sees it; a hub on a file or in memory is alone.

Each is a *node*.  A node tells the others who comes to it and goes, and what is to be read anew; what they write to the
log it follows in order (`kernelnet.hub.storage.event_log.EventLog.follow`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from twisted.internet.defer import Deferred, succeed

from kernelnet.hub.storage.engine import Place
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.operation import NodeRow

__all__ = ["Alone", "Arrival", "Cluster", "ClusterListener", "Followed", "Told"]


class Arrival(NamedTuple):
    """An AI that is connected to another node.  @ivar since: Unix seconds; C{gen}: of two the newer has the higher."""

    node: str
    gen: int
    since: float


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    The words of one node to all others; each list has ids of AIs.

    @ivar node: who says it.
    @ivar here: (AI, gen, since) of those who are connected to it now.
    @ivar gone: (AI, node, gen) of those whose connections have ended.
    @ivar heard: those whose hello is to be read anew.
    @ivar enrolled: those who were given a token; C{completed}: partners that completed a session.
    @ivar owned: (AI, owner or C{None}).
    @ivar revoked: those who are locked out.
    @ivar rotated: those who get a new credential over their connection.
    @ivar first: the first position of the log that is read from now on; 0: as before.
    """

    node: str
    here: list[tuple[str, int, float]] = []
    gone: list[tuple[str, str, int]] = []
    heard: list[str] = []
    enrolled: list[str] = []
    completed: list[str] = []
    owned: list[tuple[str, str | None]] = []
    revoked: list[str] = []
    rotated: list[str] = []
    first: int = 0


class Followed(NamedTuple):
    """
    The next rows of the log, whoever wrote them, and where it stands.

    @ivar logId: tells it from any other.
    @ivar first: its first position that can be read; C{head + 1}: there is none.
    @ivar head: its last one.
    """

    logId: str
    first: int
    head: int
    events: list[Event]


class ClusterListener(Protocol):
    """Whoever is told of the other nodes; called in the reactor's thread."""

    def followed(self, found: Followed) -> None:
        """There is more in the log, or it is another one."""

    def lasts(self, upTo: Place) -> None:
        """All that was followed up to there is in the database for good."""

    def superseded(self, aiId: str) -> None:
        """C{aiId} has a newer connection, to another node."""

    def came(self, aiId: str) -> None:
        """It is connected to another node."""

    def went(self, aiId: str) -> None:
        """It is connected to no other node any more."""

    def told(self, told: Told) -> None:
        """Another node says so."""

    def status(self) -> dict[str, Any]:
        """Counters of this node, for whoever asks what nodes there are; JSON-able."""

    def drain(self, wanted: bool) -> None:
        """The operator wants nobody here, or does no longer; said again and again."""

    def missed(self) -> None:
        """Some of what others said may have been lost: all is to be read anew."""


class Cluster(Protocol):
    """
    @ivar name: of this node.
    @ivar isAlone: whether there never are others.
    @ivar leads: whether this node is the one that does what one alone shall do; what it does then another may still
        be ending.
    @ivar elsewhere: AIs that are connected to other nodes.
    @ivar nodes: all of them as they were some seconds ago, this one too; none: that is not known yet, or it is alone.
    @ivar silence: seconds since the database has answered; infinite: it has not yet.
    """

    @property
    def name(self) -> str: ...
    @property
    def nodes(self) -> Sequence[NodeRow]: ...
    @property
    def isAlone(self) -> bool: ...
    @property
    def leads(self) -> bool: ...
    @property
    def elsewhere(self) -> Mapping[str, Arrival]: ...
    @property
    def silence(self) -> float: ...

    def start(self, listener: ClusterListener) -> None:
        """Begin to tell C{listener}."""

    def stop(self) -> None:
        """Tell it nothing more, and say nothing."""

    def arrived(self, aiId: str, since: float) -> None:
        """C{aiId} has a new connection to this node."""

    def left(self, aiId: str) -> None:
        """C{aiId} has none to this node any more."""

    def tell(self, **what: object) -> None:
        """Say something to all others: fields of `Told`."""

    def caughtUp(self) -> Deferred[None]:
        """Fires when all has been followed that is in the log by now."""


class Alone:
    """A `Cluster` of one node."""

    name = "hub"
    isAlone = True
    leads = True
    silence = 0.0
    nodes: Sequence[NodeRow] = ()

    def __init__(self) -> None:
        self.elsewhere: dict[str, Arrival] = {}

    def start(self, listener: ClusterListener) -> None: ...

    def stop(self) -> None: ...

    def arrived(self, aiId: str, since: float) -> None: ...

    def left(self, aiId: str) -> None: ...

    def tell(self, **what: object) -> None: ...

    def caughtUp(self) -> Deferred[None]:
        return succeed(None)
