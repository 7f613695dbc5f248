"""A PKI as an operator may have one: a root, an intermediate, and certificates for hubs and trainers."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """
    @param folder: where it writes PEM files.
    @param issuer: C{None}: it is a root.
    """

    def __init__(self, folder: Path, name: str, issuer: Authority | None = None) -> None:
        self.folder = folder
        self.name = name
        self.key = rsa.generate_private_key(65537, 2048)
        self.certificate = self._build(name, self.key, issuer or self, lifetime=timedelta(days=100), isAuthority=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, client: bool = False, days: float = 100, chain: tuple[Authority, ...] = ()) -> Path:
        """A certificate for localhost, with C{chain} behind it, in C{<name>.pem}; its key is in C{<name>.key}."""
        key = rsa.generate_private_key(65537, 2048)
        certificate = self._build(name, key, self, lifetime=timedelta(days=days), client=client)
        path = self.folder / f"{name}.pem"
        certificates = [certificate, *(authority.certificate for authority in chain)]
        path.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates))
        path.with_suffix(".key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    def _build(
        self,
        name: str,
        key: rsa.RSAPrivateKey,
        issuer: Authority,
        *,
        lifetime: timedelta,
        isAuthority: bool = False,
        client: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_subject(name))
            .issuer_name(_subject(issuer.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=200))
            .not_valid_after(now + lifetime)
            .add_extension(x509.BasicConstraints(ca=isAuthority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if not isAuthority:
            purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(issuer.key, hashes.SHA256())


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
