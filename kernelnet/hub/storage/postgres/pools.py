"""Pools of connections with threads of their own: a lost one is made anew, and an end waits for no server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock, Thread, Timer
from typing import Any, Protocol, TypeVar

import psycopg
from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred

from kernelnet.hub.storage.postgres.connection import Connection, argumentsFor, cut, setUpReader, setUpWriter

__all__ = ["GRACE", "READERS", "Pool", "ownPool", "pools"]

T = TypeVar("T")

READERS = 2
"""Connections that read."""
GRACE = 2.0
"""Seconds that a commit may still take when the hub ends; the answer to a question nobody waits for."""


class Pool(Protocol):
    """The part of `twisted.enterprise.adbapi.ConnectionPool` that is used."""

    def runWithConnection(self, func: Callable[..., T], *args: Any) -> Deferred[T]: ...

    def cut(self) -> None: ...

    def close(self) -> None: ...


def pools(url: str, reactor: Any) -> tuple[Pool, Pool]:
    """The writer's connection, in a thread of its own, and those that read; a lost one is made anew at its next use."""
    return _Pool(url, reactor, setUpWriter, 1, GRACE), _Pool(url, reactor, setUpReader, READERS, 0.0)


def ownPool(url: str, reactor: Any) -> Pool:
    """One connection, in a thread of its own, which waits for no commit: for what nodes say to each other."""
    return _Pool(url, reactor, setUpWriter, 1, 0.0)


class _Connection(adbapi.Connection):
    def close(self) -> None:
        # Twisted's does nothing; the next use makes a new one.
        connection: Any = self._connection
        connection.close()

    def rollback(self) -> None:
        # Twisted's writes two tracebacks for each that the server has ended.
        connection: Any = self._connection
        try:
            connection.rollback()
        except psycopg.Error:
            self._pool.disconnect(connection)


class _Pool(adbapi.ConnectionPool):
    connectionFactory = _Connection

    def __init__(self, url: str, reactor: Any, setUp: Callable[[Connection], None], threads: int, grace: float) -> None:
        """@param grace: seconds that what runs may still take once it is closed."""
        super().__init__(
            "psycopg", url, **argumentsFor(url), cp_min=1, cp_max=threads, cp_noisy=False, cp_reactor=reactor
        )
        self._setUp = setUp
        self._grace = grace
        self._ended = False
        self._lock = Lock()
        # One that waits for an answer to its first word can't be cut, and need not end.
        self.threadpool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]

    def connect(self) -> Connection:
        thread = self.threadID()
        connection: Connection | None = self.connections.get(thread)
        if connection is not None:
            if not connection.closed:
                return connection
            self.disconnect(connection)
        self._goOn()
        connection = self.dbapi.connect(*self.connargs, **self.connkw)
        self.connections[thread] = connection  # so that it can be cut from now on
        try:
            self._goOn()
            self._setUp(connection)
        except BaseException:
            self.disconnect(connection)
            raise
        return connection

    def _goOn(self) -> None:
        if self._ended:
            raise psycopg.OperationalError("the database is closed")

    def disconnect(self, conn: Connection) -> None:
        with self._lock:
            super().disconnect(conn)

    def close(self) -> None:
        """Have all threads end, also those that wait for a server that says nothing."""
        cutting = Timer(self._grace, self._cut)
        cutting.daemon = True
        cutting.start()
        # What `adbapi` does, but in another thread, which waits for those of the pool.
        for trigger in (self.shutdownID, self.startID):
            if trigger:
                self._reactor.removeSystemEventTrigger(trigger)
        self.startID = None
        ending = Thread(target=self.finalClose, daemon=True)
        ending.start()
        ending.join(self._grace + 0.5)
        cutting.cancel()
        self._ended = True

    def _cut(self) -> None:
        """Have no new connections made, and cut those that are there."""
        self._ended = True
        self.cut()

    def cut(self) -> None:
        """Whoever waits in another thread reads the end.  The next use makes a new one."""
        with self._lock:
            for connection in tuple(self.connections.values()):
                cut(connection)
