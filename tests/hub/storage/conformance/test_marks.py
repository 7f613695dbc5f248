"""Marks in the log, and its beginning removed by them."""

from __future__ import annotations

from kernelnet.hub.storage.retention_policy import RetentionLimit, RetentionPolicy
from kernelnet.hub.storage.statements.access import StoredAi
from kernelnet.hub.storage.statements.log import Mark
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import NOW, EngineTestCase, appends


class MarksTestCase(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.commit(*[appends("a", f"m{i}") for i in range(1, 11)])
        self.sizes = [len(row.body) for row in self.database.logged()]

    def mark(self, *marks: tuple[int, float, int]) -> None:
        self.write(lambda transaction: transaction.marks.add([Mark(*mark) for mark in marks]))

    def firstOver(self, size: int) -> int:
        return self.ask(lambda reader: reader.marks.firstOver(size))

    def reachedAt(self, at: float) -> int:
        return self.ask(lambda reader: reader.marks.reachedAt(at))

    def measure(self, after: int, upTo: int, limit: int) -> tuple[int | None, int]:
        return self.ask(lambda reader: reader.marks.measure(after, upTo, limit))

    def marks(self) -> list[int]:
        """The seqs of the marks, if each has more bytes than those before it."""
        return sorted({self.firstOver(size) for size in range(0, 1000, 100)} - {0})

    def left(self) -> list[int]:
        return [row.seq for row in self.database.logged()]


@onEveryEngine
class MarkTests(MarksTestCase):
    def test_none(self) -> None:
        """Without marks nothing was reached."""
        self.assertEqual(
            (self.ask(lambda reader: reader.marks.last()), self.reachedAt(NOW), self.firstOver(0)),
            (None, 0, 0),
        )

    def test_order(self) -> None:
        """The last mark is that with the highest seq, in whichever order they came, and kept by the next engine."""
        self.mark((2, 10.0, 200), (7, 30.5, 700))
        self.mark((5, 20.0, 500))
        self.again()
        self.assertEqual(self.ask(lambda reader: reader.marks.last()), Mark(7, 30.5, 700))
        for at, expected in ((9.9, 0), (10.0, 2), (19.9, 2), (20.0, 5), (30.5, 7), (99.0, 7)):
            self.assertEqual(self.reachedAt(at), expected, at)
        for size, expected in ((0, 2), (200, 2), (201, 5), (500, 5), (501, 7), (700, 7), (701, 0)):
            self.assertEqual(self.firstOver(size), expected, size)

    def test_replaced(self) -> None:
        """A mark takes the place of one with its seq; nothing is a set of them, too."""
        self.mark((2, 10.0, 200))
        self.mark((2, 20.0, 300), (3, 20.0, 300))
        self.mark()
        self.assertEqual(self.marks(), [2])
        self.assertEqual(self.reachedAt(10.0), 0)
        self.assertEqual(self.reachedAt(20.0), 3)

    def test_measure(self) -> None:
        """Rows are measured by the bytes of their bodies, as many as were asked for."""
        for after, upTo, limit, last, count in ((0, 10, 99, 10, 10), (2, 10, 3, 5, 3), (7, 9, 99, 9, 2)):
            self.assertEqual(self.measure(after, upTo, limit), (last, sum(self.sizes[after : after + count])))
        self.assertEqual(self.measure(10, 10, 9), (None, 0))
        self.remove(4)
        self.assertEqual(self.measure(0, 10, 2), (6, sum(self.sizes[4:6])))


@onEveryEngine
class RemovalTests(MarksTestCase):
    def test_upTo(self) -> None:
        """The beginning goes, never more than was allowed at once, nor beyond the position; and nothing else."""
        self.assertEqual((self.remove(4, 3), self.left()), (3, [*range(4, 11)]))
        self.assertEqual((self.remove(4, 3), self.left()), (1, [*range(5, 11)]))
        self.assertEqual((self.remove(4, 3), self.left()), (0, [*range(5, 11)]))
        self.assertEqual((self.remove(0), self.left()), (0, [*range(5, 11)]))
        self.assertEqual((self.remove(999, 99), self.left()), (6, []))
        self.assertEqual((self.remove(999, 99), self.database.known), (0, 10))

    def test_marks(self) -> None:
        """Of the marks up to the last row that went the highest stays, and those after it do."""
        self.mark((2, 10.0, 200), (4, 10.0, 400), (6, 10.0, 600), (8, 10.0, 800))
        self.remove(7, 5)
        self.assertEqual(self.marks(), [4, 6, 8])
        self.remove(8, 1)
        self.assertEqual(self.marks(), [6, 8])
        self.remove(10)
        self.assertEqual(self.marks(), [8])
        self.assertEqual(self.ask(lambda reader: reader.marks.last()), Mark(8, 10.0, 800))

    def test_undone(self) -> None:
        """A removal that is undone removed nothing, not even marks."""
        self.mark((2, 10.0, 200), (4, 10.0, 400))

        def fails(transaction: Transaction) -> None:
            self.assertEqual(transaction.marks.remove(5, 99), 5)
            self.assertEqual([header.seq for header in transaction.log.headers(0, 99, 1)], [6])
            raise ValueError("mine")

        self.commit(fails)
        self.assertEqual((self.left(), self.marks(), self.database.known), ([*range(1, 11)], [2, 4], 0))


@onEveryEngine
class PolicyTests(MarksTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.mark((3, NOW - 100, 300), (6, NOW - 50, 600), (9, NOW - 10, 900))

    def removable(self, policy: RetentionPolicy) -> int:
        return self.write(lambda transaction: policy.removable(transaction, NOW))

    def test_limits(self) -> None:
        """Age and size are told by the marks; the stricter one counts."""
        for limit, expected in (
            (RetentionLimit(100), 3),
            (RetentionLimit(49), 6),
            (RetentionLimit(101), 0),
            (RetentionLimit(None, 900), 0),
            (RetentionLimit(None, 600), 3),
            (RetentionLimit(None, 299), 9),
            (RetentionLimit(100, 300), 6),
        ):
            self.assertEqual(self.removable(RetentionPolicy(hard=limit)), expected, limit)

    def test_readByAll(self) -> None:
        """The soft limit waits for each that still reads, the hard one for nobody."""
        limit = RetentionLimit(None, 0)
        self.write(lambda transaction: transaction.ais.save(StoredAi("a", b"{}", 2, NOW, 8)))
        self.write(lambda transaction: transaction.ais.save(StoredAi("b", b"{}", 2, NOW, 5)))
        self.assertEqual(self.removable(RetentionPolicy(soft=limit)), 5)
        self.assertEqual(self.removable(RetentionPolicy(soft=limit, hard=limit)), 9)
        self.write(lambda transaction: transaction.ais.raiseReadSeq([(7, "b")]))
        self.assertEqual(self.removable(RetentionPolicy(soft=limit)), 7)
        self.assertEqual(self.removable(RetentionPolicy()), 0)
