"""Tokens and AIs: each statement, and what `kernelnet.hub.auth.tokens` makes of them on this engine."""

from __future__ import annotations

from typing import Any

from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.storage.statements.access import StoredAi, StoredToken
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.identity import tokenHash
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import NOW, EngineTestCase

JOIN = tokenHash("the-join-token")


class AccessTestCase(EngineTestCase):
    def insert(self, hash: str, aiId: str = "a", kind: str = "issued", **fields: Any) -> None:
        token = StoredToken(hash, aiId, kind, NOW, None, None, None)._replace(**fields)
        self.write(lambda transaction: transaction.tokens.insert(token))

    def tokens(self) -> dict[str, StoredToken]:
        return {token.hash: token for token in self.ask(lambda reader: reader.tokens.all())}


@onEveryEngine
class TokenQueryTests(AccessTestCase):
    def test_kept(self) -> None:
        """A token is kept as it was given, by later engines too."""
        token = StoredToken("h", "a", "join", NOW - 0.25, NOW + 1, NOW + 2.5, NOW + 3)
        self.write(lambda transaction: transaction.tokens.insert(token))
        self.again()
        self.assertEqual(self.tokens(), {"h": token})
        self.assertEqual(self.ask(lambda reader: reader.tokens.ofAi("a")), [token])

    def test_ofAi(self) -> None:
        """All tokens of one AI, whatever became of them, but those of viewers."""
        self.insert("1", revokedAt=NOW)
        self.insert("2", kind="join", expiresAt=NOW - 1)
        self.insert("3", kind="viewer")
        self.insert("4", "b")
        self.assertEqual({token.hash for token in self.ask(lambda reader: reader.tokens.ofAi("a"))}, {"1", "2"})
        self.assertEqual(self.ask(lambda reader: reader.tokens.ofAi("c")), [])

    def viewer(self, hash: str) -> bool:
        return self.ask(lambda reader: reader.tokens.viewerExists(hash, NOW))

    def test_viewer(self) -> None:
        """A viewer's token counts until it expires or is revoked; no other kind does."""
        self.insert("good", kind="viewer")
        self.insert("later", kind="viewer", expiresAt=NOW + 0.001)
        self.insert("expired", kind="viewer", expiresAt=NOW)
        self.insert("revoked", kind="viewer", revokedAt=NOW)
        self.insert("issued")
        found = [self.viewer(hash) for hash in ("good", "later", "expired", "revoked", "issued", "unknown")]
        self.assertEqual(found, [True, True, False, False, False, False])

    def test_all(self) -> None:
        """All are listed by their AI, then by age."""
        for hash, aiId, at in (("1", "b", 1), ("2", "a", 9), ("3", "B", 5), ("4", "a", 3), ("5", "viewer:a", 2)):
            self.insert(hash, aiId, createdAt=NOW + at)
        found = [token.hash for token in self.ask(lambda reader: reader.tokens.all())]
        self.assertEqual(found, ["3", "4", "2", "1", "5"])

    def test_ids(self) -> None:
        """Whoever has a token is known, revoked or not."""
        self.insert("1")
        self.insert("2", revokedAt=NOW)
        self.insert("3", "b", revokedAt=NOW)
        self.assertEqual(self.ask(lambda reader: reader.tokens.ids()), {"a", "b"})

    def beginning(self, beginning: str, limit: int = 9) -> list[str]:
        return self.ask(lambda reader: reader.tokens.idsBeginning(beginning, limit))

    def test_idsBeginning(self) -> None:
        """Ids that begin so, each once, by their bytes, and only those that can come in some way."""
        for i, aiId in enumerate(("AI_2", "AI_1", "AI_1", "AI_é", "AI_Z", "B", "ai_9", "AI%")):
            self.insert(str(i), aiId)
        self.insert("gone", "AI_0", revokedAt=NOW)
        self.insert("partly", "AI_2", revokedAt=NOW)
        self.assertEqual(self.beginning("AI_"), ["AI_1", "AI_2", "AI_Z", "AI_é"])
        self.assertEqual(self.beginning("AI_", 2), ["AI_1", "AI_2"])
        self.assertEqual(self.beginning("AI%"), ["AI%"])
        self.assertEqual(self.beginning(""), ["AI%", "AI_1", "AI_2", "AI_Z", "AI_é", "B", "ai_9"])
        self.assertEqual(self.beginning("AI_12"), [])


@onEveryEngine
class TokenStatementTests(AccessTestCase):
    def changed(self, do: Any) -> tuple[Any, set[str]]:
        """What a statement returned, and which tokens it changed; one that went counts, too."""
        before = self.tokens()
        result = self.write(do)
        after = self.tokens()
        return result, {hash for hash in before | after if before.get(hash) != after.get(hash)}

    def fill(self, kind: str) -> None:
        self.insert(f"{kind}", kind=kind)
        self.insert(f"{kind} used", kind=kind, usedAt=NOW - 1)
        self.insert(f"{kind} revoked", kind=kind, revokedAt=NOW - 1)
        self.insert(f"{kind} of b", "b", kind=kind)

    def use(self, hash: str) -> str | None:
        return self.write(lambda transaction: transaction.tokens.markUsed(hash, "a", NOW + 9))

    def test_markUsed(self) -> None:
        """The first use is written down, of that token of that AI, and never another one."""
        self.fill("issued")
        self.assertEqual(self.changed(lambda t: t.tokens.markUsed("issued", "b", NOW)), (None, set()))
        self.assertEqual(self.changed(lambda t: t.tokens.markUsed("issued", "a", NOW)), ("issued", {"issued"}))
        self.assertEqual(self.tokens()["issued"].usedAt, NOW)
        self.assertEqual([self.use(hash) for hash in ("issued", "issued used", "unknown")], [None] * 3)
        self.assertEqual(self.tokens()["issued"].usedAt, NOW)

    def test_markJoinsUsed(self) -> None:
        """Join strings of an AI are used up, also revoked ones; what was used keeps its time."""
        self.fill("join")
        self.fill("issued")
        self.assertEqual(self.changed(lambda t: t.tokens.markJoinsUsed("a", NOW)), (None, {"join", "join revoked"}))
        self.assertEqual((self.tokens()["join"].usedAt, self.tokens()["join used"].usedAt), (NOW, NOW - 1))

    def test_deleteUnusedEnrolled(self) -> None:
        """Only a token that was never used nor revoked is taken back."""
        self.fill("enrolled")
        self.fill("issued")
        self.assertEqual(self.changed(lambda t: t.tokens.deleteUnusedEnrolled("a")), (None, {"enrolled"}))
        self.assertNotIn("enrolled", self.tokens())

    def test_expireAll(self) -> None:
        """Tokens that work get an end, never a later one; what was rotated is an ordinary token then."""
        self.fill("rotated")
        self.fill("join")
        self.insert("sooner", expiresAt=NOW + 5)
        self.insert("later", kind="enrolled", expiresAt=NOW + 50)
        self.insert("over", expiresAt=NOW)
        count, changed = self.changed(lambda t: t.tokens.expireAll("a", NOW + 10, NOW))
        # One that ends sooner is counted, and stays as it was.
        self.assertEqual((count, changed), (4, {"rotated", "rotated used", "later"}))
        found = {hash: (self.tokens()[hash].expiresAt, self.tokens()[hash].kind) for hash in (*changed, "sooner")}
        self.assertEqual(
            found,
            {
                "rotated": (NOW + 10, "issued"),
                "rotated used": (NOW + 10, "issued"),
                "sooner": (NOW + 5, "issued"),
                "later": (NOW + 10, "enrolled"),
            },
        )
        self.assertEqual(self.write(lambda t: t.tokens.expireAll("c", NOW + 10, NOW)), 0)

    def test_replaceHash(self) -> None:
        """A token goes by another hash, and is otherwise the same; one that is not there is not made."""
        self.insert("old", kind="rotated", expiresAt=NOW + 5)
        before = self.tokens()["old"]
        self.write(lambda t: t.tokens.replaceHash("old", "new"))
        self.write(lambda t: t.tokens.replaceHash("old", "newer"))
        self.assertEqual(self.tokens(), {"new": before._replace(hash="new")})

    def test_revokeUnusedJoins(self) -> None:
        """Only join strings that could be used end."""
        self.fill("join")
        self.fill("issued")
        self.assertEqual(self.changed(lambda t: t.tokens.revokeUnusedJoins("a", NOW)), (None, {"join"}))
        self.assertEqual(self.tokens()["join"].revokedAt, NOW)

    def test_revoke(self) -> None:
        """All tokens of an AI end, of whichever kind; what was revoked keeps its time, and is not counted."""
        for kind in ("join", "issued", "viewer"):
            self.fill(kind)
        expected = {name for kind in ("join", "issued", "viewer") for name in (kind, f"{kind} used")}
        self.assertEqual(self.changed(lambda t: t.tokens.revoke("a", NOW)), (6, expected))
        self.assertEqual((self.tokens()["join"].revokedAt, self.tokens()["join revoked"].revokedAt), (NOW, NOW - 1))
        self.assertEqual(self.write(lambda t: t.tokens.revoke("a", NOW)), 0)

    def test_undone(self) -> None:
        """Each of these is undone with its work."""
        self.fill("join")
        self.fill("enrolled")
        before = self.tokens()

        def fails(transaction: Transaction) -> None:
            transaction.tokens.markUsed("enrolled", "a", NOW)
            transaction.tokens.markJoinsUsed("a", NOW)
            transaction.tokens.deleteUnusedEnrolled("b")
            transaction.tokens.expireAll("a", NOW, NOW)
            transaction.tokens.replaceHash("join", "other")
            transaction.tokens.revokeUnusedJoins("b", NOW)
            transaction.tokens.revoke("a", NOW)
            transaction.tokens.insert(StoredToken("new", "c", "issued", NOW, None, None, None))
            raise ValueError("mine")

        self.commit(fails)
        self.assertEqual(self.tokens(), before)


@onEveryEngine
class GrantTests(AccessTestCase):
    """Each way in, by the statements of this engine alone."""

    def grant(self, token: str, aiId: str = "a", now: float = NOW) -> Grant:
        return self.ask(lambda reader: tokens.check(reader, aiId, token, JOIN, now))

    def use(self, token: str, aiId: str = "a") -> None:
        self.write(lambda transaction: tokens.markUsed(transaction, aiId, token))

    def enrol(self, grant: Grant = Grant.JOIN) -> str | None:
        return self.write(lambda transaction: tokens.enrol(transaction, "a", grant))

    def enrolled(self, grant: Grant = Grant.JOIN) -> str:
        token = self.enrol(grant)
        assert token is not None
        return token

    def test_issued(self) -> None:
        """An operator's token works for its id, first and later; the join token does not beside it."""
        token = self.write(lambda transaction: tokens.issue(transaction, "a"))
        self.assertEqual((self.grant(token), self.grant(token, "b")), (Grant.FIRST_USE, Grant.REFUSED))
        self.use(token)
        self.assertEqual(
            (self.grant(token), self.grant("wrong"), self.grant("the-join-token")),
            (Grant.OWN, Grant.REFUSED, Grant.REFUSED),
        )
        self.assertIsNone(self.enrol())

    def test_joined(self) -> None:
        """The join token works until the own token was used; each time the token before goes."""
        self.assertEqual(self.grant("the-join-token"), Grant.JOIN)
        lost, own = self.enrolled(), self.enrolled()
        self.assertEqual((self.grant(lost), self.grant(own)), (Grant.REFUSED, Grant.FIRST_USE))
        self.assertEqual(self.grant("the-join-token"), Grant.JOIN)
        self.use(own)
        self.assertEqual((self.grant("the-join-token"), self.grant(own)), (Grant.REFUSED, Grant.OWN))
        self.assertIsNone(self.enrol())

    def test_invited(self) -> None:
        """A join string works until it expires, another one comes, or the token that it brought is used."""
        first, second = (self.write(lambda transaction: tokens.invite(transaction, "a", 60)) for _ in range(2))
        self.assertEqual((self.grant(first), self.grant(second)), (Grant.REFUSED, Grant.INVITED))
        self.assertEqual(self.grant(second, now=NOW + 60), Grant.REFUSED)
        own = self.enrolled(Grant.INVITED)
        self.assertEqual((self.grant(own), self.grant(second)), (Grant.FIRST_USE, Grant.INVITED))
        self.use(own)
        self.assertEqual((self.grant(own), self.grant(second)), (Grant.OWN, Grant.REFUSED))
        self.assertIsNone(self.enrol(Grant.INVITED))

    def test_rotated(self) -> None:
        """After a rotation both work for the grace period; the new one is renewed until it was used."""
        old = self.write(lambda transaction: tokens.issue(transaction, "a"))
        self.use(old)
        new = self.write(lambda transaction: tokens.rotate(transaction, "a", 60))
        assert new is not None
        self.assertEqual((self.grant(old, now=NOW + 59), self.grant(new)), (Grant.OWN, Grant.FIRST_USE))
        self.assertEqual(self.grant(old, now=NOW + 60), Grant.REFUSED)
        newer = self.write(lambda transaction: tokens.renew(transaction, "a"))
        assert newer is not None
        self.assertEqual((self.grant(new), self.grant(newer)), (Grant.REFUSED, Grant.FIRST_USE))
        self.use(newer)
        self.assertIsNone(self.write(lambda transaction: tokens.renew(transaction, "a")))

    def test_revoked(self) -> None:
        """A revoked id has no way in but a new token."""
        old = self.write(lambda transaction: tokens.issue(transaction, "a"))
        secret = self.write(lambda transaction: tokens.invite(transaction, "a", 60))
        self.assertEqual(self.write(lambda transaction: tokens.revoke(transaction, "a")), 2)
        found = {self.grant(token) for token in (old, secret, "the-join-token")}
        self.assertEqual(found, {Grant.REFUSED})
        self.assertEqual((self.enrol(), self.enrol(Grant.INVITED)), (None, None))
        self.assertIsNone(self.write(lambda transaction: tokens.rotate(transaction, "a", 60)))
        new = self.write(lambda transaction: tokens.issue(transaction, "a"))
        self.assertEqual(self.grant(new), Grant.FIRST_USE)

    def test_viewer(self) -> None:
        """A viewer's token lets a viewer look until it expires, and nobody in."""
        token = self.write(lambda transaction: tokens.issueViewer(transaction, "me", 60))
        self.assertTrue(self.ask(lambda reader: tokens.checkViewer(reader, token, NOW + 59)))
        self.assertFalse(self.ask(lambda reader: tokens.checkViewer(reader, token, NOW + 60)))
        self.assertEqual(self.grant(token, tokens.viewerId("me")), Grant.REFUSED)


@onEveryEngine
class AiTests(AccessTestCase):
    def save(self, aiId: str, protocol: int = 2, readSeq: int | None = None) -> StoredAi:
        ai = StoredAi(aiId, b'{"x":1}', protocol, NOW + 0.5, readSeq)
        self.write(lambda transaction: transaction.ais.save(ai))
        return ai

    def least(self) -> int | None:
        return self.ask(lambda reader: reader.ais.leastRead())

    def test_all(self) -> None:
        """The last hello of each is kept, and listed by id."""
        self.save("b", 1)
        expected = [self.save("a", 2, 7), self.save("b", 2), self.save("é")]
        self.again()
        self.assertEqual(self.ask(lambda reader: reader.ais.all()), expected)
        found = [
            self.ask(lambda reader: reader.ais.protocolOf("b")),
            self.ask(lambda reader: reader.ais.protocolOf("x")),
        ]
        self.assertEqual(found, [2, None])
        self.assertEqual(self.ask(lambda reader: [reader.ais.find("b"), reader.ais.find("x")]), [expected[1], None])

    def test_forget(self) -> None:
        """What is known of an AI goes; of one that is not known, nothing does."""
        kept = self.save("a")
        self.save("b")
        for aiId in ("b", "nobody"):
            self.write(lambda t, aiId=aiId: t.ais.forget(aiId))  # type: ignore[misc]
        self.assertEqual(self.ask(lambda reader: reader.ais.all()), [kept])

    def test_raise(self) -> None:
        """A position only rises, and only that of who is known."""
        self.save("a", 2, 7)
        self.save("b")
        self.save("c", 2, 7)
        self.write(lambda transaction: transaction.ais.raiseReadSeq([(6, "a"), (1, "b"), (8, "c"), (9, "x"), (0, "b")]))
        found = {ai.aiId: ai.readSeq for ai in self.ask(lambda reader: reader.ais.all())}
        self.assertEqual(found, {"a": 7, "b": 1, "c": 8})
        self.write(lambda transaction: transaction.ais.raiseReadSeq([]))

    def test_leastRead(self) -> None:
        """The slowest of those that read the log; one of which nothing is known has read nothing."""
        self.assertIsNone(self.least())
        self.save("old", 1, 1)
        self.assertIsNone(self.least())
        self.save("a", 2, 7)
        self.save("b", 3, 5)
        self.assertEqual(self.least(), 5)
        self.save("c")
        self.assertEqual(self.least(), 0)

    def test_lockedOut(self) -> None:
        """Whose tokens are all revoked keeps nothing back; who has none, or one that isn't, does."""
        self.save("a", 2, 7)
        self.save("b", 2, 5)
        self.insert("1", "b", revokedAt=NOW)
        self.assertEqual(self.least(), 7)
        self.insert("2", "b", expiresAt=NOW - 9)
        self.assertEqual(self.least(), 5)
        self.write(lambda transaction: transaction.tokens.revoke("b", NOW))
        self.assertEqual(self.least(), 7)
