"""Certificates of signing keys in memory."""

from __future__ import annotations

from kernelnet.hub.storage.memory.tables import Tables
from kernelnet.hub.storage.statements.certificates import StoredCertificate

__all__ = ["MemorySigningCertificates"]


class MemorySigningCertificates:
    """`kernelnet.hub.storage.statements.certificates.SigningCertificates`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def since(self, aiId: str, when: float) -> int:
        return sum(one.aiId == aiId and one.issuedAt > when for one in self._tables.certificates.values())

    def revoked(self) -> list[StoredCertificate]:
        return sorted(one for one in self._tables.certificates.values() if one.revokedAt is not None)

    def insert(self, certificate: StoredCertificate) -> None:
        for old in [one for one in self._tables.certificates.values() if one.expiresAt < certificate.issuedAt]:
            del self._tables.certificates[old.serial]
        self._tables.certificates.add(certificate.serial, certificate)

    def revoke(self, aiId: str, now: float) -> int:
        found = [one for one in self._tables.certificates.values() if one.aiId == aiId and one.revokedAt is None]
        for one in found:
            self._tables.certificates[one.serial] = one._replace(revokedAt=now)
        return len(found)
