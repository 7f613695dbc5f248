"""The demonstration without a hub, with a trainer that builds what a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from kernelnet.artifacts import Component, Pattern, PerformanceReport, TaskDescription, Verdict
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.demo import DEMO_SEARCHES, demo
from kernelnet.learning.goal import Goal


@implementer(ILocalTrainer)
class Ready:
    """It has everything at hand."""

    workbenches = ("file_system",)

    def __init__(self, tasks: int, built: Sequence[Component | None], refuted: Sequence[str] = ()) -> None:
        self._tasks = [TaskDescription("file_system", "t", "ab" * 32, {"capacity": at}) for at in range(tasks)]
        self._built = list(built)
        self._refuted = refuted
        self.levels: dict[str, float] = {}
        self.goals: list[Goal] = []
        self.stopped = 0

    def start(self) -> Deferred[None]:
        return succeed(None)

    def learn(self) -> Deferred[list[Pattern]]:
        return succeed([Pattern("p", "loop", 0.5)])

    def build(self, goal: Goal) -> Deferred[Component | None]:
        self.goals.append(goal)
        return succeed(self._built.pop(0))

    def remeasure(self, component: Component) -> Deferred[PerformanceReport]:
        verdict = Verdict.REFUTED if component.id in self._refuted else Verdict.CONFIRMED
        told = {"validation_level": self.levels[component.id]} if component.id in self.levels else {}
        return succeed(PerformanceReport(component.id, told, verdict=verdict))

    def tasks(self) -> list[TaskDescription]:
        return self._tasks

    def currentTask(self) -> TaskDescription | None:
        return None

    def status(self) -> dict[str, Any]:
        return {}

    def stop(self) -> Deferred[None]:
        self.stopped += 1
        return succeed(None)


def made(name: str, level: float) -> Component:
    return Component(name, implementation=name, development_level=level)


class DemoTests(SynchronousTestCase):
    def found(self, trainer: Ready, **levels: float) -> dict[str, Any]:
        trainer.levels = levels
        return self.successResultOf(Deferred.fromCoroutine(demo(trainer)))

    def test_best(self) -> None:
        """The best by validation is told, with its level on held-out; what is not confirmed does not count."""
        trainer = Ready(9, [made("a", 0.5), made("b", 0.9), made("c", 0.2)], refuted=["b"])
        found = self.found(trainer, a=0.1, c=0.3)
        self.assertEqual((found["best_component"], found["performance_gain"]), ("c", 0.2))
        self.assertEqual((found["patterns_learned"], found["components_built"]), (1, 2))
        self.assertEqual((len(trainer.goals), trainer.stopped), (DEMO_SEARCHES, 1))
        self.assertEqual([len(goal.parents) for goal in trainer.goals], [0, 1, 1])

    def test_bestFirst(self) -> None:
        """What each search begins from is best first, whatever it has on held-out; what tells no level comes last."""
        trainer = Ready(9, [made("a", 0.9), made("b", 0.1), made("c", 0.2)])
        self.assertEqual(self.found(trainer, b=0.3)["best_component"], "b")
        self.assertEqual([parent.id for parent in trainer.goals[-1].parents], ["b", "a"])

    def test_none(self) -> None:
        """Where nothing passed the guard there is no best; no task is searched twice."""
        trainer = Ready(1, [None])
        found = self.found(trainer)
        self.assertEqual((found["best_component"], found["performance_gain"]), (None, 0.0))
        self.assertEqual((len(trainer.goals), trainer.stopped), (1, 1))

    def test_failed(self) -> None:
        """A trainer that fails is stopped all the same."""
        trainer = Ready(1, [])
        result = Deferred.fromCoroutine(demo(trainer))
        self.failureResultOf(result, IndexError)
        self.assertEqual(trainer.stopped, 1)
