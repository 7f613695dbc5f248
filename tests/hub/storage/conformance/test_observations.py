"""Observations: the newest under the same conditions, and never more than the bounds."""

from __future__ import annotations

from kernelnet.hub.storage.statements.observations import NewObservation, ObservationBounds, StoredObservation
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import EngineTestCase, append

WIDE = ObservationBounds(9, 99)


@onEveryEngine
class ObservationTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sent = 0

    def observe(
        self,
        reporter: str = "a",
        *,
        id: str = "c",
        digest: str = "d",
        environment: str = "real",
        site: str = "s",
        conditions: str = "k",
        bounds: ObservationBounds = WIDE,
    ) -> None:
        """Its timestamp is its number, so that it is told apart."""
        self.sent += 1
        new = NewObservation(reporter, id, digest, environment, site, conditions, str(self.sent), b"{}")

        def put(transaction: Transaction) -> None:
            transaction.observations.put(append(transaction, reporter, f"m{self.sent}", to=[]), new, bounds)

        self.write(put)

    def onDigest(self, digest: str = "d", each: int = 99, limit: int = 99) -> list[str]:
        return [one.timestamp for one in self.ask(lambda reader: reader.observations.onDigest(digest, each, limit))]

    def test_kept(self) -> None:
        """An observation is kept by later engines too, and when its message was removed."""
        self.observe()
        self.remove(9)
        self.again()
        found = self.ask(lambda reader: reader.observations.onDigest("d", 9, 9))
        self.assertEqual(found, [StoredObservation("a", "1", b"{}")])

    def test_replaced(self) -> None:
        """The next one stands in the place of the last only if all of its key is the same."""
        self.observe()
        self.observe("other")
        self.observe(id="other")
        self.observe(environment="simulated")
        self.observe(site="other")
        self.observe(conditions="other")
        self.observe(digest="other")
        self.observe()
        self.assertEqual((self.onDigest(), self.onDigest("other")), (["8", "6", "5", "4", "3", "2"], ["7"]))
        self.assertEqual(self.ask(lambda reader: reader.observations.count()), 7)

    def test_shown(self) -> None:
        """Of each AI the newest, and of these the newest: nobody fills a list."""
        for reporter, site in (("b", "1"), ("a", "1"), ("a", "2"), ("a", "3"), ("a", "4")):
            self.observe(reporter, site=site)
        self.assertEqual((self.onDigest(each=2), self.onDigest(each=2, limit=2)), (["5", "4", "1"], ["5", "4"]))

    def test_eachBound(self) -> None:
        """Of one AI on one digest the oldest goes; others' stay."""
        self.observe("b")
        self.observe(digest="other")
        for site in "1234":
            self.observe(site=site, bounds=ObservationBounds(2, 99))
        self.assertEqual((self.onDigest(), self.onDigest("other")), (["6", "5", "1"], ["2"]))

    def test_totalBound(self) -> None:
        """Of all the oldest of whose are most goes, of several that of the first by id: nobody drives others out."""
        bounds = ObservationBounds(9, 4)
        for reporter, digest in (("b", "1"), ("a", "2"), ("a", "3"), ("a", "4"), ("a", "5"), ("a", "6"), ("b", "7")):
            self.observe(reporter, digest=digest, bounds=bounds)
        self.assertEqual([self.onDigest(digest) for digest in "1234567"], [["1"], [], [], [], ["5"], ["6"], ["7"]])
        self.observe("c", digest="8", bounds=bounds)
        self.assertEqual([self.onDigest(digest) for digest in "15678"], [["1"], [], ["6"], ["7"], ["8"]])

    def test_ownersBound(self) -> None:
        """All AIs of an owner count as one: with many ids nobody drives others out."""
        for aiId in ("x1", "x2", "x3"):
            self.write(lambda transaction, aiId=aiId: transaction.owners.set(aiId, "mallory"))  # type: ignore[misc]
        bounds = ObservationBounds(9, 4)
        for digest, reporter in enumerate(("a", "a", "x1", "x2", "x3", "x1", "x2"), 1):
            self.observe(reporter, digest=str(digest), bounds=bounds)
        self.assertEqual([self.onDigest(digest) for digest in "1234567"], [["1"], ["2"], [], [], [], ["6"], ["7"]])
