"""The control socket and the status, on a real UNIX socket."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kernelnet.hub.admin.control_client import ControlError, call, shortPath
from kernelnet.hub.auth.certificates import HubCertificates, rootDigest
from kernelnet.hub.connection import admission
from kernelnet.identity import JoinString, StateDirectory
from tests.hub.admin.support import aState
from tests.hub.support import Client, Hub, aPattern


class SocketTests(TestCase):
    def setUp(self) -> None:
        self.state = aState(self)
        self.patch(admission, "WORK_AT_ONCE", 1e9)  # however busy the machine is
        self.hub = Hub(self.state.database)
        self.addCleanup(self.hub.kill)
        self.state.prepareHub([], datetime.now(UTC))
        self.certificates: HubCertificates | None = HubCertificates(self.state, self.hub.clock, time.time)
        self.listen(self.state)

    def listen(self, state: StateDirectory) -> None:
        path, fd = shortPath(state.controlSocket)
        factory = self.hub.controls(self.certificates)
        port = reactor.listenUNIX(path, factory, mode=0o600, wantPID=True)  # type: ignore[attr-defined]
        if fd is not None:
            self.addCleanup(os.close, fd)
        self.addCleanup(port.stopListening)

    def call(self, **request: Any) -> Deferred[Any]:
        return deferToThread(call, self.state, request)

    def test_longLine(self) -> None:
        """Of a command that has no end 64 KiB are taken."""
        for size, isCut in ((64 * 1024, False), (64 * 1024 + 1, True)):
            transport = StringTransport()
            protocol = self.hub.controls(self.certificates).buildProtocol(UNIXAddress(None))
            protocol.makeConnection(transport)
            protocol.dataReceived(b"x" * size)
            self.assertEqual(transport.disconnecting, isCut)

    async def test_backup(self) -> None:
        """A hub that makes a copy says how far it is, to who asks for that; the answer comes last."""
        client, told = self.hub.connect("AI_1"), list[Any]()
        for number in range(1001):
            client.send("pattern_share", aPattern(f"p{number}"))

        def ask(name: str, **more: Any) -> Deferred[Any]:
            request = {"command": "backup", "file": str(self.state.path / name), **more}
            return deferToThread(call, self.state, request, 30.0, lambda *what: told.append(what))

        self.assertEqual((await ask("quiet.db"))["events"], 1001)
        self.assertEqual(told, [])
        self.assertEqual((await ask("told.db", tell=True))["events"], 1001)
        self.assertEqual({what for what, _, _ in told}, {"copying", "checking the structure", "checking the messages"})
        self.assertEqual(told[-1], ("checking the messages", 1001, 1001))

    async def test_status(self) -> None:
        """The status tells who is connected, what is stored, and where the log stands."""
        client = self.hub.connect("AI_1", specialization="audio", capabilities=["sound"])
        self.hub.client("SILENT")
        client.send("pattern_share", aPattern())
        client.send("nonsense", {})
        self.hub.clock.advance(9.9)
        status = await self.call(command="status")
        self.assertEqual(
            status,
            {
                "version": status["version"],
                "port": None,
                "uptime": 10.0,
                "started": "2027-01-15T08:00:00.000000Z",
                "node": "hub",
                "nodes": [
                    {
                        "node": "hub",
                        "state": "alive",
                        "address": None,
                        "version": status["version"],
                        "started": "2027-01-15T08:00:00.000000Z",
                        "ais": 1,
                        "connections": 2,
                        "messages_per_second": 0.2,
                        "position": 1,
                        "behind": 0,
                    }
                ],
                "total": {"nodes": 1, "ais": 1, "connections": 2, "messages_per_second": 0.2},
                "ais": {
                    "AI_1": {
                        "specialization": "audio",
                        "capabilities": ["sound"],
                        "protocol": 2,
                        "since": "2027-01-15T08:00:00.000000Z",
                        "node": "hub",
                    }
                },
                "known_ais": 1,
                "here": 1,
                "connections": 2,
                "messages_per_second": 0.2,
                "stored": {
                    "patterns": 1,
                    "components": 0,
                    "confirmed_components": 0,
                    "code_blocks": 0,
                    "performance_reports": 0,
                    "observations": 0,
                },
                "blobs": {"count": 0, "bytes": 0},
                "sessions": {"offered": 0, "active": 0, "completed": 0, "declined": 0, "expired": 0},
                "limits": {
                    "unauthenticated": 0,
                    "refused": 0,
                    "displaced": 0,
                    "failed": 0,
                    "unchecked": 0,
                    "slowed": 0,
                },
                "messages": {"hello": 1, "pattern_share": 1},
                "errors": {"invalid_message": 1},
                "log": {
                    "log_id": self.hub.log.logId,
                    "position": 1,
                    "oldest": 1,
                    "waiting": 0,
                    "removed": 0,
                    "full": False,
                    "min_free": 0,
                },
            },
        )

    async def test_tokens(self) -> None:
        """Tokens are issued, listed and revoked in the running hub; a revoked one's connection ends."""
        issued = await self.call(command="tokens issue", ai_id="AI_9")
        client = self.hub.client("AI_9")
        client.hello()
        self.assertEqual([m["message_type"] for m in client.received()], ["training_sync"])
        self.assertTrue(issued["token"])
        rows = await self.call(command="tokens list")
        self.assertEqual({row["ai_id"] for row in rows}, {"AI_9"})
        self.assertNotIn(issued["token"], json.dumps(rows))
        revoked = await self.call(command="tokens revoke", ai_id="AI_9")
        self.assertEqual(revoked, {"ai_id": "AI_9", "revoked": 2, "disconnected": True})
        self.assertEqual(client.errors(), ["bad_credentials"])
        self.assertTrue(client.closing)

    async def test_invite(self) -> None:
        """A join string names the CA of the hub's certificate, and enrols its id."""
        found = await self.call(command="tokens invite", ai_id="AI_9", expires=60)
        join = JoinString.parse(found["join"])
        self.assertEqual(join.digest, rootDigest(self.state))
        self.assertEqual(found["expires_at"], self.hub.now() + 60)
        self.assertNotIn("secret", found)
        client = Client(self.hub, "AI_9")
        client.authenticate(join.secret)
        client.hello()
        self.assertTrue(client.payloads("training_sync")[0]["credential"])

    async def test_rotate(self) -> None:
        """A connected version 2 client is sent its new token; who asks sees it only if that was asked for."""
        client = self.hub.connect("AI_1")
        found = await self.call(command="tokens rotate", ai_id="AI_1", grace=60)
        self.assertEqual(found, {"ai_id": "AI_1", "old_until": self.hub.now() + 60, "delivered": True})
        (payload,) = client.payloads("training_sync")
        self.assertEqual(list(payload), ["credential"])
        again = Client(self.hub, "AI_1")
        again.authenticate(payload["credential"])
        again.hello()
        self.assertNotIn("credential", again.payloads("training_sync")[0])
        again.leave()
        self.assertFalse((await self.call(command="tokens rotate", ai_id="AI_1"))["delivered"])
        shown = await self.call(command="tokens rotate", ai_id="AI_1", token=True)
        self.assertTrue(shown["token"])
        rows = {row["kind"]: row for row in await self.call(command="tokens list") if row["expires_at"] is None}
        self.assertEqual(set(rows), {"issued"})

    async def test_rotateVersion1(self) -> None:
        """A version 1 client can't be sent one: the answer says what can be done, and nothing was rotated."""
        client = self.hub.connect("OLD", version=1)
        with self.assertRaisesRegex(ControlError, "--token prints one"):
            await self.call(command="tokens rotate", ai_id="OLD")
        self.assertEqual([row["expires_at"] for row in await self.call(command="tokens list")], [None])
        self.assertTrue((await self.call(command="tokens rotate", ai_id="OLD", token=True))["token"])
        self.assertEqual(client.received(), [])

    async def test_certificates(self) -> None:
        """The hub's certificate is shown and renewed."""
        first = await self.call(command="certs show")
        second = await self.call(command="certs renew", hosts=["hub.example"])
        self.assertIn("hub.example", second["names"])
        self.assertNotEqual(first["fingerprint"], second["fingerprint"])
        self.assertEqual(await self.call(command="certs show"), second)

    async def test_issuedIsATarget(self) -> None:
        """An id that was just issued a token can be a target at once."""
        await self.call(command="tokens issue", ai_id="AI_9")
        client = self.hub.connect("AI_1")
        client.send("pattern_share", aPattern(), "AI_9")
        self.assertEqual(client.errors(), [])

    async def test_refusals(self) -> None:
        """A wrong command gets one line that says what was wrong."""
        for request, words in (
            ({"command": "dance"}, "unknown command 'dance'"),
            ({}, "unknown command None"),
            ({"command": "tokens issue", "ai_id": "../x"}, "bad ai_id"),
            ({"command": "tokens issue"}, "bad ai_id"),
            ({"command": "tokens issue", "ai_id": "hub"}, "reserved"),
            ({"command": "tokens revoke", "ai_id": "NOBODY"}, "NOBODY has no token"),
            ({"command": "tokens rotate", "ai_id": "NOBODY"}, "NOBODY has no token"),
            ({"command": "tokens rotate", "ai_id": "A", "grace": -1}, "`grace` must be a number of seconds"),
            ({"command": "tokens invite", "ai_id": "A", "expires": "1h"}, "`expires` must be a number of seconds"),
            ({"command": "tokens issue", "ai_id": "A", "expires": True}, "`expires` must be a number of seconds"),
            ({"command": "certs renew", "hosts": "a"}, "`hosts` must be a list"),
            ({"command": "certs renew", "hosts": ["a b"]}, "bad host name"),
        ):
            with self.assertRaisesRegex(ControlError, words):
                await self.call(**request)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_private(self) -> None:
        """Only the hub's user can reach the socket."""
        self.assertEqual(self.state.controlSocket.stat().st_mode & 0o777, 0o600)

    async def test_foreignTLS(self) -> None:
        """A hub whose TLS comes from an endpoint description, or that has none, has no certificate of its own."""
        self.certificates = None
        self.state = aState(self)
        self.listen(self.state)
        for command in ("certs show", "certs renew", "tokens invite"):
            with self.assertRaisesRegex(ControlError, "TLS is not its own"):
                await self.call(command=command, ai_id="A")

    async def test_several(self) -> None:
        """Several may ask at once."""
        answers = await gatherResults([self.call(command="status") for _ in range(5)])
        self.assertEqual(len(answers), 5)

    async def test_longPath(self) -> None:
        """A state directory whose path is too long for a socket works all the same."""
        self.state = aState(self, "x" * 120)
        self.listen(self.state)
        status = await self.call(command="status")
        self.assertEqual(status["log"]["position"], 0)
