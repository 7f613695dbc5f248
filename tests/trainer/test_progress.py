"""Progress that is shown: what has been counted, and what the local trainer tells of itself."""

import json
from typing import Any, ClassVar

from twisted.internet.defer import inlineCallbacks

from kernelnet.artifacts import Component
from kernelnet.message import MessageType
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


class SearchTests(WorkTestCase):
    TASK: ClassVar[dict[str, Any]] = {
        "workbench": "file_system",
        "trace": "t",
        "trace_digest": "1" * 64,
        "settings": {"capacity": 4},
        "unit": "misses",
    }

    def tell(self, search: Any, task: Any = TASK, greeted: bool = True) -> list[dict[str, Any]]:
        """What the hub is told when the local trainer says this of its search."""
        self.patch(self.local, "status", lambda: {"scenario": task, "search": search})
        self.said()
        self.connection.greeted = greeted
        self.trainer._tellSearch()
        return [message.payload["progress"] for message in self.said(MessageType.HEARTBEAT)]

    def test_told(self) -> None:
        """The hub is told of the task, how much was measured, how good the best is, and on which sessions we work."""
        (told,) = self.tell({"evaluations": 7, "train": 0.5, "validation": None})
        task = {key: value for key, value in self.TASK.items() if key != "unit"}
        self.assertEqual(told, {"task": task, "evaluations": 7, "train": 0.5})
        (told,) = self.tell({"evaluations": 7, "train": -1e300, "validation": float("nan")})
        self.assertEqual(told["train"], -1e6)
        self.assertNotIn("validation", told)

    def test_nothing(self) -> None:
        """Nothing is told where nothing is known, of what the hub would refuse, or without a connection."""
        search = {"evaluations": 7}
        self.assertEqual(self.tell(None), [])
        self.assertEqual(self.tell(search, None), [])
        self.assertEqual(self.tell({"evaluations": -1}), [])
        self.assertEqual(self.tell(search, {**self.TASK, "trace": "x" * 5000}), [])
        self.assertEqual(self.tell(search, greeted=False), [])
