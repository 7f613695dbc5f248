"""C{kernelnet traces share}, with a trainer and a hub that are this test."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import cast

import msgspec
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock

from kernelnet.cli import traces
from kernelnet.hub.connection.payload_shelf import PayloadShelf, RunInThread
from kernelnet.hub.storage.blobs.memory import MemoryBlobs
from kernelnet.hub.storage.blobs.shelf import BlobBounds, Shelf
from kernelnet.identity import StateDirectory
from kernelnet.payloads import PayloadAnswer, PayloadRequest
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange
from kernelnet.trainer.messaging.trace_sharing import TraceSharing
from kernelnet.trainer.storage.spool import MAX_FILES
from kernelnet.workbench.file_system import workbench
from tests.cli.support import CliTestCase


class ShareTests(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.state = StateDirectory(self.folder / "state")
        self.state.open()
        self.trainer = self.state.trainer("AI_1")
        self.clock, self.time = Clock(), Clock()
        self.bounds = BlobBounds()
        self.private: list[Path] = []
        self.digest = workbench.scenario(self.trace, {}).traceDigest
        self.asked: list[PayloadRequest] = []

    def share(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        return ("traces", "share", self.trace, "--id", "AI_1", "--state", self.state.path, *arguments)

    def runs(self) -> None:
        """The trainer runs, looks whenever the command waits, and is connected to a hub."""
        self.addCleanup(StateDirectory.unlock, self.state.lock("trainers/AI_1/lock"))
        shelf = Shelf(MemoryBlobs(self.clock.seconds), self.bounds, self.clock.seconds, lambda: 10**12)
        hub = PayloadShelf(shelf, cast(RunInThread, maybeDeferred), lambda aiId: None, self.time)
        exchange = PayloadExchange(self.clock, maybeDeferred)
        answers: list[PayloadAnswer] = []

        def answered(payload: object, seconds: float) -> None:
            answers.append(msgspec.json.decode(msgspec.json.encode(payload), type=PayloadAnswer))

        def say(request: PayloadRequest) -> str:
            self.asked.append(request)
            self.time.advance(60)
            self.successResultOf(hub.answer(request, "m1", "AI_1", answered))
            return "m1"

        exchange.connected(say)
        self.shelf = shelf
        sharing = TraceSharing(self.trainer, self.private, lambda: ["file_system"], exchange, maybeDeferred)

        def sleep(seconds: float) -> None:
            sharing.look()
            while answers:
                exchange.answered(answers.pop())

        self.patch(time, "sleep", sleep)

    def test_shared(self) -> None:
        """A trainer that runs sends it, and the command says when the hub has it; nothing is left of the request."""
        self.runs()
        size = self.trace.stat().st_size
        told = self.succeed(*self.share())
        self.assertEqual(told, f"AI_1 shares small.txt: {size:,} bytes sent, the hub has {size:,}\n")
        ((found),) = self.shelf.find(self.digest, "")
        self.assertEqual((found.author, found.size, found.suffix), ("AI_1", size, ".txt"))
        self.assertEqual(list((self.trainer / "sharing").iterdir()), [])
        self.assertTrue(json.loads(self.succeed(*self.share("--json")))["isShared"])

    def test_later(self) -> None:
        """One that does not run, or isn't done yet, does it later."""
        self.assertEqual(self.succeed(*self.share()), "AI_1 does not run now: it shares small.txt when it does\n")
        self.addCleanup(StateDirectory.unlock, self.state.lock("trainers/AI_1/lock"))
        self.assertIn("AI_1 goes on", self.succeed(*self.share("--wait", "0.1")))
        self.assertEqual(len(list((self.trainer / "sharing").iterdir())), 2)

    def test_mistakes(self) -> None:
        """Each has one line, which says what is wrong."""
        nothing = self.write("nothing.txt", b"\0\1\2" * 99)
        there = ("--state", self.state.path)
        for words, file, aiId in (
            ("there is no trainer AI_2", self.trace, "AI_2"),
            ("ai_id", self.trace, "no id"),
            (f"{nothing} is no trace: none of", nothing, "AI_1"),
        ):
            self.refused(1, words, "traces", "share", file, "--id", aiId, *there)
        self.refused(2, "does not exist", "traces", "share", "none.txt", "--id", "AI_1")
        self.refused(2, "Missing option '--id'", "traces", "share", self.trace)
        for _ in range(MAX_FILES):
            self.succeed(*self.share())
        self.refused(1, f"holds {MAX_FILES} files that wait", *self.share())

    def test_private(self) -> None:
        """A private trace stays here, under another name, too."""
        self.private.append(self.write("same.txt", self.trace.read_bytes()))
        self.runs()
        self.refused(1, "small.txt is not shared: it is a private trace of this trainer", *self.share())
        self.assertEqual(self.asked, [])

    def test_refused(self) -> None:
        """The hub's reason is told."""
        self.bounds = BlobBounds(one=10)
        self.runs()
        self.refused(1, "the hub refuses it: a blob may have 1 to 10 bytes", *self.share())

    def test_otherWorkbench(self) -> None:
        """What the trainer's own workbenches don't read, or what is gone meanwhile, is told, too."""
        self.runs()
        self.patch(traces, "_checkTrace", lambda file: None)
        self.trace.write_bytes(b"\0")
        self.refused(1, "no workbench here reads it as a trace; there are: file_system", *self.share())
