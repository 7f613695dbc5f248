"""
Answers to handshakes, by the tokens that are stored and the join token.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.message import Handshake

__all__ = ["TokenAuthenticator"]


class TokenAuthenticator:
    """
    @param joinHash: `kernelnet.identity.tokenHash` of the join token.
    @param wallClock: Unix seconds.
    """

    def __init__(self, log: EventLog, joinHash: str, wallClock: Callable[[], float]) -> None:
        self._log = log
        self._joinHash = joinHash
        self._wallClock = wallClock

    def check(self, handshake: Handshake) -> Deferred[Grant]:
        """Fires with how the handshake is answered; a first use of an own token is on disk by then."""

        def checked(grant: Grant) -> Grant | Deferred[Grant]:
            if grant is not Grant.FIRST_USE:
                return grant
            return self._log.write(
                lambda transaction: tokens.markUsed(transaction, handshake.ai_id, handshake.token)
            ).addCallback(lambda _: Grant.OWN)

        now = self._wallClock()
        return self._log.read(
            lambda reader: tokens.check(reader, handshake.ai_id, handshake.token, self._joinHash, now)
        ).addCallback(checked)
