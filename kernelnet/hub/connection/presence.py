"""
Presence of AIs: who is here, and what others are told of who comes and goes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from kernelnet import wire
from kernelnet.hub.connection.interfaces import Connection
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.cluster import Arrival
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.transaction import checkLine, hubMessage
from kernelnet.message import AiInfo, Hello, MessageType, TrainingSync
from kernelnet.untrusted import plain

__all__ = ["Presence"]

_rfc3339 = lru_cache(10_000)(wire.rfc3339)
"""Everybody who comes is told since when 200 others are here: half of what that takes."""

_encode = msgspec.json.Encoder().encode

MAX_TOLD = 200
MAX_INFO = 64 * 1024
"""Maximum number of AIs that one line describes, and of the bytes of JSON that it does so in."""
MAX_HERE = 480
"""Maximum number of ids of those who are here: 32 KiB."""


class Presence:
    """
    @param connections: of the AIs that are authenticated, by id.
    @param directory: what is known of each AI.
    @param wallClock: Unix seconds.
    """

    log = Logger(namespace="kernelnet.hub")

    newsDelay = 0.1
    """Seconds in which comings and goings are gathered into one line."""

    noteEvery = 60.0
    """Seconds between two notes in the database of who is here."""

    def __init__(
        self,
        connections: Mapping[str, Connection],
        directory: Directory,
        clock: IReactorTime,
        wallClock: Callable[[], float],
        elsewhere: Mapping[str, Arrival] = MappingProxyType({}),
    ) -> None:
        """@param elsewhere: AIs that are connected to other nodes."""
        self._elsewhere = elsewhere
        self._connections = connections
        self._directory = directory
        self._clock = clock
        self._wallClock = wallClock
        self._news: set[str] = set()
        self._newsCall: IDelayedCall | None = None
        self._stopped = False
        self._departed: dict[str, float] = {}
        self._noted = wallClock()

    def __repr__(self) -> str:
        return f"<Presence of {len(self._connections)} AIs>"

    def greeted(self, connection: Connection, hello: Hello, again: bool) -> None:
        """Its hello is settled."""
        if connection.closing:
            return
        self.log.info(
            "{ai} {joined}: specialization={specialization}, capabilities={capabilities}, protocol {version}, {peer}",
            ai=connection.aiId,
            joined="is here anew" if again else "joined",
            specialization=plain(hello.specialization),
            capabilities=plain(", ".join(hello.capabilities), 200),
            version=connection.version,
            peer=connection.peer,
        )
        self._tellOf(connection.aiId)

    def noteUnwritten(self, aiId: str, hello: Hello) -> None:
        """The disk had no room for its hello: what it says is known while this process lasts."""
        self._directory.heard(aiId, hello, self._wallClock())

    def left(self, aiId: str) -> None:
        """It has no connection any more."""
        self._departed[aiId] = self._wallClock()
        self.changed(aiId)

    def changed(self, aiId: str) -> None:
        """It came to another node, or went from there, or from here."""
        self._directory.seen(aiId, self._wallClock())
        self._tellOf(aiId)

    def seenAt(self, aiId: str) -> float:
        """Unix time at which an AI was here last, one that said hello: now, if it is connected."""
        here = self._connections.get(aiId)
        isHere = here is not None and here.greeted
        return self._wallClock() if isHere or aiId in self._elsewhere else self._directory.ais[aiId].seenAt

    def note(self, log: EventLog) -> Deferred[None] | None:
        """
        Write down when AIs were here last: who left since the last time; each minute also who is here, for a hub that
        is killed.
        """
        if log.findStorageProblem() is not None:
            return None
        now = self._wallClock()
        departed, self._departed = self._departed, {}
        here: list[str] = []
        if not 0 <= now - self._noted < self.noteEvery:
            self._noted = now
            here = [aiId for aiId, connection in self._connections.items() if connection.greeted]
        seen = [(at, aiId) for aiId, at in {**departed, **dict.fromkeys(here, now)}.items()]
        if not seen:
            return None
        written = log.write(lambda transaction: transaction.ais.setSeen(seen))
        # Such as that the disk is full by now, or gone: it is no more than a time.
        return written.addErrback(
            lambda failure: self.log.warn("who was here is not noted: {reason}", reason=failure.getErrorMessage())
        )

    def infoInParts(self, ids: Iterable[str]) -> Iterator[dict[str, AiInfo]]:
        """Descriptions of those of C{ids} that ever said hello, in parts that a line has room for."""
        part: dict[str, AiInfo] = {}
        size = 1  # of an object: one more than its items, each with a comma or the end
        for aiId in ids:
            where = self._connections.get(aiId) or self._elsewhere.get(aiId)
            since = _rfc3339(where.since) if where is not None else None
            if (info := self._directory.info(aiId, since)) is None:
                continue
            cost = len(_encode(info)) + len(aiId) + 4
            if part and (size + cost > MAX_INFO or len(part) == MAX_TOLD):
                yield part
                part, size = {}, 1
            part[aiId] = info
            size += cost
        if part:
            yield part

    def whoIsHere(self, limit: int = MAX_TOLD) -> tuple[list[str], dict[str, AiInfo]]:
        """Ids of those who are connected, and what is known of them and of who was here last; all bounded."""
        here = [aiId for aiId, connection in self._connections.items() if connection.greeted]
        here += [aiId for aiId in self._elsewhere if aiId not in self._connections and aiId in self._directory.ais]
        away: list[str] = []
        if len(here) < limit:
            known = self._directory.ais
            away = heapq.nlargest(limit, known.keys() - set(here), key=lambda aiId: known[aiId].seenAt)
        return here[:MAX_HERE], next(self.infoInParts([*here, *away][:limit]), {})

    def stop(self) -> None:
        """Tell nobody any more."""
        self._stopped = True
        if self._newsCall is not None:
            self._newsCall.cancel()
            self._newsCall = None

    def _tellOf(self, aiId: str) -> None:
        self._news.add(aiId)
        if self._newsCall is None and not self._stopped:
            self._newsCall = self._clock.callLater(self.newsDelay, self._tellNews)

    def _tellNews(self) -> None:
        self._newsCall = None
        ids, self._news = sorted(self._news), set()
        for info in self.infoInParts(ids):
            payload = wire.encodePayload(TrainingSync(ai_info=info))
            line = checkLine(wire.encode(hubMessage(MessageType.TRAINING_SYNC, payload, self._wallClock()))) + b"\n"
            for connection in list(self._connections.values()):
                if connection.greeted and connection.version >= 2 and info.keys() != {connection.aiId}:
                    connection.tellNews(line, info)
