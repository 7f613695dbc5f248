"""Traces that peers' claims are about, fetched through a hub, within their bounds."""

from __future__ import annotations

import lzma
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred

from kernelnet.artifacts import Component, Report
from kernelnet.trainer.messaging import trace_fetching
from kernelnet.trainer.messaging.trace_fetching import InThread, TraceFetching
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from tests.trainer.messaging.support import DATA, TRACE, ExchangeTestCase


class TraceFetchingTests(ExchangeTestCase):
    owner: str | None = "bob"
    isTrace = True

    def setUp(self) -> None:
        super().setUp()
        self.here: set[str] = set()
        self.added: list[str] = []

    def fetching(self, budget: int = 10**9, owners: tuple[str, ...] = ()) -> TraceFetching:
        ais = {"AI_1": SimpleNamespace(owner=self.owner)}
        return TraceFetching(
            folder=self.folder / "fetched",
            budget=budget,
            owners=owners,
            reader=self,
            exchange=self.exchange("AI_2"),
            knowledge=cast(KnowledgeBase, SimpleNamespace(ais=ais)),
            inThread=cast(InThread, maybeDeferred),
            clock=self.clock,
        )

    def fetch(self, budget: int = 10**9, owners: tuple[str, ...] = (), traces: Sequence[str] = (TRACE,)) -> bool:
        self.here.clear()  # a new trainer each time
        parts = [SimpleNamespace(parts=[], trace_digest=one, trace="t", workbench="w") for one in traces]
        report = parts[0] if len(parts) == 1 else SimpleNamespace(parts=parts)
        component = SimpleNamespace(manifest=SimpleNamespace(report=report))
        fetching = self.fetching(budget, owners)
        done = Deferred.fromCoroutine(fetching.fetch("AI_1", cast(Component, component)))
        self.run_()
        return self.successResultOf(done)

    def addTrace(self, workbench: str, traceDigest: str, path: Path) -> bool:
        self.assertEqual((workbench, path.read_bytes()[: len(DATA)]), ("w", DATA))
        self.assertTrue(path.name.endswith(".ftrace.xz"))
        self.added.append(traceDigest)
        if self.isTrace:
            self.here.add(traceDigest)
        return self.isTrace

    def lacking(self, claim: Report) -> list[Report]:
        return [part for part in claim.parts or [claim] if part.trace_digest not in self.here]

    def test_fetched(self) -> None:
        """The trace of a claim comes; a later run has it without a hub, and reads it with the same distrust."""
        self.shared()
        self.assertTrue(self.fetch())
        (self.folder / "fetched").joinpath("x.traces").write_bytes(b"no note")
        self.asked.clear()
        self.assertTrue(self.fetch())
        self.assertEqual((self.asked, self.added), ([], [TRACE, TRACE]))

    def test_nobody(self) -> None:
        """A trace that nobody offers does not come."""
        self.assertFalse(self.fetch())

    def test_tried(self) -> None:
        """Who had nothing is asked again 5 s later; it is remembered of 1,024 traces."""
        fetching = self.fetching()

        def asked(number: int) -> int:
            """@return: how often a hub was asked now."""
            before = len(self.asked)
            part = SimpleNamespace(parts=[], trace_digest=f"{number:064x}", trace="t", workbench="w")
            component = SimpleNamespace(manifest=SimpleNamespace(report=part))
            done = Deferred.fromCoroutine(fetching.fetch("AI_1", cast(Component, component)))
            self.run_()
            self.assertFalse(self.successResultOf(done))
            return len(self.asked) - before

        self.assertEqual([asked(1), asked(1)], [1, 0])
        self.clock.advance(4.9)
        self.assertEqual(asked(1), 0)
        self.clock.advance(0.1)
        self.assertEqual([asked(1), asked(1)], [1, 0])
        self.assertEqual(sum(asked(number) for number in range(2, 1026)), 1024)
        self.assertEqual([asked(2), asked(1)], [0, 1])

    def test_otherTrace(self) -> None:
        """A file that is not the trace that it was said to be is removed."""
        self.shared()
        self.isTrace = False
        self.assertFalse(self.fetch())
        self.assertEqual(list((self.folder / "fetched").iterdir()), [])

    def test_bounds(self) -> None:
        """What is over the budget, or another owner's, is not asked for; what was fetched first makes room."""
        self.shared()
        self.assertFalse(self.fetch(budget=len(DATA) - 1))
        self.assertFalse(self.fetch(owners=("carol",)))
        self.assertNotIn("get", [request.step for request in self.asked])
        (self.folder / "fetched").mkdir()
        (self.folder / "fetched" / "older").write_bytes(b"!" * 10)
        self.assertTrue(self.fetch(budget=len(DATA), owners=("bob",)))
        self.assertEqual(len(list((self.folder / "fetched").glob("*.xz"))), 1)
        self.assertFalse((self.folder / "fetched" / "older").exists())

    def test_whoFillsMost(self) -> None:
        """Who offers much takes the place of his own, and of others' only where he has nothing else."""
        folder = self.folder / "fetched"
        folder.mkdir()
        for age, (name, owner) in enumerate((("new", "bob"), ("old", "bob"), ("oldest", "carol"))):
            (folder / name).write_bytes(b"!" * 10)
            os.utime(folder / name, (1e9 - age, 1e9 - age))
            (folder / f"{name}.traces").write_bytes(msgspec.json.encode({"owner": owner, "traces": []}))
        self.shared()
        self.assertTrue(self.fetch(budget=len(DATA) + 20))
        self.assertEqual({path.name for path in folder.iterdir() if len(path.name) < 9}, {"new", "oldest"})
        (folder / "old").write_bytes(b"!" * 10)
        os.utime(folder / "old", (1e9 - 1, 1e9 - 1))
        (folder / "old.traces").write_bytes(msgspec.json.encode({"owner": "bob", "traces": []}))
        next(folder.glob("*.xz")).unlink()
        self.assertTrue(self.fetch(budget=len(DATA) + 10))
        self.assertEqual({path.name for path in folder.iterdir() if len(path.name) < 9}, {"oldest"})
        self.share(b"more", "ef" * 32)
        self.assertTrue(self.fetch(budget=len(DATA) + 14, traces=("ef" * 32,)))
        self.assertEqual(sorted(path.name for path in folder.iterdir() if path.suffix == ""), ["oldest"])

    def test_names(self) -> None:
        """What has the name of a note, or of a part, would count for nothing: it is not asked for."""
        for trace, suffix in (("ab" * 32, ".traces"), ("ef" * 32, ".txt.part")):
            self.file = self.file.rename(self.file.with_name(f"mine{suffix}"))
            self.share(suffix.encode(), trace)
            self.assertFalse(self.fetch(traces=(trace,)))
        self.assertNotIn("get", [request.step for request in self.asked])

    def test_alsoAnother(self) -> None:
        """A file that is one trace stays, whoever says that it is another one, too."""
        self.shared()
        self.assertTrue(self.fetch())
        self.isTrace = False
        self.share(b"", "ef" * 32)
        self.assertFalse(self.fetch(traces=("ef" * 32,)))
        self.assertEqual(len(list((self.folder / "fetched").glob("*.xz"))), 1)

    def test_noted(self) -> None:
        """However many traces one file is read as, 64 of them are noted with it."""
        self.shared()
        self.assertTrue(self.fetch())
        (note,) = (self.folder / "fetched").glob("*.traces")
        many = [("w", f"{number:064x}") for number in range(64)]
        note.write_bytes(msgspec.json.encode({"owner": "carol", "traces": many}))
        self.assertTrue(self.fetch())
        noted = msgspec.json.decode(note.read_bytes())
        self.assertEqual((noted["owner"], len(noted["traces"])), ("carol", 64))

    def test_whose(self) -> None:
        """A file counts as its owner's who offered it first; an AI without an owner is its own."""
        self.shared()
        for owner, noted in (("bob", "bob"), ("carol", "bob"), (None, "AI_1")):
            self.owner = owner
            if owner is None:
                next((self.folder / "fetched").glob("*.xz")).unlink()
                next((self.folder / "fetched").glob("*.traces")).unlink()
            self.assertTrue(self.fetch())
            (note,) = (self.folder / "fetched").glob("*.traces")
            self.assertEqual(msgspec.json.decode(note.read_bytes())["owner"], noted)

    def share(self, more: bytes, trace: str) -> None:
        self.file.write_bytes(DATA + more)
        done = Deferred.fromCoroutine(self.exchange().share(self.file, trace))
        self.run_()
        self.successResultOf(done)

    def test_generalist(self) -> None:
        """A claim on several traces is measured when all of them are here, and none makes room for another."""
        other = "ef" * 32
        self.share(b"", TRACE)
        self.assertFalse(self.fetch(traces=(TRACE, other)))
        self.share(b"more", other)
        self.assertFalse(self.fetch(traces=(TRACE, other), budget=len(DATA) + 4))
        self.assertTrue(self.fetch(traces=(TRACE, other)))
        self.assertEqual(len(list((self.folder / "fetched").glob("*.xz"))), 2)
        self.assertTrue(self.fetch(traces=(TRACE,) * 16))
        self.assertFalse(self.fetch(traces=(TRACE,) * 17))

    def test_dictionary(self) -> None:
        """A file that says it needs 96 MiB to be decompressed is read; one that takes over 128 MiB is not."""
        path = self.folder / "t.xz"
        made = lzma.compress(b"trace", preset=0)
        header = made[12 : 12 + 4 * (made[12] + 1) - 4]
        self.assertEqual(header[:4], b"\x02\x00\x21\x01")  # its length, no flags, LZMA2, and a byte for the dictionary
        for size, reads in ((29, True), (30, False)):  # 96 MiB, and 128 besides what else it takes
            changed = header[:4] + bytes([size]) + header[5:]
            behind = made[12 + len(header) + 4 :]
            path.write_bytes(made[:12] + changed + zlib.crc32(changed).to_bytes(4, "little") + behind)
            self.assertEqual(trace_fetching._decodes(path), reads)

    def test_decoderMemory(self) -> None:
        """A file whose decompression would take more memory than the bound, also of its second stream, is not read."""
        path = self.folder / "t.xz"
        small, large = lzma.compress(bytes(1000), preset=0), lzma.compress(bytes(1000), preset=6)
        path.write_bytes(small + b"\0" * 4 + small)
        self.assertTrue(trace_fetching._decodes(path))
        self.patch(trace_fetching, "DECODER_MEMORY", 4 << 20)
        self.assertTrue(trace_fetching._decodes(path))
        path.write_bytes(small + large)
        self.assertFalse(trace_fetching._decodes(path))
        path.write_bytes(lzma.compress(bytes(5 << 20), preset=0))
        self.assertTrue(trace_fetching._decodes(path))
        for most, decodes in ((5 << 20, True), ((5 << 20) - 1, False)):
            self.patch(trace_fetching, "MAX_DECODED", most)
            self.assertEqual(trace_fetching._decodes(path), decodes)
        path.write_bytes(small[:-9])
        self.assertFalse(trace_fetching._decodes(path))
