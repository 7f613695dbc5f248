"""Ears: the connection by which a node hears what others say, read by the reactor, and made anew when it is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

import psycopg
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from kernelnet.hub.storage.postgres.connection import Connection, connect

__all__ = ["Ears", "NotifyEars", "listening"]


class Ears(Protocol):
    """The hearing of a node."""

    def start(self, heard: Callable[[str], None], began: Callable[[], None]) -> None:
        """
        Begin to hear.

        @param heard: is called with each word, in the reactor's thread.
        @param began: is called when it begins, and each time that words may have been missed.
        """

    def hear(self) -> None:
        """Tell of all words that are there; connect anew, if need be."""

    def renew(self) -> None:
        """Hear by another connection from now on: the database may be on another server."""

    def stop(self) -> None:
        """Hear no more."""


def listening(url: str, channel: str) -> Connection:
    """A new connection that hears C{channel}.  Blocks."""
    connection = connect(url)
    connection.execute(f"LISTEN {channel}".encode())
    return connection


@implementer(IReadDescriptor)
class NotifyEars:
    """`Ears` that hear C{NOTIFY}."""

    _log = Logger(namespace="kernelnet.hub")

    def __init__(self, makeConnection: Callable[[], Deferred[Connection]], reactor: IReactorFDSet | None) -> None:
        """@param reactor: reads the connection's socket; C{None}: it is heard when `hear` is called."""
        self._makeConnection = makeConnection
        self._reactor = reactor
        self._connection: Connection | None = None
        self._fd = -1
        self._connecting = self._stopped = False
        self._heard: Callable[[str], None] = lambda word: None
        self._began: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<NotifyEars {'open' if self._connection is not None else 'closed'}>"

    def start(self, heard: Callable[[str], None], began: Callable[[], None]) -> None:
        self._heard, self._began = heard, began

    def hear(self) -> None:
        if self._connection is None:
            self._connect()
            return
        try:
            link = self._connection.pgconn
            link.consume_input()
            while (word := link.notifies()) is not None:
                self._heard(word.extra.decode())
        except psycopg.Error as e:
            self._log.warn("what other nodes say is not heard: {reason}", reason=" ".join(str(e).split()))
            self._close()

    def _connect(self) -> None:
        if self._connecting or self._stopped:
            return
        self._connecting = True

        def connected(connection: Connection) -> None:
            self._connecting = False
            if self._stopped:
                connection.close()
                return
            self._connection = connection
            if self._reactor is not None:
                # One of our own: libpq closes its before the reactor can let go of it.
                self._fd = os.dup(connection.fileno())
                self._reactor.addReader(self)
            self._began()

        def failed(failure: Failure) -> None:
            self._connecting = False
            if failure.check(psycopg.Error) is None:
                self._log.failure("other nodes can't be heard", failure)

        self._makeConnection().addCallback(connected).addErrback(failed)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._reactor is not None:
            self._reactor.removeReader(self)
            os.close(self._fd)
        connection.close()

    def renew(self) -> None:
        self._close()
        self.hear()

    def stop(self) -> None:
        self._stopped = True
        self._close()

    # --- twisted.internet.interfaces.IReadDescriptor

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        self.hear()

    def connectionLost(self, reason: Failure) -> None:
        self._close()

    def logPrefix(self) -> str:
        return "nodes"
