"""
Who is who: the state directory, the certificate authority, the hub's certificate, tokens, TLS options.

A fresh state directory gets all that a hub and the trainers of the same user need; nothing has to be
configured first::

    <state>/              0700, owned by the user who runs the hub
      ca.pem  ca.key      the certificate authority (ECDSA P-256, ten years)
      hub.pem hub.key     the hub's certificate, for localhost and the machine's names (one year)
      join.token          lets a version 2 trainer enrol under a new ai_id (0600)
      hub_data.db  hub.sock  hub.pid  hub.log      the hub's own
      trainers/<ai_id>/   each trainer's own: credential, trainer.db, trainer.log

C{certs/README.rst} explains each file and how it is made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import re
import secrets
import socket
import stat
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from kernelnet.message import AI_ID, HUB_ID

__all__ = [
    "IdentityError",
    "StateDirectory",
    "checkAiId",
    "clientTLS",
    "defaultState",
    "newToken",
    "serverTLS",
    "tokenHash",
]

CA_LIFETIME = timedelta(days=3650)
HUB_LIFETIME = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
"""A hub certificate with less than this left is made again at the next start."""


class IdentityError(Exception):
    """A file, directory, id or certificate is not as it must be; the text says what would be right."""


def defaultState() -> Path:
    """C{$XDG_DATA_HOME/kernelnet}, or what the XDG base directory specification says in its absence."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "share") / "kernelnet"


def checkAiId(value: str) -> str:
    """
    C{value} if it may be an ai_id.

    @raise IdentityError: it may not; the text says what may.
    """
    if not AI_ID.fullmatch(value):
        raise IdentityError(
            f"bad ai_id {value[:80]!r}: 1 to 64 letters, digits, '_', '.' or '-', starting with a letter or digit"
        )
    if value == HUB_ID:
        raise IdentityError(f"the ai_id {HUB_ID!r} is reserved for the hub")
    return value


def newToken() -> str:
    """A new secret of 256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def tokenHash(token: str) -> str:
    """
    SHA-256 (hex) of a token: all that a database may hold of it.

    A fast hash is right here: tokens are 256 random bits, not passwords that could be guessed.
    """
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def writeSecret(path: Path, data: bytes) -> None:
    """Write C{data} so that it is never readable by others and never half there: 0600, then renamed into place."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        scratch.rename(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


class StateDirectory:
    """
    The folder of one hub, and of the trainers of the same user.

    @ivar path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def __repr__(self) -> str:
        return f"<StateDirectory {self.path}>"

    caCertificate = property(lambda self: self.path / "ca.pem")
    caKey = property(lambda self: self.path / "ca.key")
    hubCertificate = property(lambda self: self.path / "hub.pem")
    hubKey = property(lambda self: self.path / "hub.key")
    joinToken = property(lambda self: self.path / "join.token")
    database = property(lambda self: self.path / "hub_data.db")
    controlSocket = property(lambda self: self.path / "hub.sock")

    def open(self) -> None:
        """
        Make the directory if it is missing, and check that it is private.

        @raise IdentityError: it is not a directory, not ours, or others can get in.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.path.stat()
        except (FileExistsError, NotADirectoryError):
            raise IdentityError(f"can't use the state directory {self.path}: it is not a directory") from None
        except OSError as e:
            raise IdentityError(f"can't use the state directory {self.path}: {e.strerror}") from None
        if status.st_uid != os.geteuid():
            raise IdentityError(f"the state directory {self.path} belongs to another user (uid {status.st_uid})")
        if stat.S_IMODE(status.st_mode) != 0o700:
            raise IdentityError(
                f"the state directory {self.path} holds secrets but has mode {stat.S_IMODE(status.st_mode):04o}; "
                f"it must be 0700: chmod 700 {self.path}"
            )

    def lock(self, name: str) -> int:
        """
        Take the lock file C{name} for the life of this process, or until the returned descriptor is closed.

        @raise IdentityError: another process has it.
        """
        fd = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise IdentityError(f"another process is using {self.path} (it holds {name})") from None
        return fd

    def trainer(self, aiId: str) -> Path:
        """The own folder of the trainer C{aiId}, made if it is missing."""
        path: Path = self.path / "trainers" / checkAiId(aiId)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def prepareHub(self, names: Sequence[str], now: datetime) -> list[str]:
        """
        Make what a hub needs and is not there yet: the CA, a hub certificate for C{names}, the join token.

        @param names: host names and addresses besides localhost and the machine's own.
        @return: what was made, for the log.
        @raise IdentityError: a file that is there can't be used.
        """
        made = []
        if not self.caCertificate.exists():
            _makeCA(self.caCertificate, self.caKey, now)
            made.append("certificate authority")
        wanted = [*_ownNames(), *names]
        if not _stillGood(self, wanted, now):
            _makeHubCertificate(self, wanted, now)
            made.append("hub certificate")
        if not self.joinToken.exists():
            writeSecret(self.joinToken, newToken().encode("ascii") + b"\n")
            made.append("join token")
        return made

    def readJoinToken(self) -> str:
        """@raise IdentityError: there is none, so no hub has been started here yet."""
        return readToken(self.joinToken)


def readToken(path: Path) -> str:
    """
    A token from a file.

    @raise IdentityError: it is missing, unreadable, readable by others, or empty.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        token = path.read_text("ascii").strip()
    except UnicodeDecodeError:
        raise IdentityError(f"{path} is not a token file: it must hold one line of ASCII") from None
    except OSError as e:
        raise IdentityError(f"can't read the token file {path}: {e.strerror}") from None
    if mode & 0o077:
        raise IdentityError(f"the token file {path} can be read by others (mode {mode:04o}): chmod 600 {path}")
    if not token or "\n" in token:
        raise IdentityError(f"{path} is not a token file: it must hold one line")
    return token


def serverTLS(state: StateDirectory) -> ssl.CertificateOptions:
    """
    The hub's side: TLS 1.2 or newer, its certificate with the CA behind it, session tickets on.

    @raise IdentityError: certificate or key can't be read, or don't belong together.
    """
    try:
        certificate = crypto.load_certificate(crypto.FILETYPE_PEM, state.hubCertificate.read_bytes())
        authority = crypto.load_certificate(crypto.FILETYPE_PEM, state.caCertificate.read_bytes())
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, state.hubKey.read_bytes())
        options = ssl.CertificateOptions(
            privateKey=key,
            certificate=certificate,
            extraCertChain=[authority],
            raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
            enableSessions=True,
            enableSessionTickets=True,
        )
        options.getContext()  # or a key of another certificate is noticed by the first trainer only
        return options
    except (OSError, ValueError, crypto.Error, SSL.Error) as e:
        raise IdentityError(f"can't use the hub's certificate in {state.path}: {e}") from None


def clientTLS(hostname: str, caFile: Path) -> IOpenSSLClientConnectionCreator:
    """
    The trainer's side: the hub's chain must lead to C{caFile} and its name must be C{hostname}.  Always.

    @raise IdentityError: the CA file can't be read, or C{hostname} can't be one.
    """
    try:
        authority = ssl.Certificate.loadPEM(caFile.read_bytes())
    except OSError as e:
        raise IdentityError(f"can't read the CA file {caFile}: {e.strerror}") from None
    except (ValueError, crypto.Error):
        raise IdentityError(f"{caFile} is not a CA file: it must hold a certificate in PEM") from None
    try:
        return ssl.optionsForClientTLS(hostname, trustRoot=authority)
    except ValueError as e:
        raise IdentityError(f"bad host name {hostname[:80]!r}: {e}") from None


_label = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_dnsName = re.compile(rf"(?=.{{1,253}}\Z){_label}(?:\.{_label})*", re.ASCII)


def _ownNames() -> list[str]:
    own = socket.gethostname()
    # A machine may be called what no certificate can hold (an underscore): nobody can verify that name anyway.
    return list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *([own] if _dnsName.fullmatch(own) else [])]))


def _alternativeName(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _dnsName.fullmatch(name):
        raise IdentityError(f"bad host name {name[:80]!r}: a certificate takes DNS names (ASCII) and IP addresses")
    return x509.DNSName(name)


def _subject(commonName: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, commonName)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _makeCA(certificatePath: Path, keyPath: Path, now: datetime) -> None:
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
    writeSecret(keyPath, _pem(key))
    writeSecret(certificatePath, certificate.public_bytes(serialization.Encoding.PEM))


def _makeHubCertificate(state: StateDirectory, names: Iterable[str], now: datetime) -> None:
    try:
        authority = x509.load_pem_x509_certificate(state.caCertificate.read_bytes())
        authorityKey = serialization.load_pem_private_key(state.caKey.read_bytes(), password=None)
    except (OSError, ValueError) as e:
        raise IdentityError(f"can't make a hub certificate with the CA in {state.path}: {e}") from None
    if not isinstance(authorityKey, ec.EllipticCurvePrivateKey):
        raise IdentityError(f"{state.caKey} is not an elliptic-curve key")
    if authorityKey.public_key() != authority.public_key():
        raise IdentityError(f"{state.caKey} is not the key of {state.caCertificate}")
    if authority.not_valid_after_utc <= now:
        raise IdentityError(
            f"the CA {state.caCertificate} expired on {authority.not_valid_after_utc:%Y-%m-%d}: "
            "remove it, and the next start makes another, which every trainer then needs"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_subject("kernelnet hub"))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(min(now + HUB_LIFETIME, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_keyUsage(signsCertificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternativeName(n) for n in dict.fromkeys(names)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authorityKey.public_key()), critical=False)
        .sign(authorityKey, hashes.SHA256())
    )
    writeSecret(state.hubKey, _pem(key))
    writeSecret(state.hubCertificate, certificate.public_bytes(serialization.Encoding.PEM))


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


def _stillGood(state: StateDirectory, names: Iterable[str], now: datetime) -> bool:
    """Whether the hub certificate is there with its key, of this CA, valid for a while yet, and for all of C{names}."""
    try:
        certificate = x509.load_pem_x509_certificate(state.hubCertificate.read_bytes())
        authority = x509.load_pem_x509_certificate(state.caCertificate.read_bytes())
        certificate.verify_directly_issued_by(authority)
        has = set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        # The two files are written one after the other: a crash in between leaves a pair that does not fit.
        key = serialization.load_pem_private_key(state.hubKey.read_bytes(), password=None)
        fits = key.public_key() == certificate.public_key()
    except Exception:  # whatever is wrong with it: it is made again
        return False
    return fits and certificate.not_valid_after_utc - now > RENEW_BEFORE and {_alternativeName(n) for n in names} <= has
