"""Certificates of signing keys."""

from __future__ import annotations

from kernelnet.hub.storage.sql.execution import Execute
from kernelnet.hub.storage.statements.certificates import StoredCertificate

__all__ = ["SqlSigningCertificates"]


class SqlSigningCertificates:
    """`kernelnet.hub.storage.statements.certificates.SigningCertificates`."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def since(self, aiId: str, when: float) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM signing_certificates WHERE ai_id = ? AND issued_at > ?", (aiId, when)
        ).fetchone()
        return int(count)

    def revoked(self) -> list[StoredCertificate]:
        rows = self._execute(
            "SELECT serial, ai_id, issued_at, expires_at, revoked_at FROM signing_certificates"
            " WHERE revoked_at IS NOT NULL ORDER BY serial"
        )
        return [*map(StoredCertificate._make, rows)]

    def insert(self, certificate: StoredCertificate) -> None:
        self._execute("DELETE FROM signing_certificates WHERE expires_at < ?", (certificate.issuedAt,))
        self._execute(
            "INSERT INTO signing_certificates (serial, ai_id, issued_at, expires_at, revoked_at)"
            " VALUES (?, ?, ?, ?, ?)",
            certificate,
        )

    def revoke(self, aiId: str, now: float) -> int:
        return self._execute(
            "UPDATE signing_certificates SET revoked_at = ? WHERE ai_id = ? AND revoked_at IS NULL", (now, aiId)
        ).rowcount
