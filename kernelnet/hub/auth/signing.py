"""
Certificates for the keys that trainers sign their verdicts with: given in a hello, revoked with the tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding

from kernelnet.hub.storage.statements.certificates import StoredCertificate
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.identity import IdentityError
from kernelnet.identity.signing import Certifier

__all__ = ["MOST_A_DAY", "Certify", "Signing", "revokedList"]

MOST_A_DAY = 5
"""Maximum number of certificates that an AI gets in 24 hours: an honest one needs one in three years."""

_DAY = 86400.0

Certify = Callable[[Transaction, str, str], str | None]
"""Gives an AI (its id) the certificate (PEM) for its request; C{None}: it gets none."""


class Signing:
    """@param certifier: the hub's own authority."""

    def __init__(self, certifier: Certifier) -> None:
        self._certifier = certifier

    def __repr__(self) -> str:
        return f"<Signing {self._certifier!r}>"

    def certify(self, transaction: Transaction, aiId: str, request: str) -> str | None:
        """
        Certify an AI's key.  What can't be done is no reason to refuse the AI: its verdicts are unsigned then.

        @param request: PKCS #10 in PEM.
        @return: the certificate (PEM); C{None}: the request is none, it had enough of them, or the key of the authority
            is kept elsewhere.
        """
        if transaction.certificates.since(aiId, transaction.now - _DAY) >= MOST_A_DAY:
            return None
        now = datetime.fromtimestamp(transaction.now, UTC)
        try:
            certificate = self._certifier.certify(request, aiId, transaction.owners.of(aiId), now)
        except IdentityError as e:
            transaction.note("{ai} gets no certificate to sign with: {reason}", ai=aiId, reason=str(e))
            return None
        expiresAt = certificate.not_valid_after_utc.timestamp()
        stored = StoredCertificate(f"{certificate.serial_number:x}", aiId, transaction.now, expiresAt, None)
        transaction.certificates.insert(stored)
        transaction.note("{ai} got a certificate to sign its verdicts with", ai=aiId)
        return certificate.public_bytes(Encoding.PEM).decode("ascii")


def revokedList(reader: Reader, certifier: Certifier, now: datetime) -> bytes:
    """
    The list of revoked certificates (X.509 CRL, PEM), signed now.

    @raise IdentityError: the authority can't be used.
    """
    revoked = [(one.serial, one.revokedAt) for one in reader.certificates.revoked() if one.revokedAt is not None]
    return certifier.revoked(revoked, now).public_bytes(Encoding.PEM)
