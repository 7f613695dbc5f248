"""Collaborations as they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

__all__ = [
    "SESSION_STATES",
    "NewSession",
    "SessionOutcome",
    "SessionRecord",
    "SessionState",
    "Sessions",
    "SessionsQueries",
]

SESSION_STATES = ("offered", "active", "completed", "declined", "expired")


class NewSession(NamedTuple):
    """
    A session that was just offered.

    @ivar invited: ids, in the order in which they were chosen.
    @ivar invitation: all that an invited AI was told, as JSON.
    @ivar expiresAt: C{None}: it has ended already.
    """

    id: str
    initiator: str
    type: str
    description: str
    state: str
    invited: Sequence[str]
    invitation: bytes
    createdAt: float
    expiresAt: float | None


class SessionState(NamedTuple):
    """
    A session as far as its next move depends on it.

    @ivar partner: who accepted; C{None}: nobody has.
    @ivar declined: who of the invited did, in the order in which they did.
    """

    id: str
    initiator: str
    type: str
    state: str
    partner: str | None
    invited: list[str]
    declined: list[str]


class SessionRecord(NamedTuple):
    """
    A session as it is shown.

    @ivar component: the id of the component it ended in.
    @ivar transcript: a JSON list of steps; C{None}: nothing was told, or it was not asked for.
    @ivar invitation: JSON; C{None}: it was not asked for.
    """

    id: str
    initiator: str
    type: str
    description: str
    state: str
    partner: str | None
    invited: list[str]
    declined: list[str]
    component: str | None
    createdAt: float
    changedAt: float
    transcript: bytes | None
    invitation: bytes | None


class SessionOutcome(NamedTuple):
    """The outcome of a session; see `SessionRecord`."""

    type: str
    component: str | None
    transcript: bytes | None


class SessionsQueries(Protocol):
    """Questions about sessions."""

    def find(self, sessionId: str) -> SessionState | None:
        """The session with this id."""

    def transcriptOf(self, sessionId: str) -> bytes | None:
        """The transcript of a session that is there, as JSON; C{None}: nothing was told yet."""

    def due(self, now: float, limit: int) -> list[SessionState]:
        """Those with C{expiresAt <= now} (C{None} is never due), by when, then by id; the first C{limit}."""

    def takenBy(self, aiId: str, limit: int) -> list[SessionState]:
        """The sessions in state C{active} whose partner C{aiId} is, by id; the first C{limit}."""

    def activeUntil(self, until: float, limit: int) -> list[SessionState]:
        """Those in state C{active} with C{expiresAt <= until}, by when, then by id; the first C{limit}."""

    def countOffers(self, initiator: str, limit: int) -> int:
        """The number of sessions in state C{offered} that C{initiator} opened, counted to C{limit}."""

    def partners(self) -> set[str]:
        """The partners of all sessions in state C{active}."""

    def completedBy(self) -> dict[str, int]:
        """The number of sessions in state C{completed} by partner; those who have none are left out."""

    def openFor(self, aiId: str, limit: int) -> list[bytes]:
        """
        The invitations of the sessions in state C{offered} that C{aiId} was invited to and has not declined; those
        created last first, then by id; the first C{limit}.
        """

    def page(
        self, state: str | None, after: tuple[float, str] | None, limit: int, transcripts: bool
    ) -> Iterator[SessionRecord]:
        """
        Sessions by C{changedAt}, then by id, both descending; the first C{limit}, without their invitations.

        @param state: of this state only; C{None}: all.
        @param after: only those with a lower (C{changedAt}, id).
        @param transcripts: whether their transcripts are asked for.
        """

    def beginning(self, beginning: str, limit: int) -> list[SessionRecord]:
        """Those whose id begins so, by id, with transcript and invitation; the first C{limit}."""

    def countByState(self) -> dict[str, int]:
        """The number of sessions in each state; states without any are left out."""

    def outcomes(self) -> Iterator[SessionOutcome]:
        """The outcomes of all of them, by session id."""


class Sessions(SessionsQueries, Protocol):
    """Changes to sessions; C{now} becomes C{changedAt}."""

    def insert(self, session: NewSession) -> None:
        """Add it, with no partner and nobody who declined; C{changedAt} is C{createdAt}."""

    def setDeclined(self, sessionId: str, declined: Sequence[str], now: float) -> None:
        """Set who declined."""

    def setComponent(self, sessionId: str, componentId: str) -> None:
        """Set the component it ended in; this does not change C{changedAt}."""

    def setTranscript(self, sessionId: str, transcript: bytes, now: float) -> None:
        """Set the transcript."""

    def activate(self, sessionId: str, partner: str, expiresAt: float, now: float) -> None:
        """Set the state to C{active}, the partner, and when it expires."""

    def end(self, sessionId: str, state: str, now: float) -> None:
        """Set the state, and that it never expires."""
