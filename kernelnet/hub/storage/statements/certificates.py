"""Certificates of the keys that AIs sign their verdicts with."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["SigningCertificates", "SigningCertificatesQueries", "StoredCertificate"]


class StoredCertificate(NamedTuple):
    """
    A certificate that the hub gave.

    @ivar serial: in hex; unique.
    @ivar aiId: whose key it is.
    @ivar revokedAt: C{None}: it was not.
    """

    serial: str
    aiId: str
    issuedAt: float
    expiresAt: float
    revokedAt: float | None


class SigningCertificatesQueries(Protocol):
    """Questions about them."""

    def since(self, aiId: str, when: float) -> int:
        """The number of those that were given to an AI after C{when}."""

    def revoked(self) -> list[StoredCertificate]:
        """Those that were revoked, by serial."""


class SigningCertificates(SigningCertificatesQueries, Protocol):
    """Changes to them."""

    def insert(self, certificate: StoredCertificate) -> None:
        """Add it, and forget those that expired before it was made."""

    def revoke(self, aiId: str, now: float) -> int:
        """
        Set C{revokedAt} of all of an AI's that are not revoked.

        @return: how many these were.
        """
