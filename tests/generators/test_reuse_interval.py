"""The template of policies that learn lifetimes: known answers, and that it works whatever its parameters are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.generators.evolution.portfolio import search as searchFamilies
from kernelnet.generators.search import familiesFor
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Vector
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.learning.problem import Problem
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.generators.template_contract import TemplateContract, compiled
from tests.workbench.support import mixture, smallScenario

KNOWN = [REUSE_INTERVAL.normalized(vector) for vector in REUSE_INTERVAL.known]


class Case(SynchronousTestCase):
    def scenario(self, ids: list[int], capacity: int = 32) -> FileSystemScenario:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return smallScenario(folder, ids, capacity)

    def level(self, scenario: FileSystemScenario, vector: Vector = KNOWN[0]) -> float:
        level: float = scenario.developmentLevel(scenario.measure(compiled(REUSE_INTERVAL.bake(vector), workbench)))
        return level


class KnownAnswers(Case):
    def test_loop(self) -> None:
        """Of a loop that does not fit it keeps a part, as the optimum does, where LRU has no hit."""
        self.assertGreater(self.level(self.scenario([number % 60 for number in range(6000)])), 0.9)

    def test_hot(self) -> None:
        """What comes often stays, however many blocks come once between."""
        rng = random.Random(1)
        ids = [rng.randrange(30) if rng.random() < 0.4 else 1000 + number for number in range(20_000)]
        self.assertGreater(self.level(self.scenario(ids)), 0.8)

    def test_done(self) -> None:
        """Where each block comes once more, too late for all that is made by hand, it does what the optimum does."""
        scenario = self.scenario([block for number in range(6000) for block in (number, max(0, number - 40))])
        self.assertEqual({scenario.developmentLevel(report) for report in scenario.baselines().values()}, {0.0})
        self.assertGreater(self.level(scenario), 0.9)

    def test_recent(self) -> None:
        """Where a block comes again soon or never, it is as good as LRU, which is nearly optimal there."""
        ids = [max(0, number - back) for number in range(0, 9000, 3) for back in (0, 9, 21)]
        scenario = self.scenario(ids)
        lru = scenario.reference().splits["held_out"].score
        ours = scenario.measure(compiled(REUSE_INTERVAL.bake(KNOWN[0]), workbench)).splits["held_out"].score
        self.assertLessEqual(ours, 1.02 * lru)

    def test_changing(self) -> None:
        """It learns anew when a loop becomes another one: the second half has other blocks, and twice as many."""
        ids = [number % 60 for number in range(20_000)] + [1000 + number % 120 for number in range(20_000)]
        self.assertGreater(self.level(self.scenario(ids)), 0.8)

    def test_mixture(self) -> None:
        """On a loop, a skewed load and one-hit wonders at once it closes about half of the distance."""
        scenario = self.scenario(mixture(40_000))
        problem = Problem(scenario, seed=1, seconds=3600.0)
        found = searchFamilies(problem, [VectorFamily(REUSE_INTERVAL)], 60)
        if found is None:
            self.fail("nothing")
        self.assertGreater(self.level(scenario), 0.4)
        self.assertGreater(scenario.developmentLevel(scenario.measure(compiled(found.source, workbench))), 0.45)


class Works(TemplateContract, Case):
    bench = workbench
    template = REUSE_INTERVAL

    def scenarios(self) -> Iterator[FileSystemScenario]:
        """At several capacities, the least among them."""
        for capacity in (32, 1, 2, 3, 7, 199):
            yield self.scenario(mixture(), capacity)

    def test_forgets(self) -> None:
        """With more blocks than it can remember it forgets some, and goes on."""
        ids = [number if number % 3 else number % 60 for number in range(750_000)]
        scenario = self.scenario(ids)
        self.assertGreater(self.level(scenario), 0.9)

    def test_repeated(self) -> None:
        """Two runs are the same to the unit of fuel."""
        scenario, wasm = self.scenario(mixture()), compiled(REUSE_INTERVAL.bake(KNOWN[0]), workbench)
        self.assertEqual(scenario.measure(wasm), scenario.measure(wasm))


class FamilyTests(Case):
    def test_searched(self) -> None:
        """The default search has it for page caches."""
        problem = Problem(self.scenario(mixture()), seed=1, seconds=60.0)
        self.assertIn("lifetimes", [family.name for family in familiesFor(problem)])

    def test_suggested(self) -> None:
        """A phase's length is how long the template remembers."""
        (short, long) = map(REUSE_INTERVAL.normalized, REUSE_INTERVAL.suggested("phase_changes", lambda name: 2.0**16))
        self.assertEqual((short[0], long[0]), (16.0, 18.0))
