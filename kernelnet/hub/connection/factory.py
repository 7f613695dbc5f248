"""
The factory of the hub's port: it makes connections, or turns them away.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from kernelnet.hub.connection.context import ConnectionContext
from kernelnet.hub.connection.protocol import HubProtocol
from kernelnet.hub.connection.sockets import TurnedAway

__all__ = ["HubFactory"]


class HubFactory(Factory):
    """
    @param context: what its connections have in common.
    @param isSuspended: whether nobody may come in now.
    """

    noisy = False

    def __init__(self, context: ConnectionContext, isSuspended: Callable[[], bool]) -> None:
        self._context = context
        self._isSuspended = isSuspended

    def buildProtocol(self, addr: IAddress | None) -> HubProtocol | TurnedAway:
        if self._isSuspended() or not self._context.admission.admits(getattr(addr, "host", None)):
            return TurnedAway()  # TLS can't do with None
        return HubProtocol(self._context)
