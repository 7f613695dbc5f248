"""Certificates for signing keys: given in a hello, bounded, and revoked with the tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509

from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.signing import MOST_A_DAY, Signing, revokedList
from kernelnet.hub.connection.context import ConnectionContext
from kernelnet.identity.signing import Certifier, ownerOf, signerOf
from tests.hub.auth.support import CredentialTestCase
from tests.hub.databases import onEveryEngine
from tests.hub.support import JOIN, Client
from tests.signers import Authority, Signer


@onEveryEngine
class SigningTests(CredentialTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.authority = Authority(self.folder / "hub", self.now())
        context: ConnectionContext = self.hub.factory._context
        signing = Signing(self.authority.certifier)
        object.__setattr__(context, "certify", signing.certify)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.hub.now(), UTC)

    def request(self, aiId: str = "AI_1") -> str:
        found = Signer(self.folder / "keys", aiId).key.request(self.now())
        assert found is not None
        return found

    def enter(self, token: str, aiId: str = "AI_1", version: int = 2, **hello: Any) -> Client:
        client = Client(self.hub, aiId)
        client.authenticate(token)
        client.hello(version, **({"certificate_request": self.request(aiId)} | hello))
        return client

    def given(self, client: Client) -> str | None:  # type: ignore[override]
        (sync,) = client.payloads("training_sync")
        self.assertEqual(client.errors(), [])
        found: str | None = sync.get("certificate")
        return found

    def test_given(self) -> None:
        """Who enrols gets a certificate that names it and its owner; nobody is told of the request."""
        token = self.hub.issue("AI_1")
        self.hub.transact(lambda transaction: tokens.own(transaction, "AI_1", "alice"))
        pem = self.given(self.enter(token))
        assert pem is not None
        certificate = x509.load_pem_x509_certificate(pem.encode())
        self.assertEqual((signerOf(certificate), ownerOf(certificate)), ("AI_1", "alice"))
        self.assertNotIn(b"CERTIFICATE", self.hub.stored.ais.all()[0].hello)
        self.assertIsNone(self.hub.directory.ais["AI_1"].hello.certificate_request)
        pem = self.given(self.enter(JOIN, "AI_2"))
        assert pem is not None
        self.assertIsNone(ownerOf(x509.load_pem_x509_certificate(pem.encode())))

    def test_notGiven(self) -> None:
        """Version 1 gets none, nor who doesn't ask, nor who asks for something else; all of them are let in."""
        token = self.hub.issue("AI_1")
        for version, request in ((1, self.request()), (2, None), (2, "nonsense"), (2, "é" * 2048)):
            self.assertIsNone(self.given(self.enter(token, version=version, certificate_request=request)))
        client = self.enter(token, certificate_request="x" * 2049)
        self.assertEqual(client.errors(), ["invalid_message"])

    def test_bounded(self) -> None:
        """An AI gets a few a day, whatever it asks for."""
        token = self.hub.issue("AI_1")
        found = [self.given(self.enter(token)) for _ in range(MOST_A_DAY + 3)]
        self.assertEqual([one is not None for one in found], [True] * MOST_A_DAY + [False] * 3)
        self.assertIsNotNone(self.given(self.enter(self.hub.issue("AI_2"), "AI_2")))
        self.hub.clock.advance(86401)
        self.assertIsNotNone(self.given(self.enter(token)))

    def test_withoutKey(self) -> None:
        """A hub whose CA key is kept elsewhere takes everybody, and certifies nobody."""
        self.authority.files.key.unlink()
        self.assertIsNone(self.given(self.enter(self.hub.issue("AI_1"))))
        self.assertIn("gets no certificate", "\n".join(self.seen))

    def test_revoked(self) -> None:
        """Whose tokens are revoked signs for nothing any more, also after a restart; others' certificates stay good."""
        first, second = (self.given(self.enter(self.hub.issue(ai), ai)) for ai in ("AI_1", "AI_2"))
        assert first is not None
        assert second is not None
        self.hub.transact(lambda transaction: tokens.revoke(transaction, "AI_1"))
        self.restart()
        pem = revokedList(self.hub.stored, Certifier(self.authority.files), self.now())
        found = x509.load_pem_x509_crl(pem)
        serials = [x509.load_pem_x509_certificate(one.encode()).serial_number for one in (first, second)]
        self.assertEqual([one.serial_number for one in found], serials[:1])
        self.assertTrue(msgspec.json.encode(self.hub.stored.certificates.revoked()))
