"""
Other hubs on the same database, and what their words mean here: who is connected there, and what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.auth import tokens
from kernelnet.hub.connection.absence import Absence
from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.connection.presence import Presence
from kernelnet.hub.routing.directory import Directory, heardIn
from kernelnet.hub.storage.cluster import Arrival, Cluster, Followed, Told
from kernelnet.hub.storage.engine import Committed, Place
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.message import MessageType, TrainingSync
from kernelnet.wire import WireProblem

__all__ = ["Everywhere", "OtherNodes"]

DRAINED = WireProblem("shutting_down", "this node is being drained; another one takes you")
REVOKED = WireProblem("bad_credentials", "your token was revoked")


class Everywhere(Collection[str]):
    """Ids of the AIs that are connected, to whichever node."""

    def __init__(self, here: Mapping[str, object], elsewhere: Mapping[str, Arrival]) -> None:
        self._here = here
        self._elsewhere = elsewhere

    def __contains__(self, aiId: object) -> bool:
        return aiId in self._here or aiId in self._elsewhere

    def __iter__(self) -> Iterator[str]:
        yield from self._here
        yield from (aiId for aiId in self._elsewhere if aiId not in self._here)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class OtherNodes:
    """A `kernelnet.hub.storage.cluster.ClusterListener`."""

    _logger = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        cluster: Cluster,
        log: EventLog,
        *,
        directory: Directory,
        connections: Connections,
        presence: Presence,
        absence: Absence,
        status: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """@param status: counters of this node."""
        self.status = status
        self._cluster = cluster
        self._log = log
        self._directory = directory
        self._connections = connections
        self._presence = presence
        self._absence = absence
        self._strange = ""
        self._drained = False

    def __repr__(self) -> str:
        return f"<OtherNodes {self._cluster!r}>"

    def committed(self, committed: Committed) -> None:
        """Tell the others what this node wrote; a subscriber of the log."""
        heard = [aiId for aiId, _, _ in committed.hellos]
        if heard or committed.enrolled or committed.completed or committed.revoked:
            self._cluster.tell(
                heard=heard,
                enrolled=committed.enrolled,
                completed=committed.completed,
                revoked=committed.revoked,
            )

    # --- what they tell

    def followed(self, found: Followed) -> None:
        if self._connections.suspended and not self._drained:
            return
        if found.logId == self._log.logId:
            self._strange = ""
            self._log.follow(found.events, found.first)
        elif found.logId != self._strange:
            self._strange = found.logId  # it may be of our own doing: it is looked at again
        else:
            self._begin(f"the log is {found.logId} now")

    def lasts(self, upTo: Place) -> None:
        self._log.lasts(upTo)

    def superseded(self, aiId: str) -> None:
        self._connections.disconnect(
            aiId, WireProblem("taken_over", "a newer connection of the same ai_id took over, on another node")
        )

    def came(self, aiId: str) -> None:
        self._presence.changed(aiId)

    def went(self, aiId: str) -> None:
        if aiId not in self._connections.byId:
            self._absence.left(aiId)
            self._presence.changed(aiId)

    def told(self, told: Told) -> None:
        self._directory.follow(Committed(enrolled=told.enrolled, completed=told.completed, revoked=told.revoked))
        self._log.first = max(self._log.first, told.first)
        for aiId, owner in told.owned:
            self._directory.owned(aiId, owner)
        for aiId in told.revoked:
            self._connections.disconnect(aiId, REVOKED)
        for aiId in told.rotated:
            self._renew(aiId)
        if told.heard:
            read = self._log.read(lambda reader: heardIn(reader, told.heard)).addCallback(self._heard)
            read.addErrback(self._failed)

    def _heard(self, found: Directory) -> None:
        for aiId, known in found.ais.items():
            self._directory.heard(aiId, known.hello, known.seenAt)
            self._presence.changed(aiId)

    def _renew(self, aiId: str) -> None:
        """Its token was rotated elsewhere, and it is connected here: a new one reaches it."""
        connection = self._connections.byId.get(aiId)
        if connection is None or not connection.mayRenew:
            return

        def send(token: str | None) -> None:
            if token is not None and connection.mayRenew:
                connection.send(MessageType.TRAINING_SYNC, TrainingSync(credential=token))

        self._log.write(lambda transaction: tokens.renew(transaction, aiId)).addCallback(send).addErrback(self._failed)

    def drain(self, wanted: bool) -> None:
        """Send all to other nodes, with what they sent committed and acknowledged, or let them in again."""
        if wanted == self._drained or (wanted and self._connections.suspended):
            return
        self._drained = wanted
        if wanted:
            self._logger.info("the operator drains this node: its AIs go to others")
            self._connections.suspend(DRAINED).addErrback(self._failed)
        else:
            self._logger.info("this node is not drained any more")
            self._connections.resume()

    def missed(self) -> None:
        self._log.read(Directory.load).addCallback(self._loaded).addErrback(self._failed)

    def _loaded(self, loaded: Directory) -> None:
        # It may be older than what was committed here meanwhile; ids stay taken for ever.
        loaded.enrolled |= self._directory.enrolled
        for aiId in self._connections.byId:
            if (known := self._directory.ais.get(aiId)) is not None and aiId not in loaded.ais:
                loaded.heard(aiId, known.hello, known.seenAt)
        self._directory.replaceWith(loaded)

    def _failed(self, failure: Failure) -> None:
        if failure.check(WireProblem):
            self._logger.warn("what another node told is not read: {reason}", reason=failure.getErrorMessage())
        else:
            self._logger.failure("what another node told is not read", failure)

    def _begin(self, why: str) -> None:
        """The database has become another one: everybody comes back to that."""
        self._logger.warn("another node has changed the log: {why}; all connections end and come back", why=why)
        done: Deferred[None] = Deferred.fromCoroutine(self._beginAnew())
        done.addErrback(self._failed)

    async def _beginAnew(self) -> None:
        drained = self._drained
        if not drained:
            await self._connections.suspend(WireProblem("shutting_down", "the log has become another one; come back"))
        try:
            await self._log.open()
            self._directory.replaceWith(await self._log.read(Directory.load))
        finally:
            if not drained:
                self._connections.resume()
