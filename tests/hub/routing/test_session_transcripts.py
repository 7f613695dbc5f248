"""Steps that are kept with a session: how many, how large, and when anything is written."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.routing import session_transcripts
from kernelnet.hub.routing.session_transcripts import addSteps, refusal
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.message import SessionStep

STEPS = [SessionStep(by="A", what="build"), SessionStep(by="A", what="measure", note="é")]


class BoundTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.kept: bytes | None = None
        self.written = 0
        sessions = SimpleNamespace(transcriptOf=lambda sessionId: self.kept, setTranscript=self.write)
        self.transaction = cast(Transaction, SimpleNamespace(sessions=sessions, now=5.0))

    def write(self, sessionId: str, transcript: bytes, now: float) -> None:
        self.kept = transcript
        self.written += 1

    def add(self, *steps: SessionStep) -> int:
        return addSteps(self.transaction, "s", "A", steps)

    def whats(self) -> list[Any]:
        return [step["what"] for step in json.loads(self.kept or b"[]")]

    def test_toTheByte(self) -> None:
        """As many bytes as the bound says are kept, said at once or one after the other; not one more."""
        self.add(*STEPS)
        size = len(self.kept or b"")
        for atOnce in (True, False):
            for room, kept in ((size, 2), (size - 1, 1)):
                self.kept = None if atOnce else b"[]"
                self.patch(session_transcripts, "MAX_TRANSCRIPT", room)
                added = self.add(*STEPS) if atOnce else self.add(STEPS[0]) + self.add(STEPS[1])
                self.assertEqual((added, len(self.whats())), (kept, kept))

    def test_fewer(self) -> None:
        """To what has more steps than are kept now nothing is added."""
        self.add(*STEPS, *STEPS)
        self.patch(session_transcripts, "MAX_STEPS", 3)
        self.assertEqual((self.add(*STEPS), len(self.whats())), (0, 4))

    def test_written(self) -> None:
        """Nothing is written where nothing is added; the first time an empty list is."""
        self.add()
        self.assertEqual((self.kept, self.written), (b"[]", 1))
        self.add()
        self.add(*STEPS)
        self.add()
        self.assertEqual((self.whats(), self.written), (["build", "measure"], 2))

    def test_reason(self) -> None:
        """Of why one has no time 256 characters are kept."""
        self.assertEqual(refusal("A", "x" * 300).note, "x" * 256)
