"""What a trainer says of a hub's certificate that it does not take, over real TLS on loopback."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kernelnet.identity import StateDirectory, clientTLS, serverTLS
from kernelnet.trainer.connection import protocol


class Asking(Protocol):
    """A client that asks why its connection ended, where a trainer's does."""

    def __init__(self, told: Deferred[str | None]) -> None:
        self.told = told

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        now = datetime.now(UTC)
        self.told.callback(protocol._refusal(reason, protocol._outOfDate(self.transport, now)))


class CertificateTests(TestCase):
    def setUp(self) -> None:
        base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, base)
        self.state, self.other = StateDirectory(base / "state"), StateDirectory(base / "other")
        for state in (self.state, self.other):
            state.open()
            state.prepareHub([], datetime.now(UTC))

    async def refusal(self, ca: Path) -> str | None:
        hub = Factory.forProtocol(Protocol)
        hub.noisy = False
        port = cast(Any, reactor).listenSSL(0, hub, serverTLS(self.state), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        told: Deferred[str | None] = Deferred()
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: Asking(told)  # type: ignore[method-assign]
        cast(Any, reactor).connectSSL("127.0.0.1", port.getHost().port, factory, clientTLS("127.0.0.1", ca))
        return await told

    async def test_outOfDate(self) -> None:
        """One that has run out, or is for later: since when, or until when, and what day it is here."""
        now = datetime.now(UTC)
        for days, words in ((-400, "expired on"), (30, "is not valid before")):
            self.state.renewHub([], now + timedelta(days=days), force=True)
            found = x509.load_pem_x509_certificate(self.state.hubCertificate.read_bytes())
            when = found.not_valid_after_utc if days < 0 else found.not_valid_before_utc
            said = await self.refusal(self.state.caCertificate)
            self.assertIn(f"is not trusted: its certificate {words} {when:%Y-%m-%d}", str(said))
            self.assertIn(f"; here it is {now:%Y-%m-%d}", str(said))

    async def test_otherCA(self) -> None:
        """One that is valid, of another CA: that it is."""
        said = await self.refusal(self.other.caCertificate)
        self.assertEqual(said, "is not trusted: its certificate is not from the CA that is trusted here")
