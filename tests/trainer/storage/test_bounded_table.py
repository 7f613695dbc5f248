"""Tables within a number of entries and of bytes: who fills most loses first, and what is protected last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.trainer.storage.bounded_table import BoundedTable, EncodedTable


class BoundedTableTests(SynchronousTestCase):
    def test_count(self) -> None:
        """As many as it may hold stay; one more, and whose are most loses the oldest."""
        table: BoundedTable[str, int] = BoundedTable(3, 1000)
        self.assertEqual(table.put("h", "HONEST", 0, 1), [])
        self.assertEqual([table.put(f"e{i}", "EVIL", i, 1) for i in range(4)], [[], [], ["e0"], ["e1"]])
        self.assertEqual(dict(table), {"h": 0, "e2": 2, "e3": 3})

    def test_bytes(self) -> None:
        """By bytes it is who takes most of them, however few are his."""
        table: BoundedTable[str, int] = BoundedTable(100, 100)
        for i in range(5):
            table.put(f"h{i}", "HONEST", 0, 4)
        self.assertEqual(table.put("e0", "EVIL", 0, 80), [])
        self.assertEqual((table.size, table.put("e1", "EVIL", 0, 1)), (100, ["e0"]))
        self.assertEqual(len(table), 6)

    def test_largerThanTheRoom(self) -> None:
        """What has no room at all takes nobody's place."""
        table: BoundedTable[str, int] = BoundedTable(10, 10)
        table.put("h", "HONEST", 0, 5)
        self.assertEqual((table.put("e", "EVIL", 0, 11), list(table)), (["e"], ["h"]))

    def test_manyNames(self) -> None:
        """Under however many names they come, who is protected stays."""
        table: BoundedTable[str, int] = BoundedTable(10, 1000)
        for i in range(5):
            table.put(f"o{i}", "OURS", i, 1, isProtected=True)
        for i in range(100):
            table.put(f"e{i}", f"EVIL_{i}", i, 1)
        self.assertEqual(sorted(table), ["e95", "e96", "e97", "e98", "e99", "o0", "o1", "o2", "o3", "o4"])

    def test_protectedFillHalf(self) -> None:
        """What is protected keeps nobody out: more than half of the room it has only while nobody wants it."""
        table: BoundedTable[str, int] = BoundedTable(10, 1000)
        for i in range(12):
            table.put(f"o{i}", "OURS", i, 1, isProtected=True)
        self.assertEqual(len(table), 10)
        for i in range(20):
            table.put(f"p{i}", "PEER", i, 1)
        self.assertEqual(sum(key.startswith("o") for key in table), 5)

    def test_protect(self) -> None:
        """An entry can be protected later."""
        table: BoundedTable[str, int] = BoundedTable(4, 1000)
        table.put("a", "PEER", 0, 1)
        table.protect("a")
        table.protect("none")
        for i in range(9):
            table.put(f"b{i}", "PEER", i, 1)
        self.assertIn("a", table)

    def test_again(self) -> None:
        """The same key is one entry, the newest, of whoever came last."""
        table: BoundedTable[str, int] = BoundedTable(2, 1000)
        table.put("a", "PEER", 1, 5)
        table.put("b", "PEER", 2, 5)
        table.put("a", "PEER", 3, 7)
        self.assertEqual((list(table.items()), table.size), ([("b", 2), ("a", 3)], 12))
        table.discard("a")
        table.discard("a")
        self.assertEqual(
            (dict(table), table.size, repr(table)), ({"b": 2}, 5, "<BoundedTable 1 of 2 entries, 5 of 1000 bytes>")
        )

    @given(
        st.lists(
            st.tuples(st.integers(0, 30), st.sampled_from(["A", "B", "C"]), st.integers(0, 60), st.booleans()),
            max_size=80,
        )
    )
    def test_always(self, puts: list[tuple[int, str, int, bool]]) -> None:
        """Whatever comes, it stays within both bounds, and says truly who went."""
        table: BoundedTable[int, int] = BoundedTable(7, 100)
        expected: dict[int, int] = {}
        for at, (key, source, size, isProtected) in enumerate(puts):
            expected[key] = at
            for gone in table.put(key, source, at, size, isProtected=isProtected):
                del expected[gone]
            self.assertEqual(dict(table), expected)
            self.assertTrue(len(table) <= 7 and table.size <= 100)

    def test_encoded(self) -> None:
        """What is encoded is decoded when it is asked for, each time anew."""
        table: EncodedTable[str, list[int]] = EncodedTable(3, 100, list)
        table.kept.put("a", "PEER", b"ab", 2)
        self.assertEqual((table["a"], dict(table), len(table), "a" in table), ([97, 98], {"a": [97, 98]}, 1, True))
        self.assertIsNot(table["a"], table["a"])

    def test_protectedSources(self) -> None:
        """Of what is protected, too, whose is most goes first."""
        table: BoundedTable[str, int] = BoundedTable(4, 1000)
        for key, source in (("a", "ONE"), ("b", "TWO"), ("c", "TWO")):
            table.put(key, source, 0, 1)
            table.protect(key)
        gone = [table.put(key, "TWO", 0, 1, isProtected=True) for key in "de"]
        self.assertEqual(gone, [[], ["b"]])

    def test_fullByCountOnly(self) -> None:
        """With as many entries as it may hold, and too many bytes, it is by bytes."""
        table: BoundedTable[str, int] = BoundedTable(3, 100)
        table.put("a", "MANY", 0, 1)
        table.put("b", "MANY", 0, 1)
        self.assertEqual(table.put("c", "LARGE", 0, 99), ["c"])
