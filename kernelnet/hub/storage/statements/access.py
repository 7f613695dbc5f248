"""Tokens, by which AIs come in, and the AIs that said hello."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Ais", "AisQueries", "StoredAi", "StoredToken", "Tokens", "TokensQueries"]


class StoredToken(NamedTuple):
    """
    A token by its hash (SHA-256, hex), which is unique.

    @ivar aiId: whose it is; of a viewer's: C{viewer:NAME}, which no AI can be called.
    @ivar kind: see `kernelnet.hub.auth.tokens`.
    @ivar expiresAt: C{None}: never.
    @ivar usedAt: its first use; C{None}: it was not used yet.
    @ivar revokedAt: C{None}: it was not.
    """

    hash: str
    aiId: str
    kind: str
    createdAt: float
    expiresAt: float | None
    usedAt: float | None
    revokedAt: float | None


class TokensQueries(Protocol):
    """Questions about tokens."""

    def ofAi(self, aiId: str) -> list[StoredToken]:
        """All tokens of an AI but those of kind C{viewer}, in any order."""

    def viewerExists(self, hash: str, now: float) -> bool:
        """Whether a token of kind C{viewer} with this hash is neither revoked nor expired (C{expiresAt > now})."""

    def all(self) -> list[StoredToken]:
        """All there are, by AI id, then by when they were made."""

    def ids(self) -> set[str]:
        """The C{aiId} of every token, revoked or not."""

    def idsBeginning(self, beginning: str, limit: int) -> list[str]:
        """The ids that begin so and have a token that is not revoked, each once, by id; the first C{limit}."""


class Tokens(TokensQueries, Protocol):
    """Changes to tokens."""

    def insert(self, token: StoredToken) -> None:
        """Add it."""

    def markUsed(self, hash: str, aiId: str, now: float) -> str | None:
        """
        Set C{usedAt} of the token of C{aiId} with this hash to C{now}, if it was not set.

        @return: its kind; C{None}: nothing was to be set.
        """

    def markJoinsUsed(self, aiId: str, now: float) -> None:
        """Set C{usedAt} of its tokens of kind C{join} that have none."""

    def deleteUnusedEnrolled(self, aiId: str) -> None:
        """Delete its tokens of kind C{enrolled} that were neither used nor revoked."""

    def expireAll(self, aiId: str, until: float, now: float) -> int:
        """
        Of its tokens that are not of kind C{join}, not revoked and not expired (C{expiresAt > now}): let each expire at
        C{until}, or when it does if that is earlier, and make the kind C{rotated} C{issued}.

        @return: how many these were.
        """

    def replaceHash(self, old: str, new: str) -> None:
        """Give the token with the hash C{old} another one."""

    def revokeUnusedJoins(self, aiId: str, now: float) -> None:
        """Set C{revokedAt} of its tokens of kind C{join} that were neither used nor revoked."""

    def revoke(self, aiId: str, now: float) -> int:
        """
        Set C{revokedAt} of all its tokens that are not revoked, of whichever kind.

        @return: how many these were.
        """


class StoredAi(NamedTuple):
    """
    The last hello of an AI.

    @ivar seenAt: when it was here last, as far as that was written down (`Ais.setSeen`).
    @ivar hello: its payload as JSON.
    @ivar protocol: the version it speaks.
    @ivar readSeq: how far one that speaks version 2 had read at last; C{None}: nothing is known.
    """

    aiId: str
    hello: bytes
    protocol: int
    seenAt: float
    readSeq: int | None


class AisQueries(Protocol):
    """Questions about AIs."""

    def all(self) -> list[StoredAi]:
        """All that ever said hello, by id."""

    def find(self, aiId: str) -> StoredAi | None:
        """The row of C{aiId}."""

    def protocolOf(self, aiId: str) -> int | None:
        """The version an AI speaks; C{None}: it never said hello."""

    def leastRead(self) -> int | None:
        """
        The lowest C{readSeq} (C{None} counts as 0) of the AIs with C{protocol >= 2}, but for those that have tokens,
        all of which are revoked; C{None}: there is no such AI.
        """


class Ais(AisQueries, Protocol):
    """Changes to what is known of AIs."""

    def save(self, ai: StoredAi) -> None:
        """Add it, or put it in the place of what is known of the same AI."""

    def forget(self, aiId: str) -> None:
        """Remove what is known of it."""

    def setSeen(self, seen: Sequence[tuple[float, str]]) -> None:
        """For each pair of a time and an AI's id: set C{seenAt} of that AI, if it is known."""

    def raiseReadSeq(self, read: Sequence[tuple[int, str]]) -> None:
        """For each pair of a position and an AI's id: set C{readSeq} of that AI, if it is known and was lower."""
