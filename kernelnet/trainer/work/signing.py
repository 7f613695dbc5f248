"""
The key that a trainer signs its verdicts with, in its own folder: C{signing.key}, and C{signing.pem} once the hub has
certified it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from twisted.logger import Logger

from kernelnet.artifacts import Component, PerformanceReport
from kernelnet.attestation import sign
from kernelnet.identity import IdentityError
from kernelnet.identity.certificates import CertificateFiles
from kernelnet.identity.signing import SigningKey

__all__ = ["VerdictSigner"]


class VerdictSigner:
    """
    Signs one trainer's verdicts, as soon as and as long as the hub has certified its key.

    A hub that certifies none leaves them unsigned, and so does a key that can't be used: nobody's search stops for it.

    @param folder: the trainer's own.
    @param wallClock: Unix seconds.
    """

    log = Logger()

    def __init__(self, folder: Path, aiId: str, wallClock: Callable[[], float] = time.time) -> None:
        self._files = CertificateFiles(folder / "signing.pem", folder / "signing.key")
        self._aiId = aiId
        self._wallClock = wallClock
        self._key: SigningKey | None = None

    def __repr__(self) -> str:
        return f"<VerdictSigner {self._key!r}>"

    def load(self) -> None:
        """Take up the key of an earlier run, or make one."""
        try:
            self._key = SigningKey(self._files, self._aiId)
        except IdentityError as e:
            self.log.error("verdicts are not signed: {reason}", reason=str(e))

    def request(self, joining: bool) -> str | None:
        """
        The request for a certificate that goes with a hello; C{None}: none is needed.

        @param joining: whether the trainer has no credentials of this hub yet.
        """
        try:
            return self._key.request(self._now(), joining) if self._key is not None else None
        except IdentityError as e:
            self.log.error("verdicts are not signed: {reason}", reason=str(e))
            return None

    def keep(self, certificate: str) -> None:
        """Use the certificate (PEM) that the hub sent; what doesn't fit is passed over."""
        if self._key is None:
            return
        try:
            self._key.keep(certificate)
        except IdentityError as e:
            self.log.error("verdicts are not signed: {reason}", reason=str(e))
        else:
            self.log.info("Verdicts are signed from now on")

    def signed(self, component: Component, report: PerformanceReport) -> PerformanceReport:
        """The report of one's own verdict with a signature, where one can be made."""
        if self._key is None:
            return report
        attestation = sign(self._key, component, report, self._aiId, self._now())
        return report if attestation is None else msgspec.structs.replace(report, attestation=attestation)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wallClock(), UTC)
