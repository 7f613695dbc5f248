"""Genetic programming on a rank ABI, and what families measure with."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kernelnet.artifacts import CodeBlock, Component, SplitScore
from kernelnet.expressions.syntax import fromSource, parse, size, toC
from kernelnet.generators import Candidate
from kernelnet.generators.evolution.search_family import TRAIN_WINDOWS, Metered
from kernelnet.generators.genetic_programming import MAX_SIZE, Genetic, GeneticFamily, genetic
from kernelnet.interfaces import IComponentGenerator, IProblem
from kernelnet.learning.acceptance import accept
from kernelnet.learning.problem import Problem
from kernelnet.learning.verification import remeasure
from kernelnet.workbench.errors import OutOfFuel
from tests.generators.picker import ABI, pickerScenario
from tests.workbench.support import smallScenario

HOUR = 3600.0


class GeneticTests(SynchronousTestCase):
    def problem(self, **options: Any) -> Problem:
        return Problem(pickerScenario(Path(self.mktemp())), **{"seed": 1, "seconds": HOUR, **options})

    def generate(self, problem: Any, evaluations: int = 200) -> Candidate:
        candidate = Genetic(evaluations).generate(problem)
        if candidate is None:
            self.fail("nothing")
        return candidate

    def test_interface(self) -> None:
        """The plugin provides what it should, for any bench."""
        self.assertTrue(verifyObject(IComponentGenerator, genetic))
        self.assertEqual(genetic.workbenches, ())

    def test_thirdParty(self) -> None:
        """On somebody else's bench it finds what is better than all that was known; it is accepted and confirmed."""
        scenario = pickerScenario(Path(self.mktemp()), 2000)
        candidate = self.generate(Problem(scenario, seed=1, seconds=HOUR), 400)
        made, reason = accept(scenario, candidate, generator="genetic", seed=1)
        if made is None:
            self.fail(reason)
        self.assertEqual(remeasure(made, scenario)[0].value, "confirmed")
        # length + waited / 2 would be perfect, up to rounding
        self.assertGreater(made.development_level or 0.0, 0.9)
        tree = fromSource(candidate.source, ABI.features)
        if tree is None:
            self.fail("no expression")
        self.assertLessEqual(size(tree), MAX_SIZE)

    def test_fileSystem(self) -> None:
        """On a page cache it beats a good known function on train."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        problem = Problem(smallScenario(folder), seed=1, seconds=HOUR)
        source = toC(parse("aq(freq + hist, age)", problem.abis[1].features), problem.abis[1], "kn_file_system.h")
        candidate = self.generate(problem, 300)
        known, found = (problem.measure(problem.compile(s)).score for s in (source, candidate.source))
        self.assertLess(found, known)

    def test_reproducible(self) -> None:
        """The same problem, seed and number of evaluations give the same candidate; another seed another one."""
        scenario = pickerScenario(Path(self.mktemp()))
        found = [self.generate(Problem(scenario, seed=seed, seconds=HOUR), 150).source for seed in (5, 5, 6)]
        self.assertEqual(found[0], found[1])
        self.assertNotEqual(found[0], found[2])

    def test_noRank(self) -> None:
        """For a bench without a rank ABI it has nothing to offer."""
        problem = self.problem()
        problem.abis = ()
        self.assertIsNone(Genetic(50).generate(problem))

    def test_noTime(self) -> None:
        """Nor without time."""
        self.assertIsNone(Genetic().generate(self.problem(seconds=0.0)))

    def test_seeds(self) -> None:
        """Confirmed parents' expressions come first, and are named; then a few that peers sent, and what is known."""
        parent = Component(id="p", implementation=toC(parse("length + 0.5 * waited", ABI.features), ABI, "kn_picker.h"))
        other = Component(id="o", implementation="/* expression: age */")
        strange: list[Any] = [None, 3, "nonsense(", {"expression": "noise"}, "(" * 10**5]
        blocks = [CodeBlock("x", type="picker/genetic", data={"expression": text}) for text in (*strange, "noise * 3")]
        blocks += [CodeBlock("x", type="picker/genetic", data=data) for data in strange]
        blocks += [CodeBlock("x", type="other/genetic", data={"expression": "noise * 4"})]
        family = GeneticFamily()
        family.islands = 1
        problem = Metered(self.problem(parents=[other, parent], blocks=blocks), 5)
        self.addCleanup(problem.close)
        family.start(problem, random.Random(1))
        family.step()()
        first = ["length + waited * 0.5", "noise * 3.0", "noise", "length", "-waited"]
        self.assertEqual(list(family._known), first)
        best = family.best
        self.assertEqual(best and best.parents, (parent.digest,))


class Pretended:
    """An `IProblem` whose scores are told."""

    seed = 1
    factor = 1
    whole = 0

    def __init__(self, left: float = math.inf) -> None:
        self.left = left
        self.told: list[tuple[int, int]] = []

    def secondsLeft(self) -> float:
        return self.left

    def measureWindows(self, wasm: bytes, parameters: tuple[float, ...] = (), count: int = 8) -> list[SplitScore]:
        if wasm == b"bad":
            raise OutOfFuel("x")
        if wasm == b"late":
            self.left = 0
        return [SplitScore(events=1, score=int(parameters[0]) + at, fuel=1) for at in range(count)]

    def measure(self, wasm: bytes, parameters: tuple[float, ...]) -> SplitScore:
        self.whole += 1
        return SplitScore(
            events=8, score=self.factor * sum(w.score for w in self.measureWindows(wasm, parameters)), fuel=1
        )

    def progress(self, generation: int, best: int) -> None:
        self.told.append((generation, best))


class MeteredTests(SynchronousTestCase):
    def metered(self, problem: Pretended, evaluations: int | None = None) -> Metered:
        metered = Metered(cast("IProblem", problem), evaluations)
        self.addCleanup(metered.close)
        return metered

    def test_all(self) -> None:
        """Results come in the order of the jobs; what fails has none, and counts."""
        metered = self.metered(Pretended())
        results = metered.measureAll([(b"", (9,)), (b"bad", ()), *((b"", (n,)) for n in range(50))])
        self.assertEqual(results[:3], [tuple(range(9, 9 + TRAIN_WINDOWS)), None, tuple(range(TRAIN_WINDOWS))])
        self.assertEqual([scores and scores[0] for scores in results[2:]], list(range(50)))
        self.assertEqual(metered.evaluations, 52)

    def test_budget(self) -> None:
        """No more is measured than may be."""
        metered = self.metered(Pretended(), 5)
        self.assertEqual(len(metered.measureAll([(b"", (n,)) for n in range(3)])), 3)
        self.assertFalse(metered.over())
        self.assertEqual(len(metered.measureAll([(b"", (n,)) for n in range(9)])), 2)
        self.assertTrue(metered.over())
        self.assertEqual(metered.measureAll([(b"", (1,))]), [])

    def test_time(self) -> None:
        """What there is no time for is left out."""
        metered = self.metered(Pretended())
        jobs = [(b"", (1,)), (b"late", (1,)), *((b"", (1,)) for _ in range(40))]
        self.assertLess(len(metered.measureAll(jobs)), 10)
        self.assertTrue(metered.over())
        self.assertEqual(metered.measureAll(jobs), [])

    def test_loss(self) -> None:
        """A loss is the mean share of the first one's score, each window counting the same."""
        metered = self.metered(Pretended())
        first, double = metered.measureAll([(b"", (9,)), (b"", (19,))])
        assert first is not None and double is not None
        self.assertEqual(metered.loss(first), 1.0)
        shares = [(20 + at) / (10 + at) for at in range(TRAIN_WINDOWS)]
        self.assertAlmostEqual(metered.loss(double), sum(shares) / TRAIN_WINDOWS)

    def test_luck(self) -> None:
        """A window in which the first one scored nothing does not outweigh all others."""
        metered = self.metered(Pretended())
        metered.measureAll([(b"", (0,))])
        self.assertLess(metered.loss((10**6, *range(1, TRAIN_WINDOWS))), 3)

    def test_tell(self) -> None:
        """The trainer is told the best score on train so far, also where it is not the sum of its windows'."""
        for factor, measured in ((1, 1), (3, 2)):
            problem = Pretended()
            problem.factor = factor
            metered = self.metered(problem)
            metered.tell(0)
            metered.measureAll([(b"", (9,)), (b"", (2,)), (b"", (5,))])
            metered.tell(1)
            metered.tell(2)
            metered.measureAll([(b"", (1,))])
            metered.tell(3)
            better, best = (factor * (TRAIN_WINDOWS * n + sum(range(TRAIN_WINDOWS))) for n in (2, 1))
            self.assertEqual(problem.told, [(1, better), (2, better), (3, best)])
            # where the windows add up, that is found out once
            self.assertEqual(problem.whole, measured)
