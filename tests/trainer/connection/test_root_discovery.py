"""The first look at a hub, which sends nothing; and what a trainer keeps of what it was given."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from twisted.internet import protocol, reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kernelnet.identity import IdentityError, JoinString, KeyAndChain, StateDirectory, newToken, serverTLS
from kernelnet.identity.certificates import digestOf, readCertificates
from kernelnet.trainer.connection import root_discovery
from kernelnet.trainer.connection.addresses import Address
from kernelnet.trainer.connection.config import TrainerConfig
from kernelnet.trainer.connection.credentials import Credentials
from kernelnet.trainer.connection.root_discovery import JoinError, RootDiscovery
from tests.pki import Authority


def aState(folder: Path, name: str) -> StateDirectory:
    state = StateDirectory(folder / name)
    state.open()
    state.prepareHub([], datetime.now(UTC))
    return state


def digest(state: StateDirectory) -> str:
    return digestOf(readCertificates(state.caCertificate, "a CA file")[0])


class Listening(protocol.Protocol):
    """Keeps what it hears in its factory."""

    factory: Hub

    def dataReceived(self, data: bytes) -> None:
        self.factory.heard.append(data)

    def connectionLost(self, reason: Any = protocol.connectionDone) -> None:
        self.factory.ended()


class Hub(protocol.ServerFactory[Listening]):
    """A hub that says nothing; C{heard} is what was said to it, C{count} how often it was visited."""

    noisy = False

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.count = 0
        self.open = 0
        self._allGone: Deferred[None] | None = None

    def buildProtocol(self, addr: object) -> Listening:
        self.count += 1
        self.open += 1
        made = Listening()
        made.factory = self
        return made

    def ended(self) -> None:
        self.open -= 1
        if not self.open and self._allGone is not None:
            self._allGone.callback(None)

    def whenAllGone(self) -> Deferred[None]:
        self._allGone = Deferred()
        if not self.open:
            self._allGone.callback(None)
        return self._allGone


class RootDiscoveryTests(TestCase):
    """Real TLS over loopback."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = aState(self.folder, "state")
        self.hubs: list[Hub] = []

    def hub(self, tls: Any) -> Address:
        """A hub's address; C{None}: it talks no TLS."""
        factory = Hub()
        self.hubs.append(factory)
        listen: Any = cast(Any, reactor)
        if tls is None:
            port = listen.listenTCP(0, factory, interface="127.0.0.1")
        else:
            port = listen.listenSSL(0, factory, tls, interface="127.0.0.1")

        def end() -> Deferred[Any]:
            return factory.whenAllGone().addCallback(lambda _: port.stopListening())

        self.addCleanup(end)
        return Address("127.0.0.1", port.getHost().port)

    def finder(self, wanted: str, *addresses: Address) -> RootDiscovery:
        finder = RootDiscovery(addresses, wanted, reactor)
        finder.delay = finder.maxDelay = 0.01
        return finder

    async def test_found(self) -> None:
        """The CA with the digest is taken from the chain, though nothing was verified; the hub hears nothing."""
        address = self.hub(serverTLS(self.state))
        pem = await self.finder(digest(self.state), address).find()
        self.assertEqual(pem, self.state.caCertificate.read_bytes())
        await self.hubs[0].whenAllGone()
        self.assertEqual(self.hubs[0].heard, [])

    async def test_intermediate(self) -> None:
        """The root at the end of a longer chain is found as well."""
        root = Authority(self.folder, "root")
        middle = Authority(self.folder, "middle", root)
        path = middle.issue("hub", chain=(middle,))
        chain = KeyAndChain.read(path, path.with_suffix(".key"), root.path, datetime.now(UTC))
        pem = await self.finder(digestOf(root.certificate), self.hub(chain.serverOptions())).find()
        self.assertEqual(pem, root.path.read_bytes())

    async def test_otherHub(self) -> None:
        """A hub with another CA is refused at once, and hears nothing."""
        address = self.hub(serverTLS(self.state))
        with self.assertRaisesRegex(JoinError, f"the hub at {address} is not trusted: it does not show the CA"):
            await self.finder("0" * 64, address).find()
        await self.hubs[0].whenAllGone()
        self.assertEqual((self.hubs[0].heard, self.hubs[0].count), ([], 1))

    async def test_inTurn(self) -> None:
        """An absent hub, one without TLS and one with another CA are passed over while there is a good one."""
        other = self.hub(serverTLS(aState(self.folder, "other")))
        good = self.hub(serverTLS(self.state))
        finder = self.finder(digest(self.state), Address("127.0.0.1", 1), self.hub(None), other, good)
        self.patch(root_discovery, "PATIENCE", 0.2)
        self.assertEqual(await finder.find(), self.state.caCertificate.read_bytes())
        self.assertEqual(finder.address, good)
        self.assertEqual(self.hubs[0].heard + self.hubs[1].heard, [])

    async def test_stop(self) -> None:
        """It can be told to stop: while it connects, waits for the chain, or pauses."""
        for address in (self.hub(serverTLS(self.state)), self.hub(None), Address("127.0.0.1", 1)):
            finder = self.finder("0" * 64, address, Address("127.0.0.1", 2))
            finder.delay = 30
            found = finder.find()
            turn: Deferred[None] = Deferred()
            cast(Any, reactor).callLater(0.05, turn.callback, None)
            await turn
            finder.stop()
            await self.assertFailure(found, CancelledError)


class CredentialsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = aState(self.folder, "state")
        self.other = aState(self.folder, "other")
        self.join = JoinString(digest(self.other), newToken())

    def credentials(self, **config: Any) -> Credentials:
        return Credentials(TrainerConfig("AI_1", self.state, **config), self.state.trainer("AI_1"))

    def tokenFile(self, token: str) -> Path:
        path = self.folder / "token"
        path.touch(0o600)
        path.write_text(token)
        return path

    def test_nothingGiven(self) -> None:
        """The machine's join token until there is a credential, then that."""
        mine = self.credentials()
        self.assertTrue(mine.joining)
        self.assertEqual(mine.token(), self.state.readJoinToken())
        mine.keep("own")
        self.assertEqual((mine.token(), mine.joining), ("own", False))
        self.assertEqual(self.credentials().token(), "own")

    def test_given(self) -> None:
        """What the user gives counts, until the hub gives something in its place: that, also after a restart."""
        for make in (
            lambda: self.credentials(tokenFile=self.tokenFile("given")),
            lambda: self.credentials(token="given"),
            lambda: self.credentials(join=self.join),
        ):
            self.credentials().keep("older")
            mine = make()
            self.assertIn(mine.token(), ("given", self.join.secret))
            mine.keep("own")
            self.assertEqual(mine.token(), "own")
            self.assertEqual(make().token(), "own")
            self.assertEqual(self.credentials().token(), "own")
            self.assertEqual(self.credentials(token="another").token(), "another")

    def test_newJoinString(self) -> None:
        """Another join string than the one that was used enrols anew."""
        self.credentials(join=self.join).keep("own")
        again = JoinString(self.join.digest, newToken())
        mine = self.credentials(join=again)
        self.assertEqual((mine.token(), mine.joining), (again.secret, True))

    def test_lostCredential(self) -> None:
        """When the credential is gone, what the user gave counts again."""
        mine = self.credentials(join=self.join)
        mine.keep("own")
        mine.path.unlink()
        self.assertEqual(mine.token(), self.join.secret)

    def test_private(self) -> None:
        """What it keeps is for its user only, and shows what it came from by a hash."""
        mine = self.credentials(join=self.join)
        mine.keep("own")
        mine.keepRoot(b"x")
        for path in self.state.trainer("AI_1").iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            self.assertNotIn(self.join.secret.encode(), path.read_bytes())

    def test_wantedRoot(self) -> None:
        """The CA that a join string names is looked for once, unless the user gave one."""
        self.assertIsNone(self.credentials().wantedRoot())
        self.assertIsNone(self.credentials(join=self.join, caFile=self.other.caCertificate).wantedRoot())
        mine = self.credentials(join=self.join)
        self.assertEqual(mine.wantedRoot(), self.join.digest)
        mine.keepRoot(self.state.caCertificate.read_bytes())  # from an earlier joining elsewhere
        self.assertEqual(mine.wantedRoot(), self.join.digest)
        mine.keepRoot(self.other.caCertificate.read_bytes())
        self.assertIsNone(mine.wantedRoot())
        mine.keep("own")
        mine.keepRoot(self.state.caCertificate.read_bytes())  # by the user, after the hub got another CA
        self.assertIsNone(mine.wantedRoot())

    def test_caFile(self) -> None:
        """A CA that the user gave must be the one that the join string names."""
        self.credentials(join=self.join, caFile=self.other.caCertificate).tls("localhost")
        mine = self.credentials(join=self.join, caFile=self.state.caCertificate)
        self.assertIn(
            "not the one that the join string names", str(self.assertRaises(IdentityError, mine.tls, "localhost"))
        )

    def test_clientCertificate(self) -> None:
        """A client certificate's key may be in the same file; one that doesn't fit is refused."""
        path = Authority(self.folder, "theirs").issue("AI_1", client=True)
        key = path.with_suffix(".key")
        self.credentials(clientCertificate=path, clientKey=key).tls("localhost")
        both = self.folder / "both.pem"
        both.write_bytes(path.read_bytes() + key.read_bytes())
        self.credentials(clientCertificate=both).tls("localhost")
        for certificate, itsKey, words in (
            (path, None, "is not a key file"),
            (self.state.hubCertificate, key, "is not the key of"),
            (key, key, "is not a certificate file"),
            (path, self.folder / "none", "can't read the key"),
        ):
            mine = self.credentials(clientCertificate=certificate, clientKey=itsKey)
            self.assertIn(words, str(self.assertRaises(IdentityError, mine.tls, "localhost")))

    def test_refusal(self) -> None:
        """What the user is told tells a join string from a token."""
        mine = self.credentials(join=self.join)
        self.assertIn("kernelnet tokens issue AI_1", mine.refusal("no"))
        self.assertNotIn(self.join.secret, mine.refusal("no"))
        mine.keep("own")
        self.assertIn("our credentials: no", mine.refusal("no"))
        self.assertIn("`kernelnet tokens issue AI_1` on the hub's machine", mine.refusal("no"))
