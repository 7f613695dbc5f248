"""The log: its numbers, repetitions, pages, and what else is asked of it."""

from __future__ import annotations

from typing import Any

from kernelnet import wire
from kernelnet.hub.storage import integrity, log_pages
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.statements.components import NewComponent
from kernelnet.hub.storage.statements.log import Confirmation, EventHeader
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.message import MessageType
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import TIMESTAMP, EngineTestCase, append, appends, message

REPORT = MessageType.PERFORMANCE_REPORT


@onEveryEngine
class NumberTests(EngineTestCase):
    def test_gapless(self) -> None:
        """Numbers rise by one from row to row, over commits, failures and engines."""

        def fails(transaction: Transaction) -> None:
            append(transaction, "a", "gone")
            raise ValueError("mine")

        for i in range(4):
            self.commit(fails)
            self.commit(appends("a", f"m{i}"), fails, appends("b", f"m{i}"))
            self.again()
        self.assertEqual([row.seq for row in self.database.logged()], [*range(1, 9)])
        self.assertEqual(self.head(), 8)

    def test_neverAgain(self) -> None:
        """No number is given twice, whatever was removed: some rows, the last, or all; also by the next engine."""
        given = [self.append("a", f"m{i}").seq for i in range(3)]
        for upTo in (1, 3):
            self.remove(upTo)
            given.append(self.append("a", f"x{upTo}").seq)
        self.remove(99)
        self.again()
        given.append(self.append("a", "last").seq)
        self.assertEqual(given, [1, 2, 3, 4, 5, 6])

        def both(transaction: Transaction) -> Event:
            self.assertEqual(transaction.marks.remove(99, 99), 1)
            return append(transaction, "a", "same")

        self.assertEqual(self.write(both).seq, 7)

    def test_event(self) -> None:
        """An event tells readers what they need: the sender is no recipient of its own, a new type is marked."""
        event = self.append("a", "m1", to=["a", "b", "c"])
        self.assertEqual((event.sender, event.recipients, event.newOnly), ("a", frozenset("bc"), False))
        self.assertIsNone(self.append("a", "m2").recipients)
        self.assertTrue(self.append("a", "m3", to=["b"], type=MessageType.COLLABORATION_RESPONSE).newOnly)
        self.assertEqual([row.recipients for row in self.database.logged()], [["b", "c"], None, ["b"]])


@onEveryEngine
class RepetitionTests(EngineTestCase):
    def find(self, sender: str, id: str) -> tuple[int, bytes] | None:
        """Who finds nothing must append: so it does, and that is undone."""
        found: list[tuple[int, bytes] | None] = []

        def find(transaction: Transaction) -> None:
            found.append(transaction.find(sender, id))
            append(transaction, sender, id)
            raise ValueError("mine")

        self.commit(find)
        return found[-1]

    def test_found(self) -> None:
        """A message is found by its sender and its id together, with its seq and its digest."""
        self.append("a", "m", digest=b"d" * 16)
        self.append("b", "m", digest=b"e" * 16)
        self.assertEqual(self.find("a", "m"), (1, b"d" * 16))
        self.assertEqual(self.find("b", "m"), (2, b"e" * 16))
        self.assertEqual((self.find("m", "a"), self.find("c", "m"), self.find("a", "M")), (None, None, None))

    def test_ofTheLine(self) -> None:
        """Where none was given the digest is that of what the line says."""
        made = message("a", "m", payload={"b": 1, "a": [None, "é"]}, target="x")
        self.write(lambda transaction: transaction.append(made, wire.encode(made), ["x"]))
        digest = integrity.digest(made.message_type.value, "x", {"a": [None, "é"], "b": 1})
        self.assertEqual(self.find("a", "m"), (1, digest))
        self.remove(1)
        self.assertEqual(self.find("a", "m"), (1, digest))

    def test_removed(self) -> None:
        """It is found for ever: when its row was removed, and by later engines."""
        for i in range(4):
            self.append("a", f"m{i}", digest=b"%d" % i * 16)
        self.remove(3)
        for _ in range(2):
            self.assertEqual([self.find("a", f"m{i}") for i in range(4)], [(i + 1, b"%d" % i * 16) for i in range(4)])
            self.again()
        self.assertEqual(self.database.known, 3)

    def test_withinACommit(self) -> None:
        """It is found by a later work of the same commit, with the number that its event has by then."""
        found: list[tuple[bool, bytes] | None] = []
        events: list[Event] = []

        def once(transaction: Transaction) -> None:
            there = transaction.find("a", "m")
            if there is None:
                events.append(append(transaction, "a", "m", digest=b"d" * 16))
            found.append(there and (there[0] == events[-1].seq, there[1]))

        self.commit(once, once)
        # An engine may apply works twice, and the first time take each message for a new one.
        self.assertEqual(found[-2:], [None, (True, b"d" * 16)])
        self.assertEqual([row.seq for row in self.database.logged()], [events[-1].seq])

    def test_repeatedOnes(self) -> None:
        """Repetitions among new messages are all found in time, of what is there and of what was removed."""
        self.append("a", "old", digest=b"o" * 16)
        self.append("a", "there", digest=b"t" * 16)
        self.remove(1)

        def once(id: str) -> Any:
            def function(transaction: Transaction) -> None:
                if transaction.find("a", id) is None:
                    append(transaction, "a", id)

            return function

        done = self.commit(*map(once, ("new", "old", "new", "there", "newer", "old")))
        self.assertEqual((done.refused, [event.seq for event in done.committed.events]), ({}, [3, 4]))
        self.assertEqual([row.messageId for row in self.database.logged()], ["there", "new", "newer"])

    def test_removedAlone(self) -> None:
        """Also a removed message that comes again as the only repetition in a commit, whichever place it has there."""
        self.append("a", "old", digest=b"o" * 16)
        self.remove(1)
        found: list[Any] = []

        def again(transaction: Transaction) -> None:
            found.append(transaction.find("a", "old"))
            if found[-1] is None:
                append(transaction, "a", "old", digest=b"o" * 16)

        for i, works in enumerate(((appends("a", "x0"), again), (again, appends("a", "x1")), (again,))):
            self.commit(*works)
            self.assertEqual(found[-1], (1, b"o" * 16), i)
        self.assertEqual([row.messageId for row in self.database.logged()], ["x0", "x1"])

    def test_undone(self) -> None:
        """What was undone was never there."""

        def fails(transaction: Transaction) -> None:
            append(transaction, "a", "m")
            raise ValueError("mine")

        self.commit(fails)
        self.assertIsNone(self.find("a", "m"))
        self.append("a", "m")


@onEveryEngine
class PageTests(EngineTestCase):
    def page(self, after: int, upTo: int = 999, aiId: str = "x") -> tuple[list[int], int]:
        page = self.fired(self.engine.page(after, upTo, aiId))
        return [event.seq for event in page.events], page.upTo

    def fill(self, count: int, **fields: Any) -> None:
        self.commit(*[appends("a", f"m{i}", **fields) for i in range(count)])

    def test_whole(self) -> None:
        """A page holds the next events as they were written, by seq."""
        sent = [self.append("a", "m1"), self.append("b", "m2", to=["x", "a"]), self.append("x", "m3")]
        sent.append(self.append("b", "m4", to=["x"], type=MessageType.COLLABORATION_RESPONSE))
        page = self.fired(self.engine.page(0, 4, "x"))
        expected = [(e.seq, e.sender, e.recipients, e.line, e.newOnly) for e in sent if e.sender != "x"]
        self.assertEqual([(e.seq, e.sender, e.recipients, e.line, e.newOnly) for e in page.events], expected)
        self.assertEqual(page.upTo, 4)

    def test_concerned(self) -> None:
        """Only what concerns the reader is there, and the page covers what does not as well."""
        self.append("a", "m1", to=["y"])
        self.append("a", "m2", to=["x"])
        self.append("a", "m3")
        self.append("x", "m4")
        self.append("a", "m5", to=[])
        self.assertEqual(self.page(0, 5), ([2, 3], 5))
        self.assertEqual(self.page(0, 5, "a"), ([4], 5))
        self.assertEqual(self.page(0, 5, "y"), ([1, 3, 4], 5))

    def test_bounds(self) -> None:
        """It begins after one position, and never goes beyond the other."""
        self.fill(9)
        self.assertEqual(self.page(3, 6), ([4, 5, 6], 6))
        self.assertEqual(self.page(8, 9), ([9], 9))
        self.assertEqual(self.page(9, 9), ([], 9))

    def test_rows(self) -> None:
        """It covers a bounded number of rows; the next one goes on where it ends."""
        self.fill(log_pages.PAGE_ROWS + 5, to=["x"])
        seqs, upTo = self.page(0, log_pages.PAGE_ROWS + 5)
        self.assertEqual((len(seqs), upTo), (log_pages.PAGE_ROWS, log_pages.PAGE_ROWS))
        self.assertEqual(self.page(0, log_pages.PAGE_ROWS + 5, "y"), ([], log_pages.PAGE_ROWS))
        last = [*range(upTo + 1, upTo + 6)]
        self.assertEqual(self.page(upTo, log_pages.PAGE_ROWS + 5), (last, last[-1]))

    def test_bytes(self) -> None:
        """It holds a bounded number of bytes, or one event that is larger."""
        size = log_pages.PAGE_BYTES // 3
        self.fill(4, payload={"x": "x" * size})
        self.assertEqual(self.page(0, 4), ([1, 2], 2))
        self.append("a", "large", payload={"x": "x" * log_pages.PAGE_BYTES})
        self.append("a", "small")
        self.assertEqual(self.page(3, 6), ([4], 4))
        self.assertEqual(self.page(4, 6), ([5], 5))
        self.assertEqual(self.page(5, 6), ([6], 6))

    def test_removed(self) -> None:
        """Where rows were removed it goes on with the first that is there; with none it covers all that was asked."""
        self.fill(6)
        self.remove(4)
        self.assertEqual(self.page(1, 6), ([5, 6], 6))
        self.assertEqual(self.page(1, 3), ([], 3))


@onEveryEngine
class QueryTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.append("a", "m1", target="b", to=["b"], timestamp="2020-01-01T00:00:00Z")
        self.append("b", "m2", type=REPORT, timestamp="2019-01-01T00:00:00Z")
        for i in range(3, 7):
            self.append("a", f"m{i}")

    def headers(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        return self.ask(lambda reader: reader.log.headers(after, upTo, limit))

    def newest(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        return self.ask(lambda reader: reader.log.newestHeaders(after, upTo, limit))

    def hasAny(self, after: int, types: list[str]) -> bool:
        return self.ask(lambda reader: reader.log.hasAny(after, types))

    def test_headers(self) -> None:
        """Headers are those of the first rows between two positions, with what the author said."""
        self.assertEqual(
            self.headers(0, 2, 9),
            [
                EventHeader(1, "a", "pattern_share", "b", "2020-01-01T00:00:00Z"),
                EventHeader(2, "b", "performance_report", None, "2019-01-01T00:00:00Z"),
            ],
        )
        for after, upTo, limit, expected in ((0, 9, 2, [1, 2]), (2, 5, 9, [3, 4, 5]), (6, 9, 9, []), (0, 9, 0, [])):
            self.assertEqual([header.seq for header in self.headers(after, upTo, limit)], expected)

    def test_newest(self) -> None:
        """The newest headers are the last ones between two positions, in the order of the log."""
        for after, upTo, limit, expected in ((0, 9, 2, [5, 6]), (1, 4, 2, [3, 4]), (4, 9, 9, [5, 6]), (0, 9, 0, [])):
            self.assertEqual([header.seq for header in self.newest(after, upTo, limit)], expected)
        self.remove(5)
        self.assertEqual([header.seq for header in self.newest(0, 9, 9)], [6])

    def test_hasAny(self) -> None:
        """Whether there is any of some types after a position."""
        for after, types, expected in (
            (0, ["performance_report"], True),
            (1, ["heartbeat", "performance_report"], True),
            (2, ["performance_report"], False),
            (5, ["pattern_share"], True),
            (6, ["pattern_share"], False),
            (0, [], False),
        ):
            self.assertEqual(self.hasAny(after, types), expected, (after, types))

    def report(self, reporter: str, id: str, digest: str, verdict: str | None) -> None:
        payload = {"component_id": "c", "digest": digest, "verdict": verdict}
        self.append(reporter, id, type=REPORT, payload=payload, timestamp=f"time of {id}")

    def test_firstConfirmation(self) -> None:
        """The first report that confirms a component that is stored, by another AI than its author."""
        self.assertIsNone(self.ask(lambda reader: reader.log.firstConfirmation()))
        event = self.append("a", "shared")
        component = NewComponent("a", "c7", "component", "n", "f", "d7", 0.5, TIMESTAMP, b"{}")
        self.write(lambda transaction: transaction.components.put(event, component))
        self.report("a", "own", "d7", "confirmed")
        self.report("b", "unknown", "d8", "confirmed")
        self.report("b", "refutes", "d7", "refuted")
        self.report("b", "figures", "d7", None)
        self.append("b", "no report", payload={"digest": "d7", "verdict": "confirmed"})
        self.assertIsNone(self.ask(lambda reader: reader.log.firstConfirmation()))
        self.report("b", "first", "d7", "confirmed")
        self.report("c", "second", "d7", "confirmed")
        found = self.ask(lambda reader: reader.log.firstConfirmation())
        self.assertEqual(found, Confirmation("time of first", "c7", "b"))
