"""The template of budgets for repaints: known answers, and that it works whatever its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wasmtime
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.generators.evolution.portfolio import search as searchFamilies
from kernelnet.generators.search import familiesFor
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Vector
from kernelnet.generators.templates.repaint_budget import REPAINT_BUDGET
from kernelnet.learning.hindsight import bestInHindsight
from kernelnet.learning.problem import Problem
from kernelnet.workbench.engine import engine
from kernelnet.workbench.graphics import workbench
from kernelnet.workbench.graphics.frames import Frames
from kernelnet.workbench.graphics.scenario import GraphicsScenario
from kernelnet.workbench.sandbox import loadModule
from tests.generators.template_contract import TemplateContract, compiled
from tests.workbench.graphics_support import session, smallScenario

NAMES = [parameter.name for parameter in REPAINT_BUDGET.parameters]
PLAIN = {"RELATED": 0, "OTHERS": 0, "MARGIN": 0, "LOAD": 0, "BOOST": 0, "IDLE": 0, "SCALE": 1, "PRICE": 1}


def vector(**values: float) -> Vector:
    """By the frames of the same surfaces alone, but for these."""
    known, chosen = REPAINT_BUDGET.known[0], {**PLAIN, **values}
    return REPAINT_BUDGET.normalized([chosen.get(name, value) for name, value in zip(NAMES, known, strict=True)])


class Asked:
    """A budget of the family, asked directly."""

    def __init__(self, **values: float) -> None:
        self._store = wasmtime.Store(engine())
        self._store.set_fuel(1 << 40)
        self._store.set_epoch_deadline(1 << 40)
        module = loadModule(compiled(REPAINT_BUDGET.bake(vector(**values)), workbench))
        exports: Any = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._exports = exports
        exports["kn_init"](self._store, 16_667, 50_001)

    def budget(self, *surfaces: int, refreshes: int = 1) -> float:
        answer: float = self._exports["kn_vblank"](self._store, refreshes)
        for surface in surfaces:
            answer = self._exports["kn_commit"](self._store, surface, 0)
        return answer

    def frame(self, work: int, *surfaces: int, missed: int = 0) -> None:
        self.budget(*surfaces)
        self._exports["kn_done"](self._store, work, missed)


class Case(SynchronousTestCase):
    def scenario(self, frames: Frames | None = None, **settings: int) -> GraphicsScenario:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return smallScenario(folder, frames, **settings)


class KnownAnswers(Case):
    def test_bySet(self) -> None:
        """What the same surfaces took is what they get: the end of the bin, an eighth of an octave, that it is in."""
        asked = Asked()
        self.assertEqual(asked.budget(1), 16_667.0)
        for _ in range(50):
            asked.frame(1000, 1)
            asked.frame(3000, 2)
        # 1000 is in [960, 1024), 3000 in [2816, 3072); in whichever order they come, 1 and 2 are something else.
        self.assertEqual((asked.budget(1), asked.budget(2)), (1024.0, 3072.0))
        asked.frame(9000, 1, 2)
        self.assertEqual((asked.budget(2, 1), asked.budget(1, 2)), (9216.0, 9216.0))

    def test_newsvendor(self) -> None:
        """A miss costs 66.668 ms: who takes 1 ms, and 8 ms in one of five frames, gets 8; in one of forty, 1."""
        for often, budget in ((5, 8192.0), (40, 1024.0)):
            asked = Asked(OWN_FORGETS=0.001)
            for at in range(400):
                asked.frame(8000 if at % often == 0 else 1000, 1)
            self.assertEqual(asked.budget(1), budget, often)

    def test_price(self) -> None:
        """What is feared more is insured sooner."""
        asked = Asked(OWN_FORGETS=0.001, PRICE=10)
        for at in range(400):
            asked.frame(8000 if at % 40 == 0 else 1000, 1)
        self.assertEqual(asked.budget(1), 8192.0)

    def test_unseen(self) -> None:
        """A set that never was is expected to take what its surfaces did, by the ratios of those that were."""
        asked = Asked(RELATED=5)
        for _ in range(300):
            asked.frame(500)
            asked.frame(1000, 1)
            asked.frame(4000, 2)
        # A frame takes 500, the first surface 500 more, and the second 3500.
        both = asked.budget(1, 2)
        self.assertTrue(4500 <= both < 5200, both)

    def test_besides(self) -> None:
        """Scale, margin, what a pause adds, and what a miss does: twice as much, and less with each frame."""
        for values, budget in (({"SCALE": 1.5}, 1536.0), ({"MARGIN": 0.5}, 1524.0), ({"IDLE": 1.0}, 1024.0)):
            asked = Asked(**values)
            for _ in range(50):
                asked.frame(1000, 1)
            self.assertEqual(asked.budget(1), budget)
            self.assertEqual(asked.budget(1, refreshes=2) - budget, 1000.0 if "IDLE" in values else 0.0)
        asked = Asked(BOOST=1, BOOST_LEFT=0.5)
        for _ in range(50):
            asked.frame(1000, 1)
        asked.frame(1000, 1, missed=1)
        self.assertEqual(asked.budget(1), 2048.0)
        asked.frame(1000, 1)
        self.assertEqual(asked.budget(1), 1536.0)

    def test_load(self) -> None:
        """When all frames take longer than usual, so will the next, whatever it is."""
        follows, doesnt = Asked(LOAD=1, LOAD_GAIN=0.3), Asked()
        for asked in (follows, doesnt):
            for _ in range(100):
                asked.frame(1000, 1)
                asked.frame(1000, 2)
            for _ in range(6):
                asked.frame(3000, 2)
        self.assertEqual(doesnt.budget(1), 1024.0)
        self.assertGreater(follows.budget(1), 1300.0)

    def test_searched(self) -> None:
        """A short search finds what is better than all hand-made policies on a session that it hasn't seen."""
        problem = Problem(self.scenario(session(1000)), seed=1, seconds=3600.0)
        found = searchFamilies(problem, [VectorFamily(REPAINT_BUDGET)], 100)
        if found is None:
            self.fail("nothing")
        other = self.scenario(session(1000, 7))
        level = other.developmentLevel(other.measure(compiled(found.source, workbench)))
        self.assertGreater(level, other.developmentLevel(other.baselines()[bestInHindsight(other)]) + 0.1)


class Works(TemplateContract, Case):
    bench = workbench
    template = REPAINT_BUDGET

    def scenarios(self) -> Iterator[GraphicsScenario]:
        """Sessions of several windows, of none that are known, and of too many; slow and fast screens."""
        yield self.scenario(session(300))
        yield self.scenario(session(200, 3), period_us=1000, miss_percent=0)
        blind, crowded = Frames(Path("blind")), Frames(Path("crowded"))
        for at in range(300):
            blind.add(16_667 * at, 10 ** (at % 8))
            crowded.add(16_667 * at, 500, [(str(20 * at + each), 0) for each in range(20)])
        yield self.scenario(blind)
        yield self.scenario(crowded, period_us=1_000_000, miss_percent=10_000)


class FamilyTests(Case):
    def test_families(self) -> None:
        """The default search has it for this bench, beside genetic programming, and nothing of page caches."""
        problem = Problem(self.scenario(session(120)), seed=1, seconds=60.0)
        self.assertEqual([family.name for family in familiesFor(problem)], ["repaint_budget", "genetic"])
