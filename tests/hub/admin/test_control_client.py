"""The client's side of the control socket: what it says where no hub runs, and what it does itself then."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.admin.control_client import LOCK, ControlError, NoHub, call, offline
from kernelnet.hub.auth.certificates import rootDigest
from kernelnet.hub.storage import sqlite
from kernelnet.identity import JoinString
from tests.hub.admin.support import aState
from tests.hub.support import Hub


class OfflineTests(SynchronousTestCase):
    def test_noHub(self) -> None:
        """Without a hub C{call} says so; also when a killed one left its socket."""
        state = aState(self)
        with self.assertRaisesRegex(NoHub, "no hub is running"):
            call(state, {"command": "status"})

    def test_tokens(self) -> None:
        """The token commands work without a hub, where one has run."""
        state = aState(self)
        sqlite.prepare(state.database)
        token = offline(state, {"command": "tokens issue", "ai_id": "AI_9"})["token"]
        self.assertEqual([row["ai_id"] for row in offline(state, {"command": "tokens list"})], ["AI_9"])
        hub = Hub(state.database)
        self.addCleanup(hub.kill)
        hub._tokens["AI_9"] = token
        client = hub.client("AI_9")
        client.hello(1)
        self.assertEqual([m["message_type"] for m in client.received()], ["training_sync"])
        self.assertEqual(offline(state, {"command": "tokens revoke", "ai_id": "AI_9"})["revoked"], 1)
        for command in ("status", "certs dance"):
            with self.assertRaisesRegex(ControlError, f"unknown command '{command}'"):
                offline(state, {"command": command, "ai_id": "A"})

    def test_identity(self) -> None:
        """Join strings and the commands about certificates work without a hub, too."""
        state = aState(self)
        state.prepareHub([], datetime.now(UTC))
        sqlite.prepare(state.database)
        join = JoinString.parse(offline(state, {"command": "tokens invite", "ai_id": "AI_9"})["join"])
        self.assertEqual(join.digest, rootDigest(state))
        made = offline(state, {"command": "certs renew", "hosts": ["hub.example"]})
        self.assertEqual(offline(state, {"command": "certs show"})["fingerprint"], made["fingerprint"])
        self.assertEqual(made["ca_digest"], join.digest)

    def test_neverRun(self) -> None:
        """A directory in which no hub has run is not made into one: the path may be mistyped."""
        state = aState(self)
        with self.assertRaisesRegex(NoHub, "no hub has ever run in"):
            offline(state, {"command": "tokens issue", "ai_id": "AI_9"})
        self.assertEqual(list(state.path.iterdir()), [])

    def test_locked(self) -> None:
        """They don't touch the database under a running hub."""
        state = aState(self)
        sqlite.prepare(state.database)
        lock = state.lock(LOCK)
        self.addCleanup(os.close, lock)
        with self.assertRaisesRegex(ControlError, "another process"):
            offline(state, {"command": "tokens list"})
