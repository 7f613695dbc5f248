"""The key of a trainer, from its first start to the verdicts that it signs."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import inlineCallbacks

from kernelnet.artifacts import PerformanceReport, Verdict
from kernelnet.attestation import Finding, Trust, check
from kernelnet.identity.signing import Certifier
from kernelnet.message import Hello, TrainingSync
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.signing import VerdictSigner
from tests.signers import Authority
from tests.trainer.support import TrainerTestCase, component

CLOCK = 1_795_900_000.0


class VerdictSignerTests(TrainerTestCase):
    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        yield super().setUp()
        self.signer = self.trainer.signer
        self.signer.load()
        self.now = self.signer._now()
        self.authority = Authority(self.trainer.folder / "hub", self.now)

    def certificate(self, request: str, aiId: str = "AI_1") -> str:
        certifier: Certifier = self.authority.certifier
        return certifier.certify(request, aiId, None, self.now).public_bytes(Encoding.PEM).decode()

    def hello(self) -> Hello:
        class Nobody:
            pass

        connection: Any = Nobody()
        return self.trainer.sync.connected(connection)

    def reported(self) -> PerformanceReport:
        """The last report that is on its way to the hub, about a peer's component."""
        peers = component("c1")
        known = self.trainer.knowledge.addComponent("AI_2", peers, Changes())
        assert known is not None
        told: list[PerformanceReport] = []
        self.patch(self.trainer.outbox, "say", lambda kind, payload, changes, target=None: told.append(payload))
        report = PerformanceReport("c1", {"score": 50}, peers.digest, Verdict.CONFIRMED)
        self.trainer.verification.recordVerdict(known, report, Changes())
        return told[-1]

    def test_asks(self) -> None:
        """A trainer's hello asks for a certificate until it has one; what it keeps of its key nobody else can read."""
        key = self.trainer.folder / "signing.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        request = self.hello().certificate_request
        assert request is not None
        self.trainer.sync.synced(TrainingSync(certificate=self.certificate(request)), Changes())
        self.assertEqual((self.trainer.folder / "signing.pem").stat().st_mode & 0o777, 0o600)
        self.patch(type(self.trainer.credentials), "joining", False)
        self.assertIsNone(self.hello().certificate_request)
        again = VerdictSigner(self.trainer.folder, "AI_1")
        again.load()
        self.assertIsNone(again.request(False))
        self.assertIsNotNone(again.request(True))

    def test_signs(self) -> None:
        """Once it is certified each verdict on a claim goes out signed; before, or with an older hub, bare."""
        self.assertIsNone(self.reported().attestation)
        request = self.signer.request(False)
        assert request is not None
        self.signer.keep(self.certificate(request))
        for digest in [*self.trainer.knowledge.components]:
            self.trainer.knowledge.components.discard(digest)
        report = self.reported()
        assert report.attestation is not None
        root = x509.load_pem_x509_certificate(self.authority.files.certificate.read_bytes())
        found = check(report.attestation, component("c1").digest, Trust([root]), self.now, author="AI_2")
        self.assertEqual((found.finding, found.signer), (Finding.VALID, "AI_1"))

    def test_nonsense(self) -> None:
        """A hub that sends what is no certificate of this key changes nothing."""
        request = self.signer.request(False)
        assert request is not None
        for wrong in ("", "x" * 4096, self.certificate(request, "AI_2")):
            self.trainer.sync.synced(TrainingSync(certificate=wrong), Changes())
        self.assertIsNone(self.reported().attestation)
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_spoiledKey(self) -> None:
        """A key file that can't be used stops nobody's work: verdicts are unsigned."""
        (self.trainer.folder / "signing.key").write_text("nonsense")
        signer = VerdictSigner(self.trainer.folder, "AI_1")
        signer.load()
        self.assertIsNone(signer.request(True))
        signer.keep("nonsense")
        report = PerformanceReport("c1", {}, "ab" * 32, Verdict.CONFIRMED)
        self.assertIs(signer.signed(component("c1"), report), report)
