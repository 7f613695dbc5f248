"""The template of predictors that learn how much of its velocity a pointer keeps: known answers, for any numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.generators.evolution.portfolio import search as searchFamilies
from kernelnet.generators.search import familiesFor
from kernelnet.generators.templates.kept_velocity import KEPT_VELOCITY
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Vector
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.workbench.window_manager import workbench
from kernelnet.workbench.window_manager.scenario import WindowManagerScenario
from tests.generators.template_contract import TemplateContract, compiled
from tests.workbench.window_manager_support import Sample, smallScenario, strokes

NAMES = [parameter.name for parameter in KEPT_VELOCITY.parameters]
STEADY: list[Sample] = [(8000, 4.0, -3.0)] * 2000


def vector(**values: float) -> Vector:
    """Dead reckoning, but for these."""
    known = KEPT_VELOCITY.normalized(KEPT_VELOCITY.known[0])
    return KEPT_VELOCITY.normalized([values.get(name, value) for name, value in zip(NAMES, known, strict=True)])


class Case(SynchronousTestCase):
    def scenario(self, samples: list[Sample] | None = None, ahead: int = 16_667) -> WindowManagerScenario:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return smallScenario(folder, samples, ahead)

    def held(self, scenario: WindowManagerScenario, chosen: Vector) -> SplitScore:
        return scenario.measure(compiled(KEPT_VELOCITY.bake(chosen), workbench)).splits["held_out"]


class KnownAnswers(Case):
    def test_reckons(self) -> None:
        """With all weight on the newest velocity, and no trust in what it sees, it is dead reckoning."""
        for ahead in (16_667, 33_333):
            scenario = self.scenario(STEADY, ahead)
            self.assertEqual(self.held(scenario, vector(TRUST=0.00001)).score, 0)
            half = self.held(scenario, vector(TRUST=0.00001, GAIN=0.5)).score
            held = scenario.reference().splits["held_out"].score
            self.assertLess(abs(half - held / 2), held / 100)

    def test_learns(self) -> None:
        """Whatever weights it begins with, it soon knows that a steady pointer keeps all of its velocity."""
        scenario = self.scenario(STEADY)
        wrong = self.held(scenario, vector(W1=0.3, TRUST=0.00001, FORGET=0.00001))
        learned = self.held(scenario, vector(W1=0.3, TRUST=1))
        self.assertLess(learned.score, wrong.score / 100)
        # To and fro by turns, from one sample to the next: all that was is undone.
        shaking = [(8000, 4.0 if number % 2 else -4.0, 0.0) for number in range(4000)]
        scenario = self.scenario(shaking)
        learned, held = self.held(scenario, vector(TRUST=1)), scenario.reference().splits["held_out"]
        self.assertLess(learned.score, held.score)

    def test_rests(self) -> None:
        """After a pause it supposes no velocity."""
        samples = [each for _ in range(300) for each in [(100_000, 50.0, 0.0), *[(8000, 0.001, 0.0)] * 8]]
        held = self.held(self.scenario(samples), vector(FRESH=40))
        self.assertLess(held.metrics["p95_millipixels"], 50)

    def test_searched(self) -> None:
        """A short search finds what is better than all hand-made predictors on movements that it hasn't seen."""
        problem = Problem(self.scenario(strokes(90)), seed=1, seconds=3600.0)
        found = searchFamilies(problem, [VectorFamily(KEPT_VELOCITY)], 60)
        if found is None:
            self.fail("nothing")
        other = self.scenario(strokes(90, seed=7))
        score = sum(split.score for split in other.measure(compiled(found.source, workbench)).splits.values())
        hand = other.baselines()[chosenOnTrain(other)].splits.values()
        self.assertLess(score, sum(split.score for split in hand))


class Works(TemplateContract, Case):
    bench = workbench
    template = KEPT_VELOCITY
    robust = 2

    def scenarios(self) -> Iterator[WindowManagerScenario]:
        """Devices of 125 Hz, of 1000 and of 62, and one that hardly moves."""
        yield self.scenario(strokes(20))
        yield self.scenario(strokes(8, 2, 1000), 33_333)
        yield self.scenario(strokes(20, 3, 16_000))
        yield self.scenario([(8000, 0.001 * (number % 2), 0.0) for number in range(3000)])


class FamilyTests(Case):
    def test_families(self) -> None:
        """The default search has it for this bench, beside genetic programming, and nothing of page caches."""
        problem = Problem(self.scenario(strokes(20)), seed=1, seconds=60.0)
        self.assertEqual([family.name for family in familiesFor(problem)], ["kept_velocity", "genetic"])
