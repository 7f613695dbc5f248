"""TLS options of both ends, and the key and chain behind the hub's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from zope.interface import implementer

from kernelnet.identity.certificates import digestOf, readCertificates
from kernelnet.identity.errors import IdentityError
from kernelnet.identity.state import StateDirectory

__all__ = ["KeyAndChain", "ReplaceableTLS", "clientTLS", "serverTLS", "unverifiedTLS"]


@dataclass(frozen=True)
class KeyAndChain:
    """
    Key and certificates that one end shows to the other.

    @ivar chain: its own certificate first, each followed by its issuer's; with the root at the end where it is known.
    """

    key: Any
    chain: tuple[x509.Certificate, ...]

    @property
    def root(self) -> x509.Certificate | None:
        """The root at the end of the chain; C{None} if it isn't in it."""
        last = self.chain[-1]
        return last if len(self.chain) > 1 and last.subject == last.issuer else None

    @classmethod
    def ofState(cls, state: StateDirectory) -> KeyAndChain:
        """@raise IdentityError: the hub's certificate in the state directory, its key or its CA can't be read."""
        try:
            key = serialization.load_pem_private_key(state.hubKey.read_bytes(), password=None)
            certificates = [
                x509.load_pem_x509_certificate(p.read_bytes()) for p in (state.hubCertificate, state.caCertificate)
            ]
        except (OSError, ValueError) as e:
            raise IdentityError(f"can't use the hub's certificate in {state.path}: {e}") from None
        return cls(key, tuple(certificates))

    @classmethod
    def read(cls, certificate: Path, key: Path, ca: Path | None, now: datetime) -> KeyAndChain:
        """
        A certificate of somebody's own PKI.

        @param certificate: PEM: the certificate, and what intermediates there are behind it.
        @param ca: PEM: further intermediates, and the root.
        @raise IdentityError: a file can't be read, they don't belong together, or one is expired or not yet valid.
        """
        chain = readCertificates(certificate, "a certificate file")
        if ca is not None:
            chain += [c for c in readCertificates(ca, "a CA file") if c not in chain]
        try:
            private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        except OSError as e:
            raise IdentityError(f"can't read the key {key}: {e.strerror}") from None
        except TypeError:
            raise IdentityError(f"the key {key} is encrypted: it must be without a password (and mode 0600)") from None
        except ValueError:
            raise IdentityError(f"{key} is not a key file: it must hold a private key in PEM") from None
        if private.public_key() != chain[0].public_key():
            raise IdentityError(f"{key} is not the key of the certificate {certificate}")
        for issued in chain:
            which = f"{_name(issued)} in {_where(issued, certificate, ca)}"
            if issued.not_valid_after_utc <= now:
                raise IdentityError(f"{which} expired on {issued.not_valid_after_utc:%Y-%m-%d}")
            if issued.not_valid_before_utc > now:
                raise IdentityError(f"{which} is not valid before {issued.not_valid_before_utc:%Y-%m-%d}")
        for issued, issuer in pairwise(chain):
            which = f"{_name(issued)} in {_where(issued, certificate, ca)}"
            try:
                issued.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature):
                raise IdentityError(f"{which} was not issued by {_name(issuer)}, which follows it") from None
        return cls(private, tuple(chain))

    def serverOptions(self, clientCA: Path | None = None) -> ssl.CertificateOptions:
        """
        The hub's side: TLS 1.2 or newer, session tickets on.

        @param clientCA: whoever shows no certificate of one of these CAs is refused; C{None}: nobody needs one.
        @raise IdentityError: certificate and key don't belong together, or the CA file can't be used.
        """
        more: dict[str, Any] = {}
        if clientCA is not None:
            more["trustRoot"] = _trust(readCertificates(clientCA, "a CA file"))  # which also requires a certificate
        try:
            options = ssl.CertificateOptions(
                privateKey=crypto.PKey.from_cryptography_key(self.key),
                certificate=crypto.X509.from_cryptography(self.chain[0]),
                extraCertChain=[crypto.X509.from_cryptography(c) for c in self.chain[1:]],
                raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
                enableSessions=True,
                enableSessionTickets=True,
                **more,
            )
            # Made now, or a key of another certificate is noticed by the first trainer only.  An idle connection keeps
            # no buffers: 32 KB less for each.
            options.getContext().set_mode(SSL.MODE_RELEASE_BUFFERS)
        except (ValueError, TypeError, crypto.Error, SSL.Error) as e:
            raise IdentityError(f"can't use the hub's certificate {_name(self.chain[0])}: {e}") from None
        return options


def serverTLS(state: StateDirectory, clientCA: Path | None = None) -> ssl.CertificateOptions:
    """
    The hub's side, with the certificate of its state directory and the CA behind it.

    @raise IdentityError: certificate or key can't be read, or don't belong together.
    """
    return KeyAndChain.ofState(state).serverOptions(clientCA)


@implementer(IOpenSSLServerConnectionCreator)
class ReplaceableTLS:
    """
    The TLS options of a listening port, which may change while it listens.

    A connection keeps those that it began with; each new handshake uses the newest.
    """

    def __init__(self, options: ssl.CertificateOptions) -> None:
        self._context = options.getContext()

    def replace(self, options: ssl.CertificateOptions) -> None:
        self._context = options.getContext()

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        return SSL.Connection(self._context, None)


def clientTLS(
    hostname: str, caFile: Path, clientCertificate: tuple[Path, Path] | None = None, digest: str | None = None
) -> IOpenSSLClientConnectionCreator:
    """
    The trainer's side: the hub's chain must lead to C{caFile} and its name must be C{hostname}.  Always.

    @param clientCertificate: files with the certificate and the key to show to a hub that asks; one file may hold both.
    @param digest: the one certificate in C{caFile} that shall count.
    @raise IdentityError: a file can't be read or used, or C{hostname} can't be a name.
    """
    try:
        roots = x509.load_pem_x509_certificates(caFile.read_bytes())
    except OSError as e:
        raise IdentityError(f"can't read the CA file {caFile}: {e.strerror}") from None
    except ValueError:
        raise IdentityError(f"{caFile} is not a CA file: it must hold a certificate in PEM") from None
    if digest is not None:
        roots = [root for root in roots if digestOf(root) == digest]
        if not roots:
            raise IdentityError(f"the CA in {caFile} is not the one that the join string names")
    mine: dict[str, Any] = {}
    if clientCertificate is not None:
        chain = _clientChain(*clientCertificate)
        mine = {
            "privateKey": crypto.PKey.from_cryptography_key(chain.key),
            "certificate": crypto.X509.from_cryptography(chain.chain[0]),
            "extraCertChain": [crypto.X509.from_cryptography(c) for c in chain.chain[1:]],
        }
    try:
        # A service of a container network may have an underscore in its name, which IDNA refuses: so the name is given
        # afterwards.  Were these attributes called otherwise, the name with a dash would be verified, and fail.
        options: Any = ssl.optionsForClientTLS(
            hostname.replace("_", "-"), trustRoot=_trust(roots), extraCertificateOptions=mine
        )
        if "_" in hostname:
            options._hostname = options._hostnameASCII = hostname
            options._hostnameBytes = hostname.encode("ascii")
        return cast("IOpenSSLClientConnectionCreator", options)
    except ValueError as e:
        raise IdentityError(f"bad host name {hostname[:80]!r}: {e}") from None


def unverifiedTLS() -> ssl.CertificateOptions:
    """To look at a hub's chain before it can be verified; nothing secret may be said over such a connection."""
    return ssl.CertificateOptions(verify=False, raiseMinimumTo=ssl.TLSVersion.TLSv1_2)


def _clientChain(certificate: Path, key: Path) -> KeyAndChain:
    """Also an expired one: the hub's clock decides."""
    chain = readCertificates(certificate, "a certificate file")
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except OSError as e:
        raise IdentityError(f"can't read the key {key}: {e.strerror}") from None
    except (ValueError, TypeError):
        raise IdentityError(f"{key} is not a key file: it must hold a private key in PEM, without a password") from None
    if private.public_key() != chain[0].public_key():
        raise IdentityError(f"{key} is not the key of the certificate {certificate}")
    return KeyAndChain(private, tuple(chain))


def _trust(roots: list[x509.Certificate]) -> Any:
    return ssl.trustRootFromCertificates([ssl.Certificate(crypto.X509.from_cryptography(root)) for root in roots])


def _name(certificate: x509.Certificate) -> str:
    return repr(certificate.subject.rfc4514_string()[:80])


def _where(issued: x509.Certificate, certificate: Path, ca: Path | None) -> Path:
    return certificate if ca is None or issued in readCertificates(certificate, "a certificate file") else ca
