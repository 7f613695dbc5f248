"""
The parts of a hub that its connections need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from kernelnet.hub.auth.signing import Certify
from kernelnet.hub.connection.admission import AdmissionControl
from kernelnet.hub.connection.fan_out import FanOut
from kernelnet.hub.connection.idleness import Idleness
from kernelnet.hub.connection.interfaces import ConnectionListener
from kernelnet.hub.connection.payload_shelf import PayloadShelf
from kernelnet.hub.connection.presence import Presence
from kernelnet.hub.connection.search_history import SearchHistory
from kernelnet.hub.routing.router import Router
from kernelnet.hub.storage.event_log import EventLog

__all__ = ["ConnectionContext"]


@dataclass(frozen=True, slots=True)
class ConnectionContext:
    """
    Parts that a connection needs; all of one hub share this, since there may be ten thousand of them.

    @ivar router: knows what is to be written for a message.
    @ivar admission: may let it in, and keeps its limits.
    @ivar listener: is told that it is here, whose it is, and that it has gone.
    @ivar presence: knows who else is here.
    @ivar fanOut: has its acks sent at the end of a commit.
    @ivar searches: is told how searches go.
    @ivar idleness: is told what sessions are worked on.
    @ivar received: number of messages since the start, by type.
    @ivar errors: number of errors sent since the start, by code.
    @ivar wallClock: Unix seconds.
    @ivar certify: gives certificates for signing keys; C{None}: this hub gives none.
    @ivar payloads: keeps what is too large for a line; C{None}: this hub keeps none.
    """

    log: EventLog
    router: Router
    admission: AdmissionControl
    listener: ConnectionListener
    presence: Presence
    fanOut: FanOut
    searches: SearchHistory
    idleness: Idleness
    received: Counter[str]
    errors: Counter[str]
    clock: IReactorTime
    wallClock: Callable[[], float]
    certify: Certify | None = None
    payloads: PayloadShelf | None = None
