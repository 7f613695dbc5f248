"""Several benchmarks write one page of results, and none loses another's."""

import importlib
import sys
from pathlib import Path
from typing import Any
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@skipUnless((BENCHMARKS / "results.py").exists(), "there is no benchmarks/ here, as in an installed package")
class SectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        sys.path.insert(0, str(BENCHMARKS))
        self.addCleanup(sys.path.remove, str(BENCHMARKS))
        self.results: Any = importlib.import_module("results")
        self.path = Path(self.mktemp())
        self.path.write_text("Results\n=======\n\nA table\n")

    def test_eachItsOwn(self) -> None:
        """A section takes the place of what it was, and of nothing else."""
        publish, sections = self.results.publish, self.results.sections
        publish("one", "One\n---", self.path)
        publish("two", "Two\n---", self.path)
        publish("one", "Another\n-------", self.path)
        self.assertEqual(sections(self.path), {"one": "Another\n-------", "two": "Two\n---"})
        self.assertTrue(self.path.read_text().startswith("Results\n=======\n\nA table\n\n.. begin one\n\nAnother"))

    def test_notes(self) -> None:
        """What people say about the figures comes last, once, and as it is now."""
        notes = Path(self.mktemp())
        self.patch(self.results, "NOTES", notes)
        for text in ("Notes\n-----", "Other notes\n-----------"):
            notes.write_text(text)
            self.results.publish("one", "One\n---", self.path)
            self.assertTrue(self.path.read_text().endswith(f".. begin notes\n\n{text}\n\n.. end notes\n"))
        self.assertNotIn("Notes", self.path.read_text())

    def test_hub(self) -> None:
        """A new run of the hub's benchmarks loses no section."""
        self.results.publish("one", "One\n---", self.path)
        whole = self.results.compose("New", self.results.sections(self.path))
        self.assertTrue(whole.startswith("New\n\n.. begin one\n\nOne\n---\n\n.. end one\n"))


@skipUnless((BENCHMARKS / "patterns.py").exists(), "there is no benchmarks/ here, as in an installed package")
class PatternsTests(SynchronousTestCase):
    def test_bothGoals(self) -> None:
        """A search with hints goes on until it is as good as both of its targets, whichever is the harder."""
        sys.path.insert(0, str(BENCHMARKS))
        self.addCleanup(sys.path.remove, str(BENCHMARKS))
        patterns: Any = importlib.import_module("patterns")

        def searched(task: Any, seed: int, evaluations: int, goal: int, **hints: Any) -> Any:
            problem = object.__new__(patterns.Counted)
            problem.best = [50, 30, 10][: [50, 30, 10].index(goal) + 1]
            return problem, None

        self.patch(patterns, "searched", searched)
        for baseline, alone, needed in ((10, 30, (3, 2)), (30, 10, (2, 3))):
            task = patterns.Task(None, reached=[alone])
            self.patch(task, "baseline", lambda baseline=baseline: baseline)
            bench = patterns.Bench([task], 1, 100)
            self.patch(bench, "others", lambda task: [])
            self.assertEqual(bench.with_(patterns.none), [needed])
