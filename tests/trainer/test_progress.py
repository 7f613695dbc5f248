"""Progress that is shown: what has been counted, and what the local trainer tells of itself."""

import json
from typing import Any

from twisted.internet.defer import inlineCallbacks

from kernelnet.artifacts import Component
from tests.trainer.support import component
from tests.trainer.work.support import WorkTestCase


class ProgressTests(WorkTestCase):
    @inlineCallbacks
    def test_counts(self) -> Any:
        """Rounds, what was built and confirmed, what waits; and the file says the same."""
        yield self.share("theirs", workbench="elsewhere")
        yield self.ask("file_system")
        script: list[Component | Exception | None] = [component("mine", 40), component("asked", 45), None]
        self.local.script = script
        yield self.settle()
        told = self.trainer.progress.now()
        self.assertEqual(told["ai_id"], "AI_1")
        self.assertEqual((told["rounds"], told["built"]), (2, 2))
        self.assertEqual((told["confirmed"], told["to_measure"], told["skipped"]), (1, 0, 0))
        self.assertTrue(told["online"])
        self.assertEqual((told["generation"], told["best"]), (0, None))
        self.trainer.progress.write()
        written = json.loads((self.trainer.folder / "progress.json").read_text())
        for key in ("ai_id", "rounds", "built", "confirmed", "sessions", "unacked"):
            self.assertEqual(written[key], told[key])
