"""
Sockets and files of the system: their options, and the number that a process may have.
"""

from __future__ import annotations

import resource
import socket
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import ITCPTransport, ITransport
from twisted.internet.protocol import Protocol

from kernelnet.hub.connection.limits import Bounds

__all__ = ["TurnedAway", "setUpSocket", "withinDescriptors"]

OWN_DESCRIPTORS = 64
"""Number of files that the hub needs itself: database, log, control connections."""


def setUpSocket(transport: ITransport) -> None:
    """Send small lines at once, and find a dead peer within minutes: the system's default is two hours."""
    if not ITCPTransport.providedBy(transport):
        return
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    handle = getattr(transport, "socket", None)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if handle is not None and hasattr(socket, option):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


class TurnedAway(Protocol):
    """A connection that there is no room for.  It ends before TLS: a handshake would cost what shall be saved."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.abortConnection()


def withinDescriptors(bounds: Bounds) -> Bounds:
    """Let this process open as many files as it may; C{bounds}, with no more connections than that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, bounds.connections + OWN_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
    return replace(bounds, connections=max(1, min(bounds.connections, hard - OWN_DESCRIPTORS)))
