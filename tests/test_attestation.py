"""Signed verdicts: what is signed, and that each way of making one up is named."""

from __future__ import annotations

import base64
import importlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Attestation, PerformanceReport, Verdict
from kernelnet.attestation import PREDICATE_TYPE, Checked, Finding, Trust, check, sign
from kernelnet.identity import IdentityError
from kernelnet.identity.certificates import makeClientCertificate
from kernelnet.identity.signing import LIFETIME, SigningKey
from tests.signers import NOW, Authority, Signer, verdictOn
from tests.trainer.support import component

YEAR = timedelta(days=365)


class AttestationTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.authority = Authority(self.folder / "hub")
        self.signer = Signer(self.folder / "AI_2", "AI_2").enrol(self.authority, "alice")
        self.component = component("c1")
        self.signed = self.signer.sign(self.component)

    def root(self, authority: Authority) -> x509.Certificate:
        return x509.load_pem_x509_certificate(authority.files.certificate.read_bytes())

    def checked(
        self, attestation: Attestation | None = None, *, trust: Trust | None = None, now: datetime = NOW, **more: Any
    ) -> Checked:
        trust = Trust([self.root(self.authority)]) if trust is None else trust
        return check(attestation or self.signed, self.component.digest, trust, now, **more)

    def named(self, finding: Finding, words: str, *args: Any, **more: Any) -> None:
        found = self.checked(*args, **more)
        self.assertIs(found.finding, finding, found)
        self.assertIn(words, found.why)


class CheckTests(AttestationTestCase):
    def test_valid(self) -> None:
        """A verdict signed by who measured, with a key that the hub has certified, counts, and says all that it is."""
        found = self.checked()
        self.assertIs(found.finding, Finding.VALID)
        self.assertEqual((found.signer, found.owner, found.why), ("AI_2", "alice", ""))
        assert found.statement is not None
        said = found.statement.predicate
        self.assertEqual((said.verdict, said.score, said.engine), (Verdict.CONFIRMED, 50, "wasmtime 50"))
        claim = self.component.claim
        assert claim is not None
        self.assertEqual(said.task.workbench_digest, claim.workbench_digest)
        self.assertEqual((said.task.trace_digest, said.at), (claim.trace_digest, "2026-11-29T00:00:00Z"))

    def test_form(self) -> None:
        """in-toto's own library reads the statement, and finds all that it asks for."""
        payload = base64.b64decode(self.signed.payload)
        statement: Any = importlib.import_module("in_toto_attestation.v1.statement")
        told = json.loads(payload)
        descriptor: Any = importlib.import_module("in_toto_attestation.v1.resource_descriptor").ResourceDescriptor
        subjects = [descriptor(name=one["name"], digest=one["digest"]).pb for one in told["subject"]]
        found = statement.Statement(subjects, told["predicateType"], told["predicate"])
        found.validate()
        self.assertEqual((found.pb.type, found.pb.predicate_type), (told["_type"], PREDICATE_TYPE))
        self.assertEqual(self.signed.payloadType, "application/vnd.in-toto+json")

    def test_altered(self) -> None:
        """A byte that was changed, wherever it stands, is noticed."""
        payload = bytearray(base64.b64decode(self.signed.payload))
        for place in range(len(payload)):
            payload[place] ^= 1
            changed = msgspec.structs.replace(self.signed, payload=base64.b64encode(payload).decode())
            self.assertIs(self.checked(changed).finding, Finding.ALTERED)
            payload[place] ^= 1
        (signature,) = self.signed.signatures
        sig = bytearray(base64.b64decode(signature.sig))
        for place in range(len(sig)):
            sig[place] ^= 1
            other = msgspec.structs.replace(signature, sig=base64.b64encode(sig).decode())
            changed = msgspec.structs.replace(self.signed, signatures=[other])
            self.assertIs(self.checked(changed).finding, Finding.ALTERED)
            sig[place] ^= 1
        der = bytearray(base64.b64decode(signature.certificate))
        for place in range(len(der)):
            der[place] ^= 1
            other = msgspec.structs.replace(signature, certificate=base64.b64encode(der).decode())
            found = self.checked(msgspec.structs.replace(self.signed, signatures=[other]))
            if found.finding is Finding.VALID:  # the count of unused bits of its signature, which says nothing
                said = x509.load_der_x509_certificate(bytes(der)).tbs_certificate_bytes
                assert self.signer.key.certificate is not None
                self.assertEqual(said, self.signer.key.certificate.tbs_certificate_bytes)
            else:
                self.assertIn(found.finding, (Finding.ALTERED, Finding.UNTRUSTED, Finding.EXPIRED), (place, found))
            der[place] ^= 1
        changed = msgspec.structs.replace(self.signed, payloadType="text/plain")
        self.named(Finding.ALTERED, "other bytes", changed)

    def test_garbage(self) -> None:
        """What is no signature at all is named, and raises nothing."""
        (signature,) = self.signed.signatures
        for field in ("sig", "certificate"):
            for wrong in ("", "A", "AAAA", "====", base64.b64encode(b"\x30\x82" * 99).decode()):
                bad = msgspec.structs.replace(signature, **{field: wrong})
                changed = msgspec.structs.replace(self.signed, signatures=[bad])
                self.assertIs(self.checked(changed).finding, Finding.ALTERED)
        for payload in ("", "A", "bnVsbA=="):
            self.assertIs(self.checked(msgspec.structs.replace(self.signed, payload=payload)).finding, Finding.ALTERED)

    def test_untrusted(self) -> None:
        """Without a CA nothing is trusted, and nothing of another CA, though it may be called the same."""
        self.named(Finding.UNTRUSTED, "no CA is given", trust=Trust())
        other = Authority(self.folder / "other")
        self.named(Finding.UNTRUSTED, "another CA", trust=Trust([self.root(other)]))

    def test_otherCertificates(self) -> None:
        """A certificate by which somebody gets in, or the hub's, signs no verdict."""
        path = self.folder / "client.pem"
        certificate = makeClientCertificate(self.authority.files, "AI_2", path, NOW)
        (signature,) = self.signed.signatures
        der = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        changed = msgspec.structs.replace(signature, certificate=der)
        self.named(Finding.UNTRUSTED, "not one for signing", msgspec.structs.replace(self.signed, signatures=[changed]))

    def test_expired(self) -> None:
        """It counts as long as its certificate is good, and its own time is one at which that was."""
        self.assertIs(self.checked(now=NOW + LIFETIME - timedelta(hours=1)).finding, Finding.VALID)
        self.named(Finding.EXPIRED, "its certificate expired on 2029-11-28", now=NOW + LIFETIME)
        self.named(Finding.EXPIRED, "not good before", now=NOW - timedelta(days=1))
        ahead = self.signer.sign(self.component, now=NOW + YEAR)
        self.named(Finding.EXPIRED, "it says it is of 2027-11-29", ahead)
        self.assertIs(self.checked(ahead, now=NOW + YEAR).finding, Finding.VALID)

    def test_revoked(self) -> None:
        """What the hub revoked is named, by a list that this hub has signed; lists of others say nothing."""
        revoked = self.authority.certifier.revoked([(self.signer.serial, NOW.timestamp())], NOW)
        root = self.root(self.authority)
        self.named(Finding.REVOKED, "revoked its certificate on 2026-11-29", trust=Trust([root], [revoked]))
        other = Authority(self.folder / "other")
        foreign = other.certifier.revoked([(self.signer.serial, NOW.timestamp())], NOW)
        trust = Trust([root, self.root(other)], [foreign])
        self.assertIs(self.checked(trust=trust).finding, Finding.VALID)
        self.assertIsNone(Trust([root], [foreign]).newestList)
        empty = self.authority.certifier.revoked([], NOW)
        self.assertEqual(Trust([root], [empty]).newestList, NOW)

    def test_replayed(self) -> None:
        """A statement of another component, or of the same bytes with another claim, says nothing of this one."""
        for other in (component("c2"), component("c1", level=0.9), component("c1", score=49)):
            self.named(Finding.OTHER_COMPONENT, "about the component", self.signer.sign(other))

    def test_otherSigner(self) -> None:
        """Nobody signs in another's name."""
        self.named(Finding.OTHER_SIGNER, "speaks for AI_3", self.signer.sign(self.component, reporter="AI_3"))

    def test_own(self) -> None:
        """Neither the author nor another of the author's owner's confirms it."""
        self.named(Finding.OWN, "of the author", author="AI_2")
        self.named(Finding.OWN, "of the author", author="AI_1", owner="alice")
        self.assertIs(self.checked(author="AI_1", owner="bob").finding, Finding.VALID)

    def test_unsigned(self) -> None:
        """Nothing is signed without a certificate that is good, nor of what claims nothing."""
        report = verdictOn(self.component)
        bare = Signer(self.folder / "bare", "AI_9")
        self.assertIsNone(sign(bare.key, self.component, report, "AI_9", NOW))
        self.assertIsNone(sign(self.signer.key, self.component, report, "AI_2", NOW + LIFETIME))
        self.assertIsNone(sign(self.signer.key, component("c1", claim=False), report, "AI_2", NOW))
        odd = msgspec.structs.replace(report, performance={"score": "x" * 9000})
        self.assertIsNone(sign(self.signer.key, self.component, odd, "AI_2", NOW))

    def test_bounds(self) -> None:
        """On the wire a signature is bounded in each of its fields, and has no others."""
        good = msgspec.to_builtins(PerformanceReport("c1", {}, attestation=self.signed))
        self.assertLess(len(json.dumps(good["attestation"])), 4096)
        msgspec.convert(good, PerformanceReport)
        for path, wrong in (
            (("payload",), "A" * 8193),
            (("payload",), "not base64"),
            (("payloadType",), "x" * 65),
            (("signatures",), []),
            (("signatures",), good["attestation"]["signatures"] * 2),
            (("signatures", 0, "sig"), "A" * 132),
            (("signatures", 0, "certificate"), "A" * 2052),
            (("signatures", 0, "keyid"), "a" * 65),
            (("signatures", 0, "more"), 1),
            (("more",), 1),
        ):
            bad: Any = json.loads(json.dumps(good))
            place = bad["attestation"]
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = wrong
            self.assertRaises(msgspec.ValidationError, msgspec.convert, bad, PerformanceReport)


class SigningKeyTests(AttestationTestCase):
    def test_files(self) -> None:
        """The key is made once, and nobody else can read it; both files are taken up again."""
        for path in (self.signer.files.key, self.signer.files.certificate):
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        again = SigningKey(self.signer.files, "AI_2")
        self.assertEqual(again.certificate, self.signer.key.certificate)
        self.assertIsNone(again.request(NOW))

    def test_rotation(self) -> None:
        """Thirty days before its end a certificate is asked for, for a new key; the old one signs until then."""
        before = self.signer.key.certificate
        late = NOW + LIFETIME - timedelta(days=20)
        request = self.signer.key.request(late)
        assert request is not None
        self.assertEqual(self.signer.key.request(late), request)
        self.assertEqual(SigningKey(self.signer.files, "AI_2").certificate, before)
        self.assertIs(self.checked(self.signer.sign(self.component, now=late), now=late).finding, Finding.VALID)
        self.signer.enrol(self.authority, now=late)
        self.assertNotEqual(self.signer.key.certificate, before)
        self.assertEqual(SigningKey(self.signer.files, "AI_2").certificate, self.signer.key.certificate)
        self.assertIs(self.checked(self.signer.sign(self.component, now=late), now=late).finding, Finding.VALID)
        self.assertIs(self.checked(self.signed, now=late).finding, Finding.VALID)

    def test_joinsAgain(self) -> None:
        """A trainer that joins anew, such as after it was revoked, gets a new key."""
        self.assertIsNotNone(self.signer.key.request(NOW, anew=True))

    def test_kept(self) -> None:
        """A certificate for another key, for another AI or another purpose is refused, and the old one stays."""
        before = self.signer.key.certificate
        other = Signer(self.folder / "AI_3", "AI_3").enrol(self.authority)
        assert other.key.certificate is not None
        request = Signer(self.folder / "AI_2 too", "AI_2").key.request(NOW)
        assert request is not None
        foreign = self.authority.certifier.certify(request, "AI_2", None, NOW)
        own = self.signer.key.request(NOW, anew=True)
        assert own is not None
        misnamed = self.authority.certifier.certify(own, "AI_3", None, NOW)
        for wrong in (other.key.certificate, foreign, misnamed):
            pem = wrong.public_bytes(Encoding.PEM).decode()
            self.assertRaises(IdentityError, self.signer.key.keep, pem)
        for garbage in ("", "é", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            self.assertRaises(IdentityError, self.signer.key.keep, garbage)
        self.assertEqual(self.signer.key.certificate, before)

    def test_bad(self) -> None:
        """A key that others can read, or that is none, is named."""
        self.signer.files.key.chmod(0o644)
        self.assertRaises(IdentityError, SigningKey, self.signer.files, "AI_2")
        self.signer.files.key.write_bytes(b"x")
        self.signer.files.key.chmod(0o600)
        self.assertRaises(IdentityError, SigningKey, self.signer.files, "AI_2")

    def test_requests(self) -> None:
        """A request for a key of another kind, or that its key didn't sign, or that is none, is refused."""
        name = x509.Name([])
        other = (
            x509.CertificateSigningRequestBuilder().subject_name(name).sign(generate_private_key(SECP256R1()), SHA256())
        )
        request = Signer(self.folder / "new", "AI_7").key.request(NOW)
        assert request is not None
        der = bytearray(x509.load_pem_x509_csr(request.encode()).public_bytes(Encoding.DER))
        der[-1] ^= 1
        unsigned = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
        for wrong in ("", "é", other.public_bytes(Encoding.PEM).decode(), unsigned):
            self.assertRaises(IdentityError, self.authority.certifier.certify, wrong, "AI_7", None, NOW)
