"""Tables in memory: copies that cost nothing, and go their own way."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.memory import MemoryDatabase, MemoryEngine
from kernelnet.hub.storage.memory.tables import LogRow, Table, Tables
from kernelnet.hub.storage.statements.log import Mark


class TableTests(SynchronousTestCase):
    def test_fork(self) -> None:
        """Each of two copies keeps what it had, whichever is changed, and however often they are copied."""
        first: Table[str, int] = Table()
        first["a"] = 1
        second = first.fork()
        third = second.fork()
        first["a"] = 2
        second["b"] = 3
        del third["a"]
        self.assertEqual([dict(one) for one in (first, second, third)], [{"a": 2}, {"a": 1, "b": 3}, {}])

    def test_shared(self) -> None:
        """Rows are copied once, with the first change, and not by who only looks."""
        first: Table[str, int] = Table()
        first["a"] = 1
        second = first.fork()
        self.assertEqual((second["a"], "a" in second, len(second), [*second.values()]), (1, True, 1, [1]))
        self.assertEqual((repr(first), repr(second)), ("<Table rows=1 shared>", "<Table rows=1 shared>"))
        second["b"] = 2
        self.assertEqual((repr(first), repr(second)), ("<Table rows=1 shared>", "<Table rows=2>"))

    def test_add(self) -> None:
        """A key is added once."""
        table: Table[str, int] = Table()
        table.add("a", 1)
        self.assertRaises(ValueError, table.add, "a", 2)
        self.assertEqual(dict(table), {"a": 1})


class TablesTests(SynchronousTestCase):
    def filled(self, count: int) -> Tables:
        tables = Tables()
        for seq in range(1, count + 1):
            tables.log[seq] = LogRow(Event(seq, "a", None, b"{}"), str(seq), "t", None, "", b"")
            tables.given = seq
        return tables

    def test_rows(self) -> None:
        """Rows between two positions, wherever the log begins and ends."""
        tables = self.filled(5)
        del tables.log[1]
        self.assertEqual(tables.first, 2)
        for after, upTo, expected in ((0, 99, [2, 3, 4, 5]), (3, 4, [4]), (5, 9, []), (0, 1, [])):
            self.assertEqual([row.event.seq for row in tables.rows(after, upTo)], expected)
        for seq in range(2, 6):
            del tables.log[seq]
        self.assertEqual((tables.first, [*tables.rows(0, 99)]), (6, []))

    def test_become(self) -> None:
        """All tables are gone back to, and the numbers with them."""
        tables = self.filled(2)
        before = tables.fork()
        tables.marks[1] = Mark(1, 0, 0)
        tables.given = 9
        del tables.log[1]
        tables.become(before)
        self.assertEqual((tables.given, len(tables.log), len(tables.marks), tables.logId), (2, 2, 0, before.logId))
        tables.marks[1] = Mark(1, 0, 0)
        self.assertEqual(len(before.marks), 0)


class ReprTests(SynchronousTestCase):
    def test_repr(self) -> None:
        """A database and its engine show where they stand."""
        database = MemoryDatabase()
        self.assertEqual(repr(database), "<MemoryDatabase head=0>")
        self.assertEqual(repr(MemoryEngine(database)), "<MemoryEngine <MemoryDatabase head=0> closed>")
