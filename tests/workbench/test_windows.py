"""Scores on windows of a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.interfaces import IWorkbench
from kernelnet.learning.problem import Problem
from kernelnet.learning.significance import WINDOWS
from kernelnet.plugins import available
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.suite import Suite
from tests.workbench.support import baselineSource, mixture, policy, smallScenario


class WindowTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.lru = policy(baselineSource("lru"))

    def test_sum(self) -> None:
        """Windows are as long as one another, but for one event, and their misses are the split's."""
        scenario = smallScenario(self.folder)
        for split, whole in scenario.measure(self.lru).splits.items():
            windows = scenario.measureWindows(self.lru, split, 7)
            self.assertEqual(len(windows), 7)
            self.assertEqual(sum(window.score for window in windows), whole.score)
            self.assertEqual(sum(window.events for window in windows), whole.events)
            self.assertLessEqual(max(w.events for w in windows) - min(w.events for w in windows), 1)

    def test_few(self) -> None:
        """There are never more windows than events."""
        scenario = smallScenario(self.folder, mixture(100))
        self.assertEqual([w.events for w in scenario.measureWindows(self.lru, "validation", 50)], [1] * 10)

    def test_suite(self) -> None:
        """A suite's windows are those of its parts, one part after the other."""
        parts = []
        for seed in (1, 2):
            folder = self.folder / str(seed)
            folder.mkdir()
            parts.append(smallScenario(folder, mixture(seed=seed)))
        suite = Suite(parts)
        expected = [w for part in suite.parts for w in part.measureWindows(self.lru, "train", 3)]
        self.assertEqual(suite.measureWindows(self.lru, "train", 3), expected)

    def test_problem(self) -> None:
        """A generator sees windows of train alone; all of train is one where the bench has none."""
        scenario = workbench.scenario(workbench.traces()[0])
        problem = Problem(scenario, seed=1, seconds=100)
        whole = problem.measure(self.lru)
        windows = problem.measureWindows(self.lru, count=5)
        self.assertEqual(sum(window.score for window in windows), whole.score)

        class Plain:
            """A scenario of somebody else's, with no windows."""

            def __getattribute__(self, name: str) -> object:
                if name == "measureWindows":
                    raise AttributeError(name)
                return getattr(scenario, name)

        plain: Any = Plain()
        self.assertEqual(Problem(plain, seed=1, seconds=100).measureWindows(self.lru), [whole])


class AddingTests(SynchronousTestCase):
    def test_everyBench(self) -> None:
        """Where a bench says so, the scores of windows add up to the split's, but for the rounding of each."""
        saying = []
        for bench in available(IWorkbench):
            scenario = bench.scenario(bench.traces()[0], {})
            wasm = bench.baselineModule(bench.reference)
            whole = scenario.measure(wasm, upTo="validation").splits["validation"]
            windows = scenario.measureWindows(wasm, "validation", WINDOWS)
            adds = 0 <= whole.score - sum(window.score for window in windows) <= WINDOWS
            self.assertEqual(sum(window.events for window in windows), whole.events)
            self.assertEqual(adds, getattr(bench, "windowsAdd", False), bench.name)
            saying += [bench.name] * adds
        self.assertIn("file_system", saying)
        self.assertNotIn("security", saying)
