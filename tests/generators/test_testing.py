"""What authors of generators test with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.exceptions import Invalid

from kernelnet.generators import Candidate
from kernelnet.generators.search import Search
from kernelnet.interfaces import IComponentGenerator
from kernelnet.testing import checkGenerator, loopWithScan, makeProblem
from kernelnet.workbench.errors import CompileError, WrongExport


@implementer(IPlugin, IComponentGenerator)
class Fixed:
    """Returns what it is told to."""

    name = "fixed"
    description = "for tests"

    def __init__(self, result: Any, workbenches: tuple[str, ...] = ()) -> None:
        self.result = result
        self.workbenches = workbenches

    def generate(self, problem: Any) -> Any:
        return self.result


class TestingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def test_good(self) -> None:
        """A generator that keeps to the contract gets its candidate compiled and measured."""
        problem = makeProblem(self.folder, loopWithScan(), requirements={})
        outcome = checkGenerator(Search(60), problem)
        self.assertEqual(outcome.score, problem.measure(outcome.wasm).score)
        self.assertLess(outcome.score, problem.baselines["fifo"])
        self.assertEqual(checkGenerator(Search(60), problem), outcome)

    def test_bad(self) -> None:
        """What does not keep to it is told apart."""
        problem = makeProblem(self.folder, loopWithScan())
        self.assertRaises(Invalid, checkGenerator, object(), problem)
        self.assertRaises(AssertionError, checkGenerator, Fixed(None), problem)
        self.assertRaises(AssertionError, checkGenerator, Fixed(Candidate(""), ("other",)), problem)
        self.assertRaises(CompileError, checkGenerator, Fixed(Candidate("int f(")), problem)
        self.assertRaises(WrongExport, checkGenerator, Fixed(Candidate("int x;")), problem)
        late = makeProblem(self.folder, loopWithScan(), seconds=-5.0)
        self.assertIn("too late", str(self.assertRaises(AssertionError, checkGenerator, Fixed(Candidate("")), late)))
