"""Every way to keep blobs keeps the same promises."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Event, Thread
from unittest import mock

import psycopg
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.blobs.files import FileBlobs
from kernelnet.hub.storage.blobs.memory import MemoryBlobs
from kernelnet.hub.storage.blobs.store import BlobStore, copyBlobs
from kernelnet.hub.storage.postgres import blobs
from kernelnet.hub.storage.postgres.blobs import PostgresBlobs
from kernelnet.hub.storage.postgres.connection import Connection
from kernelnet.hub.storage.postgres.schema import prepare
from kernelnet.payloads import PART
from tests.postgres import server

DATA = bytes(range(256)) * 1024 + b"the rest"
"""A part, and some bytes."""
DIGEST = hashlib.sha256(DATA).hexdigest()


class Conformance:
    """Tests of a `BlobStore`."""

    store: BlobStore

    def send(self, author: str = "AI_1", data: bytes = DATA) -> None:
        self.store.begin(DIGEST, author, b"said")
        assert self.store.write(DIGEST, author, 0, data[:PART])
        assert self.store.write(DIGEST, author, 1, data[PART:])

    def finish(self) -> None:
        """Make what AI_1 sent the blob."""
        assert self.store.digestOf(DIGEST, "AI_1") == DIGEST
        self.store.finish(DIGEST, "AI_1", b"note")

    def test_whole(self) -> None:
        """What came in parts is there, with its note, under its digest."""
        self.send()
        assert {key: (sent.note, sent.have) for key, sent in self.store.sent().items()} == {
            (DIGEST, "AI_1"): (b"said", len(DATA))
        }
        assert self.store.have(DIGEST, "AI_1") == len(DATA)
        assert self.store.notes() == {}
        self.finish()
        assert self.store.notes() == {DIGEST: b"note"}
        assert self.store.sent() == {}
        assert [self.store.read(DIGEST, number) for number in range(3)] == [DATA[:PART], DATA[PART:], b""]
        self.store.annotate(DIGEST, b"another")
        assert self.store.notes() == {DIGEST: b"another"}
        self.store.remove(DIGEST)
        assert self.store.notes() == {}
        assert self.store.read(DIGEST, 0) == b""

    def test_otherDigest(self) -> None:
        """What is not what its digest says is told; what another author sends is apart from it."""
        self.send(data=DATA[:-1] + b"!")
        self.send("AI_2")
        assert self.store.digestOf(DIGEST, "AI_1") != DIGEST
        self.store.discard(DIGEST, "AI_1")
        assert set(self.store.sent()) == {(DIGEST, "AI_2")}
        assert self.store.digestOf(DIGEST, "AI_2") == DIGEST

    def test_begunAgain(self) -> None:
        """A second begin leaves what was sent, and takes the new word."""
        self.store.begin(DIGEST, "AI_1", b"one")
        self.store.write(DIGEST, "AI_1", 0, DATA[:PART])
        self.store.begin(DIGEST, "AI_1", b"two")
        assert self.store.sent()[DIGEST, "AI_1"][:2] == (b"two", PART)
        assert self.store.write(DIGEST, "AI_1", 1, DATA[PART:])
        assert self.store.digestOf(DIGEST, "AI_1") == DIGEST

    def test_nothing(self) -> None:
        """What was never begun, or had to go, takes no part; it may be discarded."""
        assert not self.store.write(DIGEST, "AI_1", 0, DATA[:PART])
        self.store.discard(DIGEST, "AI_1")
        self.send()
        self.store.discard(DIGEST, "AI_1")
        assert not self.store.write(DIGEST, "AI_1", 1, DATA[PART:])
        assert (self.store.have(DIGEST, "AI_1"), self.store.sent()) == (0, {})

    def test_copied(self) -> None:
        """Another store gets all that is whole, once; what has lost its bytes is left."""
        self.send()
        self.finish()
        other = MemoryBlobs(lambda: 0.0)
        assert (copyBlobs(self.store, other), copyBlobs(self.store, other)) == (1, 0)
        assert other.notes() == {DIGEST: b"note"}
        self.store.remove(DIGEST)
        assert copyBlobs(other, self.store) == 1
        assert self.store.read(DIGEST, 1) == DATA[PART:]
        other._whole[DIGEST] = DATA[:-1], b"note"
        self.store.remove(DIGEST)
        assert (copyBlobs(other, self.store), self.store.notes(), self.store.sent()) == (0, {}, {})


class MemoryBlobsTests(Conformance, SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryBlobs(lambda: 0.0)


class FileBlobsTests(Conformance, SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.store = FileBlobs(self.folder)

    def test_private(self) -> None:
        """Nobody else may read them."""
        self.send()
        self.store.finish(DIGEST, "AI_1", b"note")
        modes = {name: os.stat(self.folder / name).st_mode & 0o777 for name in os.listdir(self.folder)}
        self.assertEqual(modes, {DIGEST: 0o600, f"{DIGEST}.note": 0o600})

    def test_killed(self) -> None:
        """What another process began is gone on with; what a kill cut in two is put right."""
        self.store.begin(DIGEST, "AI_1", b"said")
        self.store.write(DIGEST, "AI_1", 0, DATA[:PART])
        with (self.folder / f"{DIGEST}.AI_1.part").open("ab") as file:
            file.write(b"cut in the middle")
        later = FileBlobs(self.folder)
        later.write(DIGEST, "AI_1", 1, DATA[PART:])
        self.assertEqual(later.digestOf(DIGEST, "AI_1"), DIGEST)
        (self.folder / f"{DIGEST}.note").write_bytes(b"before the rename")
        later.tidy()
        self.assertEqual((later.notes(), set(later.sent())), ({}, {(DIGEST, "AI_1")}))
        later.finish(DIGEST, "AI_1", b"note")
        (self.folder / f"{DIGEST}.note").unlink()
        (self.folder / f"{DIGEST}.note~").write_bytes(b"")
        FileBlobs(self.folder).tidy()
        self.assertEqual(os.listdir(self.folder), [])

    def test_powerFailure(self) -> None:
        """What was taken is on the disk by then: of each part, and of its begin, and the folder with all."""
        synced: dict[str, int] = {}

        def sync(descriptor: int) -> None:
            name = os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")).removesuffix("~")
            synced[name] = os.fstat(descriptor).st_size

        self.patch(os, "fsync", sync)
        self.patch(os, "fdatasync", sync)
        self.store.begin(DIGEST, "AI_1", b"said")
        within = self.folder.absolute().parent
        folders = {folder.name: os.stat(folder).st_size for folder in (self.folder, within)}
        self.assertEqual(synced, {f"{DIGEST}.AI_1.begun": 4, **folders})
        del synced[within.name]
        for number, have in enumerate((PART, len(DATA))):
            del synced[self.folder.name]
            self.store.write(DIGEST, "AI_1", number, DATA[number * PART : (number + 1) * PART])
            self.assertEqual(synced[f"{DIGEST}.AI_1.part"], have)
            self.assertEqual(self.folder.name in synced, number == 0)  # its name, once
            synced[self.folder.name] = 0
        self.assertNotIn(within.name, synced)
        FileBlobs(self.folder).begin(DIGEST, "AI_2", b"said")
        self.assertIn(within.name, synced)  # whoever made the folder may have been killed before it was

    def test_powerFailureAfterRemoval(self) -> None:
        """What was discarded, removed or tidied away is gone on the disk, too, by then; nothing costs nothing."""
        synced: list[list[str]] = []

        def sync(descriptor: int) -> None:
            if os.path.samestat(os.fstat(descriptor), os.stat(self.folder)):
                synced.append(sorted(os.listdir(self.folder)))

        self.store.discard(DIGEST, "AI_1")  # there is no folder yet
        self.send()
        self.send("AI_2")
        self.patch(os, "fsync", sync)
        self.store.discard(DIGEST, "AI_2")
        self.assertEqual(synced, [[f"{DIGEST}.AI_1.begun", f"{DIGEST}.AI_1.part"]])
        self.finish()
        self.assertEqual(synced[-1], [DIGEST, f"{DIGEST}.note"])
        del synced[:]
        self.store.remove(DIGEST)
        self.assertEqual(synced, [[]])
        self.store.remove(DIGEST)
        self.store.discard(DIGEST, "AI_1")
        self.store.tidy()
        self.assertEqual(synced, [[]])
        (self.folder / f"{DIGEST}.note~").write_bytes(b"")
        self.store.tidy()
        self.assertEqual(synced, [[], []])

    def test_besideHub(self) -> None:
        """What a hub makes whole or discards while it is listed is left out, or told as far as it was seen."""
        gone = [f"{DIGEST}.{author}.{ending}" for author in ("AI_1", "AI_2") for ending in ("part", "begun")]
        self.send()
        (self.folder / f"{DIGEST}.AI_1.begun").unlink()
        with mock.patch.object(os, "listdir", lambda folder: gone):
            found = self.store.sent()
        self.assertEqual({key: sent[:2] for key, sent in found.items()}, {(DIGEST, "AI_1"): (b"", len(DATA))})
        self.send()
        with mock.patch.object(Path, "read_bytes", mock.Mock(side_effect=FileNotFoundError)):
            self.assertEqual([sent[:2] for sent in self.store.sent().values()], [(b"", len(DATA))])


class PostgresBlobsTests(Conformance, SynchronousTestCase):
    def setUp(self) -> None:
        self.url = server().database()
        prepare(self.url)
        self.stores: list[PostgresBlobs] = []
        self.store: PostgresBlobs = self.node()

    def node(self) -> PostgresBlobs:
        self.stores.append(PostgresBlobs(self.url, lambda: 0.0))
        self.addCleanup(self.stores[-1].close)
        return self.stores[-1]

    def test_changes(self) -> None:
        """A node sees that another has changed something, and not that it itself has, nor that it has only looked."""
        one, two = self.node(), self.node()

        def look(store: BlobStore, change: bool = False) -> bool:
            with store.alone() as hasChanged:
                if change:
                    store.begin(DIGEST, "AI_1", b"said")
            return hasChanged

        self.assertEqual([look(one), look(two), look(one), look(two)], [True, True, False, False])
        self.assertEqual([look(one, True), look(one), look(two), look(two)], [False, False, True, False])
        self.assertEqual([look(two, True), look(one)], [False, True])

    def test_unchanged(self) -> None:
        """A part that is there never changes, whoever says what next; and none comes but the next."""
        one, two = self.node(), self.node()
        one.begin(DIGEST, "AI_1", b"said")
        self.assertTrue(two.write(DIGEST, "AI_1", 0, DATA[:PART]))
        self.assertTrue(one.write(DIGEST, "AI_1", 0, b"!" * PART))
        self.assertFalse(one.write(DIGEST, "AI_1", 2, DATA[PART:]))
        self.assertTrue(one.write(DIGEST, "AI_1", 1, DATA[PART:]))
        self.assertEqual([one.digestOf(DIGEST, "AI_1"), two.digestOf(DIGEST, "AI_1")], [DIGEST, DIGEST])

    def test_otherBytes(self) -> None:
        """What a node has hashed counts for those bytes alone, not for what another node let come in their place."""
        one, two = self.node(), self.node()
        one.begin(DIGEST, "AI_1", b"said")
        one.write(DIGEST, "AI_1", 0, DATA[:PART])
        two.discard(DIGEST, "AI_1")
        two.begin(DIGEST, "AI_1", b"said")
        two.write(DIGEST, "AI_1", 0, b"!" * PART)
        one.write(DIGEST, "AI_1", 1, DATA[PART:])
        self.assertNotEqual(one.digestOf(DIGEST, "AI_1"), DIGEST)

    def test_changedMeanwhile(self) -> None:
        """Only what was checked is made whole: not what another node let come in its place, nor what came behind it."""

        def replace() -> None:
            two.discard(DIGEST, "AI_1")
            two.begin(DIGEST, "AI_1", b"said")
            two.write(DIGEST, "AI_1", 0, b"!" * PART)

        one, two = self.node(), self.node()
        for change in (replace, lambda: two.write(DIGEST, "AI_1", 2, b"more"), lambda: two.discard(DIGEST, "AI_1")):
            self.send()
            self.assertEqual(one.digestOf(DIGEST, "AI_1"), DIGEST)
            change()
            before = two.sent()
            with self.assertRaisesRegex(psycopg.Error, "not what was checked"), one.alone():
                one.finish(DIGEST, "AI_1", b"note")
            self.assertEqual((two.notes(), two.sent()), ({}, before))
            two.discard(DIGEST, "AI_1")

    def test_hashes(self) -> None:
        """However many are begun, some are hashed as they come; of the others the end reads what there is."""
        self.patch(blobs, "MAX_HASHES", 2)
        (store,) = self.stores
        for author in ("AI_1", "AI_2", "AI_3"):
            self.send(author)
        self.assertEqual(len(store._hashes), 2)
        self.assertEqual([store.digestOf(DIGEST, f"AI_{n}") for n in (1, 2, 3)], [DIGEST] * 3)

    def test_partUnderWay(self) -> None:
        """A part that another node writes while what was sent is discarded goes with it."""
        one, two = self.node(), self.node()
        for isAlone in (True, False):
            one.begin(DIGEST, "AI_1", b"said")
            two._execute("BEGIN")
            two.write(DIGEST, "AI_1", 0, DATA[:PART])

            def discard(alone: bool = isAlone) -> None:
                with one.alone() if alone else nullcontext():
                    one.discard(DIGEST, "AI_1")

            thread = Thread(target=discard)
            thread.start()
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            while not self.store._execute(waits):
                assert thread.is_alive()
            two._execute("COMMIT")
            thread.join()
            self.assertEqual(self.store._execute("SELECT COUNT(*) FROM blob_parts"), [(0,)])

    def test_removed(self) -> None:
        """With a blob, or what was sent of it, its parts go."""
        self.send()
        self.send("AI_2")
        self.finish()
        self.store.remove(DIGEST)
        self.store.discard(DIGEST, "AI_2")
        (store,) = self.stores
        self.assertEqual(store._execute("SELECT COUNT(*) FROM blob_parts"), [(0,)])

    def test_cut(self) -> None:
        """
        Who waits for a server that says nothing, also while the connection is made, is told that it failed once that is
        cut; the next question makes another.
        """
        (store,) = self.stores

        def cut(waitUntilBusy: Callable[[], object]) -> None:
            failures: list[psycopg.Error] = []

            def ask() -> None:
                try:
                    store.notes()
                except psycopg.Error as error:
                    failures.append(error)

            thread = Thread(target=ask, daemon=True)
            thread.start()
            waitUntilBusy()
            self.assertTrue(thread.is_alive())
            store.cut()
            thread.join(10)
            self.assertEqual(len(failures), 1)

        store.cut()  # there is none yet
        made = Event()

        def setUp(connection: Connection) -> None:
            made.set()
            connection.execute("SELECT pg_sleep(20)")

        with mock.patch.object(blobs, "setUpWriter", setUp):
            cut(made.wait)
        self.assertEqual(store.notes(), {})
        with server().frozen():
            cut(partial(time.sleep, 0.1))
        self.assertEqual(store.notes(), {})

    def test_lost(self) -> None:
        """After a lost connection the next question makes another; what was not committed is not there."""
        self.send()
        (store,) = self.stores
        with self.assertRaises(Exception), store.alone():  # noqa: B017
            self.finish()
            store._execute("SELECT pg_terminate_backend(pg_backend_pid())")
        self.assertEqual(store.notes(), {})
        with store.alone() as hasChanged:
            self.assertTrue(hasChanged)
