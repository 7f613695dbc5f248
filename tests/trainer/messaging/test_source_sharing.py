"""Sources that are blobs: ours get to the hub, whatever ends in between; a peer's is read and checked."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from msgspec.structs import replace
from twisted.internet.defer import Deferred

from kernelnet.artifacts import MAX_SOURCE, Component
from kernelnet.payloads import PART
from kernelnet.trainer.messaging import source_sharing
from kernelnet.trainer.messaging.payload_exchange import PayloadFailed
from kernelnet.trainer.messaging.source_sharing import READ_WITHIN, SourceSharing
from tests.trainer.messaging.support import ExchangeTestCase
from tests.trainer.support import component


def large(size: int) -> Component:
    """A component with a source of so many bytes."""
    made = component("large")
    source = "/* " + "é" * ((size - 6) // 2) + "x" * (size % 2) + " */"
    assert made.manifest is not None
    manifest = replace(made.manifest, source_sha256=hashlib.sha256(source.encode()).hexdigest())
    return replace(made, implementation=source, manifest=manifest)


class SourceSharingTests(ExchangeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.exchanged = self.exchange()
        self.sources = SourceSharing(self.folder, self.exchanged, self.clock)
        self.made = large(3 * PART + 10)

    def test_reference(self) -> None:
        """What no peer would keep in one piece goes without its source, which is kept; all else goes as it is."""
        reference = self.sources.reference(self.made)
        assert reference is not None
        self.assertEqual((reference.implementation, reference.source_size), ("", 3 * PART + 10))
        (path,) = self.folder.iterdir()
        self.assertEqual(path.read_text(), self.made.implementation)
        self.assertEqual((path.stat().st_mode & 0o777, self.folder.stat().st_mode & 0o777), (0o600, 0o700))
        falsified = replace(self.made, implementation=self.made.implementation + " ")
        for other in (component("small"), large(MAX_SOURCE + 2), falsified, replace(self.made, manifest=None)):
            self.assertIsNone(self.sources.reference(other))
        self.assertEqual([*self.folder.iterdir()], [path])

    def test_sentAndRead(self) -> None:
        """It is sent, also by the next run, and stays here; whoever has the reference gets all of it."""
        reference = self.sources.reference(self.made)
        assert reference is not None
        self.sources.look()
        self.run_(2)
        self.sources.look()
        self.exchanged.lost()  # and the trainer is killed
        self.waiting.clear()
        self.exchanged = self.exchange()
        self.sources = SourceSharing(self.folder, self.exchanged, self.clock)
        self.sources.look()
        self.run_()
        self.assertEqual(len([*self.folder.iterdir()]), 1)
        self.assertEqual([request.step for request in self.asked].count("end"), 1)
        self.sources.look()
        self.assertEqual(self.waiting, [])
        reading = Deferred.fromCoroutine(self.sources.complete(reference))
        self.run_()
        self.assertEqual(self.successResultOf(reading), replace(self.made, source_size=3 * PART + 10))

    def test_notThere(self) -> None:
        """What the hub hasn't got, or what is not of the size that is said, is not there; nor is what is no text."""
        reference = replace(self.made, implementation="", source_size=3 * PART + 10)
        reading = Deferred.fromCoroutine(self.sources.complete(reference))
        self.run_()
        self.assertIsNone(self.successResultOf(reading))
        self.sources.reference(self.made)
        self.sources.look()
        self.run_()
        for size in (5, PART, 3 * PART + 9, 3 * PART + 11):
            reading = Deferred.fromCoroutine(self.sources.complete(replace(reference, source_size=size)))
            self.run_()
            self.assertIsNone(self.successResultOf(reading), size)
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(self.sources.complete(Component("c")))))

    def test_refused(self) -> None:
        """A hub that takes none is asked once in a run; the source stays, for the next run."""
        asked: list[str] = []

        async def share(path: Path, digest: str) -> int:
            asked.append(digest)
            raise PayloadFailed("the hub refuses it: its disk is full")

        self.patch(self.exchanged, "share", share)
        self.sources.reference(self.made)
        for _ in range(3):
            self.sources.look()
        self.assertEqual(len(asked), 1)
        (path,) = self.folder.iterdir()
        SourceSharing(self.folder, self.exchanged, self.clock).look()
        self.assertEqual(asked, [path.stem] * 2)
        self.assertTrue(path.exists())

    def test_slow(self) -> None:
        """Nobody waits for a hub that says nothing."""
        reference = self.sources.reference(self.made)
        assert reference is not None
        self.run_()
        reading = Deferred.fromCoroutine(self.sources.complete(reference))
        self.run_(1)
        self.waiting.clear()
        self.clock.advance(READ_WITHIN - 0.1)
        self.assertNoResult(reading)
        self.clock.advance(0.1)
        self.assertIsNone(self.successResultOf(reading))
        reading = Deferred.fromCoroutine(self.sources.complete(reference))
        self.run_()
        self.assertIsNotNone(self.successResultOf(reading))

    def test_kept(self) -> None:
        """Of our own the newest are kept."""
        self.patch(source_sharing, "MAX_KEPT", 2)
        for size in (500_000, 500_002, 500_004):
            made = large(size)
            self.assertIsNotNone(self.sources.reference(made))
            assert made.manifest is not None
            os.utime(self.folder / f"{made.manifest.source_sha256}.c", (size, size))
        self.assertEqual({path.stat().st_size for path in self.folder.iterdir()}, {500_002, 500_004})
