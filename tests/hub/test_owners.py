"""Three honest owners against one with fifty ids, at a hub that takes nobody without an owner."""

from __future__ import annotations

from typing import Any

from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.authenticator import TokenAuthenticator
from kernelnet.hub.auth.token_commands import ControlError, checked, tokenCommand
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.views import projections
from kernelnet.hub.views.components import Entry, describe, entryOf
from kernelnet.identity import tokenHash
from kernelnet.message import Handshake
from tests.hub.databases import onEveryEngine
from tests.hub.support import JOIN, HubTestCase
from tests.hub.views.test_components import claiming

CROWD = [f"crowd-{number}" for number in range(50)]
HONEST = ["alice-1", "bob-1", "carol-1"]


@onEveryEngine
class OwnersTests(HubTestCase):
    def command(self, command: str, aiId: str, **more: Any) -> Any:
        return checked(self.hub.transact(tokenCommand({"command": command, "ai_id": aiId, **more})))

    def setUp(self) -> None:
        super().setUp()
        self.authenticator = TokenAuthenticator(self.hub.log, tokenHash(JOIN), self.hub.now, needsOwner=True)
        for aiId in [*HONEST, *CROWD]:
            self.command("tokens issue", aiId, owner=aiId.split("-")[0])

    def entry(self, name: str) -> Entry:
        found = entryOf(self.hub.stored, name)
        assert found is not None
        return found

    def report(self, aiId: str, name: str, verdict: str, level: float) -> None:
        told = {"development_level": level, "chosen_on_train": "lru", "chosen_on_train_level": level}
        about = {"component_id": name, "digest": self.entry(name).digest, "verdict": verdict}
        client = self.hub.connect(aiId)
        client.send("performance_report", {**about, "performance": told})
        self.assertEqual(client.errors(), [])
        client.leave()

    def test_votes(self) -> None:
        """What fifty ids say of their own and of others' counts as one owner's word: none, and one."""
        self.hub.connect(CROWD[0]).send("os_component_share", claiming("theirs", 0.9))
        self.hub.connect(HONEST[0]).send("os_component_share", claiming("honest", 0.4))
        for aiId in CROWD:
            self.report(aiId, "theirs", "confirmed", 0.9)
            self.report(aiId, "honest", "refuted", -0.9)
        for aiId in HONEST:
            self.report(aiId, "theirs", "refuted", 0.1)
            self.report(aiId, "honest", "confirmed", 0.4)
        theirs, honest = self.entry("theirs"), self.entry("honest")
        self.assertEqual((theirs.confirmed, theirs.refuted), (0, 3))
        self.assertEqual((honest.confirmed, honest.refuted, honest.confirmation.level), (2, 1, 0.4))
        told = describe(honest)
        self.assertEqual({told["owners"][aiId] for aiId in told["verdicts"]}, {"bob", "carol", "crowd"})
        base, _ = projections.page(self.hub.stored, None, 99)
        self.assertEqual([one["id"] for one in base.components], ["honest", "theirs"])

    def check(self, aiId: str, token: str) -> Grant:
        return self.successResultOf(self.authenticator.check(Handshake(aiId, token)))

    def test_required(self) -> None:
        """Where owners are required nobody enrols without one, nor comes in any other way."""
        secret = self.command("tokens invite", "new")["secret"]
        token = self.command("tokens issue", "old")["token"]
        self.assertEqual(
            [self.check(*one) for one in (("any", JOIN), ("new", secret), ("old", token), ("old", "wrong"))],
            [Grant.OWNERLESS, Grant.OWNERLESS, Grant.OWNERLESS, Grant.REFUSED],
        )
        self.command("tokens owner", "old", owner="dora")
        self.assertIs(self.check("old", token), Grant.OWN)
        secret = self.command("tokens invite", "new", owner="dora")["secret"]
        self.assertIs(self.check("new", secret), Grant.INVITED)
        self.command("tokens owner", "old", owner=None)
        self.assertIs(self.check("old", token), Grant.OWNERLESS)

    def test_refused(self) -> None:
        """Who is refused for want of an owner is told so."""
        self.hub.authenticator._needsOwner = True
        client = self.hub.client("nobody's")
        self.assertEqual(client.errors(), ["bad_credentials"])
        self.assertTrue(client.closing)

    def test_commands(self) -> None:
        """Only who has a token can get an owner; a bad name is named; a list says whose each token is."""
        for aiId, owner, words in (
            ("unknown", "dora", "tokens issue unknown --owner dora"),
            (HONEST[0], "do ra", "bad owner 'do ra'"),
            (HONEST[0], "", "bad owner ''"),
        ):
            with self.assertRaisesRegex(ControlError, words):
                self.command("tokens owner", aiId, owner=owner)
        self.assertEqual(self.command("tokens issue", HONEST[0])["owner"], "alice")
        self.assertEqual(
            {token["owner"] for token in tokens.list_(self.hub.stored) if token["ai_id"] in HONEST},
            {"alice", "bob", "carol"},
        )

    def test_survives(self) -> None:
        """Rotated, enrolled and revoked tokens leave the owner as it is."""
        self.command("tokens rotate", HONEST[0], token=True)
        self.command("tokens revoke", HONEST[0])
        self.restart()
        self.assertEqual(self.hub.stored.owners.of(HONEST[0]), "alice")
        self.assertEqual(self.hub.directory.owners[HONEST[0]], "alice")
