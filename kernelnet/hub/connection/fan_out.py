"""
Fan-out after each commit: acknowledgements, and the messages to all whom they concern.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.logger import Logger

from kernelnet.hub.connection.interfaces import Connection
from kernelnet.hub.connection.log_reader import Broadcast
from kernelnet.hub.storage.engine import Committed

__all__ = ["FanOut"]


class FanOut:
    """@param connections: of the AIs that are authenticated, by id."""

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = connections
        self._acking: dict[Connection, None] = {}

    def __repr__(self) -> str:
        return f"<FanOut to {len(self._connections)} AIs, {len(self._acking)} wait for an ack>"

    def acknowledge(self, connection: Connection) -> None:
        """Have C{connection} told at the end of this commit, before all others, that it has acks to send."""
        self._acking[connection] = None

    def committed(self, committed: Committed) -> None:
        """Tell everybody what is on disk now; all works of that commit are settled."""
        acking, self._acking = self._acking, {}
        broadcasts = list(Broadcast.of(committed.events))
        # Those who wait for an ack come first: to tell a hundred others takes longer than a commit.
        told = list(acking | dict.fromkeys(self._connections.values())) if broadcasts else list(acking)
        for broadcast in broadcasts or (None,):
            for connection in told:
                try:
                    connection.committed(broadcast)
                except Exception:
                    # What one that is live isn't told now it is never told: it comes back to where it was.
                    self.log.failure("telling {who} of a commit failed", who=connection.aiId)
                    connection.abort()
