"""
Answers to handshakes, by the tokens that are stored and the join token.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.transaction import Reader
from kernelnet.message import Handshake

__all__ = ["TokenAuthenticator"]


class TokenAuthenticator:
    """
    @param joinHash: `kernelnet.identity.tokenHash` of the join token.
    @param wallClock: Unix seconds.
    @param needsOwner: whether nobody is let in who has no owner.
    """

    def __init__(self, log: EventLog, joinHash: str, wallClock: Callable[[], float], needsOwner: bool = False) -> None:
        self._log = log
        self._joinHash = joinHash
        self._wallClock = wallClock
        self._needsOwner = needsOwner

    def check(self, handshake: Handshake) -> Deferred[Grant]:
        """Fires with how the handshake is answered; a first use of an own token is on disk by then."""

        def checked(grant: Grant) -> Grant | Deferred[Grant]:
            if grant is not Grant.FIRST_USE:
                return grant
            return self._log.write(
                lambda transaction: tokens.markUsed(transaction, handshake.ai_id, handshake.token)
            ).addCallback(lambda _: Grant.OWN)

        now = self._wallClock()

        def look(reader: Reader) -> Grant:
            grant = tokens.check(reader, handshake.ai_id, handshake.token, self._joinHash, now)
            if grant is Grant.REFUSED or not self._needsOwner or reader.owners.of(handshake.ai_id) is not None:
                return grant
            return Grant.OWNERLESS

        return self._log.read(look).addCallback(checked)
