"""A local trainer of an author who knows an earlier `ILocalTrainer` goes on working."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import TaskDescription
from kernelnet.learning.former_trainers import withTasks

DIGEST = "1" * 64
TOLD = {"workbench": "file_system", "trace": "t", "trace_digest": DIGEST, "settings": {"capacity": 10}}
TASK = TaskDescription("file_system", "t", DIGEST, {"capacity": 10})


class Former:
    """It tells its tasks by its status alone."""

    workbenches = ("file_system",)

    def __init__(self, **told: Any) -> None:
        self.told = told

    def status(self) -> dict[str, Any]:
        return self.told


class FormerTrainerTests(SynchronousTestCase):
    def made(self, **told: Any) -> Any:
        former: Any = Former(**told)
        return withTasks(former)

    def test_told(self) -> None:
        """Its status says what it trains on, and whatever else it has and does is its own."""
        local = self.made(scenario={**TOLD, "unit": "misses"}, tasks=[TOLD])
        self.assertEqual((local.currentTask(), local.tasks()), (TASK, [TASK]))
        self.assertEqual(local.workbenches, ("file_system",))
        self.assertEqual(local.status()["tasks"], [TOLD])
        self.assertIn("Former object", repr(local))

    def test_untold(self) -> None:
        """What it doesn't know may be missing, or no whole description."""
        for told in ({}, {"scenario": None, "tasks": None}, {"scenario": {"trace": "t"}, "tasks": [{}, "x", 1]}):
            local = self.made(**told)
            self.assertEqual((local.currentTask(), local.tasks()), (None, []))

    def test_present(self) -> None:
        """One that has both is left as it is."""
        former: Any = Former()
        former.tasks, former.currentTask = list, lambda: TASK
        self.assertIs(withTasks(former), former)
