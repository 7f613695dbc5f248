"""Enrolment by the join token, and tokens of operators."""

from __future__ import annotations

from kernelnet.hub.auth import tokens
from kernelnet.identity import tokenHash
from tests.hub.auth.support import CredentialTestCase
from tests.hub.databases import onEveryEngine
from tests.hub.support import JOIN, Client, aPattern


@onEveryEngine
class EnrolTests(CredentialTestCase):
    def test_enrol(self) -> None:
        """The join token binds the id and is answered by its own token, of which only a hash is kept."""
        client = self.enter(JOIN)
        own = self.given(client)
        self.assertEqual([token[:3] for token in self.hub.stored.tokens.all()], [(tokenHash(own), "AI_1", "enrolled")])
        self.isNowhere(own, JOIN)
        self.assertIsNone(self.credential(self.enter(own)))

    def test_joinUntilUsed(self) -> None:
        """The join token works for the id until the own token was used once: a crash in between locks nobody out."""
        first = self.given(self.enter(JOIN))
        second = self.given(self.enter(JOIN))  # the first was lost
        self.assertNotEqual(first, second)
        self.assertTrue(self.refused(self.enter(first)))
        self.assertIsNone(self.credential(self.enter(second)))
        mine = self.enter(second)
        stranger = Client(self.hub, "AI_1")
        stranger.authenticate(JOIN)
        self.assertTrue(self.refused(stranger))  # at the handshake, before it could take over
        self.assertIsNone(self.credential(mine))
        self.assertFalse(mine.closing)

    def test_crashBetween(self) -> None:
        """The same across a restart of the hub right after the enrolment was committed."""
        self.enter(JOIN)
        self.restart()
        own = self.given(self.enter(JOIN))
        self.restart()
        self.assertIsNone(self.credential(self.enter(own)))
        self.restart()
        self.assertTrue(self.refused(self.enter(JOIN)))

    def test_usedIsOnDisk(self) -> None:
        """An own token's first use is committed before the client gets any further."""
        own = self.given(self.enter(JOIN))
        self.hub.writer.held = True
        client = Client(self.hub, "AI_1")
        client.authenticate(own)
        client.hello()
        self.assertEqual(client.received(), [])
        self.assertEqual([token.usedAt for token in self.hub.stored.tokens.all()], [None])
        self.hub.writer.release()
        self.hub.clock.advance(1)
        self.assertEqual(len(client.received("training_sync")), 1)
        self.assertNotEqual([token.usedAt for token in self.hub.stored.tokens.all()], [None])

    def test_version1(self) -> None:
        """A version 1 hello with the join token is refused, with the advice how to get a token."""
        client = self.enter(JOIN, "AI_9", version=1)
        (error,) = client.payloads()
        self.assertEqual(error["code"], "bad_credentials")
        self.assertIn("kernelnet tokens issue AI_9 --token", error["message"])
        self.assertTrue(client.closing)
        self.assertEqual(self.hub.stored.tokens.all(), [])
        self.assertFalse(self.hub.directory.isKnown("AI_9"))

    def test_oneJoinsOnly(self) -> None:
        """Of two that join under one id at once the older one is closed, and only one token is left."""
        a, b = Client(self.hub, "AI_1"), Client(self.hub, "AI_1")
        a.authenticate(JOIN)
        b.authenticate(JOIN)
        b.hello()
        self.assertIsNotNone(self.credential(b))
        self.assertEqual(a.errors(), ["taken_over"])
        self.assertEqual(len(self.hub.stored.tokens.all()), 1)

    def test_afterIssue(self) -> None:
        """For an id with an operator's token the join token doesn't work, nor after that was revoked."""
        token = self.hub.transact(lambda transaction: tokens.issue(transaction, "AI_1"))
        self.assertTrue(self.refused(self.enter(JOIN)))
        self.assertIsNone(self.credential(self.enter(token)))
        self.assertEqual(self.hub.transact(lambda transaction: tokens.revoke(transaction, "AI_1")), 1)
        self.assertTrue(self.refused(self.enter(token)))
        self.assertTrue(self.refused(self.enter(JOIN)))
        again = self.hub.transact(lambda transaction: tokens.issue(transaction, "AI_1"))
        self.assertIsNone(self.credential(self.enter(again)))

    def test_severalTokens(self) -> None:
        """An id may have several tokens; each works."""
        mine = [self.hub.transact(lambda transaction: tokens.issue(transaction, "AI_1")) for _ in range(2)]
        for token in mine:
            self.assertIsNone(self.credential(self.enter(token)))
        self.assertTrue(self.refused(self.enter(mine[0], "AI_2")))

    def test_expiry(self) -> None:
        """A token that has expired doesn't work."""
        token = self.hub.transact(lambda transaction: tokens.issue(transaction, "AI_1"))
        now = self.hub.now()
        self.hub.transact(lambda transaction: transaction.tokens.expireAll("AI_1", now, now))
        self.assertTrue(self.refused(self.enter(token)))

    def test_list(self) -> None:
        """The list names tokens by a part of their hash, with their times."""
        self.hub.issue("AI_1")
        (row,) = tokens.list_(self.hub.stored)
        self.assertEqual(len(row.pop("fingerprint")), 12)
        self.assertEqual(
            row,
            {
                "ai_id": "AI_1",
                "kind": "issued",
                "created_at": self.hub.now(),
                "expires_at": None,
                "used_at": None,
                "revoked_at": None,
                "owner": None,
            },
        )

    def test_joinedIsATarget(self) -> None:
        """Who has enrolled can be a target."""
        self.enter(JOIN, "AI_1")
        client = self.hub.connect("AI_2")
        client.send("pattern_share", aPattern(), "AI_1")
        self.assertEqual(client.errors(), [])
