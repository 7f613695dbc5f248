"""The template of senders that keep a queue of their choice: known answers, and that it works whatever its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wasmtime
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.generators.evolution.portfolio import search as searchFamilies
from kernelnet.generators.search import familiesFor
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Vector
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.workbench.engine import engine
from kernelnet.workbench.network_stack import NetworkStackWorkbench, workbench
from kernelnet.workbench.network_stack.scenario import NetworkStackScenario
from kernelnet.workbench.sandbox import loadModule
from tests.generators.template_contract import TemplateContract, compiled
from tests.workbench.network_stack_support import varied, writeLink

KNOWN = [DELAY_TARGET.normalized(vector) for vector in DELAY_TARGET.known]
NAMES = [parameter.name for parameter in DELAY_TARGET.parameters]


def vector(**values: float) -> Vector:
    """The first known one, but for these."""
    return DELAY_TARGET.normalized([values.get(name, value) for name, value in zip(NAMES, KNOWN[0], strict=True)])


class Case(SynchronousTestCase):
    def scenario(self, link: list[int] | None = None, **settings: int) -> NetworkStackScenario:
        path = Path(self.mktemp()).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        scenario: NetworkStackScenario = NetworkStackWorkbench().scenario(
            writeLink(path, varied() if link is None else link), settings
        )
        return scenario

    def held(self, scenario: NetworkStackScenario, chosen: Vector) -> SplitScore:
        return scenario.measure(compiled(DELAY_TARGET.bake(chosen), workbench)).splits["held_out"]


class KnownAnswers(Case):
    def test_target(self) -> None:
        """On a constant link so many packets wait as are wanted: of one a millisecond, so many milliseconds."""
        scenario = self.scenario([1] * 40_000)
        for target in (1, 4, 10):
            held = self.held(scenario, vector(TARGET=target, NEAR=1))
            self.assertEqual(held.metrics["utilisation_permille"], 1000)
            self.assertLessEqual(abs(held.metrics["mean_rtt_ms"] - 40 - target), 1, target)

    def test_share(self) -> None:
        """A share of the window waits where that is wanted: a quarter of it is a third of the base rtt."""
        held = self.held(self.scenario([2] * 40_000), vector(TARGET=0.2, SHARE=0.25, NEAR=1, UP_SHARE=0.1, DOWN=1))
        self.assertLessEqual(abs(held.metrics["mean_rtt_ms"] - 40 * 4 / 3), 2)

    def test_loss(self) -> None:
        """With a queue too short for what is wanted it loses packets, and gives way."""
        scenario = self.scenario([1] * 40_000, queue_packets=5)
        gives, stays = (self.held(scenario, vector(TARGET=12, LOSS=loss)) for loss in (0.5, 1))
        self.assertLess(gives.metrics["lost_packets"], 0.2 * stays.metrics["lost_packets"])

    def test_paced(self) -> None:
        """Packets leave at so many windows a round trip, or as fast as the window lets them."""
        for pace, rate in ((0, 0.0), (2, 2 * 11 / 40)):
            store = wasmtime.Store(engine())
            store.set_fuel(1 << 40)
            store.set_epoch_deadline(1 << 40)
            module = loadModule(compiled(DELAY_TARGET.bake(vector(PACE=pace)), workbench))
            exports: Any = wasmtime.Instance(store, module, []).exports(store)
            exports["kn_init"](store)
            # Slow start: one packet more than the first ten.
            self.assertEqual(exports["kn_ack"](store, 40, 40, 1, 9, 0.0), 11.0)
            self.assertEqual(exports["kn_rate"](store), rate)

    def test_searched(self) -> None:
        """A short search finds what is better than all hand-made senders on a link that it was not searched on."""
        problem = Problem(self.scenario(varied(60)), seed=1, seconds=3600.0)
        found = searchFamilies(problem, [VectorFamily(DELAY_TARGET)], 120)
        if found is None:
            self.fail("nothing")
        other = self.scenario(varied(60, seed=7))
        score = sum(split.score for split in other.measure(compiled(found.source, workbench)).splits.values())
        hand = other.baselines()[chosenOnTrain(other)].splits.values()
        self.assertLess(score, sum(split.score for split in hand))


class Works(TemplateContract, Case):
    bench = workbench
    template = DELAY_TARGET
    robust = -1

    def scenarios(self) -> Iterator[NetworkStackScenario]:
        """On slow, fast and idle links; two flows share the first."""
        yield self.scenario(flows=2)
        for link in (varied(12), varied(12, 3, 0.01), [20] * 10_000):
            yield self.scenario(link, loss_permille=20)


class FamilyTests(Case):
    def test_families(self) -> None:
        """The default search has it for this bench, beside genetic programming, and nothing of page caches."""
        problem = Problem(self.scenario(varied(12)), seed=1, seconds=60.0)
        self.assertEqual([family.name for family in familiesFor(problem)], ["queue_target", "genetic"])
