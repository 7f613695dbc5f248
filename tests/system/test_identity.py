"""Identity beyond one machine, with real processes and real TLS."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from tests.pki import Authority
from tests.system.identity import IdentityTestCase
from tests.system.support import PATIENCE


class JoinTests(IdentityTestCase):
    def test_join(self) -> None:
        """A trainer with nothing but a join string enrols, comes back by its own token, and nobody else can join."""
        hub = self.start()
        join = self.invite("AI_9")
        trainer = self.remote("AI_9", "--join-file", join)
        trainer.waitFor("shows the CA of the join string")
        trainer.waitFor("Enrolled as AI_9")
        trainer.stop()
        ca = self.far.trainer("AI_9") / "ca.pem"
        self.assertEqual(ca.read_bytes(), self.state.caCertificate.read_bytes())
        again = self.remote("AI_9", "--join-file", join)
        again.waitFor("Connected to the hub")
        again.stop()
        without = self.remote("AI_9")
        without.waitFor("Connected to the hub")
        without.stop()
        third = self.remote("AI_9", "--join-file", join, state=self.folder / "third")
        self.refused(third, "refused the join string")
        secret = self.join.rsplit(".", 1)[1]
        said = "\n".join([line for process in (hub, trainer, again, without, third) for line in process.lines])
        for word in (secret, self.credential("AI_9")):
            self.assertNotIn(word, said)
        self.assertNotIn("Enrolled", "\n".join(again.lines + without.lines))

    def test_killedBetween(self) -> None:
        """A trainer that was killed before it kept its own token joins again by the same string."""
        self.start()
        join = self.invite("AI_9")
        trainer = self.remote("AI_9", "--join-file", join)
        trainer.waitFor("Enrolled as AI_9")
        trainer.kill()
        (self.far.trainer("AI_9") / "credential").unlink()
        trainer = self.remote("AI_9", "--join-file", join)
        trainer.waitFor("Enrolled as AI_9")
        trainer.kill()
        self.remote("AI_9", "--join-file", join).waitFor("Connected to the hub")

    def test_refused(self) -> None:
        """Whatever is wrong with a join string ends the trainer with one line; the secret reaches no wrong hub."""
        hub = self.start()
        join = self.invite("AI_9")
        self.refused(self.remote("AI_9", "--join", self.join[:-1]), "bad join string")
        self.refused(self.remote("AI_8", "--join-file", join), "refused the join string")
        _, digest, secret = self.join.split(".")
        wrong = self.secretFile("wrong", f"KN1.{digest[::-1]}.{secret}")
        self.refused(self.remote("AI_9", "--join-file", wrong), "not trusted: it does not show the CA")
        Path(join).chmod(0o640)
        self.refused(self.remote("AI_9", "--join-file", join), "chmod 600")
        over = control_client.call(self.state, {"command": "tokens invite", "ai_id": "AI_7", "expires": 0})["join"]
        self.refused(self.remote("AI_7", "--join-file", self.secretFile("over", over)), "has expired")
        self.assertNotIn("AI_9 joined", "\n".join(hub.lines))
        # … and after all that it still works
        Path(join).chmod(0o600)
        self.remote("AI_9", "--join-file", join).waitFor("Enrolled as AI_9")

    def test_wrongName(self) -> None:
        """The CA is right, but the hub's certificate is not for the address: nothing is said to it."""
        hub = self.start()
        trainer = self.remote("AI_9", "--join-file", self.invite("AI_9"), hub=f"127.0.0.2:{self.port}")
        self.refused(trainer, "certificate is for another name")
        self.assertNotIn("AI_9 (", "\n".join(hub.lines))


class RotationTests(IdentityTestCase):
    def test_connected(self) -> None:
        """A connected trainer gets its new token over the connection, and comes back with it later."""
        hub = self.start()
        trainer = self.remote("AI_9", "--join-file", self.invite("AI_9"))
        trainer.waitFor("Enrolled as AI_9")
        before = self.credential("AI_9")
        self.assertIn("was sent its new token", self.kernelnet("tokens", "rotate", "AI_9", "--grace", "1s"))
        trainer.waitFor("New credential for AI_9")
        after = self.credential("AI_9")
        self.assertNotEqual(before, after)
        trainer.stop()
        again = self.remote("AI_9")
        again.waitFor("Connected to the hub")
        again.stop()
        self.kernelnet("tokens", "rotate", "AI_9", "--grace", "15m", "--expires", "90d")
        (row,) = (r for r in json.loads(self.kernelnet("tokens", "list", "--json")) if r["kind"] == "rotated")
        self.assertAlmostEqual(row["expires_at"] - row["created_at"], 90 * 86400, delta=1)
        for word in (before, after):
            self.assertNotIn(word, "\n".join(hub.lines + trainer.lines + again.lines))

    def test_tokenFile(self) -> None:
        """One that was started with a token file goes on with what the hub gave it in place of that token."""
        self.start()
        token = self.secretFile("token", self.issueToken("AI_9"))
        ca = ("--ca", str(self.state.caCertificate))
        trainer = self.remote("AI_9", "--token-file", token, *ca)
        trainer.waitFor("Connected to the hub")
        control_client.call(self.state, {"command": "tokens rotate", "ai_id": "AI_9", "grace": 0})
        trainer.waitFor("New credential for AI_9")
        trainer.stop()
        self.remote("AI_9", "--token-file", token, *ca).waitFor("Connected to the hub")
        self.refused(
            self.remote("AI_9", "--token-file", token, *ca, state=self.folder / "third"), "refused our credentials"
        )

    def test_away(self) -> None:
        """One that was away gets it when it comes back within the grace period, though no hub ran at the rotation."""
        hub = self.start()
        trainer = self.remote("AI_9", "--join-file", self.invite("AI_9"))
        trainer.waitFor("Enrolled as AI_9")
        trainer.stop()
        hub.stop()
        self.assertIn("when it connects before", self.kernelnet("tokens", "rotate", "AI_9"))
        self.start()
        self.remote("AI_9").waitFor("New credential for AI_9")


class CertificateTests(IdentityTestCase):
    def shown(self) -> str:
        """The certificate that a new connection is shown."""
        return ssl.get_server_certificate(("127.0.0.1", self.port))

    def test_renew(self) -> None:
        """`certs renew` gives new connections a new certificate with the new name, while the others go on."""
        self.start()
        first = json.loads(self.kernelnet("certs", "show", "--json"))
        client = self.client("AI_1")
        client.hello(protocol=2)
        before = self.shown()
        self.assertIn("hub.example", self.kernelnet("certs", "renew", "--host", "hub.example"))
        second = json.loads(self.kernelnet("certs", "show", "--json"))
        self.assertNotEqual(first["fingerprint"], second["fingerprint"])
        self.assertEqual(first["ca_digest"], second["ca_digest"])
        self.assertEqual(second["days_left"], 396)
        self.assertIn("hub.example", second["names"])
        self.assertNotEqual(before, self.shown())
        client.send("pattern_share", {"pattern": {"id": "p", "type": "loop", "confidence": 0.5}})
        client.receive("ack")
        self.client("AI_2").hello(protocol=2)
        self.assertIn("bad host name", self.kernelnet("certs", "renew", "--host", "a b", code=1))

    def test_ownPKI(self) -> None:
        """A hub with a certificate of one's own PKI: its root is what trainers need, or learn from a join string."""
        root = Authority(self.folder, "root")
        middle = Authority(self.folder, "middle", root)
        certificate = middle.issue("hub", chain=(middle,))
        options = ("--cert", str(certificate), "--key", str(certificate.with_suffix(".key")))
        hub = self.start(*options, "--ca", str(root.path))
        join = self.invite("AI_9")
        trainer = self.remote("AI_9", "--join-file", join)
        trainer.waitFor("Enrolled as AI_9")
        trainer.stop()
        token = self.secretFile("token", self.issueToken("AI_8"))
        self.remote("AI_8", "--token-file", token, "--ca", str(root.path)).waitFor("Connected to the hub")
        self.resting("AI_7").waitFor("Enrolled as AI_7")  # the same user needs no option
        before = self.shown()
        middle.issue("hub", chain=(middle,))
        self.kernelnet("certs", "renew")
        self.assertNotEqual(before, self.shown())
        self.assertIn("--host", self.kernelnet("certs", "renew", "--host", "x.example", code=1))
        hub.stop()
        self.start(*options)
        self.assertIn("--ca FILE", self.kernelnet("tokens", "issue", "AI_6", code=1))

    def test_ownPKIRefused(self) -> None:
        """What can't be used of one's own PKI is said in one line, before anything listens."""
        root = Authority(self.folder, "root")
        other = Authority(self.folder, "other")
        good, old = root.issue("good"), root.issue("old", days=-1)
        key = str(good.with_suffix(".key"))
        for words, arguments in (
            ("go together", ("--cert", str(good))),
            ("can't read", ("--cert", str(self.folder / "none"), "--key", key)),
            ("can't read the key", ("--cert", str(good), "--key", str(self.folder / "none"))),
            ("is not a key file", ("--cert", str(good), "--key", str(good))),
            ("is not a certificate file", ("--cert", key, "--key", key)),
            ("is not the key of", ("--cert", str(good), "--key", str(old.with_suffix(".key")))),
            ("expired on", ("--cert", str(old), "--key", str(old.with_suffix(".key")))),
            ("was not issued by", ("--cert", str(good), "--key", key, "--ca", str(other.path))),
            ("--host has no effect", ("--cert", str(good), "--key", key, "--host", "a.example")),
            ("--require-client-cert", ("--client-ca", str(other.path))),
            ("is not a CA file", ("--require-client-cert", "--client-ca", key)),
            ("port number", ("--insecure-plaintext", "--require-client-cert")),
        ):
            hub = self.twistd("kernelhub", "--port", "0", "--state", str(self.state.path), *arguments)
            self.refused(hub, words)

    def test_clientCertificate(self) -> None:
        """With --require-client-cert who has none is refused within TLS; who has one gets as far as the token."""
        hub = self.start("--require-client-cert")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            # in TLS 1.3 it hears of the refusal after its own part of the handshake
            self.client("AI_1").hello()
        self.assertNotIn("AI_1 joined", "\n".join(hub.lines))
        self.refused(self.remote("AI_9", "--join-file", self.invite("AI_9")), "it asks for a client certificate")
        pem = str(self.folder / "AI_9.pem")
        self.kernelnet("certs", "client", "AI_9", "--out", pem)
        self.assertEqual(Path(pem).stat().st_mode & 0o777, 0o600)
        self.remote("AI_9", "--join-file", self.invite("AI_9"), "--client-cert", pem).waitFor("Enrolled as AI_9")
        stranger = Authority(self.folder, "stranger").issue("AI_8", client=True)
        mine = ("--client-cert", str(stranger), "--client-key", str(stranger.with_suffix(".key")))
        self.refused(self.remote("AI_8", "--join-file", self.invite("AI_8"), *mine), "does not accept our client")

    def test_clientCA(self) -> None:
        """--client-ca says whose client certificates count."""
        theirs = Authority(self.folder, "theirs")
        self.start("--require-client-cert", "--client-ca", str(theirs.path))
        pem = theirs.issue("AI_9", client=True)
        mine = ("--client-cert", str(pem), "--client-key", str(pem.with_suffix(".key")))
        self.remote("AI_9", "--join-file", self.invite("AI_9"), *mine).waitFor("Enrolled as AI_9")


class FailOverTests(IdentityTestCase):
    def test_failOver(self) -> None:
        """Of several hubs untrusted and absent ones are passed over; when the good one ends, another is found."""
        other = StateDirectory(self.folder / "other")
        self.start(state=other)
        untrusted = f"localhost:{self.port}"
        second = StateDirectory(self.folder / "second")
        self.start().stop()  # makes the CA and the database that both have
        token = self.secretFile("token", self.kernelnet("tokens", "issue", "AI_9", "--token"))
        shutil.copytree(self.state.path, second.path)
        good = self.start()
        first, misnamed = f"localhost:{self.port}", f"127.0.0.2:{self.port}"
        self.start(state=second)
        reserve = f"localhost:{self.port}"
        trainer = self.remote(
            "AI_9",
            *("--hub", "localhost:1", "--hub", misnamed, "--hub", first, "--hub", reserve),
            *("--token-file", token, "--ca", str(self.state.caCertificate)),
            hub=untrusted,
        )
        trainer.waitFor(f"the hub at {untrusted} is not trusted: its certificate is not from the CA")
        trainer.waitFor("can't reach the hub at localhost:1")
        trainer.waitFor(f"the hub at {misnamed} is not trusted: its certificate is for another name")
        trainer.waitFor(f"Connected to the hub at {first}")
        good.kill()
        trainer.waitFor(f"Lost the hub at {first}")
        trainer.waitFor(f"Connected to the hub at {reserve}")

    def test_api(self) -> None:
        """The Python API takes a join string and several addresses, too."""
        self.start()
        script = (
            "import asyncio, sys; from pathlib import Path; from kernelnet import NetworkedKernelTrainer;"
            "hubs, state = sys.argv[2].split(), Path(sys.argv[1]);"
            "trainer = NetworkedKernelTrainer('AI_9', hubs=hubs, join=sys.argv[3], state=state);"
            "asyncio.run(trainer.run_collaborative_training(0.03)); print(trainer.get_ai_info('AI_9') is not None)"
        )
        self.invite("AI_9")
        arguments = (str(self.far.path), f"localhost:1 localhost:{self.port}", self.join)
        found = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        self.assertEqual((found.returncode, found.stdout.strip()), (0, "True"), found.stderr)
        self.assertTrue(self.credential("AI_9"))

    def test_allUntrusted(self) -> None:
        """When each address is untrusted for good, the trainer ends, and its line names all of them."""
        self.start()
        other = StateDirectory(self.folder / "other")
        self.start(state=other)
        addresses = ("--hub", f"127.0.0.1:{self.port}", "--ca", str(self.state.caCertificate))
        token = self.secretFile("token", "x")
        trainer = self.remote("AI_9", *addresses, "--token-file", token, hub=f"localhost:{self.port}")
        self.refused(trainer, f"; the hub at 127.0.0.1:{self.port} is not trusted")
