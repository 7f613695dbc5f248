"""Trainers who sign their verdicts, and the hub's authority that certifies their keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from kernelnet.artifacts import Attestation, Component, PerformanceReport, Verdict
from kernelnet.attestation import sign
from kernelnet.identity.certificates import CertificateFiles, makeCA
from kernelnet.identity.signing import Certifier, SigningKey

__all__ = ["NOW", "Authority", "Signer", "verdictOn"]

NOW = datetime(2026, 11, 29, tzinfo=UTC)


class Authority:
    """A hub's CA in a folder of its own."""

    def __init__(self, folder: Path, now: datetime = NOW) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.files = CertificateFiles(folder / "ca.pem", folder / "ca.key")
        makeCA(self.files, now - timedelta(days=1))
        self.certifier = Certifier(self.files)


class Signer:
    """A trainer with a key in the folder C{folder}."""

    def __init__(self, folder: Path, aiId: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.aiId = aiId
        self.files = CertificateFiles(folder / f"{aiId}.pem", folder / f"{aiId}.key")
        self.key = SigningKey(self.files, aiId)

    def enrol(self, authority: Authority, owner: str | None = None, now: datetime = NOW) -> Signer:
        """Get a certificate."""
        request = self.key.request(now)
        assert request is not None
        certificate = authority.certifier.certify(request, self.aiId, owner, now)
        self.key.keep(certificate.public_bytes(Encoding.PEM).decode())
        return self

    @property
    def serial(self) -> str:
        assert self.key.certificate is not None
        return f"{self.key.certificate.serial_number:x}"

    def sign(
        self, component: Component, verdict: Verdict = Verdict.CONFIRMED, now: datetime = NOW, reporter: str = ""
    ) -> Attestation:
        report = verdictOn(component, verdict)
        found = sign(self.key, component, report, reporter or self.aiId, now)
        assert found is not None
        return found


def verdictOn(component: Component, verdict: Verdict = Verdict.CONFIRMED) -> PerformanceReport:
    told = {"score": 50, "events": 100, "fuel": 1000, "engine": "wasmtime 50", "development_level": 0.5}
    return PerformanceReport(component.id, told, component.digest, verdict, "all splits are as claimed")
