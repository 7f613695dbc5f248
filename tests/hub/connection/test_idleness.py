"""Which partners work on nothing of their sessions, and how much is remembered of what they say."""

from __future__ import annotations

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SearchProgress
from kernelnet.hub.connection.idleness import Idleness
from tests.wire_examples import SEARCH_PROGRESS


class BoundTests(SynchronousTestCase):
    def test_remembered(self) -> None:
        """Of an AI's earlier reports 16 sessions are remembered, the last, beside those that it names now."""
        idleness = Idleness({"AI_1"}, Clock())
        for i in range(30):
            idleness.told("AI_1", msgspec.convert({**SEARCH_PROGRESS, "sessions": [f"s{i}"]}, SearchProgress))
        self.assertEqual(list(idleness._reports["AI_1"].worked), [f"s{i}" for i in range(13, 30)])
