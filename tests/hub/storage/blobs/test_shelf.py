"""What is taken of blobs, and what goes."""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.blobs import shelf
from kernelnet.hub.storage.blobs.memory import MemoryBlobs
from kernelnet.hub.storage.blobs.offers import MAX_FOUND
from kernelnet.hub.storage.blobs.shelf import MAX_BLOBS, MAX_OFFERS, BlobBounds, BlobRefused, Shelf
from kernelnet.hub.storage.postgres.blobs import PostgresBlobs
from kernelnet.hub.storage.postgres.schema import prepare
from kernelnet.payloads import PART
from tests.postgres import server

TRACE = "cd" * 32


class ShelfTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 1_000_000.0
        self.disk = 10**12
        self.store = MemoryBlobs(lambda: self.now)
        self.shelf = self.make()

    def make(self, **bounds: Any) -> Shelf:
        return Shelf(self.store, BlobBounds(**bounds), lambda: self.now, lambda: self.disk)

    def put(self, data: bytes, author: str = "AI_1", owner: str | None = None, trace: str = TRACE) -> str:
        self.now += 1
        digest = hashlib.sha256(data).hexdigest()
        have = self.shelf.begin(digest, author, owner, len(data), trace)
        for number in range(have // PART, -(-len(data) // PART) if have < len(data) else 0):
            self.shelf.write(digest, author, number, data[number * PART : (number + 1) * PART])
        self.assertEqual(self.shelf.end(digest, author), len(data))
        return digest

    def refused(self, words: str, function: Any, *arguments: Any) -> None:
        self.assertIn(words, str(self.assertRaises(BlobRefused, function, *arguments)))

    def here(self) -> set[str]:
        return set(self.store.notes())

    def test_parts(self) -> None:
        """What was sent is read in parts, and found by its trace; that of a wanted author first."""
        data = bytes(PART) + b"the rest"
        digest = self.put(data)
        self.assertEqual(self.shelf.read(digest, 0), (len(data), bytes(PART)))
        self.assertEqual(self.shelf.read(digest, 1), (len(data), b"the rest"))
        self.refused("2 parts", self.shelf.read, digest, 2)
        other = self.put(b"other", "AI_2")
        self.assertEqual([each.digest for each in self.shelf.find(TRACE, "AI_1")], [digest, other])
        self.assertEqual([each.digest for each in self.shelf.find(TRACE, "")], [other, digest])
        self.assertEqual(self.shelf.find("ef" * 32, ""), [])

    def test_resumed(self) -> None:
        """Another hub on the same store says how much is there, in whole parts, and takes the rest."""
        data = bytes(2 * PART) + b"x"
        digest = hashlib.sha256(data).hexdigest()
        self.shelf.begin(digest, "AI_1", None, len(data), TRACE)
        self.shelf.write(digest, "AI_1", 0, data[:PART])
        self.store.write(digest, "AI_1", 1, b"cut in the middle")
        self.shelf = self.make()
        self.refused("begin", self.shelf.write, digest, "AI_1", 1, data[PART : 2 * PART])
        self.assertEqual(self.shelf.begin(digest, "AI_1", None, len(data), TRACE), PART)
        self.assertEqual(self.put(data), digest)
        self.shelf = self.make()
        self.assertEqual(self.shelf.begin(digest, "AI_2", None, len(data), TRACE), len(data))

    def test_wrongParts(self) -> None:
        """A part that is not the next is refused, one that is here is not written again; nor is less than all kept."""
        digest = "ab" * 32
        self.shelf.begin(digest, "AI_1", None, 2 * PART, TRACE)
        self.refused("part 0 comes next", self.shelf.write, digest, "AI_1", 1, bytes(PART))
        self.refused("part 0 comes next", self.shelf.write, digest, "AI_1", 0, b"short")
        self.shelf.write(digest, "AI_1", 0, bytes(PART))
        self.assertEqual(self.shelf.write(digest, "AI_1", 0, bytes(PART)), PART)
        self.refused("only", self.shelf.end, digest, "AI_1")
        self.refused("part 1 comes next", self.shelf.write, digest, "AI_1", 1, bytes(PART + 1))
        self.shelf.write(digest, "AI_1", 1, bytes(PART))
        self.refused("another digest", self.shelf.end, digest, "AI_1")
        self.assertEqual(self.shelf.count(), (0, 0))

    def test_smallerAnew(self) -> None:
        """Of what is begun anew as a smaller one nothing is kept that would not count, nor of what another hub left."""
        digest = "ab" * 32
        self.shelf.begin(digest, "AI_1", None, 2 * PART, TRACE)
        self.shelf.write(digest, "AI_1", 0, bytes(PART))
        self.assertEqual(self.shelf.begin(digest, "AI_1", None, 1, TRACE), 0)
        self.assertEqual(self.store.have(digest, "AI_1"), 0)
        self.store.write(digest, "AI_1", 0, bytes(PART))
        self.shelf = self.make()
        self.assertEqual(self.shelf.count(), (0, 0))
        self.assertEqual(self.store.sent(), {})

    def test_one(self) -> None:
        """Bytes of one are bounded."""
        self.shelf = self.make(one=10)
        self.put(bytes(10))
        self.refused("1 to 10 bytes", self.put, bytes(11))

    def test_author(self) -> None:
        """An author over its quota loses what was used least recently, and nobody else does."""
        self.shelf = self.make(author=100)
        other = self.put(b"a" * 90, "AI_2")
        first, second = self.put(b"b" * 50), self.put(b"c" * 50)
        self.now += 4000
        self.shelf.read(first, 0)
        third = self.put(b"d" * 50)
        self.assertEqual(self.here(), {other, first, third})
        self.assertNotIn(second, self.here())

    def test_owner(self) -> None:
        """The same of all AIs of an owner; blobs that are not whole count as what they are to be."""
        self.shelf = self.make(owner=100)
        first = self.put(b"b" * 50, "AI_1", "bob")
        self.now += 1
        self.shelf.begin("ab" * 32, "AI_2", "bob", 50, TRACE)
        self.assertEqual(self.here(), {first})
        self.now += 1
        self.shelf.begin("ac" * 32, "AI_3", "bob", 50, TRACE)
        self.assertEqual(self.here(), set())

    def test_all(self) -> None:
        """When all is full, who has most gives way; who would have most itself is refused."""
        self.shelf = self.make(total=100)
        first, second = self.put(b"a" * 40, "AI_1", "bob"), self.put(b"b" * 40, "AI_2", "bob")
        third = self.put(b"c" * 30, "AI_3")
        self.assertEqual(self.here(), {second, third})
        self.refused("in all", self.put, b"d" * 60, "AI_4")
        self.assertEqual(self.here(), {second, third})
        self.assertNotIn(first, self.here())

    def test_counts(self) -> None:
        """Blobs of an author, offers of a blob, and what is found are bounded in number."""
        for number in range(MAX_BLOBS + 1):
            self.put(b"%d" % number)
        self.assertEqual(len(self.here()), MAX_BLOBS)
        self.assertEqual(len(self.shelf.find(TRACE, "")), MAX_FOUND)
        for number in range(MAX_OFFERS):
            self.put(b"the same", f"AI_{number + 10}")
        self.refused("offer it already", self.put, b"the same", "AI_9")

    def test_countOfOwner(self) -> None:
        """However many AIs an owner has, their blobs together are bounded in number, also those that are being sent."""
        self.patch(shelf, "MAX_OWNED", 5)
        other = self.put(b"other", "AI_9")
        digests = [self.put(b"%d" % number, f"AI_{number}", "bob") for number in range(5)]
        self.now += 1
        self.shelf.begin("ab" * 32, "AI_7", "bob", 1, TRACE)
        self.assertEqual(self.here(), {other, *digests[1:]})

    def test_passes(self) -> None:
        """Room for one is made in a few passes over what is kept, however many must go and however many have some."""
        passes = 0

        class Counting(dict[Any, Any]):
            def items(self) -> Any:
                nonlocal passes
                passes += 1
                return super().items()

        self.shelf = self.make(total=1200)
        self.shelf._blobs = Counting()
        for number in range(120):
            self.put(b"the %6d" % number, f"AI_{number % 10}")
        passes = 0
        self.shelf.begin("ab" * 32, "NEW", None, 100, TRACE)
        self.assertEqual(len(self.here()), 110)
        self.assertLess(passes, 5)

    def test_hidden(self) -> None:
        """Who says of ever so many blobs that a trace is in them hides no other owner's, under however many ids."""
        honest = self.put(b"the trace", "HONEST")
        for number in range(20):
            self.now += 1
            self.put(b"%d" % number, f"EVIL_{number % 2}", "evil")
        found = self.shelf.find(TRACE, "")
        self.assertEqual((found[1].digest, len(found)), (honest, MAX_FOUND))
        by = self.shelf.find(TRACE, "EVIL_0")
        self.assertEqual([one.author for one in by], ["EVIL_0"] * MAX_FOUND)

    def test_disk(self) -> None:
        """What the disk has no room for is not begun."""
        self.shelf, self.disk = self.make(minFree=50), 100
        self.refused("disk is full", self.put, bytes(51))
        self.put(bytes(50))

    def test_diskBegun(self) -> None:
        """What others have begun, and not sent yet, is no room; what is there of it takes none a second time."""
        self.shelf, self.disk = self.make(minFree=50), 50 + 2 * PART
        digest = "ab" * 32
        self.shelf.begin(digest, "AI_1", None, 2 * PART, TRACE)
        self.refused("disk is full", self.put, b"x", "AI_2")
        self.shelf.write(digest, "AI_1", 0, bytes(PART))
        self.disk -= PART
        self.assertEqual(self.shelf.begin(digest, "AI_1", None, 2 * PART, TRACE), PART)
        self.refused("disk is full", self.put, b"x", "AI_2")
        self.disk += 1
        self.put(b"x", "AI_2")

    def test_unused(self) -> None:
        """What nobody has used for long goes; a read is a use, also for the next hub."""
        first, second = self.put(b"first"), self.put(b"second")
        self.shelf.begin("ab" * 32, "AI_1", None, 50, TRACE)
        self.now += 20 * 86400
        self.shelf.read(second, 0)
        self.now += 20 * 86400
        self.shelf = self.make()
        self.assertEqual(self.shelf.sweep(), 1)
        self.assertEqual(self.here(), {second})
        self.assertNotIn(first, self.here())
        self.assertEqual(self.store.sent(), {})

    def test_begunBefore(self) -> None:
        """What is not whole counts for the owner that was said of it, and in full, for the next hub, too."""
        self.shelf = self.make(owner=100)
        self.shelf.begin("ab" * 32, "AI_1", "bob", 60, TRACE)
        self.now += 1
        self.shelf = self.make(owner=100)
        self.shelf.begin("ac" * 32, "AI_2", "bob", 60, TRACE)
        self.assertEqual(set(self.store.sent()), {("ac" * 32, "AI_2")})

    def test_lostBytes(self) -> None:
        """A blob whose bytes are gone, or cut, is offered no more once somebody has asked for them."""
        digest = self.put(b"some bytes")
        self.store._whole[digest] = b"some", self.store.notes()[digest]
        self.refused("any more", self.shelf.read, digest, 0)
        self.assertEqual((self.here(), self.shelf.find(TRACE, "")), (set(), []))

    def test_failed(self) -> None:
        """After a failure of the store nothing is believed that it may not have."""
        self.patch(self.store, "annotate", self.fail_)
        digest = self.put(b"data")
        self.assertRaises(OSError, self.shelf.begin, digest, "AI_2", None, 4, TRACE)
        self.assertEqual([each.author for each in self.shelf.find(TRACE, "")], ["AI_1"])

    def fail_(self, *arguments: object) -> None:
        raise OSError


class NodesTests(SynchronousTestCase):
    """Two hubs on one server's store."""

    def setUp(self) -> None:
        url = server().database()
        prepare(url)
        self.now = 1_000_000.0
        self.stores = [PostgresBlobs(url, lambda: self.now) for _ in range(2)]
        self.one, self.two = [
            Shelf(store, BlobBounds(owner=100, total=150), lambda: self.now, lambda: 10**12) for store in self.stores
        ]
        for store in self.stores:
            self.addCleanup(store.close)

    def put(self, shelf: Shelf, data: bytes, author: str, owner: str | None = None) -> str:
        self.now += 1
        digest = hashlib.sha256(data).hexdigest()
        if shelf.begin(digest, author, owner, len(data), TRACE) < len(data):
            shelf.write(digest, author, 0, data)
        self.assertEqual(shelf.end(digest, author), len(data))
        return digest

    def offers(self, shelf: Shelf) -> list[tuple[str, str]]:
        return [(each.digest, each.author) for each in shelf.find(TRACE, "")]

    def test_read(self) -> None:
        """A blob that was sent to one is found and read at the other; who has it there sends nothing."""
        digest = self.put(self.one, b"a" * 40, "AI_1")
        self.assertEqual(self.two.read(digest, 0), (40, b"a" * 40))
        self.assertEqual(self.two.begin(digest, "AI_2", None, 40, TRACE), 40)
        self.assertEqual(self.offers(self.one), [(digest, "AI_1"), (digest, "AI_2")])

    def test_quotas(self) -> None:
        """An owner, and all together, have their bytes on all nodes, begun ones too."""
        first = self.put(self.one, b"a" * 60, "AI_1", "bob")
        self.put(self.one, b"c" * 50, "AI_3")
        second = "ab" * 32
        self.two.begin(second, "AI_2", "bob", 60, TRACE)
        self.assertEqual(self.one.count(), (1, 50))
        self.assertRaises(BlobRefused, self.one.read, first, 0)
        self.now += 1
        self.one.begin("ac" * 32, "AI_4", "bob", 70, TRACE)
        self.assertIn("begin again", str(self.assertRaises(BlobRefused, self.two.write, second, "AI_2", 0, b"a" * 60)))
        self.assertRaises(BlobRefused, self.two.begin, "ad" * 32, "AI_5", None, 90, TRACE)

    def test_movedOn(self) -> None:
        """Who is let in by another node goes on with what the first one took."""
        data = bytes(PART) + b"x"
        digest = hashlib.sha256(data).hexdigest()
        self.one, self.two = [Shelf(store, BlobBounds(), lambda: self.now, lambda: 10**12) for store in self.stores]
        self.assertEqual(self.one.begin(digest, "AI_1", None, len(data), TRACE), 0)
        self.one.write(digest, "AI_1", 0, data[:PART])
        self.assertEqual(self.two.begin(digest, "AI_1", None, len(data), TRACE), PART)
        self.two.write(digest, "AI_1", 1, data[PART:])
        self.assertEqual(self.two.end(digest, "AI_1"), len(data))
        self.assertEqual(self.one.read(digest, 1), (len(data), b"x"))

    def test_removed(self) -> None:
        """What one removed the other doesn't promise any more."""
        digest = self.put(self.one, b"a" * 40, "AI_1")
        self.two.read(digest, 0)
        self.now += 40 * 86400
        self.assertEqual(self.one.sweep(), 1)
        self.now -= 40 * 86400
        self.assertIn("any more", str(self.assertRaises(BlobRefused, self.two.read, digest, 0)))
        self.assertEqual(self.two.count(), (0, 0))
