"""Certificates: the hub's own authority, what it signs, and what a certificate says."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kernelnet.identity.errors import IdentityError
from kernelnet.identity.secret import writeSecret

__all__ = [
    "RENEW_BEFORE",
    "CertificateFiles",
    "describe",
    "digestOf",
    "loadAuthority",
    "makeCA",
    "makeClientCertificate",
    "makeHubCertificate",
    "ownNames",
    "readCertificates",
    "signedBy",
    "stillGood",
]

CA_LIFETIME = timedelta(days=3650)
HUB_LIFETIME = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
"""A hub certificate with less than this left is made again, at the next start or by the running hub."""


@dataclass(frozen=True)
class CertificateFiles:
    """Paths of a certificate (PEM) and of its private key (PEM, 0600)."""

    certificate: Path
    key: Path


def digestOf(certificate: x509.Certificate) -> str:
    """SHA-256 (hex) of a certificate's DER: its fingerprint, and what a join string names a CA by."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def readCertificates(path: Path, what: str) -> list[x509.Certificate]:
    """
    All certificates of a PEM file, in order; at least one.

    @param what: what the file should be, for the error, such as C{"a CA file"}.
    @raise IdentityError: it can't be read or holds none.
    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as e:
        raise IdentityError(f"can't read {path}: {e.strerror}") from None
    except ValueError:
        raise IdentityError(f"{path} is not {what}: it must hold a certificate in PEM") from None


def describe(certificate: x509.Certificate, now: datetime) -> dict[str, Any]:
    """
    Describe a certificate for a person, JSON-able.

    @return: C{subject}, C{issuer}, C{names}, C{not_before}, C{expires} (RFC 3339), C{days_left} (whole days; negative
        after the end), C{fingerprint} (SHA-256, hex).
    """
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": namesOf(certificate),
        "not_before": certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expires": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "days_left": (certificate.not_valid_after_utc - now).days,
        "fingerprint": digestOf(certificate),
    }


def namesOf(certificate: x509.Certificate) -> list[str]:
    """The host names and addresses that a certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


_label = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_dnsName = re.compile(rf"(?=.{{1,253}}\Z){_label}(?:\.{_label})*", re.ASCII)


def ownNames() -> list[str]:
    """Names of every hub: localhost, and the machine's name."""
    own = socket.gethostname()
    # A machine may be called what no certificate can hold: nobody can verify that name anyway.
    return list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *([own] if _dnsName.fullmatch(own) else [])]))


def _alternativeName(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _dnsName.fullmatch(name):
        raise IdentityError(f"bad host name {name[:80]!r}: a certificate takes DNS names (ASCII) and IP addresses")
    return x509.DNSName(name)


def _subject(commonName: str, organization: str | None = None) -> x509.Name:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, commonName)]
    if organization is not None:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(names)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def makeCA(files: CertificateFiles, now: datetime) -> None:
    """Make a new certificate authority, for ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The random part keeps two CAs apart that a trainer may know of.
    name = _subject(f"kernelnet CA {secrets.token_hex(4)}")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of other machines may be behind
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_keyUsage(signsCertificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    writeSecret(files.key, _pem(key))
    writeSecret(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def makeHubCertificate(files: CertificateFiles, ca: CertificateFiles, names: Iterable[str], now: datetime) -> None:
    """
    Make the hub's certificate with a new key.  Names of the one that is there stay, if C{ca} signed it.

    @raise IdentityError: the CA can't be used, or a name is none that a certificate can hold.
    """
    authority, authorityKey = loadAuthority(ca, now)
    wanted = dict.fromkeys([*names, *_namesBefore(files.certificate, authority)])
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        signedBy(authority, key.public_key(), "kernelnet hub", ExtendedKeyUsageOID.SERVER_AUTH, now)
        .add_extension(x509.SubjectAlternativeName([_alternativeName(n) for n in wanted]), critical=False)
        .sign(authorityKey, hashes.SHA256())
    )
    writeSecret(files.key, _pem(key))
    writeSecret(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def makeClientCertificate(ca: CertificateFiles, aiId: str, path: Path, now: datetime) -> x509.Certificate:
    """
    Write a client certificate that C{ca} signed, with its key, into the new file C{path} (0600).

    @raise IdentityError: the CA can't be used, or the file is there or can't be written.
    """
    authority, authorityKey = loadAuthority(ca, now)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = signedBy(authority, key.public_key(), aiId, ExtendedKeyUsageOID.CLIENT_AUTH, now)
    certificate = builder.sign(authorityKey, hashes.SHA256())
    if path.exists():
        raise IdentityError(f"{path} is there already")
    try:
        writeSecret(path, certificate.public_bytes(serialization.Encoding.PEM) + _pem(key))
    except OSError as e:
        raise IdentityError(f"can't write {path}: {e.strerror}") from None
    return certificate


def _namesBefore(path: Path, authority: x509.Certificate) -> list[str]:
    try:
        (before, *_) = readCertificates(path, "the hub's certificate")
        before.verify_directly_issued_by(authority)
        return namesOf(before)
    except Exception:  # whatever is wrong with it: it is of no use any more
        return []


def loadAuthority(ca: CertificateFiles, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """
    An authority with its key.

    @raise IdentityError: it can't be used.
    """
    try:
        authority = x509.load_pem_x509_certificate(ca.certificate.read_bytes())
        authorityKey = serialization.load_pem_private_key(ca.key.read_bytes(), password=None)
    except (OSError, ValueError) as e:
        raise IdentityError(f"can't make a certificate with the CA in {ca.certificate.parent}: {e}") from None
    if not isinstance(authorityKey, ec.EllipticCurvePrivateKey):
        raise IdentityError(f"{ca.key} is not an elliptic-curve key")
    if authorityKey.public_key() != authority.public_key():
        raise IdentityError(f"{ca.key} is not the key of {ca.certificate}")
    if authority.not_valid_after_utc <= now:
        raise IdentityError(
            f"the CA {ca.certificate} expired on {authority.not_valid_after_utc:%Y-%m-%d}: "
            "remove it, and the next start makes another, which every trainer then needs"
        )
    return authority, authorityKey


def signedBy(
    authority: x509.Certificate,
    key: ec.EllipticCurvePublicKey | Ed25519PublicKey,
    commonName: str,
    purpose: x509.ObjectIdentifier,
    now: datetime,
    *,
    lifetime: timedelta = HUB_LIFETIME,
    organization: str | None = None,
) -> x509.CertificateBuilder:
    """A certificate for a public key, for one purpose, that the authority has only to sign."""
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(commonName, organization))
        .issuer_name(authority.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(min(now + lifetime, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_keyUsage(signsCertificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(_issuerKey(authority), critical=False)
    )


def _issuerKey(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    key = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key)


def _keyUsage(signsCertificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signsCertificates,
        key_cert_sign=signsCertificates,
        crl_sign=signsCertificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def stillGood(
    files: CertificateFiles, ca: Path, names: Iterable[str], now: datetime, left: timedelta = RENEW_BEFORE
) -> bool:
    """
    Whether the hub certificate is there with its key, of that CA, and for all of C{names}.

    @param left: how long it must be good yet.
    """
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        authority = x509.load_pem_x509_certificate(ca.read_bytes())
        certificate.verify_directly_issued_by(authority)
        has = set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        # The two files are written one after the other: a crash in between leaves a pair that does not fit.
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        fits = key.public_key() == certificate.public_key()
    except Exception:  # whatever is wrong with it: it is made again
        return False
    return fits and certificate.not_valid_after_utc - now > left and {_alternativeName(n) for n in names} <= has
