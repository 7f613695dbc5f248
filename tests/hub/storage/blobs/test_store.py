"""Every way to keep blobs keeps the same promises."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.blobs.files import FileBlobs
from kernelnet.hub.storage.blobs.memory import MemoryBlobs
from kernelnet.hub.storage.blobs.store import BlobStore

DATA = bytes(range(256)) * 8
DIGEST = hashlib.sha256(DATA).hexdigest()


class Conformance:
    """Tests of a `BlobStore`."""

    store: BlobStore
    test: SynchronousTestCase

    def test_whole(self) -> None:
        """What came in parts is there, with its note, under its digest."""
        self.store.write(DIGEST, "AI_1", 0, DATA[:1000])
        self.store.write(DIGEST, "AI_1", 1000, DATA[1000:])
        assert {key: size for key, (size, _) in self.store.parts().items()} == {(DIGEST, "AI_1"): len(DATA)}
        assert self.store.notes() == {}
        assert self.store.finish(DIGEST, "AI_1", b"note")
        assert self.store.notes() == {DIGEST: b"note"}
        assert self.store.parts() == {}
        assert self.store.read(DIGEST, 100, 50) == DATA[100:150]
        assert self.store.read(DIGEST, 2000, 9999) == DATA[2000:]
        self.store.annotate(DIGEST, b"another")
        assert self.store.notes() == {DIGEST: b"another"}
        self.store.remove(DIGEST)
        assert self.store.notes() == {}

    def test_otherDigest(self) -> None:
        """What is not what its digest says is removed; what another author sent stays."""
        self.store.write(DIGEST, "AI_1", 0, DATA[:-1] + b"!")
        self.store.write(DIGEST, "AI_2", 0, DATA)
        assert not self.store.finish(DIGEST, "AI_1", b"note")
        assert set(self.store.parts()) == {(DIGEST, "AI_2")}
        assert self.store.notes() == {}
        assert self.store.finish(DIGEST, "AI_2", b"note")

    def test_again(self) -> None:
        """A stretch may be written again; what was behind it is gone."""
        self.store.write(DIGEST, "AI_1", 0, b"x" * 3000)
        self.store.write(DIGEST, "AI_1", 0, DATA[:1000])
        self.store.write(DIGEST, "AI_1", 1000, DATA[1000:])
        assert self.store.finish(DIGEST, "AI_1", b"")

    def test_nothing(self) -> None:
        """What was never sent can't be finished; it may be discarded."""
        assert not self.store.finish(DIGEST, "AI_1", b"")
        self.store.discard(DIGEST, "AI_1")
        self.store.write(DIGEST, "AI_1", 0, DATA)
        self.store.discard(DIGEST, "AI_1")
        assert self.store.parts() == {}


class MemoryBlobsTests(Conformance, SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryBlobs(lambda: 0.0)


class FileBlobsTests(Conformance, SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.store = FileBlobs(self.folder)

    def test_private(self) -> None:
        """Nobody else may read them."""
        self.store.write(DIGEST, "AI_1", 0, DATA)
        self.store.finish(DIGEST, "AI_1", b"note")
        modes = {name: os.stat(self.folder / name).st_mode & 0o777 for name in os.listdir(self.folder)}
        self.assertEqual(modes, {DIGEST: 0o600, f"{DIGEST}.note": 0o600})

    def test_killed(self) -> None:
        """What another process began is gone on with; what a kill cut in two is put right."""
        self.store.write(DIGEST, "AI_1", 0, DATA[:1000])
        later = FileBlobs(self.folder)
        later.write(DIGEST, "AI_1", 1000, DATA[1000:])
        (self.folder / f"{DIGEST}.note").write_bytes(b"before the rename")
        self.assertEqual(later.notes(), {})
        self.assertTrue(later.finish(DIGEST, "AI_1", b"note"))
        (self.folder / f"{DIGEST}.note").unlink()
        self.assertEqual(FileBlobs(self.folder).notes(), {})
        self.assertEqual(os.listdir(self.folder), [])
