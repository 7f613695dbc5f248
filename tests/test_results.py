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
        found = sections(self.path)
        self.assertEqual(list(found), ["one", "two"])
        self.assertIn("Another", found["one"])
        self.assertNotIn("One", self.path.read_text())
        self.assertTrue(self.path.read_text().startswith("Results\n=======\n\nA table\n\n.. begin one\n\nAnother"))

    def test_beforeTheNotes(self) -> None:
        """A new section comes before what people say about the figures."""
        notes = self.results.NOTES.read_text()
        self.path.write_text(f"Results\n=======\n\n{notes}")
        self.results.publish("one", "One\n---", self.path)
        self.assertTrue(self.path.read_text().endswith(f".. end one\n\n{notes}"))
