"""Progress that is shown: what has been counted, and what the local trainer tells of itself."""

import json
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from kernelnet.artifacts import Component, ModelCosts
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
        self.connection.greeted = True
        told = self.trainer.progress.now()
        self.assertEqual(told["ai_id"], "AI_1")
        self.assertEqual((told["rounds"], told["built"]), (2, 2))
        self.assertEqual((told["confirmed"], told["to_measure"], told["skipped"]), (1, 0, 0))
        self.assertTrue(told["online"])
        self.assertEqual((told["generation"], told["best"]), (0, None))
        document = (Path(__file__).parents[2] / "docs" / "reference" / "python.rst").read_text("utf-8")
        for key in told.keys() - self.local.status().keys():
            self.assertIn(f"``{key}``", document)
        self.trainer.progress.write()
        written = json.loads((self.trainer.folder / "progress.json").read_text())
        for key in ("ai_id", "rounds", "built", "confirmed", "sessions", "unacked"):
            self.assertEqual(written[key], told[key])

    @inlineCallbacks
    def test_thisRun(self) -> Any:
        """What earlier runs did is told apart from what this one did."""
        yield self.share("theirs", workbench="elsewhere")
        accepted = {"session_id": "s7", "response": "accepted", "partner": "AI_2", "type": "feature_development"}
        yield self.hear(self.message(MessageType.COLLABORATION_RESPONSE, accepted, sender="hub"))
        self.local.script = [component("mine", 40), None]
        yield self.settle()
        first = self.trainer.progress.now()
        self.assertEqual(
            first["this_run"],
            {"rounds": 2, "built": 1, "confirmed": 1, "refuted": 0, "unmeasurable": 0, "sessions": first["sessions"]},
        )
        self.assertEqual(sum(first["sessions"].values()), 1)
        yield self.trainer.store.close()
        yield self.begin()
        told = self.trainer.progress.now()
        self.assertEqual((told["confirmed"], told["sessions"]), (1, first["sessions"]))
        nothing = {"rounds": 0, "built": 0, "confirmed": 0, "refuted": 0, "unmeasurable": 0, "sessions": {}}
        self.assertEqual(told["this_run"], nothing)

    def test_connected(self) -> None:
        """Whether a hub has ever greeted it, and for how long, over all connections; a mere connection is none."""

        def told() -> tuple[bool, bool, float]:
            now = trainer.progress.now()
            return now["online"], now["connected"], now["connected_seconds"]

        trainer, clock = self.trainer, Clock()
        factory = trainer.client.factory
        self.connection.connectionLost(Failure(ConnectionDone()))
        factory._clock = clock
        self.assertEqual(told(), (False, False, 0.0))
        for before in (0.0, 5.0):
            self.connect()
            clock.advance(7)
            self.assertEqual(told(), (False, before > 0, before))
            self.connection.greeted = True
            factory.greeted()
            clock.advance(5)
            self.assertEqual(told(), (True, True, before + 5))
            self.connection.connectionLost(Failure(ConnectionDone()))
            clock.advance(7)
            self.assertEqual(told(), (False, True, before + 5))


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
        self.trainer.progress.tell()
        return [message.payload["progress"] for message in self.said(MessageType.HEARTBEAT)]

    def test_told(self) -> None:
        """The hub is told of the task, how much was measured, how good the best is, and on which sessions we work."""
        (told,) = self.tell({"evaluations": 7, "train": 0.5, "validation": None})
        task = {key: value for key, value in self.TASK.items() if key != "unit"}
        self.assertEqual(told, {"task": task, "evaluations": 7, "train": 0.5})
        (told,) = self.tell({"evaluations": 7, "train": -1e300, "validation": float("nan")})
        self.assertEqual(told["train"], -1e6)
        self.assertNotIn("validation", told)

    def test_costs(self) -> None:
        """The hub is told what language models cost, also with what came of a search that has ended."""
        costs = {"calls": 5, "accepted": 1, "tokens": 900, "usd": 0.25}
        search = {"evaluations": 7, "train": 0.5, "validation": None}
        ended = {"scenario": self.TASK, "search": search}
        for more in ({}, {"ended": ended}):
            status = {"scenario": self.TASK, "search": search, "costs": costs, **more}
            self.patch(self.local, "status", lambda status=status: status)
            told = self.trainer.progress.search()
            assert told is not None
            self.assertEqual(told.costs, ModelCosts(5, 1, 900, 0.25))

    def test_ended(self) -> None:
        """What came of a search that has ended is told once, before the one that goes on."""
        ended = {"scenario": self.TASK, "search": {"evaluations": 9, "train": 0.5, "validation": 0.25}}
        current = {"scenario": self.TASK, "search": {"evaluations": 1}, "ended": ended}
        self.patch(self.local, "status", lambda: current)
        told = [self.trainer.progress.search() for _ in range(3)]
        self.assertEqual([one and (one.evaluations, one.validation) for one in told], [(9, 0.25), (1, None), (1, None)])

    def test_nothing(self) -> None:
        """Nothing is told where nothing is known, of what the hub would refuse, or without a connection."""
        search = {"evaluations": 7}
        self.assertEqual(self.tell(None), [])
        self.assertEqual(self.tell(search, None), [])
        self.assertEqual(self.tell({"evaluations": -1}), [])
        self.assertEqual(self.tell(search, {**self.TASK, "trace": "x" * 5000}), [])
        self.assertEqual(self.tell(search, greeted=False), [])
