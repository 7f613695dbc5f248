"""
The link of a node to the database for what nodes say to each other: one connection, proved when it is new, and watched.

A server that says nothing, or one behind a proxy that does not forward, would hold a node up for as long as its end of
the connection is acknowledged.  So a node that hears nothing asks by a new connection who is there: if that is the same
server, it waits for something, such as its synchronous standby, and nothing is won by another connection; else all are
cut, and made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

import psycopg
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.hub.storage.engine import Standing
from kernelnet.hub.storage.postgres.connection import Connection, connect
from kernelnet.hub.storage.postgres.continuity import prove
from kernelnet.hub.storage.postgres.pools import Pool

__all__ = ["HANGS", "Link", "serverOf", "whoIsThere"]

T = TypeVar("T")

HANGS = 10.0
"""Seconds without an answer after which a node asks by another connection who is there."""


class Link:
    """
    @ivar renewed: called when there is a new connection, which may be to another server; not for the first.
    """

    _log = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        pool: Pool,
        standing: Callable[[], Standing],
        ask: Callable[[], Deferred[str]] | None = None,
        cut: Callable[[], object] = lambda: None,
    ) -> None:
        """
        @param pool: one connection.
        @param standing: where the node stands in the log; is asked in any thread.
        @param ask: fires with `serverOf` a new connection; C{None}: nobody watches.
        @param cut: cuts all other connections of the node.
        """
        self.renewed: Callable[[], object] = lambda: None
        self._pool = pool
        self._standing = standing
        self._ask = ask
        self._cut = cut
        self._proved: object | None = None
        self._server = ""
        self._running = 0
        self._asking = self._told = self._closed = False

    def __repr__(self) -> str:
        return f"<Link to {self._server or 'nobody'}>"

    def run(self, function: Callable[[Connection], T], done: Callable[[T], object]) -> Deferred[None]:
        """Have C{done} called with what C{function} returns; a server that can't be reached is asked again later."""

        def call(connection: Connection) -> tuple[bool, T]:
            # The pool's connection is another object in each call, and this one of it is not.
            before = self._proved
            if isNew := connection.pgconn is not before:
                self._server = serverOf(connection)
                prove(connection, self._standing)
                self._proved = connection.pgconn
            return isNew and before is not None, function(connection)

        def ended(found: tuple[bool, T]) -> None:
            isNew, result = found
            if self._closed:
                return
            if isNew:
                self.renewed()
            done(result)

        def failed(failure: Failure) -> None:
            if failure.check(psycopg.Error) is None:
                self._log.failure("the other nodes can't be dealt with", failure)

        def over(result: object) -> object:
            self._running -= 1
            return result

        self._running += 1
        asked: Deferred[tuple[bool, T]] = self._pool.runWithConnection(call)
        asked.addBoth(over)
        return asked.addCallback(ended).addErrback(failed)

    def watch(self, silence: float) -> None:
        """
        Look, each second, whether to go on waiting.

        @param silence: seconds since the server has answered.
        """
        if silence < HANGS:
            self._told = False
            return
        if self._ask is None or self._asking or not self._running:
            return
        self._asking = True

        def answered(found: str) -> None:
            if self._server not in {"", found}:
                self._cutAll(f"{found} answers in its place")
                return
            self._tell(
                "the database lets others in and commits nothing for {silence:.0f} s: it waits, such as for its"
                " synchronous standby; nothing is acknowledged meanwhile",
                silence=silence,
            )

        def failed(failure: Failure) -> None:
            self._cutAll(" ".join(failure.getErrorMessage().split()))

        def ended(_: None) -> None:
            self._asking = False

        self._ask().addCallbacks(answered, failed).addCallback(ended)

    def _cutAll(self, why: str) -> None:
        if self._closed:
            return
        said = "the database {server} says nothing: all connections to it end ({why})"
        self._tell(said, server=self._server, why=why)
        self._pool.cut()
        self._cut()

    def _tell(self, format: str, **fields: object) -> None:
        """Say so, once until the server answers again."""
        if not self._told:
            self._told = True
            self._log.warn(format, **fields)

    def close(self) -> None:
        self._closed = True
        self._pool.close()


def serverOf(connection: Connection) -> str:
    """The server at the other end: where it is, and since when it runs; behind one address there may be several."""
    ((since,),) = connection.execute("SELECT pg_postmaster_start_time()::text").fetchall()
    return f"{connection.info.host}:{connection.info.port} (started {since})"


def whoIsThere(url: str, reactor: IReactorFromThreads) -> Deferred[str]:
    """@return: fires with `serverOf` a new connection, within the time that the address or the hub has for one."""
    done: Deferred[str] = Deferred()

    def ask() -> None:
        found: Any
        try:
            with connect(url) as connection:
                found = serverOf(connection)
        except Exception:
            found = Failure()
        reactor.callFromThread(done.callback, found)  # a failure is taken for one

    # A thread of its own, for which no end waits.
    Thread(target=ask, daemon=True).start()
    return done
