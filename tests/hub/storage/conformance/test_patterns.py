"""Patterns: the newest version of each, and the orders in which they are read."""

from __future__ import annotations

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.statements.patterns import NewPattern, PatternTurn, StoredPattern
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import EngineTestCase, append


@onEveryEngine
class PatternTests(EngineTestCase):
    def put(self, author: str, id: str, confidence: float = 0.5, type: str = "loop", body: bytes = b"{}") -> int:
        """@return: the seq of the message that it came with."""

        def put(transaction: Transaction) -> Event:
            seqs = self.ask(lambda reader: reader.log.newestHeaders(0, 999, 1))
            event = append(transaction, author, f"m{seqs[0].seq if seqs else 0}")
            pattern = NewPattern(author, id, type, confidence, "general", f"time of {id}", body)
            transaction.patterns.put(event, pattern)
            return event

        return self.write(put).seq

    def after(self, key: tuple[float, int] | None = None) -> list[tuple[float, int]]:
        return [(one.confidence, one.seq) for one in self.ask(lambda reader: [*reader.patterns.after(key)])]

    def best(self, type: str | None = None, limit: int = 9, maxBytes: int = 99) -> list[int]:
        return [one.seq for one in self.ask(lambda reader: reader.patterns.best(type, limit, maxBytes))]

    def types(self, limit: int = 9) -> list[str]:
        return self.ask(lambda reader: reader.patterns.types(limit))

    def count(self) -> int:
        return self.ask(lambda reader: reader.patterns.count())

    def test_kept(self) -> None:
        """A pattern is kept as it was shared, with its message's number, by later engines too."""
        seq = self.put("a", "p", 0.75, body='{"é":1}'.encode())
        self.again()
        expected = StoredPattern("a", 0.75, seq, "time of p", '{"é":1}'.encode())
        self.assertEqual(self.ask(lambda reader: [*reader.patterns.after(None)]), [expected])
        self.assertEqual(self.ask(lambda reader: reader.patterns.best(None, 9, 99)), [expected])

    def test_replaced(self) -> None:
        """An author's next version stands in the place of the last; other authors have an id of the same name."""
        self.put("a", "p", 0.9, "old")
        self.put("b", "p", 0.8)
        self.put("a", "p", 0.1)
        self.assertEqual((self.after(), self.count(), self.types()), ([(0.8, 2), (0.1, 3)], 2, ["loop"]))

    def test_bestFirst(self) -> None:
        """By confidence, and of equals the newest first."""
        for id_, confidence in (("a", 0.5), ("b", 1), ("c", 0.5), ("d", 0), ("e", 0.5), ("f", 1.0)):
            self.put("a", id_, confidence)
        order = [(1.0, 6), (1.0, 2), (0.5, 5), (0.5, 3), (0.5, 1), (0.0, 4)]
        self.assertEqual(self.after(), order)
        self.assertEqual([type(confidence) for confidence, _ in self.after()], [float] * 6)
        self.assertEqual(self.best(), [seq for _, seq in order])

    def test_after(self) -> None:
        """From each of them the next ones follow, whatever else comes meanwhile; also from where none is."""
        for id_, confidence in (("a", 0.5), ("b", 1), ("c", 0.5), ("d", 0)):
            self.put("a", id_, confidence)
        order = self.after()
        for i, key in enumerate(order):
            self.assertEqual(self.after(key), order[i + 1 :])
        self.assertEqual(self.after((0.75, 99)), order[1:])
        self.assertEqual(self.after((0.5, 2)), order[2:])
        self.put("b", "new", 0.9)
        self.assertEqual(self.after(order[0]), [(0.9, 5), *order[1:]])

    def test_inTurn(self) -> None:
        """Each author has a few before any has more; each page goes on behind the last one seen."""
        for author, id_, confidence in (
            ("a", "p", 0.9),
            ("a", "q", 0.8),
            ("b", "r", 0.1),
            ("a", "s", 0.7),
            ("c", "t", 0.5),
        ):
            self.put(author, id_, confidence)

        def inTurn(each: int, key: PatternTurn | None, limit: int = 9) -> list[tuple[PatternTurn, int]]:
            found = self.ask(lambda reader: [*reader.patterns.inTurn(each, key, limit)])
            return [(place, one.seq) for place, one in found]

        for each, order in ((1, [1, 5, 3, 2, 4]), (2, [1, 2, 5, 3, 4]), (9, [1, 2, 4, 5, 3])):
            found = inTurn(each, None)
            self.assertEqual([seq for _, seq in found], order)
            for i, (place, _) in enumerate(found):
                self.assertEqual(inTurn(each, place, 2), found[i + 1 : i + 3])
        self.assertIsInstance(found[0][0], PatternTurn)

    def test_best(self) -> None:
        """The best of a type, or of all, without those that are too large."""
        self.put("a", "p1", 0.9, "loop", b"x" * 10)
        self.put("a", "p2", 0.8, "io", b"x" * 11)
        self.put("a", "p3", 0.7, "loop", b"x" * 11)
        self.put("a", "p4", 0.6, "loop", b"x")
        self.assertEqual(self.best(), [1, 2, 3, 4])
        self.assertEqual(self.best(maxBytes=10), [1, 4])
        self.assertEqual(self.best("loop"), [1, 3, 4])
        self.assertEqual((self.best("loop", 1), self.best("loop", 2, 10), self.best("Loop")), ([1], [1, 4], []))

    def test_types(self) -> None:
        """Each type once, by its bytes."""
        for i, kind in enumerate(("b", "a", "B", "é", "a", "z")):
            self.put("a", str(i), type=kind)
        self.assertEqual((self.types(), self.types(2)), (["B", "a", "b", "z", "é"], ["B", "a"]))

    def test_outlives(self) -> None:
        """Patterns stay when the messages that they came with are removed."""
        self.put("a", "p")
        self.remove(9)
        self.assertEqual(self.after(), [(0.5, 1)])

    def test_none(self) -> None:
        """Where nothing was shared there is nothing."""
        self.assertEqual((self.after(), self.best(), self.types(), self.count()), ([], [], [], 0))
