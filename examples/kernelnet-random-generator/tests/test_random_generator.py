"""Run them with ``python -m unittest discover tests``, or with any other runner."""

import tempfile
import unittest
from pathlib import Path

from kernelnet_random_generator import generator

from kernelnet.interfaces import IComponentGenerator
from kernelnet.plugins import find
from kernelnet.testing import checkGenerator, loopWithScan, makeProblem


class RandomGeneratorTests(unittest.TestCase):
    def problem(self, **options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return makeProblem(Path(folder.name), loopWithScan(), requirements={"evaluations": 12}, **options)

    def test_found(self):
        """Kernelnet finds it by its name."""
        self.assertIs(find(IComponentGenerator, "random", "generator"), generator)

    def test_works(self):
        """What it writes compiles, and beats the worst hand-made policy; the same seed gives the same."""
        problem = self.problem(seed=3)
        outcome = checkGenerator(generator, problem)
        self.assertLess(outcome.score, max(problem.baselines.values()))
        self.assertIn("bimodal insertion", outcome.candidate.note)
        self.assertEqual(checkGenerator(generator, self.problem(seed=3)), outcome)


if __name__ == "__main__":
    unittest.main()
