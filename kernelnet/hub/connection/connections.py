"""
Account of who is connected.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.connection.interfaces import Connection
from kernelnet.untrusted import plain
from kernelnet.wire import WireProblem

__all__ = ["Connections"]


class Connections:
    """
    The open connections, and whose they are (`ConnectionListener`, `Suspendable`).

    @param drain: fires when all that was submitted to the log is settled.
    @ivar byId: the connection of each authenticated AI; others look on, nobody else changes it.
    @ivar suspended: whether nobody may come in now.
    @ivar arrived: called with the id of an AI that has a new connection, and its Unix time.
    @ivar left: called with the id of an AI that has no connection any more.
    @ivar resumed: called when clients are let in again: what is stored may be another's.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, drain: Callable[[], Deferred[None]]) -> None:
        self.byId: dict[str, Connection] = {}
        self.suspended = False
        self.arrived: Callable[[str, float], None] = lambda aiId, since: None
        self.left: Callable[[str], None] = lambda aiId: None
        self.resumed: Callable[[], None] = lambda: None
        self._drain = drain
        self._open: set[Connection] = set()
        self._allGone: Deferred[None] | None = None
        self._resumed: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<Connections {len(self.byId)} AIs, {len(self._open)} open>"

    @property
    def count(self) -> int:
        """Number of open connections, authenticated or not."""
        return len(self._open)

    def everyone(self) -> list[Connection]:
        """The open connections, authenticated or not."""
        return list(self._open)

    def greeted(self, aiId: str) -> Connection | None:
        """The connection of C{aiId}, if it has said hello."""
        connection = self.byId.get(aiId)
        return connection if connection is not None and connection.greeted else None

    def lagging(self) -> list[Connection]:
        """Those that have fallen behind the log."""
        return [connection for connection in self.byId.values() if connection.greeted and not connection.reader.live]

    def readPositions(self) -> list[tuple[int, str]]:
        """Positions of the log up to which version 2 AIs that are here have dealt with everything, and their ids."""
        return [
            (connection.readSeq, aiId)
            for aiId, connection in self.byId.items()
            if connection.version >= 2 and connection.readSeq
        ]

    # --- from the first byte to the last

    def connected(self, connection: Connection) -> None:
        self._open.add(connection)

    def authenticated(self, connection: Connection) -> None:
        """C{connection} is that of its AI now; an older one ends."""
        older = self.byId.get(connection.aiId)
        self.byId[connection.aiId] = connection
        self.arrived(connection.aiId, connection.since)
        if older is not None:
            older.close(WireProblem("taken_over", "a newer connection of the same ai_id took over"))

    def disconnected(self, connection: Connection, reason: Failure) -> None:
        self._open.discard(connection)
        if connection.aiId and self.byId.get(connection.aiId) is connection:
            del self.byId[connection.aiId]
            self.log.info("{ai} left: {reason}", ai=connection.aiId, reason=plain(reason.getErrorMessage(), 200))
            self.left(connection.aiId)
        if self._allGone is not None and not self._open:
            gone, self._allGone = self._allGone, None
            gone.callback(None)

    def disconnect(self, aiId: str, problem: WireProblem) -> bool:
        """End the connection of C{aiId}, if there is one."""
        connection = self.byId.get(aiId)
        if connection is None:
            return False
        connection.close(problem)
        return True

    # --- standing still

    def suspend(self, why: WireProblem) -> Deferred[None]:
        """
        Take nothing more, commit and acknowledge what came, close all connections with C{why}.

        @return: fires when all are gone, within some seconds; fails if it stands still already.
        """
        if self.suspended:
            return fail(WireProblem("busy", "the hub goes back to a backup already, or is going away"))
        self.suspended = True
        for connection in self._open:
            connection.hold("stopping")

        def goodbye(_: object) -> Deferred[None] | None:
            if not self._open:
                return None
            self._allGone = Deferred()
            gone = self._allGone
            for connection in list(self._open):
                connection.close(why)
            return gone

        return self._drain().addCallback(goodbye)

    def resume(self) -> None:
        """Let clients in again, after `suspend`."""
        self.suspended = False
        self.resumed()
        resumed, self._resumed = self._resumed, []
        for waiting in resumed:
            waiting.callback(None)

    def stop(self, why: WireProblem) -> Deferred[None]:
        """Do as `suspend` does, for good; who has suspended it comes to its end before."""
        if not self.suspended:
            return self.suspend(why)
        resumed: Deferred[None] = Deferred()
        self._resumed.append(resumed)
        return resumed.addCallback(lambda _: self.suspend(why))
