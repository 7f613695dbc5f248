"""
Keys that trainers sign their verdicts with, the hub's certificates for them, and the list of those it revoked.

A certificate is for signing documents (RFC 9336) and for nothing else: nobody gets in with it, and no certificate by
which somebody gets in signs a verdict.  It says whose key it is (common name) and, where the operator has said so,
whose AI that is (organization).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from kernelnet.identity.certificates import RENEW_BEFORE, CertificateFiles, loadAuthority, signedBy
from kernelnet.identity.errors import IdentityError
from kernelnet.identity.secret import writeSecret

__all__ = [
    "DOCUMENT_SIGNING",
    "LIFETIME",
    "LIST_LIFETIME",
    "Certifier",
    "SigningKey",
    "isIssuedBy",
    "ownerOf",
    "signerOf",
]

DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""id-kp-documentSigning."""

LIFETIME = timedelta(days=1095)
"""Of a certificate.  What it signed counts as long as it is good: so it is longer than that of who only talks."""

LIST_LIFETIME = timedelta(days=30)
"""Time after which a list of revoked certificates should be replaced."""

_REASON = x509.CRLReason(x509.ReasonFlags.privilege_withdrawn)


class SigningKey:
    """
    A trainer's key (Ed25519) with the hub's certificate for it, in two files; the key is made if it is missing.

    @ivar certificate: C{None}: the hub gave none yet.

    @param aiId: whose it is.
    @raise IdentityError: a file that is there can't be used.
    """

    def __init__(self, files: CertificateFiles, aiId: str) -> None:
        self._files = files
        self._aiId = aiId
        self.certificate: x509.Certificate | None = None
        self._next: Ed25519PrivateKey | None = None
        if files.key.exists():
            self.key = _load(files)
        else:
            self._use(Ed25519PrivateKey.generate())
        if files.certificate.exists():
            try:
                found = x509.load_pem_x509_certificate(files.certificate.read_bytes())
            except (OSError, ValueError) as e:
                raise IdentityError(f"can't use the certificate {files.certificate}: {e}; remove it") from None
            self.certificate = found if found.public_key() == self.key.public_key() else None

    def __repr__(self) -> str:
        return f"<SigningKey of {self._aiId} {'certified' if self.certificate is not None else 'without certificate'}>"

    def _use(self, key: Ed25519PrivateKey) -> None:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            writeSecret(self._files.key, pem)
        except OSError as e:
            raise IdentityError(f"can't write the key {self._files.key}: {e.strerror}") from None
        self.key, self.certificate = key, None

    def isGood(self, now: datetime) -> bool:
        """Whether what is signed now counts."""
        its = self.certificate
        return its is not None and its.not_valid_before_utc <= now < its.not_valid_after_utc

    def request(self, now: datetime, anew: bool = False) -> str | None:
        """
        Ask for a certificate (PKCS #10, PEM), if there is none that is good for a while yet.

        In place of a key that has one a new key is certified, and used as soon as it is.

        @param anew: ask in any case, with a new key: the trainer has joined again.
        """
        key, its = self.key, self.certificate
        if its is not None:
            if not anew and its.not_valid_after_utc - now > RENEW_BEFORE:
                return None
            key = self._next = self._next or Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._aiId)])
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, None)
        return request.public_bytes(Encoding.PEM).decode("ascii")

    def keep(self, pem: str) -> None:
        """
        Use the certificate that the hub sent from now on.

        @raise IdentityError: it is none for this key and this AI; nothing has changed then.
        """
        key = None
        try:
            found = x509.load_pem_x509_certificate(pem.encode("ascii"))
            asked = [one for one in (self._next, self.key) if one is not None]
            key = next((one for one in asked if one.public_key() == found.public_key()), None)
            fits = signerOf(found) == self._aiId
        except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
            fits = False
        if not fits or key is None:
            raise IdentityError("the hub sent a certificate that is not for this trainer's signing key")
        if key is self._next:
            self._use(key)
            self._next = None
        try:
            writeSecret(self._files.certificate, found.public_bytes(Encoding.PEM))
        except OSError as e:
            raise IdentityError(f"can't write {self._files.certificate}: {e.strerror}") from None
        self.certificate = found


def _load(files: CertificateFiles) -> Ed25519PrivateKey:
    try:
        if files.key.stat().st_mode & 0o077:
            raise IdentityError(f"the key {files.key} can be read by others: chmod 600 {files.key}")
        key = load_pem_private_key(files.key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as e:
        raise IdentityError(f"can't use the signing key {files.key}: {e}; remove it, and a new one is made") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityError(f"{files.key} is no Ed25519 key: remove it, and a new one is made")
    return key


class Certifier:
    """
    The hub's own authority, as far as it certifies signing keys.

    @param ca: files of the authority; its key may be kept elsewhere, and nothing can be certified then.
    """

    def __init__(self, ca: CertificateFiles) -> None:
        self._ca = ca

    def __repr__(self) -> str:
        return f"<Certifier {self._ca.certificate}>"

    def certify(self, request: str, aiId: str, owner: str | None, now: datetime) -> x509.Certificate:
        """
        The certificate for the key of a request, whatever else the request says.

        @param request: PKCS #10 in PEM.
        @raise IdentityError: the request is none, or the authority can't be used.
        """
        try:
            asked = x509.load_pem_x509_csr(request.encode("ascii"))
            key = asked.public_key()
            if not isinstance(key, Ed25519PublicKey) or not asked.is_signature_valid:
                raise ValueError("its key is no Ed25519 key, or didn't sign it")
        except (ValueError, InvalidSignature, x509.InvalidVersion, UnsupportedAlgorithm) as e:
            raise IdentityError(f"no certificate request: {e}") from None
        authority, authorityKey = loadAuthority(self._ca, now)
        builder = signedBy(authority, key, aiId, DOCUMENT_SIGNING, now, lifetime=LIFETIME, organization=owner)
        return builder.sign(authorityKey, hashes.SHA256())

    def revoked(self, serials: Iterable[tuple[str, float]], now: datetime) -> x509.CertificateRevocationList:
        """
        The list of revoked certificates.

        @param serials: the serial of each in hex, and when it was revoked (Unix seconds).
        @raise IdentityError: the authority can't be used.
        """
        authority, authorityKey = loadAuthority(self._ca, now)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.subject)
            .last_update(now)
            .next_update(now + LIST_LIFETIME)
        )
        for serial, at in serials:
            one = (
                x509.RevokedCertificateBuilder()
                .serial_number(int(serial, 16))
                .revocation_date(datetime.fromtimestamp(at, UTC))
                .add_extension(_REASON, critical=False)
            )
            builder = builder.add_revoked_certificate(one.build())
        return builder.sign(authorityKey, hashes.SHA256())


def signerOf(certificate: x509.Certificate) -> str:
    """
    The AI that a certificate lets sign.

    @raise ValueError: it is for something else.
    """
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as e:
        raise ValueError(str(e)) from None
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if list(uses) != [DOCUMENT_SIGNING] or constraints.ca or len(names) != 1:
        raise ValueError("it is not for signing")
    return str(names[0].value)


def ownerOf(certificate: x509.Certificate) -> str | None:
    """The owner that a certificate names; C{None}: it names none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(names[0].value) if names else None


def isIssuedBy(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether an authority signed a certificate, and may."""
    try:
        certificate.verify_directly_issued_by(authority)
        return authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    except (x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
