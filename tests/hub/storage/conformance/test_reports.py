"""Reports: the newest of each AI on each component, and what is asked of them."""

from __future__ import annotations

from kernelnet.hub.storage.statements.reports import NewReport, StoredReport
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import EngineTestCase, append


@onEveryEngine
class ReportTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sent = 0

    def report(
        self, reporter: str, id: str = "c", digest: str = "d", verdict: str | None = None, size: int = 1
    ) -> None:
        """Its timestamp is its number, so that it is told apart."""
        self.sent += 1
        new = NewReport(reporter, id, digest, verdict, str(self.sent), b"x" * size)

        def put(transaction: Transaction) -> None:
            transaction.reports.put(append(transaction, reporter, f"m{self.sent}"), new)

        self.write(put)

    def ofComponent(self, id: str = "c", limit: int = 9, below: int = 99) -> list[str]:
        return [one.timestamp for one in self.ask(lambda reader: reader.reports.ofComponent(id, limit, below))]

    def onDigest(self, digest: str = "d", limit: int = 9, below: int = 99) -> list[str]:
        return [one.timestamp for one in self.ask(lambda reader: reader.reports.onDigest(digest, limit, below))]

    def verdicts(self, digest: str = "d", author: str = "x") -> list[tuple[str, str]]:
        return [one[:2] for one in self.ask(lambda reader: reader.reports.verdicts(digest, author))]

    def test_kept(self) -> None:
        """A report is kept as it was made, by later engines too, and when its message was removed."""
        self.report("a", verdict="confirmed", size=3)
        self.remove(9)
        self.again()
        expected = [StoredReport("a", "confirmed", "1", b"xxx")]
        self.assertEqual(self.ask(lambda reader: reader.reports.ofComponent("c", 9, 99)), expected)
        self.assertEqual(self.ask(lambda reader: reader.reports.onDigest("d", 9, 99)), expected)

    def test_idsOn(self) -> None:
        """Component ids that a reporter judged with a digest are counted, to a limit, without those of others."""
        for reporter, id_, digest in (("a", "c", "d"), ("a", "e", "d"), ("b", "f", "d"), ("a", "f", "e")):
            self.report(reporter, id_, digest)
        asked = (("x", 9), ("c", 9), ("x", 1))
        counts = [self.ask(lambda r, w=w, n=n: r.reports.idsOn("d", "a", w, n)) for w, n in asked]  # type: ignore[misc]
        self.assertEqual(counts, [2, 1, 1])

    def test_replaced(self) -> None:
        """The next report of the same AI on the same id and digest stands in the place of the last, and no other."""
        for reporter, id_, digest in (
            ("a", "c", "d"),
            ("b", "c", "d"),
            ("a", "c", "e"),
            ("a", "e", "d"),
            ("a", "c", "d"),
        ):
            self.report(reporter, id_, digest)
        self.assertEqual(self.ofComponent(), ["5", "3", "2"])
        self.assertEqual((self.onDigest(), self.onDigest("e")), (["5", "4", "2"], ["3"]))
        self.assertEqual(self.ask(lambda reader: reader.reports.count()), 4)

    def test_newest(self) -> None:
        """The newest first, as many as were asked for, and only those of less than a size."""
        for i, size in enumerate((1, 10, 9, 5)):
            self.report(f"AI_{i}", size=size)
        for ask in (self.ofComponent, self.onDigest):
            self.assertEqual((ask(), ask(limit=2), ask(below=10)), (["4", "3", "2", "1"], ["4", "3"], ["4", "3", "1"]))
            self.assertEqual((ask(limit=2, below=6), ask("other")), (["4", "1"], []))

    def test_confirming(self) -> None:
        """Of each who confirmed the newest, however much somebody reports; neither the author's, nor large ones."""
        for reporter, id_, verdict, size in (
            ("a", "c", "confirmed", 1),
            ("b", "c", "confirmed", 1),
            ("b", "other id", "confirmed", 1),
            ("x", "c", "confirmed", 1),
            ("c", "c", "refuted", 1),
            ("d", "c", "confirmed", 9),
            ("b", "c", "refuted", 1),
            ("b", "large", "confirmed", 10),
            ("e", "c", None, 1),
        ):
            self.report(reporter, id_, verdict=verdict, size=size)
        self.report("f", digest="other", verdict="confirmed")

        def confirming(limit: int = 9) -> list[str]:
            return [one.timestamp for one in self.ask(lambda r: r.reports.confirming("d", "x", limit, 10))]

        self.assertEqual((confirming(), confirming(2)), (["6", "3", "1"], ["6", "3"]))

    def test_verdicts(self) -> None:
        """Whoever judged a digest, but its author, in the order of the log; figures are no verdict."""
        for reporter, verdict in (("c", "confirmed"), ("b", "refuted"), ("a", "confirmed"), ("d", None)):
            self.report(reporter, verdict=verdict)
        self.report("b", "other id", verdict="unmeasurable")
        self.report("e", digest="other", verdict="confirmed")
        everyone = [("c", "confirmed"), ("b", "refuted"), ("a", "confirmed"), ("b", "unmeasurable")]
        self.assertEqual(self.verdicts(), everyone)
        self.assertEqual(self.verdicts(author="a"), [one for one in everyone if one[0] != "a"])
        self.report("c", verdict="refuted")
        self.assertEqual(self.verdicts(), [*everyone[1:], ("c", "refuted")])
        self.assertEqual(self.verdicts("none"), [])
