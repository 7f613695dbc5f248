"""The hub's certificate while it runs: looked at once a day, renewed, read again, shown."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.auth.certificates import (
    CHECK_EVERY,
    HubCertificates,
    OwnFiles,
    offlineRenew,
    offlineShow,
    rootDigest,
)
from kernelnet.identity import IdentityError, StateDirectory
from tests.hub.support import captureLog
from tests.pki import Authority


class CertificatesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = StateDirectory(self.folder / "state")
        self.state.open()
        self.clock = Clock()
        self.began = datetime.now(UTC).replace(microsecond=0)  # certificates know whole seconds
        self.running: list[HubCertificates] = []
        self.state.prepareHub(["hub.example"], self.began)
        self.seen = captureLog(self)

    def now(self) -> float:
        return self.began.timestamp() + self.clock.seconds()

    def certificates(self, **options: Any) -> HubCertificates:
        made = HubCertificates(self.state, self.clock, self.now, **options)
        made.start()
        self.running.append(made)
        return made

    def tearDown(self) -> None:
        for certificates in self.running:
            certificates.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def context(self, certificates: HubCertificates) -> object:
        """What the next handshake uses."""
        return certificates.tls.serverConnectionForTLS(None).get_context()

    def days(self, count: float) -> None:
        self.clock.pump([CHECK_EVERY] * int(count))


class OwnCATests(CertificatesCase):
    def test_dailyCheck(self) -> None:
        """With 30 days left or less the running hub makes another, for the same names, and not before."""
        certificates = self.certificates()
        first, context = certificates.show(), self.context(certificates)
        self.days(366)
        self.assertEqual(certificates.show()["fingerprint"], first["fingerprint"])
        self.assertIs(self.context(certificates), context)
        self.days(1)
        second = certificates.show()
        self.assertNotEqual(second["fingerprint"], first["fingerprint"])
        self.assertEqual(second["names"], first["names"])
        self.assertEqual(second["days_left"], 397)
        self.assertIsNot(self.context(certificates), context)
        self.assertIn("hub.example", second["names"])

    def test_failureGoesOn(self) -> None:
        """When it can't be renewed the hub says so each day, keeps the old one, and does it as soon as it can."""
        certificates = self.certificates()
        key = self.state.caKey.read_bytes()
        self.state.caKey.write_bytes(b"")
        first = certificates.show()["fingerprint"]
        self.days(369)
        self.assertEqual(len([line for line in self.seen if "could not be renewed" in line]), 3)
        self.assertEqual(certificates.show()["fingerprint"], first)
        self.state.caKey.write_bytes(key)
        self.days(1)
        self.assertNotEqual(certificates.show()["fingerprint"], first)

    def test_bugGoesOn(self) -> None:
        """Even a bug in the check doesn't end it."""
        certificates = self.certificates()

        def raising(*arguments: object, **options: object) -> None:
            raise RuntimeError("bug")

        self.patch(StateDirectory, "renewHub", raising)
        self.days(2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(certificates.show()["days_left"], 395)

    def test_renew(self) -> None:
        """Renewed by hand it has the names of before and the new ones, and keeps them from then on."""
        certificates = self.certificates()
        found = certificates.renew(["new.example", "192.0.2.1"])
        self.assertLess({"hub.example", "new.example", "192.0.2.1"}, set(found["names"]))
        self.assertEqual(found, certificates.show())
        self.days(367)
        self.assertLess({"hub.example", "new.example", "192.0.2.1"}, set(certificates.show()["names"]))

    def test_badName(self) -> None:
        """A name that is none is refused, and nothing changes."""
        certificates = self.certificates()
        first = certificates.show()
        self.assertRaises(IdentityError, certificates.renew, ["a b"])
        self.assertEqual(certificates.show(), first)

    def test_offline(self) -> None:
        """Without a hub the same is shown and renewed; the digest is that of its CA."""
        now = self.began
        first = offlineShow(self.state, now)
        self.assertEqual(first, self.certificates().show())
        second = offlineRenew(self.state, ["new.example"], now)
        self.assertNotEqual(first["fingerprint"], second["fingerprint"])
        self.assertIn("new.example", second["names"])
        self.assertEqual(second["ca_digest"], rootDigest(self.state))


class OwnPKITests(CertificatesCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = Authority(self.folder, "root")
        self.path = self.root.issue("hub")

    def own(self, ca: bool = True) -> OwnFiles:
        return OwnFiles(self.path, self.path.with_suffix(".key"), self.root.path if ca else None)

    def test_readAgain(self) -> None:
        """A certificate that the operator has replaced is taken within a day, or at once by hand."""
        certificates = self.certificates(own=self.own())
        first = certificates.show()["fingerprint"]
        self.root.issue("hub")
        self.days(1)
        second = certificates.show()["fingerprint"]
        self.assertNotEqual(first, second)
        self.root.issue("hub")
        self.assertNotEqual(certificates.renew()["fingerprint"], second)

    def test_brokenFile(self) -> None:
        """A file that can't be used is refused; the old certificate stays."""
        certificates = self.certificates(own=self.own())
        first = certificates.show()
        self.path.write_text("rubbish")
        self.assertRaises(IdentityError, certificates.renew)
        self.days(1)
        self.assertIn("could not be renewed", "\n".join(self.seen))
        self.assertEqual(certificates.show()["fingerprint"], first["fingerprint"])

    def test_warned(self) -> None:
        """Only the operator can renew it: from 30 days before its end on the log warns."""
        self.certificates(own=self.own())
        self.days(69)
        self.assertNotIn("more days only", "\n".join(self.seen))
        self.days(2)
        self.assertIn("more days only", "\n".join(self.seen))

    def test_warnedAtStart(self) -> None:
        """A hub that starts when the end is near says so at once."""
        self.path = self.root.issue("hub", days=5)
        self.certificates(own=self.own())
        self.assertIn("good for 5 more days only", "\n".join(self.seen))

    def test_expired(self) -> None:
        """One that has expired: a hub does not start with it, one that runs says so; both name the day."""
        self.path = self.root.issue("hub", days=5)
        day = f"{x509.load_pem_x509_certificate(self.path.read_bytes()).not_valid_after_utc:%Y-%m-%d}"
        self.certificates(own=self.own())
        self.days(6)
        self.assertIn(f"expired on {day}", "\n".join(self.seen))
        self.assertIn(f"expired on {day}", str(self.assertRaises(IdentityError, self.certificates, own=self.own())))

    def test_root(self) -> None:
        """Its root is left for trainers of the same user, and taken away when the hub has its own CA again."""
        digest = self.certificates(own=self.own()).digest()
        self.assertEqual(self.state.root, self.state.ownRoot)
        self.assertEqual(rootDigest(self.state), digest)
        self.certificates()
        self.assertEqual(self.state.root, self.state.caCertificate)

    def test_withoutRoot(self) -> None:
        """Without the root no join string can be made, and that is said."""
        certificates = self.certificates(own=self.own(ca=False))
        self.assertIsNone(certificates.show()["ca_digest"])
        self.assertIn("--ca FILE", str(self.assertRaises(IdentityError, certificates.digest)))
