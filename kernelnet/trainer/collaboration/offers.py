"""Offers of collaborations: requests of ours that nobody has accepted yet, and which type is asked for next."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from twisted.logger import Logger

from kernelnet.message import CollaborationRequest, CollaborationType, MessageType
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.untrusted import plain

__all__ = ["SEEK_EVERY", "Offers", "Propose"]

Propose = Callable[[CollaborationType, Container[str]], CollaborationRequest | None]
"""Makes the request of one type, or C{None}; see `kernelnet.trainer.collaboration.proposals`."""

MAX_SOUGHT = 2
"""Number of sessions of its own that a trainer seeks to have, besides those that it works on for others."""

SEEK_EVERY = 10.0
"""Seconds between looks at whether to seek another."""

OFFER_LASTS = 60.0
"""Seconds after which an offer that nobody answered no longer counts."""

MAX_REST = 80.0
"""Seconds of the longest rest after an offer that all declined; the first is `SEEK_EVERY`, each next twice as long."""


class Offers:
    """
    The offers of one trainer, the oldest first.

    @param propose: what to ask for.
    """

    log = Logger()

    def __init__(self, propose: Propose, outbox: Outbox) -> None:
        self._propose = propose
        self._outbox = outbox
        self._offers: list[tuple[float, CollaborationRequest]] = []
        self._sought = 0
        self._asked: set[str] = set()
        self._rest = SEEK_EVERY
        self._restUntil = 0.0

    def open(self) -> list[CollaborationRequest]:
        """Those that nobody has answered, as far as it is known."""
        return [offer for _, offer in self._offers]

    def expire(self, now: float) -> None:
        """Those that nobody has answered in time are open no more."""
        self._offers = [(at, offer) for at, offer in self._offers if now - at < OFFER_LASTS]

    def seek(self, now: float, running: Sequence[CollaborationType], changes: Changes) -> bool:
        """
        Ask for a collaboration if fewer than `MAX_SOUGHT` of ours run or are on offer.

        The types take turns; one that is on offer or runs already, or that there is nothing to ask of, is passed over.
        Peers who had no time are left in peace for a while.

        @param running: the types of our sessions that run.
        @return: whether one was asked for.
        """
        ours = [*running, *(offer.type for offer in self.open())]
        if len(ours) >= MAX_SOUGHT or now < self._restUntil:
            return False
        kinds = list(CollaborationType)
        for _ in kinds:
            kind = kinds[self._sought % len(kinds)]
            self._sought += 1
            asked = self._propose(kind, self._asked) if kind not in ours else None
            if asked is not None:
                self.offer(asked, now, changes)
                return True
        return False

    def offer(self, request: CollaborationRequest, now: float, changes: Changes) -> None:
        """Ask the peers for a collaboration."""
        self._asked.add(str(request.requirements.get("component", "")))
        self._offers.append((now, request))
        self._outbox.say(MessageType.COLLABORATION_REQUEST, request, changes)
        self.log.info(
            "Seeking a collaboration: {type}, {what}", type=request.type.value, what=plain(request.description, 300)
        )

    def accepted(self, kind: CollaborationType | None) -> CollaborationRequest | None:
        """Somebody takes our oldest open offer, of one type where that was told; it is open no more."""
        self._rest = SEEK_EVERY
        self._restUntil = 0.0
        return self._take(kind)

    def declined(self, kind: CollaborationType | None, now: float) -> None:
        """Nobody had time for our oldest offer of a type: it is open no more, and may be asked again after a rest."""
        offer = self._take(kind)
        if offer is not None:
            self._asked.discard(str(offer.requirements.get("component", "")))
            self._restUntil = now + self._rest
            self._rest = min(2 * self._rest, MAX_REST)

    def _take(self, kind: CollaborationType | None) -> CollaborationRequest | None:
        for at, offer in self._offers:
            if kind in (None, offer.type):
                self._offers.remove((at, offer))
                return offer
        return None
