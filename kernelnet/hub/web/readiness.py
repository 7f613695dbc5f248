"""
Readiness of a hub, which a balancer asks for again and again: whether it takes messages, and why not.

A balancer has no token: it gets 200 or 503, and one fixed word.  Who may look gets the sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.web.connection_limits import LimitingFactory

__all__ = ["NotReady", "Readiness", "Starting"]

SILENCE = 5.0
"""Seconds without an answer of the database after which a node is not ready; it is asked every 2 s."""


class NotReady(NamedTuple):
    """@ivar word: C{storage}, C{busy}, C{draining}, C{database} or C{starting}; C{sentence}: why."""

    word: str
    sentence: str


class Readiness:
    """@param silence: seconds since a server that is asked again and again has answered."""

    def __init__(self, log: EventLog, connections: Connections, silence: Callable[[], float]) -> None:
        self._log = log
        self._connections = connections
        self._silence = silence

    def __repr__(self) -> str:
        return f"<Readiness {self.problem()}>"

    def problem(self) -> NotReady | None:
        """@return: C{None}: it takes messages."""
        if problem := self._log.findLoss() or self._log.findStorageProblem():
            return NotReady("storage", str(problem))
        if self._log.backlogged:
            return NotReady("busy", "too much waits to be committed")
        if self._connections.suspended:
            return NotReady("draining", "this node is being drained, goes back to a backup, or ends")
        if math.isinf(silent := self._silence()):
            # It may be that the operator has drained this node.
            return NotReady("starting", "this node has not heard of the others yet")
        if silent > SILENCE:
            return NotReady("database", f"the database has not answered for {silent:.0f} s")
        return None


class _NotYet(Resource):
    isLeaf = True

    def render(self, request: Request) -> bytes:
        isAlive = request.path == b"/livez"
        request.setResponseCode(200 if isAlive else 503)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Retry-After", b"1")
        return b"alive\n" if isAlive else b"not ready: starting\n"


class Starting:
    """The port of the dashboard while the hub is not there yet: it is alive, and not ready."""

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint
        self._port: IListeningPort | None = None
        site = Site(_NotYet())
        site.noisy = False
        site.log = lambda request: None  # type: ignore[method-assign]
        self._factory = LimitingFactory(site)

    def start(self) -> Deferred[None]:
        """Fires when it listens, or can't: the dashboard will say why."""

        def listening(port: IListeningPort) -> None:
            self._port = port

        # Where the port is taken the dashboard itself will say so.
        started: Deferred[IListeningPort] = self._endpoint.listen(self._factory)
        return started.addCallback(listening).addErrback(lambda failure: failure.trap(CannotListenError) and None)

    def stop(self) -> Deferred[None]:
        """Fires when the port is free."""
        port, self._port = self._port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening).addCallback(lambda _: None)
