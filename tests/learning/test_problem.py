"""The problem that a generator is given."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from kernelnet.artifacts import Component
from kernelnet.interfaces import IProblem
from kernelnet.learning.problem import Problem
from kernelnet.workbench.errors import CompileError
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.learning.support import STUBBORN, AcceptedTestCase


class ProblemTests(AcceptedTestCase):
    def problem(self, scenario: FileSystemScenario, **options: Any) -> Problem:
        return Problem(scenario, seed=1, **{"seconds": 60.0, **options})

    def test_interface(self) -> None:
        """It provides what generators are told it does, and tells of train only."""
        problem = self.problem(self.scenario)
        self.assertTrue(verifyObject(IProblem, problem))
        self.assertEqual(problem.events, self.scenario.events["train"])
        trained = {name: report.splits["train"].score for name, report in self.scenario.baselines().items()}
        self.assertEqual(problem.baselines, trained)
        score = problem.measure(problem.compile(STUBBORN))
        self.assertEqual(score, self.scenario.measure(self.accepted().wasm).splits["train"])
        self.assertRaises(CompileError, problem.compile, "int f(")

    def test_evaluations(self) -> None:
        """Each module with its parameters is one evaluation, once; when there are none left the time is over."""
        problem = self.problem(self.scenario, evaluations=3)
        source = STUBBORN + "void kn_param(u32 index, f64 value) {}"
        wasm = problem.compile(source)
        for module, parameters, left in (
            (wasm, (), 2),
            (wasm, (), 2),
            (wasm, (0.5,), 1),
            (problem.compile(STUBBORN), (), 0),
        ):
            self.assertGreater(problem.secondsLeft(), 0)
            problem.measureWindows(module, parameters)
            problem.measure(module, parameters)
            self.assertEqual(problem.evaluationsLeft(), left)
        self.assertLess(problem.secondsLeft(), 0)
        self.assertIsNone(self.problem(self.scenario).evaluationsLeft())

    def test_parents(self) -> None:
        """Of parents it tells what they have on train, and nothing that was measured on the other parts."""
        component = self.accepted()
        (parent,) = self.problem(self.scenario, parents=[component]).parents
        self.assertEqual(self.claim(parent).splits, {"train": self.claim(component).splits["train"]})
        self.assertIsNone(parent.development_level)
        self.assertEqual(parent.digest, component.digest)
        self.assertEqual(set(self.claim(component).splits), {"train", "validation", "held_out"})
        bare = Component(id="old")
        (parent,) = self.problem(self.scenario, parents=[bare]).parents
        self.assertEqual((parent.id, parent.manifest, parent.digest), ("old", None, bare.digest))

    def test_time(self) -> None:
        """Its time runs out by itself, or at once when it is cancelled."""
        problem = self.problem(self.scenario)
        self.assertTrue(50 < problem.secondsLeft() <= 60)
        problem.cancel()
        self.assertLess(problem.secondsLeft(), 0)
        self.assertLess(self.problem(self.scenario, seconds=-1.0).secondsLeft(), 0)

    def test_progress(self) -> None:
        """Progress is passed on."""
        told: list[tuple[int, int]] = []
        self.problem(self.scenario, onProgress=lambda *news: told.append(news)).progress(3, 14)
        self.assertEqual(told, [(3, 14)])
