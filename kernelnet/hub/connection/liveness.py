"""
Liveness of connections: the silent are pinged, the dead dropped, and who can't keep up is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.hub.connection.interfaces import Connection
from kernelnet.message import Heartbeat, MessageType
from kernelnet.wire import WireProblem

__all__ = ["Liveness"]


class Liveness:
    """
    @param connections: of the AIs that are authenticated, by id.
    @param remembers: whether all of the log that follows a position is still in memory.
    @param asks: whether AIs are to be asked how far they have read.
    """

    log = Logger(namespace="kernelnet.hub")

    pingAfter = 30.0
    """Seconds of silence after which a peer is pinged."""
    dropAfter = 90.0
    """Seconds of silence after which a version 2 peer is dropped that the hub reads."""

    def __init__(
        self,
        connections: Mapping[str, Connection],
        remembers: Callable[[int], bool],
        asks: Callable[[], bool],
        clock: IReactorTime,
    ) -> None:
        self._connections = connections
        self._remembers = remembers
        self._asks = asks
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Liveness of {len(self._connections)} AIs>"

    def sweep(self) -> None:
        """Look at all connections; call it every few seconds."""
        now = self._clock.seconds()
        for connection in list(self._connections.values()):
            if connection.greeted and not connection.closing:
                try:
                    self._look(connection, now)
                except Exception:
                    self.log.failure("looking at {who} failed; the sweep goes on", who=connection.aiId)

    def _look(self, connection: Connection, now: float) -> None:
        silent = now - connection.lastHeard
        if connection.version >= 2 and silent >= self.dropAfter and not connection.isKeptWaiting:
            self.log.info("{ai} dropped: silent for {silent:.0f} s", ai=connection.aiId, silent=silent)
            connection.abort()
        elif connection.version == 1 and connection.reader.paused and not self._remembers(connection.reader.position):
            connection.close(WireProblem("too_slow", "this client did not keep up with what others share"))
        elif now - connection.lastPing >= self.pingAfter and (silent >= self.pingAfter or self._shallSay(connection)):
            connection.lastPing = now
            ping = Heartbeat(nonce=int(now * 1000))
            if connection.version >= 2:
                ping.seq = connection.reader.position  # all up to there was handed to it before this ping
            connection.send(MessageType.HEARTBEAT, ping)

    def _shallSay(self, connection: Connection) -> bool:
        """Whether a ping shall find out how far it has read: who talks all the time is never silent."""
        return self._asks() and connection.version >= 2 and connection.reader.live
