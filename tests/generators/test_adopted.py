"""Families of peers as guests of a search."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Candidate, Carrier, Component
from kernelnet.families import Tunable, familyOf
from kernelnet.generators.evolution.portfolio import FIRST_STEPS, MAX_FAMILIES, Bandit, familiesIn
from kernelnet.generators.evolution.search_family import Metered
from kernelnet.generators.search import Search
from kernelnet.generators.templates.adopted import (
    ALLOWANCE,
    MAX_GUESTS,
    MAX_GUESTS_OF_ONE,
    POPULATION,
    AdoptedFamily,
    guestsFor,
)
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.learning.problem import Problem
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.workbench import compiler
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.workbench.support import smallScenario

GOOD = TWO_QUEUES.bake(TWO_QUEUES.known[0])

POOR = """#include "kn_file_system.h"
/* begin parameters */
#define WEIGHT 0.5 /* 0..4 zero: worth of earlier uses */
/* end parameters */
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    return age + WEIGHT * freq + %d;
}
"""


def carrier(scenario: FileSystemScenario, source: str, owner: str = "AI_2", **changes: Any) -> Carrier:
    """A peer's component, as it comes with a true claim."""
    made = makeComponent(scenario, Candidate(source), submit(scenario, source, trusted=True))
    family = familyOf(source)
    return Carrier(replace(made, id=f"{owner}-{made.id}", **changes), owner, family.digest if family else "0" * 64)


class GuestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scenario = smallScenario(self.folder())
        self.tried: list[tuple[str, int, bool]] = []
        self.memory: dict[str, Any] = {}

    def folder(self) -> Path:
        folder = Path(self.mktemp())
        folder.mkdir()
        return folder

    def problem(self, carriers: list[Carrier], evaluations: int = 200, **options: Any) -> Problem:
        return Problem(
            self.scenario,
            seed=3,
            seconds=600,
            evaluations=evaluations,
            carriers=carriers,
            memory=self.memory,
            onTried=lambda *told: self.tried.append(told),
            **options,
        )

    def test_adopted(self) -> None:
        """
        A site without a family takes it from a peer's component, tunes it, and its lineage begins with that component.
        """
        came = carrier(self.scenario, GOOD)
        problem = self.problem([came])
        found = Search(templates=(), genetic=True).generate(problem)
        guests = [family for family in familiesIn(problem) if family.isGuest]
        self.assertEqual([family.evaluations > 0 for family in guests], [True])
        best = guests[0].best
        assert best is not None and found is not None
        self.assertEqual(best.parents[0], came.component.digest)
        self.assertIn(f"family {came.family[:10]} of AI_2-", best.note)
        self.assertEqual(len(best.parameters), len(TWO_QUEUES.parameters))
        family = familyOf(best.source)
        assert family is not None
        self.assertEqual(family.digest, came.family)
        self.assertEqual([(family, evaluations > 0) for family, evaluations, _ in self.tried], [(came.family, True)])
        made = makeComponent(self.scenario, best, submit(self.scenario, best.source))
        assert made.manifest is not None
        self.assertEqual(made.manifest.family, family)
        self.assertEqual(made.manifest.parents[0], came.component.digest)

    def test_ownFamily(self) -> None:
        """A family that is here already is no guest."""
        problem = self.problem([carrier(self.scenario, GOOD)], 30)
        Search().generate(problem)
        self.assertEqual([family.name for family in familiesIn(problem) if family.isGuest], [])

    def test_bounds(self) -> None:
        """So many guests at most, and so many of one owner, whoever comes first."""
        many = [carrier(self.scenario, POOR % n, "AI_2") for n in range(MAX_GUESTS + 2)]
        self.assertEqual(len(guestsFor(self.problem(many), ())), MAX_GUESTS_OF_ONE)
        others = [carrier(self.scenario, POOR % (100 + n), f"AI_{n}") for n in range(10, 20)]
        guests = guestsFor(self.problem([*many, *others]), ())
        self.assertEqual(len(guests), MAX_GUESTS)

    def test_allowance(self) -> None:
        """What never pays has so many measurements for all of an owner's families together, and then no more."""
        poor = [carrier(self.scenario, POOR % n) for n in range(2)]
        problem = self.problem(poor, 1200)
        Search(genetic=False).generate(problem)
        guests = [family for family in familiesIn(problem) if family.isGuest]
        spent = sum(family.evaluations for family in guests)
        self.assertTrue(0 < spent <= ALLOWANCE + 4 * 8, spent)
        self.assertTrue(all(family.waits() for family in guests))
        self.assertEqual([paid for *_, paid in self.tried], [False, False])
        before = spent
        Search(genetic=False).generate(self.problem(poor, 200))
        self.assertEqual(sum(family.evaluations for family in guests), before)

    def test_strangers(self) -> None:
        """
        What can't be compiled, never ends, is not as its manifest says, or brings its own kn_param harms nobody.
        """
        good = carrier(self.scenario, POOR % 0)
        own = "\nvoid kn_param(u32 index, f64 value) {}\n"
        loop = POOR.replace("return age", "for (;;) { if (WEIGHT > 9) break; }\n    return age")
        manifest = good.component.manifest
        assert manifest is not None and manifest.family is not None
        lying = replace(manifest, family=replace(manifest.family, parameters=[Tunable("X", 0, 1)]))
        bad = [
            replace(good, owner=f"O{n}", component=replace(good.component, implementation=source))
            for n, source in enumerate((POOR % 1 + "#error no", POOR % 2 + own, loop % 3))
        ]
        liar = replace(good, component=replace(good.component, manifest=lying))
        plain = Search(genetic=False).generate(Problem(self.scenario, seed=3, seconds=600, evaluations=150))
        self.assertEqual(guestsFor(self.problem([liar]), ()), [])
        for one in bad:
            component = replace(one.component, manifest=replace(manifest, family=None))
            problem = self.problem([replace(one, component=component)], 150)
            self.memory.clear()
            found = Search(genetic=False).generate(problem)
            assert found is not None and plain is not None
            guests = [family for family in familiesIn(problem) if family.isGuest]
            self.assertEqual([(family.waits(), family.found(1)) for family in guests], [(True, [])])
        self.assertEqual(self.tried, [(familyOf(one.component.implementation).digest, ALLOWANCE, False) for one in bad])  # type: ignore[union-attr]

    def test_jail(self) -> None:
        """A guest's source is compiled as a stranger's: where there is no jail, it isn't."""
        guest = carrier(self.scenario, POOR % 77)
        self.patch(compiler, "canJail", lambda: False)
        (family,) = guestsFor(self.problem([guest]), ())
        self.startedWith(family, self.problem([guest]))
        self.assertTrue(family.waits())
        own = VectorFamily(TWO_QUEUES)
        own.start(self.metered(self.problem([])), random.Random(1))

    def test_comeAndGo(self) -> None:
        """A search goes on with a guest that came meanwhile, and without one that went; what that one found is kept."""
        first, second = carrier(self.scenario, POOR % 0), carrier(self.scenario, GOOD, "AI_3")
        generator = Search(templates=())
        problem = self.problem([first], 100)
        generator.generate(problem)
        families = list(familiesIn(problem))
        problem = self.problem([second], 200)
        generator.generate(problem)
        self.assertEqual(len(familiesIn(problem)), 3)
        self.assertIs(familiesIn(problem)[1], families[1])
        gone, came = familiesIn(problem)[1:]
        self.assertGreaterEqual(came.evaluations, FIRST_STEPS * 8 // 2)
        before = gone.evaluations
        generator.generate(self.problem([second], 100))
        self.assertEqual(gone.evaluations, before)
        self.assertLess(len(familiesIn(problem)), MAX_FAMILIES)

    def test_parents(self) -> None:
        """Numbers of one family are never tried as another's, though there are as many of them."""
        other = carrier(self.scenario, POOR % 0).component
        guest = carrier(self.scenario, (POOR % 1).replace("WEIGHT", "HEAVY"))
        (family,) = guestsFor(self.problem([guest], parents=[other]), ())
        tried = self.startedWith(family, self.problem([guest], parents=[other]))
        self.assertEqual(set(tried), {(0.5,)})
        same: Component = carrier(self.scenario, (POOR % 1).replace("WEIGHT 0.5", "WEIGHT 2.5")).component
        guest = carrier(self.scenario, POOR % 1)
        (family,) = guestsFor(self.problem([guest], parents=[same]), ())
        assert same.manifest is not None
        lying = replace(same, manifest=replace(same.manifest, parameters=[3.5]))
        for parent in (same, lying):
            tried = self.startedWith(family, self.problem([guest], parents=[parent]))
            self.assertEqual(tried, [(0.5,), (2.5,), (0.5,)])

    def test_numbers(self) -> None:
        """
        What others found for a family is tried before all that comes by chance, also what comes when it is here; what
        can't be its numbers, or comes with another family, isn't tried.
        """
        came = carrier(self.scenario, POOR % 0)
        also = replace(came, numbers=((2.5,), (1.0, 2.0), (float("nan"),), (99.0,)))
        strange = replace(carrier(self.scenario, POOR % 1, "AI_3"), numbers=((3.5,),))
        (family,) = guestsFor(self.problem([also]), ())
        self.assertEqual(self.startedWith(family, self.problem([also, strange])), [(0.5,), (2.5,), (4.0,), (0.5,)])
        self.assertEqual(family.first(random.Random(1))[:3], [(0.5,), (2.5,), (4.0,)])
        self.assertEqual(len(family.first(random.Random(1))), POPULATION)
        self.memory.clear()
        generator, problem = Search(templates=()), self.problem([came], 100)
        generator.generate(problem)
        (guest,) = (family for family in familiesIn(problem) if isinstance(family, AdoptedFamily))
        self.assertNotIn(repr((1.2345,)), guest._known)
        generator.generate(self.problem([replace(came, numbers=((1.2345,),))], 100))
        self.assertIn(repr((1.2345,)), guest._known)

    def startedWith(self, family: AdoptedFamily, problem: Problem) -> list[tuple[float, ...]]:
        family.start(self.metered(problem), random.Random(1))
        return list(family.worthTrying())

    def metered(self, problem: Problem) -> Metered:
        metered = Metered(problem, 10)
        self.addCleanup(metered.close)
        return metered


class BanditTests(SynchronousTestCase):
    def test_newcomer(self) -> None:
        """Who comes late is given some steps at once, and not as many as the others had."""
        bandit = Bandit(3)
        for arm in range(3):
            for _ in range(100):
                bandit.reward(arm, 8.0, 0.1)
        bandit.add()
        steps = 0
        while bandit.choose() == 3:
            bandit.reward(3, 8.0, 0.0)
            steps += 1
        self.assertTrue(FIRST_STEPS <= steps <= FIRST_STEPS + 2, steps)
