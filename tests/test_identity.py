"""State directory, certificates, tokens, and real TLS handshakes: `kernelnet.identity`."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from twisted.internet import defer, endpoints, protocol, reactor, ssl
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kernelnet import identity
from kernelnet.identity import IdentityError, JoinString, ReplaceableTLS, StateDirectory
from kernelnet.identity.certificates import (
    CertificateFiles,
    describe,
    makeCA,
    makeClientCertificate,
    makeHubCertificate,
    stillGood,
)

NOW = datetime(2026, 11, 22, 15, 0, 0, tzinfo=UTC)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


class StateCase(SynchronousTestCase):
    """A fresh state directory, not yet opened."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.state = StateDirectory(self.base / "state")

    def refused(self, call: Callable[..., object], *arguments: object) -> str:
        """The reason, one line."""
        reason = str(self.assertRaises(IdentityError, call, *arguments))
        self.assertEqual(len(reason.splitlines()), 1, reason)
        return reason


class DefaultStateTests(SynchronousTestCase):
    def state(self, base: str | None) -> Path:
        environment = {"HOME": "/home/jo"} if base is None else {"HOME": "/home/jo", "XDG_DATA_HOME": base}
        self.patch(os, "environ", environment)
        return identity.defaultState()

    def test_chosen(self) -> None:
        """The state directory stands in XDG_DATA_HOME."""
        self.assertEqual(self.state("/data"), Path("/data/kernelnet"))

    def test_otherwise(self) -> None:
        """Without XDG_DATA_HOME, or with an empty or relative one, it stands in ~/.local/share."""
        for base in (None, "", "data"):
            self.assertEqual(self.state(base), Path("/home/jo/.local/share/kernelnet"))


class AiIdTests(StateCase):
    def test_good(self) -> None:
        """A good ai_id comes back as it is."""
        for good in ("AI_1", "a", "9.x-y", "x" * 64):
            self.assertEqual(identity.checkAiId(good), good)

    def test_bad(self) -> None:
        """A bad one is refused with what would be right; it can lead out of no folder."""
        for bad in ("", "..", ".", "a/b", "../x", "a b", "a\n", "é", "x" * 65, "\0"):
            self.assertIn("1 to 64 letters", self.refused(identity.checkAiId, bad))
            self.assertIn("1 to 64 letters", self.refused(self.state.trainer, bad))

    def test_reserved(self) -> None:
        """The hub's own name is refused as reserved."""
        self.assertIn("reserved", self.refused(identity.checkAiId, "hub"))


class TokenTests(StateCase):
    def write(self, content: bytes, mode: int = 0o600) -> Path:
        path = self.base / "token"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def test_new(self) -> None:
        """Tokens are unlike each other, of 256 bits, and fit a handshake and a URL."""
        tokens = {identity.newToken() for _ in range(100)}
        self.assertEqual(len(tokens), 100)
        for token in tokens:
            self.assertEqual(len(token), 43)
            self.assertTrue(token.replace("-", "").replace("_", "").isalnum() and token.isascii())

    def test_hash(self) -> None:
        """The hash of a token is its SHA-256 in hex."""
        self.assertEqual(identity.tokenHash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")

    def test_read(self) -> None:
        """A token file holds one line; white space around it does not count."""
        for content in (b"sesame", b"sesame\n", b"  sesame \r\n"):
            self.assertEqual(identity.readToken(self.write(content)), "sesame")

    def test_private(self) -> None:
        """A token file that others can read is refused with the command that mends it."""
        for open_ in (0o644, 0o640, 0o604, 0o601):
            reason = self.refused(identity.readToken, self.write(b"sesame", open_))
            self.assertIn(f"{open_:04o}", reason)
            self.assertIn(f"chmod 600 {self.base / 'token'}", reason)
            self.assertNotIn("sesame", reason)

    def test_noTokenFile(self) -> None:
        """A missing, empty, many-line or binary file is refused, and its text shown nowhere."""
        self.assertIn("No such file", self.refused(identity.readToken, self.base / "none"))
        self.assertIn("Is a directory", self.refused(identity.readToken, self.base))
        for content in (b"", b"\n", b"sesame\nopen\n", b"sesame\xff"):
            self.assertIn("is not a token file", reason := self.refused(identity.readToken, self.write(content)))
            self.assertNotIn("sesame", reason)
        self.assertIn(
            "read the join file", self.refused(lambda path: identity.readToken(path, "join"), self.base / "x")
        )


class JoinStringTests(StateCase):
    def test_roundTrip(self) -> None:
        """A join string is KN1, the CA's digest and the secret; white space around it does not count."""
        join = JoinString("0123456789abcdef" * 4, identity.newToken())
        self.assertEqual(str(join), f"KN1.{join.digest}.{join.secret}")
        self.assertEqual(JoinString.parse(f" {join}\n"), join)
        self.assertEqual(JoinString.parse(f"KN1.{join.digest.upper()}.{join.secret}"), join)

    def test_bad(self) -> None:
        """Anything else is refused in one line that does not repeat it."""
        digest, secret = "a" * 64, "s" * 43
        for bad in (
            "",
            "KN1",
            f"KN2.{digest}.{secret}",
            f"KN1.{digest[1:]}.{secret}",
            f"KN1.{digest}.{secret[1:]}",
            f"KN1.{digest}.{secret}s",
            f"KN1.{digest}.{secret[1:]}!",
            f"KN1.{'g' * 64}.{secret}",
            f"KN1.{digest}.{secret}\nKN1.{digest}.{secret}",
        ):
            reason = self.refused(JoinString.parse, bad)
            self.assertIn("bad join string", reason)
            self.assertNotIn(secret[1:], reason)

    def test_repr(self) -> None:
        """Its repr shows no secret."""
        self.assertNotIn("s" * 43, repr(JoinString("a" * 64, "s" * 43)))


class WriteSecretTests(StateCase):
    def test_private(self) -> None:
        """A secret is written 0600 whatever the umask, and replaces what was there whole."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        path = self.base / "secret"
        path.write_bytes(b"old and long")
        path.chmod(0o666)
        identity.writeSecret(path, b"new")
        self.assertEqual((path.read_bytes(), mode(path)), (b"new", 0o600))
        self.assertEqual(list(self.base.iterdir()), [path])

    def test_failure(self) -> None:
        """When it can't be written, what was there stays and no scratch file is left."""
        path = self.base / "secret"
        path.write_bytes(b"old")

        def full(fd: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", full)
        self.assertRaises(OSError, identity.writeSecret, path, b"new")
        self.assertEqual([(p.name, p.read_bytes()) for p in self.base.iterdir()], [("secret", b"old")])


class OpenTests(StateCase):
    def test_made(self) -> None:
        """A missing state directory is made, 0700, with its parents, which nobody else can rename it in either."""
        self.addCleanup(os.umask, os.umask(0))
        state = StateDirectory(self.base / "a" / "b" / "state")
        state.open()
        for path in (state.path, state.path.parent, state.path.parent.parent):
            self.assertEqual(mode(path), 0o700, path)
        state.open()

    def test_others(self) -> None:
        """A state directory that is not 0700 is refused with the command that mends it."""
        self.state.path.mkdir()
        (self.state.path / "ca.key").touch()
        for open_ in (0o755, 0o750, 0o701, 0o1700):
            self.state.path.chmod(open_)
            reason = self.refused(self.state.open)
            self.assertIn(f"mode {open_:04o}", reason)
            self.assertIn(f"chmod 700 {self.state.path}", reason)

    def test_foreign(self) -> None:
        """A folder that holds other things is not ours, and not to be closed; an empty one becomes ours."""
        self.state.path.mkdir()
        self.state.path.chmod(0o755)
        (self.state.path / "mine").touch()
        reason = self.refused(self.state.open)
        self.assertIn("give a new or an empty one", reason)
        self.assertNotIn("chmod", reason)
        (self.state.path / "mine").unlink()
        self.state.open()
        self.assertEqual(self.state.path.stat().st_mode & 0o777, 0o700)

    def test_notADirectory(self) -> None:
        """A file in its place, or in its way, is refused."""
        self.state.path.write_text("")
        self.assertIn("it is not a directory", self.refused(self.state.open))
        self.assertIn("it is not a directory", self.refused(StateDirectory(self.state.path / "below").open))

    def test_notOurs(self) -> None:
        """Another user's directory is refused."""
        self.state.open()
        self.patch(os, "geteuid", lambda: self.state.path.stat().st_uid + 1)
        self.assertIn("belongs to another user", self.refused(self.state.open))

    def test_relative(self) -> None:
        """A relative path means the folder it meant when it was given."""
        self.assertTrue(StateDirectory(Path("state")).path.is_absolute())

    def test_repr(self) -> None:
        """Its repr says which folder it is."""
        self.assertEqual(repr(StateDirectory(Path("/x/y"))), "<StateDirectory /x/y>")

    def test_trainer(self) -> None:
        """Each trainer has a private folder of its own, and the same one again."""
        self.state.open()
        folder = self.state.trainer("AI_1")
        self.assertEqual((folder, mode(folder)), (self.state.path / "trainers" / "AI_1", 0o700))
        self.assertEqual(self.state.trainer("AI_1"), folder)

    def test_lock(self) -> None:
        """A second lock is refused until the first is given back; the file is private."""
        self.state.open()
        fd = self.state.lock("hub.lock")
        self.assertIn("hub.lock", self.refused(self.state.lock, "hub.lock"))
        self.assertEqual(mode(self.state.path / "hub.lock"), 0o600)
        self.state.unlock(self.state.lock("other.lock"))
        self.state.unlock(fd)
        self.state.unlock(self.state.lock("hub.lock"))

    def test_unlockWithChild(self) -> None:
        """A lock that was given back is free, though a child that was forked meanwhile has its descriptor yet."""
        self.state.open()
        fd = self.state.lock("hub.lock")
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(fd,)) as child:
            self.state.unlock(fd)
            self.state.unlock(self.state.lock("hub.lock"))
            child.communicate()


class PrepareTests(StateCase):
    def setUp(self) -> None:
        super().setUp()
        self.state.open()
        self.patch(socket, "gethostname", lambda: "box")

    def prepare(self, *names: str, now: datetime = NOW) -> list[str]:
        return self.state.prepareHub(names, now)

    def names(self) -> list[object]:
        extension = certificate(self.state.hubCertificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        return [name.value for name in extension.value]

    def test_firstRun(self) -> None:
        """A fresh directory gets a CA, a hub certificate and a join token, all 0600; a second start makes nothing."""
        self.assertEqual(self.prepare(), ["certificate authority", "hub certificate", "join token"])
        made = ["ca.key", "ca.pem", "hub.key", "hub.pem", "join.token"]
        self.assertEqual(sorted(p.name for p in self.state.path.iterdir()), made)
        self.assertEqual({mode(self.state.path / name) for name in made}, {0o600})
        before = {name: (self.state.path / name).read_bytes() for name in made}
        self.assertEqual(self.prepare(), [])
        self.assertEqual({name: (self.state.path / name).read_bytes() for name in made}, before)

    def test_authority(self) -> None:
        """The CA is a P-256 key that may only sign certificates, directly, for ten years."""
        self.prepare()
        ca = certificate(self.state.caCertificate)
        key = ca.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.assertEqual(key.curve.name, "secp256r1")
        ca.verify_directly_issued_by(ca)
        constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual((constraints.critical, constraints.value.ca, constraints.value.path_length), (True, True, 0))
        usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
        self.assertTrue(usage.critical and usage.value.key_cert_sign and not usage.value.digital_signature)
        self.assertEqual(ca.not_valid_after_utc - NOW, timedelta(days=3650))
        self.assertTrue(ca.not_valid_before_utc < NOW)

    def test_hubCertificate(self) -> None:
        """The hub's certificate is a P-256 server certificate of that CA that can sign no other, for 397 days."""
        self.prepare()
        hub = certificate(self.state.hubCertificate)
        hub.verify_directly_issued_by(certificate(self.state.caCertificate))
        key = hub.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.assertEqual(key.curve.name, "secp256r1")
        self.assertFalse(hub.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        usage = hub.extensions.get_extension_for_class(x509.KeyUsage).value
        self.assertTrue(usage.digital_signature and not usage.key_cert_sign)
        purposes = hub.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(purposes), [ExtendedKeyUsageOID.SERVER_AUTH])
        self.assertEqual(hub.not_valid_after_utc - NOW, timedelta(days=397))
        self.assertTrue(hub.not_valid_before_utc < NOW)

    def test_names(self) -> None:
        """The hub's certificate is for localhost, the loopback addresses, the machine's name and what was asked for."""
        self.prepare("hub.example.org", "192.0.2.7", "localhost")
        loopback = [ipaddress.ip_address(a) for a in ("127.0.0.1", "::1")]
        asked = ["hub.example.org", ipaddress.ip_address("192.0.2.7")]
        self.assertEqual(self.names(), ["localhost", *loopback, "box", *asked])

    def test_oddMachineName(self) -> None:
        """A machine whose name no certificate can hold still gets one, without it."""
        for odd in ("", "bücher", "localhost", "-", "a" * 64):
            self.patch(socket, "gethostname", lambda odd=odd: odd)
            self.state.hubCertificate.unlink(missing_ok=True)
            self.prepare()
            self.assertEqual(self.names()[3:], [])

    def test_badName(self) -> None:
        """A name that no certificate can hold is refused by that name."""
        for bad in ("", "a b", "https://hub", "hub:6000", "-a", "a..b", "*.example.org", "bücher", "x\n"):
            reason = self.refused(self.prepare, bad)
            self.assertIn(repr(bad), reason)
            self.assertIn("DNS names", reason)

    def test_newName(self) -> None:
        """A name that the certificate lacks makes another with it; fewer names don't."""
        self.prepare()
        self.assertEqual(self.prepare("hub.example.org"), ["hub certificate"])
        self.assertIn("hub.example.org", self.names())
        self.assertEqual(self.prepare(), [])

    def test_nearExpiry(self) -> None:
        """A certificate with 30 days left is made again, one with 31 is not; the CA stays."""
        self.prepare()
        ca = self.state.caCertificate.read_bytes()
        self.assertEqual(self.prepare(now=NOW + timedelta(days=397 - 31)), [])
        later = NOW + timedelta(days=397 - 30)
        self.assertEqual(self.prepare(now=later), ["hub certificate"])
        self.assertEqual(certificate(self.state.hubCertificate).not_valid_after_utc, later + timedelta(days=397))
        self.assertEqual(self.state.caCertificate.read_bytes(), ca)

    def test_notLongerThanItsCA(self) -> None:
        """A hub certificate never outlives its CA."""
        self.prepare()
        self.prepare(now=NOW + timedelta(days=3600))
        self.assertEqual(
            certificate(self.state.hubCertificate).not_valid_after_utc,
            certificate(self.state.caCertificate).not_valid_after_utc,
        )

    def test_expiredCA(self) -> None:
        """An expired CA is refused with what to do about it."""
        self.prepare()
        reason = self.refused(lambda: self.prepare(now=NOW + timedelta(days=3651)))
        self.assertIn("expired on", reason)
        self.assertIn("remove it", reason)

    def test_otherCA(self) -> None:
        """Under another CA the hub certificate is made again."""
        self.prepare()
        self.state.caCertificate.unlink()
        self.assertEqual(self.prepare(), ["certificate authority", "hub certificate"])
        certificate(self.state.hubCertificate).verify_directly_issued_by(certificate(self.state.caCertificate))

    def test_damaged(self) -> None:
        """A hub certificate or key that is missing, damaged or not its partner's is made again with its key."""
        self.prepare()
        for path in (self.state.hubCertificate, self.state.hubKey):
            for damage in (None, b"", b"rubbish", self.state.caKey.read_bytes(), self.state.caCertificate.read_bytes()):
                path.unlink()
                if damage is not None:
                    path.write_bytes(damage)
                self.assertEqual(self.prepare(), ["hub certificate"], f"{path.name}: {damage!r}")
                identity.serverTLS(self.state)

    def test_damagedCA(self) -> None:
        """A damaged CA, or one without its own key, is refused and not replaced: trainers trust it."""
        self.prepare()
        good = {path: path.read_bytes() for path in (self.state.caCertificate, self.state.caKey)}
        otherKey = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for path, damage in (
            (self.state.caCertificate, b"rubbish"),
            (self.state.caKey, b"rubbish"),
            (self.state.caKey, b""),
            (self.state.caKey, otherKey),
        ):
            path.write_bytes(damage)
            self.state.hubCertificate.unlink(missing_ok=True)
            self.assertIn(str(self.state.path), self.refused(self.prepare))
            self.assertEqual(path.read_bytes(), damage)
            path.write_bytes(good[path])
        self.state.caKey.unlink()
        self.assertIn(str(self.state.path), self.refused(self.prepare))

    def test_withoutCAKey(self) -> None:
        """While the hub certificate is good, the CA's key may be kept elsewhere."""
        self.prepare()
        self.state.caKey.unlink()
        self.assertEqual(self.prepare(), [])

    def test_joinToken(self) -> None:
        """The join token is the one in its file; before the first hub there is none."""
        self.assertIn("join.token", self.refused(self.state.readJoinToken))
        self.prepare()
        token = self.state.readJoinToken()
        self.assertEqual(self.state.joinToken.read_text(), token + "\n")
        self.state.joinToken.unlink()
        self.assertEqual(self.prepare(), ["join token"])
        self.assertNotEqual(self.state.readJoinToken(), token)


class CertificateFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.ca = CertificateFiles(folder / "authority.pem", folder / "authority.key")
        self.hub = CertificateFiles(folder / "here.pem", folder / "here.key")
        makeCA(self.ca, NOW)

    def test_anywhere(self) -> None:
        """Authority and certificate may stand anywhere, each beside its key."""
        makeHubCertificate(self.hub, self.ca, ["a.example"], NOW)
        made = certificate(self.hub.certificate)
        made.verify_directly_issued_by(certificate(self.ca.certificate))
        self.assertEqual(describe(made, NOW)["names"], ["a.example"])
        self.assertTrue(stillGood(self.hub, self.ca.certificate, ["a.example"], NOW))
        self.assertFalse(stillGood(self.hub, self.ca.certificate, ["b.example"], NOW))
        makeHubCertificate(self.hub, self.ca, ["b.example"], NOW)
        self.assertEqual(describe(certificate(self.hub.certificate), NOW)["names"], ["b.example", "a.example"])

    def test_client(self) -> None:
        """A client's certificate goes into a new file, with its key."""
        path = self.ca.certificate.with_name("client.pem")
        made = makeClientCertificate(self.ca, "AI_1", path, NOW)
        self.assertEqual((certificate(path), mode(path)), (made, 0o600))
        self.assertIn(b"PRIVATE KEY", path.read_bytes())
        with self.assertRaisesRegex(IdentityError, "is there already"):
            makeClientCertificate(self.ca, "AI_1", path, NOW)

    def test_noAuthority(self) -> None:
        """Without the authority's key nothing is made, and the error says where it should be."""
        self.ca.key.unlink()
        with self.assertRaisesRegex(IdentityError, f"with the CA in {self.ca.key.parent}: "):
            makeHubCertificate(self.hub, self.ca, [], NOW)
        self.assertFalse(self.hub.certificate.exists())


class TLSOptionsTests(StateCase):
    def setUp(self) -> None:
        super().setUp()
        self.state.open()

    def test_server(self) -> None:
        """A hub without certificate or key, or with a pair that does not fit, is refused before it listens."""
        self.assertIn("can't use the hub's certificate", self.refused(identity.serverTLS, self.state))
        self.state.prepareHub([], NOW)
        self.state.hubKey.write_bytes(self.state.caKey.read_bytes())
        self.assertIn("can't use the hub's certificate", self.refused(identity.serverTLS, self.state))
        self.state.hubKey.write_bytes(b"rubbish")
        self.assertIn("can't use the hub's certificate", self.refused(identity.serverTLS, self.state))

    def test_client(self) -> None:
        """A CA file that is missing or holds no certificate is refused by its name."""
        missing = self.base / "none.pem"
        self.assertIn(str(missing), self.refused(identity.clientTLS, "localhost", missing))
        for rubbish in (b"", b"rubbish", b"\xff\x00"):
            missing.write_bytes(rubbish)
            self.assertIn("is not a CA file", self.refused(identity.clientTLS, "localhost", missing))

    def test_badHostName(self) -> None:
        """A hub address that can't be a host name is refused in one line."""
        self.state.prepareHub([], NOW)
        for bad in ("", "a b", "a..b", "x" * 300):
            self.assertIn("bad host name", self.refused(identity.clientTLS, bad, self.state.caCertificate))


class Silent(protocol.Protocol):
    """Fires C{greeted} with what the other side said first, or with why the connection ended before."""

    def __init__(self) -> None:
        self.greeted: defer.Deferred[bytes] = defer.Deferred()
        self.gone: defer.Deferred[None] = defer.Deferred()

    def dataReceived(self, data: bytes) -> None:
        if not self.greeted.called:
            self.greeted.callback(data)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if not self.greeted.called:
            self.greeted.errback(reason)
        self.gone.callback(None)


class Greeter(protocol.Protocol):
    """Says hello at once, and keeps in its factory what reached it."""

    factory: GreeterFactory

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.factory.heard.append(data)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.factory.gone.callback(None)


class GreeterFactory(protocol.ServerFactory[Greeter]):
    """For one connection: what was heard, and a Deferred for its end."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.gone: defer.Deferred[None] = defer.Deferred()

    def buildProtocol(self, addr: object) -> Greeter:
        greeter = Greeter()
        greeter.factory = self
        return greeter


class HandshakeTests(TestCase):
    """Real TLS over loopback."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.state = self.prepared("state", "hub.test", "hub_1")

    def prepared(self, name: str, *names: str) -> StateDirectory:
        state = StateDirectory(self.base / name)
        state.open()
        state.prepareHub(names, datetime.now(UTC))
        return state

    async def greeting(self, client: Callable[[int], IStreamClientEndpoint]) -> bytes:
        """What a client hears of a hub with the certificate in C{self.state}."""
        factory = GreeterFactory()
        self.heard = factory.heard
        port = cast(Any, reactor).listenSSL(0, factory, identity.serverTLS(self.state), interface="127.0.0.1")
        try:
            silent = Silent()
            await endpoints.connectProtocol(client(port.getHost().port), silent)
            assert silent.transport is not None
            silent.transport.write(b"a secret")
            try:
                return await silent.greeted
            finally:
                silent.transport.loseConnection()
                await silent.gone
                await factory.gone
        finally:
            await port.stopListening()

    def tls(self, name: str, ca: Path) -> Callable[[int], IStreamClientEndpoint]:
        return lambda port: endpoints.wrapClientTLS(
            identity.clientTLS(name, ca), endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        )

    async def refusedBecause(self, client: Callable[[int], IStreamClientEndpoint]) -> str:
        """Why the connection ended before anything was heard; nothing was heard by the hub either."""
        try:
            await self.greeting(client)
        except Exception as e:
            self.assertEqual(self.heard, [])
            return f"{type(e).__name__} {e}"
        self.fail("the connection was accepted")

    async def test_good(self) -> None:
        """The right CA and any of the hub's names or addresses: the two talk."""
        for name in ("localhost", "hub.test", "hub_1", "127.0.0.1", "::1"):
            self.assertEqual(await self.greeting(self.tls(name, self.state.caCertificate)), b"hello")

    async def test_version(self) -> None:
        """Both sides being ours, it is TLS 1.3."""
        seen: list[str] = []
        original = Silent.dataReceived

        def look(client: Silent, data: bytes) -> None:
            seen.append(cast(Any, client.transport).getHandle().get_protocol_version_name())
            original(client, data)

        self.patch(Silent, "dataReceived", look)
        await self.greeting(self.tls("localhost", self.state.caCertificate))
        self.assertEqual(seen, ["TLSv1.3"])

    async def test_replaced(self) -> None:
        """New options count for new handshakes only; a connection that is open goes on."""
        tls = ReplaceableTLS(identity.serverTLS(self.state))
        factories = [GreeterFactory(), GreeterFactory()]
        waiting = iter(factories)
        factory = protocol.ServerFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: next(waiting).buildProtocol(addr)  # type: ignore[method-assign]
        port = cast(Any, reactor).listenSSL(0, factory, tls, interface="127.0.0.1")

        async def visit() -> tuple[Silent, bytes]:
            silent = Silent()
            client = self.tls("localhost", self.state.caCertificate)(port.getHost().port)
            await endpoints.connectProtocol(client, silent)
            await silent.greeted
            certificate = cast(Any, silent.transport).getHandle().get_peer_certificate(as_cryptography=True)
            return silent, certificate.public_bytes(serialization.Encoding.PEM)

        old, shown = await visit()
        self.assertEqual(shown, self.state.hubCertificate.read_bytes())
        self.state.renewHub([], datetime.now(UTC), force=True)
        tls.replace(identity.serverTLS(self.state))
        new, shownThen = await visit()
        self.assertNotEqual(shown, shownThen)
        self.assertEqual(shownThen, self.state.hubCertificate.read_bytes())
        for silent, greeter in zip((old, new), factories, strict=True):
            assert silent.transport is not None
            silent.transport.write(b"still here")
            silent.transport.loseConnection()
            await greeter.gone
            self.assertEqual(b"".join(greeter.heard), b"still here")
            await silent.gone
        await port.stopListening()

    async def test_wrongCA(self) -> None:
        """A trainer with another CA refuses the hub before it says anything."""
        other = self.prepared("other")
        self.assertIn(
            "certificate verify failed", await self.refusedBecause(self.tls("localhost", other.caCertificate))
        )

    async def test_wrongName(self) -> None:
        """A trainer that asked for another name refuses the hub before it says anything."""
        for name in ("elsewhere.test", "hub-1", "hub_2", "127.0.0.2"):
            self.assertIn(
                "VerificationError", await self.refusedBecause(self.tls(name, self.state.caCertificate)), name
            )

    async def test_plaintext(self) -> None:
        """A client that talks no TLS is cut; its bytes reach nobody and it gets nothing of the hub's."""
        try:
            said = await self.greeting(lambda port: endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port))
        except ConnectionClosed:
            said = b""
        self.assertNotIn(b"hello", said)
        self.assertEqual(self.heard, [])

    async def test_oldTLS(self) -> None:
        """A client that speaks at most TLS 1.1 is refused by the hub."""

        class Old(ssl.ClientContextFactory):
            def getContext(self) -> SSL.Context:
                context = SSL.Context(SSL.TLS_CLIENT_METHOD)
                context.set_cipher_list(b"ALL:@SECLEVEL=0")  # or this side would not even try
                context.set_max_proto_version(SSL.TLS1_1_VERSION)
                return context

        why = await self.refusedBecause(lambda port: endpoints.SSL4ClientEndpoint(reactor, "127.0.0.1", port, Old()))
        self.assertIn("protocol version", why)

    async def test_tls12(self) -> None:
        """A client of TLS 1.2 is served."""

        class Older(ssl.ClientContextFactory):
            def getContext(self) -> SSL.Context:
                context = SSL.Context(SSL.TLS_CLIENT_METHOD)
                context.set_max_proto_version(SSL.TLS1_2_VERSION)
                return context

        def client(port: int) -> IStreamClientEndpoint:
            return endpoints.SSL4ClientEndpoint(reactor, "127.0.0.1", port, Older())

        self.assertEqual(await self.greeting(client), b"hello")

    async def test_chain(self) -> None:
        """The hub sends its root behind its certificate, so that a join string's digest can be found in the chain."""
        chains: list[list[bytes]] = []

        class Looking(ssl.ClientContextFactory):
            def getContext(self) -> SSL.Context:
                return SSL.Context(SSL.TLS_CLIENT_METHOD)

        original = Silent.dataReceived

        def look(client: Silent, data: bytes) -> None:
            connection = cast(Any, client.transport).getHandle()
            chain = connection.get_peer_cert_chain(as_cryptography=True)
            chains.append([c.public_bytes(serialization.Encoding.PEM) for c in chain])
            original(client, data)

        self.patch(Silent, "dataReceived", look)
        await self.greeting(lambda port: endpoints.SSL4ClientEndpoint(reactor, "127.0.0.1", port, Looking()))
        sent = [self.state.hubCertificate.read_bytes(), self.state.caCertificate.read_bytes()]
        self.assertEqual(chains, [sent])
