"""Join strings for one id, once; tokens that are rotated, and reach the trainer without an operator."""

from __future__ import annotations

from typing import Any

from kernelnet.hub.auth import tokens
from tests.hub.auth.support import CredentialTestCase
from tests.hub.support import JOIN, Client


class RotationTestCase(CredentialTestCase):
    def invite(self, aiId: str = "AI_1", lifetime: float = 3600) -> str:
        return self.hub.transact(lambda transaction: tokens.invite(transaction, aiId, lifetime))

    def rotate(self, grace: float = 60, **options: Any) -> str | None:
        return self.hub.transact(lambda transaction: tokens.rotate(transaction, "AI_1", grace, **options))


class InviteTests(RotationTestCase):
    def test_once(self) -> None:
        """A join string enrols its id and is used up by the first use of the token that it brought."""
        secret = self.invite()
        own = self.given(self.enter(secret))
        self.assertTrue(self.works(own))
        self.assertFalse(self.works(secret))
        self.assertTrue(self.works(own))

    def test_crashBetween(self) -> None:
        """Until the own token was used it works again, also across a restart; only the last token is good then."""
        secret = self.invite()
        lost = self.given(self.enter(secret))
        self.restart()
        own = self.given(self.enter(secret))
        self.assertFalse(self.works(lost))
        self.assertTrue(self.works(own))

    def test_otherId(self) -> None:
        """It works for the id that it was issued for, and no other."""
        secret = self.invite("AI_1")
        self.assertFalse(self.works(secret, "AI_2"))
        self.assertEqual(self.hub.rows("SELECT DISTINCT ai_id FROM tokens"), [("AI_1",)])

    def test_expires(self) -> None:
        """It works until it expires, and not from then on."""
        secret = self.invite(lifetime=100)
        self.hub.clock.advance(99.9)
        self.given(self.enter(secret))
        self.hub.clock.advance(0.1)
        self.assertFalse(self.works(secret))

    def test_replaced(self) -> None:
        """A second join string for an id ends the first; tokens that the id has go on working."""
        own = self.hub.issue("AI_1")
        first, second = self.invite(), self.invite()
        self.assertFalse(self.works(first))
        self.given(self.enter(second))
        self.assertTrue(self.works(own))

    def test_operatorsTokenDoesNotUseItUp(self) -> None:
        """The first use of a token that didn't come from it leaves the join string good."""
        secret = self.invite()
        self.assertTrue(self.works(self.hub.issue("AI_1")))
        self.given(self.enter(secret))

    def test_revoked(self) -> None:
        """Revoking an id ends its join string, and a token that it brought."""
        secret = self.invite()
        own = self.given(self.enter(secret))
        self.hub.transact(lambda transaction: tokens.revoke(transaction, "AI_1"))
        self.assertFalse(self.works(secret))
        self.assertFalse(self.works(own))

    def test_revokedBetween(self) -> None:
        """One that is revoked between handshake and hello enrols nobody."""
        client = Client(self.hub, "AI_1")
        client.authenticate(self.invite())
        self.hub.transact(lambda transaction: tokens.revoke(transaction, "AI_1"))
        client.hello()
        self.assertEqual(client.errors(), ["bad_credentials"])

    def test_joinTokenNoMore(self) -> None:
        """For an id that was invited the machine's join token doesn't work."""
        self.invite()
        self.assertFalse(self.works(JOIN))

    def test_version1(self) -> None:
        """A version 1 hello with a join string is refused with advice, and uses nothing up."""
        secret = self.invite()
        (error,) = self.enter(secret, version=1).payloads("error")
        self.assertIn("kernelnet tokens issue AI_1 --token", error["message"])
        self.given(self.enter(secret))

    def test_nowhere(self) -> None:
        """Neither the secret nor the token that it brought is in the database or in the log."""
        secret = self.invite()
        own = self.given(self.enter(secret))
        self.assertTrue(self.works(own))
        self.isNowhere(secret, own)


class RotateTests(RotationTestCase):
    def test_grace(self) -> None:
        """After a rotation the old token works for the grace period, the new one from then on."""
        old = self.hub.issue("AI_1")
        new = self.rotate(grace=60, kind="issued")
        assert new is not None
        self.hub.clock.advance(59.9)
        self.assertTrue(self.works(old))
        self.hub.clock.advance(0.1)
        self.assertFalse(self.works(old))
        self.assertTrue(self.works(new))

    def test_expires(self) -> None:
        """A token that was given an end doesn't work after it; a grace period never moves an end back."""
        old = self.hub.transact(lambda transaction: tokens.issue(transaction, "AI_1", 30))
        new = self.rotate(grace=60, lifetime=100, kind="issued")
        assert new is not None
        self.hub.clock.advance(30)
        self.assertFalse(self.works(old))
        self.hub.clock.advance(69.9)
        self.assertTrue(self.works(new))
        self.hub.clock.advance(0.1)
        self.assertFalse(self.works(new))

    def test_whileAway(self) -> None:
        """Who was away gets its new token with the first connection by the old one, and again until it used it."""
        old = self.hub.issue("AI_1")
        self.rotate()
        lost = self.given(self.enter(old))
        self.restart()
        new = self.given(self.enter(old))
        self.assertFalse(self.works(lost))
        self.assertTrue(self.works(new))
        self.assertTrue(self.works(old))  # the grace period goes on
        self.hub.clock.advance(60)
        self.assertFalse(self.works(old))
        self.assertTrue(self.works(new))

    def test_awayForTooLong(self) -> None:
        """After the grace period the old token gets nobody a new one."""
        old = self.hub.issue("AI_1")
        self.rotate(grace=60)
        self.hub.clock.advance(60)
        self.assertFalse(self.works(old))

    def test_newTokenKeepsItsEnd(self) -> None:
        """A token that is handed out later has the end that the rotation gave it."""
        old = self.hub.issue("AI_1")
        self.rotate(grace=60, lifetime=50)
        self.hub.clock.advance(40)
        new = self.given(self.enter(old))
        self.hub.clock.advance(10)
        self.assertFalse(self.works(new))

    def test_twice(self) -> None:
        """A second rotation: what the first one brought and was not used yet is an old token, too."""
        self.hub.issue("AI_1")
        first, second = self.rotate(grace=60), self.rotate(grace=30)
        assert first is not None
        assert second is not None
        self.given(self.enter(first))
        self.hub.clock.advance(30)
        self.assertFalse(self.works(first))

    def test_nothingToRotate(self) -> None:
        """An id without a token that works, or with a join string only, has none that could be rotated."""
        self.assertIsNone(self.rotate())
        self.invite()
        self.assertIsNone(self.rotate())
        self.hub.issue("AI_1")
        self.hub.transact(lambda transaction: tokens.revoke(transaction, "AI_1"))
        self.assertIsNone(self.rotate())

    def test_version1(self) -> None:
        """A version 1 client is never sent a credential."""
        old = self.hub.issue("AI_1")
        self.rotate()
        self.assertIsNone(self.credential(self.enter(old, version=1)))

    def test_revoked(self) -> None:
        """Revoking ends a rotated token as well, used or not."""
        old = self.hub.issue("AI_1")
        new = self.given(self.enter(old)) if self.rotate() else ""
        self.hub.transact(lambda transaction: tokens.revoke(transaction, "AI_1"))
        self.assertFalse(self.works(new))
        self.assertFalse(self.works(old))
