"""
A hub as one of the nodes that use a database: what it says to the others, and hears of them.

Words go by C{NOTIFY}, so a lost connection loses some: whoever connects anew reads all anew.  Nothing depends on a word
that comes: the log is looked at each `POLL` seconds, leases each two of these.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from kernelnet.hub.storage.cluster import Arrival, ClusterListener, Followed, Told
from kernelnet.hub.storage.engine import Standing
from kernelnet.hub.storage.operation import NodeRow
from kernelnet.hub.storage.postgres import nodes
from kernelnet.hub.storage.postgres.connection import Connection, durably
from kernelnet.hub.storage.postgres.ears import Ears, NotifyEars, listening
from kernelnet.hub.storage.postgres.link import Link, whoIsThere
from kernelnet.hub.storage.postgres.log import follow, headOf
from kernelnet.hub.storage.postgres.pools import ownPool
from kernelnet.hub.storage.postgres.schema import schemas

__all__ = ["CHANNEL", "POLL", "PostgresCluster", "aboutNode", "clusterAt"]

CHANNEL = "kernelnet"
POLL = 1.0
"""Seconds between two looks at the log, should no word come."""
_RENEW_EACH = round(nodes.RENEW_EVERY / POLL)
AT_ONCE = 40
"""Ids in one word: the server takes 8,000 bytes."""

_decode = msgspec.json.Decoder(Told).decode
_encode = msgspec.json.Encoder().encode


class PostgresCluster:
    """
    A `kernelnet.hub.storage.cluster.Cluster` on a database.

    @ivar draining: whether nobody new shall come here, since the operator wants that, or this node is too old.
    """

    isAlone = False
    _log = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        link: Link,
        ears: Ears,
        clock: IReactorTime,
        about: nodes.About,
        standing: Callable[[], Standing],
    ) -> None:
        """
        @param link: its connection also shows by its locks that this node does what one alone shall do.
        @param ears: hear what is said.
        @param standing: where this node stands in the log.
        """
        self.elsewhere: dict[str, Arrival] = {}
        self.nodes: Sequence[NodeRow] = ()
        self.draining = False
        self._link = link
        self._ears = ears
        self._about = about
        self._clock = clock
        self._standing = standing
        self._listener: ClusterListener | None = None
        self._here: dict[str, float] = {}
        self._gens: dict[str, int] = {}
        self._arrivals: dict[str, tuple[float, int | None]] = {}
        self._departures: dict[str, int] = {}
        self._waiting: list[Deferred[None]] = []
        self._words: list[dict[str, Any]] = []
        self._writing = self._following = self._again = False
        self._leading: object | None = None
        self._renewed = -math.inf
        self._began = 0.0
        self._ticks = 0
        self._job = LoopingCall(self._tick)
        self._job.clock = clock

    def __repr__(self) -> str:
        return f"<PostgresCluster {self._about.name}, {len(self.elsewhere)} AIs elsewhere>"

    @property
    def name(self) -> str:
        return self._about.name

    @property
    def leads(self) -> bool:
        # Who has not heard from the server for so long has lost the lock, or will.
        return self._leading is not None and self._clock.seconds() - self._renewed < nodes.LEASE

    @property
    def silence(self) -> float:
        return self._clock.seconds() - self._renewed

    def start(self, listener: ClusterListener) -> None:
        self._listener = listener
        self._began = self._clock.seconds()
        self._ears.start(self._heard, self._readAnew)
        self._link.renewed = self._ears.renew
        self._job.start(POLL)

    def stop(self) -> None:
        self._listener = None
        if self._job.running:
            self._job.stop()
        self._ears.stop()
        self._link.close()

    def _tick(self) -> None:
        try:
            self._look()
        except Exception:
            self._log.failure("the other nodes can't be dealt with; it goes on")

    def _look(self) -> None:
        self._ears.hear()
        self._link.watch(min(self.silence, self._clock.seconds() - self._began))
        self.follow()
        if self._ticks % _RENEW_EACH == 0:
            self._renew()
        self._ticks += 1
        self._write()

    # --- the log

    def follow(self) -> None:
        if self._following:
            self._again = True
            return
        self._following, self._again = True, False
        waiting, self._waiting = self._waiting, []
        standing = self._standing()

        def followed(found: Followed) -> None:
            assert self._listener is not None
            self._listener.followed(found)
            if found.events and found.events[-1].seq < found.head:
                self._again = True
                return
            while waiting:
                waiting.pop().callback(None)

        def ended(_: None) -> None:
            self._following = False
            self._waiting += waiting
            if self._again and self._listener is not None:
                self.follow()

        self._link.run(lambda connection: follow(connection, standing), followed).addCallback(ended)

    def caughtUp(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        self.follow()
        return done

    # --- leases

    def _renew(self) -> None:
        status = self._listener.status() if self._listener is not None else {}

        def renew(connection: Connection) -> tuple[nodes.Lease, object | None, list[nodes.Arrived], list[NodeRow]]:
            connection.execute("BEGIN")
            behind = max(0, headOf(connection) - self._standing().last.seq)
            told = {**status, "behind": behind, "schema": self._about.schema}
            lease = nodes.renew(connection, self._about, _encode(told).decode())
            gone = nodes.endLost(connection, self._about.name if lease.lost else "")
            known = nodes.nodes(connection)
            with durably(connection):
                connection.execute("COMMIT")
            link: object | None = connection.pgconn
            if link is not self._leading and not nodes.tryToLead(connection):
                link = None
            return lease, link, gone, known

        began, standing = self._clock.seconds(), self._standing()

        def renewed(found: tuple[nodes.Lease, object | None, list[nodes.Arrived], list[NodeRow]]) -> None:
            lease, self._leading, gone, self.nodes = found
            tooOld = lease.oldest > self._about.schema
            if tooOld and not self.draining:
                self._log.error(
                    "this node is too old for the database, whose tables are for schema version {oldest} and newer: it"
                    " serves nobody; upgrade it",
                    oldest=lease.oldest,
                )
            self.draining = lease.draining or tooOld
            if self._listener is not None:
                self._listener.drain(self.draining)
                if standing.logId == self._standing().logId:
                    self._listener.lasts(standing.last)  # it was written before this
            self._renewed = began
            if lease.lost:
                # Others count those who are here as gone; who has gone to another meanwhile shall stay there.
                for aiId in self._here.keys() - self._arrivals.keys():
                    self._comesBack(aiId)
            if gone:
                for lost in {one.node for one in gone} - {self._about.name}:
                    self._log.warn("the node {node} is gone: its AIs count as away", node=lost)
                self._say(gone=[(one.aiId, one.node, one.gen) for one in gone])
                for one in gone:
                    self._went(one.aiId, one.node, one.gen)
            self._write()

        self._link.run(renew, renewed)

    # --- words

    def arrived(self, aiId: str, since: float) -> None:
        self._here[aiId] = since
        self._arrivals[aiId] = since, None
        self._writeSoon()

    def _comesBack(self, aiId: str) -> None:
        """Its connection is no newer one, and is to be known again."""
        self._arrivals[aiId] = self._here[aiId], self._gens.get(aiId)

    def left(self, aiId: str) -> None:
        self._here.pop(aiId, None)
        self._arrivals.pop(aiId, None)
        if (gen := self._gens.pop(aiId, None)) is not None:
            self._departures[aiId] = gen
        self._writeSoon()

    def tell(self, **what: object) -> None:
        self._say(**what)
        self._writeSoon()

    def _say(self, **what: Any) -> None:
        longest = max((len(value) for value in what.values() if isinstance(value, list)), default=0)
        for start in range(0, longest or 1, AT_ONCE):
            part = {k: v[start : start + AT_ONCE] if isinstance(v, list) else v for k, v in what.items()}
            self._words.append(part)

    def _writeSoon(self) -> None:
        if not self._writing and self._listener is not None:
            self._write()

    def _write(self) -> None:
        """Write down who came and went, and say it, and whatever else is to be said."""
        if self._writing or not (self._arrivals or self._departures or self._words):
            return
        self._writing, isWritten = True, False
        arrivals, self._arrivals = self._arrivals, {}
        departures, self._departures = self._departures, {}
        words, self._words = self._words, []
        name = self._about.name

        def write(connection: Connection) -> list[nodes.Arrived]:
            connection.execute("BEGIN")
            gone = nodes.depart(connection, name, departures.items()) if departures else []
            here = nodes.arrive(connection, name, [(aiId, *at) for aiId, at in arrivals.items()]) if arrivals else []
            parts: list[dict[str, Any]] = [{"gone": [(a.aiId, a.node, a.gen) for a in some]} for some in _parts(gone)]
            parts += [{"here": [(a.aiId, a.gen, a.since) for a in some]} for some in _parts(here)]
            for part in [*words, *parts]:
                word = _encode({"node": name, **part}).decode()
                connection.execute("SELECT pg_notify($1, $2)", (CHANNEL, word))
            connection.execute("COMMIT")
            return here

        def written(here: list[nodes.Arrived]) -> None:
            nonlocal isWritten
            isWritten = True
            self._written(arrivals, here)

        def ended(_: None) -> None:
            self._writing = False
            if isWritten:
                self._writeSoon()
                return
            # Tried again with the next look at the log.
            self._arrivals = {aiId: at for aiId, at in arrivals.items() if aiId in self._here} | self._arrivals
            self._departures = departures | self._departures
            self._words = words + self._words

        self._link.run(write, written).addCallback(ended)

    def _written(self, arrivals: Iterable[str], here: list[nodes.Arrived]) -> None:
        for one in here:
            if one.aiId not in self._here:  # it has left meanwhile
                self._departures[one.aiId] = one.gen
                continue
            self._gens[one.aiId] = one.gen
            other = self.elsewhere.get(one.aiId)
            if other is not None and other.gen > one.gen:
                self._superseded(one.aiId)
            elif other is not None:
                del self.elsewhere[one.aiId]
        for aiId in {*arrivals} - {one.aiId for one in here}:
            self._superseded(aiId)

    def _superseded(self, aiId: str) -> None:
        if aiId in self._here and aiId not in self._arrivals and self._listener is not None:
            self._listener.superseded(aiId)

    def _heard(self, word: str) -> None:
        if not word:
            self.follow()
            return
        try:
            told = _decode(word)
        except msgspec.MsgspecError as e:
            self._log.warn("a word of another node makes no sense: {reason}", reason=str(e))
            return
        if told.node == self._about.name or self._listener is None:
            return
        for aiId, gen, since in told.here:
            self._came(aiId, Arrival(told.node, gen, since))
        for aiId, node, gen in told.gone:
            self._went(aiId, node, gen)
        self._listener.told(told)

    def _came(self, aiId: str, arrival: Arrival) -> None:
        before = self.elsewhere.get(aiId)
        mine = self._gens.get(aiId, arrival.gen)
        if (before is not None and before.gen >= arrival.gen) or mine > arrival.gen:
            return
        self.elsewhere[aiId] = arrival
        if self._listener is not None:
            if mine < arrival.gen:
                self._superseded(aiId)
            self._listener.came(aiId)

    def _went(self, aiId: str, node: str, gen: int) -> None:
        if node == self._about.name:
            if self._gens.get(aiId) == gen and aiId in self._here and aiId not in self._arrivals:
                self._comesBack(aiId)  # our lease had run out
            return
        other = self.elsewhere.get(aiId)
        if other is None or other.gen > gen:
            return
        del self.elsewhere[aiId]
        if self._listener is not None:
            self._listener.went(aiId)

    def _readAnew(self) -> None:
        """The connection by which we hear is a new one."""

        def found(those: list[nodes.Arrived]) -> None:
            assert self._listener is not None
            now = {one.aiId: one for one in those}
            for aiId, arrival in [*self.elsewhere.items()]:
                if aiId not in now:
                    self._went(aiId, arrival.node, arrival.gen)
            for one in those:
                self._came(one.aiId, Arrival(one.node, one.gen, one.since))
            self._listener.missed()
            self.follow()

        self._link.run(lambda connection: nodes.elsewhere(connection, self._about.name), found)


def clusterAt(
    url: str, reactor: Any, about: nodes.About, standing: Callable[[], Standing], cut: Callable[[], object]
) -> PostgresCluster:
    """
    A node on the database C{url}, with threads of its own.

    @param about: see `aboutNode`.
    @param standing, cut: see `Link`.
    """

    def connected() -> Deferred[Connection]:
        made: Deferred[Connection] = deferToThread(listening, url, CHANNEL)
        return made

    link = Link(ownPool(url, reactor), standing, lambda: whoIsThere(url, reactor), cut)
    return PostgresCluster(link, NotifyEars(connected, reactor), reactor, about, standing)


def aboutNode(name: str, port: str) -> nodes.About:
    """A node of this process.  @param port: where it listens, for eyes."""
    return nodes.About(name, f"{socket.gethostname()}:{port}", time.time(), _version(), max(schemas()))


def _version() -> str:
    try:
        return version("kernelnet")
    except PackageNotFoundError:
        return "unknown"


def _parts(some: list[nodes.Arrived]) -> list[list[nodes.Arrived]]:
    return [some[start : start + AT_ONCE] for start in range(0, len(some), AT_ONCE)]
