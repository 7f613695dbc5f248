"""Owners: all that counts votes counts them, also what was said before somebody had one."""

from __future__ import annotations

from kernelnet.hub.storage.statements.certificates import StoredCertificate
from kernelnet.hub.storage.statements.patterns import NewPattern
from kernelnet.hub.storage.statements.reports import NewReport
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import NOW, EngineTestCase, append
from tests.hub.storage.conformance.test_components import ComponentsTestCase

SYBILS = [f"s{number:02}" for number in range(50)]


@onEveryEngine
class OwnersTests(ComponentsTestCase):
    """Three honest owners, a, b and c, with an AI each; and one with fifty."""

    def setUp(self) -> None:
        super().setUp()
        for aiId in "abc":
            self.own(aiId, f"owner-{aiId}")
        for aiId in SYBILS:
            self.own(aiId, "crowd")

    def own(self, aiId: str, owner: str | None) -> None:
        self.write(lambda transaction: transaction.owners.set(aiId, owner))

    def follow(self, id_: str, aiId: str, seq: int) -> None:
        self.write(lambda transaction: transaction.components.followRules(f"digest of {id_}", aiId, seq))

    def counts(self) -> dict[str, tuple[int, int]]:
        return {one.id: (one.confirmed, one.refuted) for one in self.query("inOrder")}

    def test_kept(self) -> None:
        """Owners stay until they are changed or taken away."""
        self.own("a", "other")
        self.own("b", None)
        self.own("nobody", None)
        self.again()
        expected = {"a": "other", "c": "owner-c"} | dict.fromkeys(SYBILS, "crowd")
        self.assertEqual(self.ask(lambda r: r.owners.all()), expected)
        self.assertEqual(self.ask(lambda r: [r.owners.of(one) for one in ("a", "b")]), ["other", None])

    def test_confirmations(self) -> None:
        """Fifty ids of one owner confirm another's component once, and their own not at all."""
        self.share("honest", "a")
        self.share("theirs", SYBILS[0])
        for aiId in ("b", "c"):
            self.judge("honest", aiId, "confirmed")
            self.judge("theirs", aiId, "refuted")
        for aiId in SYBILS[1:]:
            self.judge("honest", aiId, "refuted")
            self.judge("theirs", aiId, "confirmed")
        self.assertEqual(self.counts(), {"honest": (2, 1), "theirs": (0, 2)})
        self.assertEqual(self.query("best", "fs", "x").id, "honest")

    def test_later(self) -> None:
        """An owner who is named later counts as if he had been named before; without one each id counts again."""
        self.share("theirs", "x1")
        for aiId in ("x2", "x3", "b"):
            self.judge("theirs", aiId, "confirmed")
        self.assertEqual(self.counts(), {"theirs": (3, 0)})
        self.own("x2", "one")
        self.own("x3", "one")
        self.assertEqual(self.counts(), {"theirs": (2, 0)})
        self.own("x1", "one")
        self.again()
        self.assertEqual(self.counts(), {"theirs": (1, 0)})
        self.own("x1", None)
        self.own("x3", "owner-b")
        self.assertEqual(self.counts(), {"theirs": (2, 0)})

    def test_nameIsNoId(self) -> None:
        """Who calls himself like an owner is not that owner."""
        self.share("theirs", "crowd")
        self.judge("theirs", SYBILS[0], "confirmed")
        self.judge("theirs", "owner-a", "confirmed")
        self.judge("theirs", "a", "confirmed")
        self.assertEqual(self.counts(), {"theirs": (3, 0)})

    def test_voices(self) -> None:
        """Three owners say which rules of a workbench are in force, whatever fifty ids of a fourth say later."""
        for id_, rules in (("good", "new"), ("bad", "old")):
            self.share(id_, "author", workbenchDigest=rules)
            self.judge(id_, "b", "confirmed")
        for seq, aiId in enumerate("abc"):
            self.follow("good", aiId, seq)
        for seq, aiId in enumerate(SYBILS):
            self.follow("bad", aiId, 10 + seq)
        self.assertEqual(self.query("rules"), {"fs": "new"})
        for aiId in SYBILS:
            self.own(aiId, None)
        self.assertEqual(self.query("rules"), {"fs": "old"})

    def test_ownerHasNoVoiceOnOwn(self) -> None:
        """An owner has no voice by what another of his AIs claims."""
        self.share("bad", SYBILS[0], workbenchDigest="old")
        self.judge("bad", "b", "confirmed")
        self.follow("bad", SYBILS[1], 9)
        self.assertEqual(self.query("rules"), {})

    def test_pages(self) -> None:
        """Owners take turns in the pages of components and of patterns: fifty ids have the place of one."""
        for number, aiId in enumerate(SYBILS):
            self.share(f"theirs {number}", aiId, level=0.99)
            self.pattern(aiId, 0.99)
        for aiId in "abc":
            self.share(f"of {aiId}", aiId, level=0.1)
            self.pattern(aiId, 0.1)
        found = [one.author for _, one in self.query("inTurn", 5, None, 8)]
        patterns = [one.author for _, one in self.ask(lambda r: [*r.patterns.inTurn(5, None, 8)])]
        self.assertEqual((found[5:], patterns[5:]), (["c", "b", "a"], ["c", "b", "a"]))

    def pattern(self, aiId: str, confidence: float) -> None:
        def share(transaction: Transaction) -> None:
            new = NewPattern(aiId, "p", "t", confidence, "", "", b"{}")
            transaction.patterns.put(append(transaction, aiId, f"p of {aiId}"), new)

        self.write(share)

    def test_witnesses(self) -> None:
        """Of each owner one AI's word is read, the newest; the author's owner has none."""
        self.share("one", SYBILS[0])
        for aiId in [*SYBILS, "a", "b", "d1", "d2"]:
            self.judge("one", aiId, "confirmed")
        self.own("d1", "owner-b")
        found = self.ask(lambda r: r.reports.confirming("digest of one", SYBILS[0], 99, 99))
        self.assertEqual([one.reporter for one in found], ["d2", "d1", "a"])
        verdicts = self.ask(lambda r: r.reports.verdicts("digest of one", SYBILS[0]))
        self.assertEqual(
            [(aiId, owner) for aiId, _, owner in verdicts],
            [("a", "owner-a"), ("b", "owner-b"), ("d1", "owner-b"), ("d2", None)],
        )

    def test_many(self) -> None:
        """What is written many rows at once has its owner, too."""

        def share(transaction: Transaction) -> None:
            for number in range(70):
                event = append(transaction, SYBILS[number % 50], f"many {number}")
                transaction.reports.put(event, NewReport(event.sender, "one", "digest of one", "confirmed", "", b"{}"))
            transaction.components.countVerdicts("digest of one")

        self.share("one", "a")
        self.write(share)
        self.assertEqual(self.counts(), {"one": (1, 0)})


@onEveryEngine
class SigningCertificatesTests(EngineTestCase):
    def insert(self, serial: str, aiId: str = "a", at: float = NOW, end: float = NOW + 9) -> None:
        certificate = StoredCertificate(serial, aiId, at, end, None)
        self.write(lambda transaction: transaction.certificates.insert(certificate))

    def test_revoked(self) -> None:
        """All of one AI's are revoked together, once; those of others stay good."""
        for serial, aiId in (("1", "a"), ("2", "b"), ("3", "a")):
            self.insert(serial, aiId)
        self.assertEqual(self.write(lambda transaction: transaction.certificates.revoke("a", NOW + 1)), 2)
        self.insert("4")
        self.assertEqual(self.write(lambda transaction: transaction.certificates.revoke("a", NOW + 2)), 1)
        self.again()
        found = self.ask(lambda reader: reader.certificates.revoked())
        self.assertEqual(
            [(one.serial, one.revokedAt) for one in found], [("1", NOW + 1), ("3", NOW + 1), ("4", NOW + 2)]
        )

    def test_since(self) -> None:
        """An AI's newest are counted; what has expired is forgotten."""
        self.insert("1", at=NOW, end=NOW + 1)
        self.insert("2", at=NOW + 1)
        self.insert("3", "b", at=NOW + 1)
        self.assertEqual(
            self.ask(lambda reader: [reader.certificates.since("a", NOW + n) for n in (-1, 0, 1)]), [2, 1, 0]
        )
        self.insert("4", at=NOW + 1.5)
        self.assertEqual(self.ask(lambda reader: reader.certificates.since("a", 0)), 2)
