"""The template of object caches: known policies are among its settings, and it works whatever its parameters are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.generators.search import familiesFor
from kernelnet.generators.templates.sized_queues import SIZED_QUEUES
from kernelnet.generators.templates.two_queues import template
from kernelnet.learning.problem import Problem
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.generators.template_contract import TemplateContract, compiled
from tests.workbench.object_caches import writeObjects
from tests.workbench.test_object_cache import skewed


class TemplateTests(TemplateContract, SynchronousTestCase):
    bench = workbench.sized[1]
    template = SIZED_QUEUES

    def scenario(self, requests: list[tuple[int, int]], capacity: int, mode: int = 1) -> FileSystemScenario:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        path = writeObjects(folder / "a.csv", requests)
        return FileSystemWorkbench().scenario(path, {"bytes": mode, "capacity": capacity})

    def scenarios(self) -> Iterator[FileSystemScenario]:
        yield self.scenario(skewed(), 1500)
        yield self.scenario(skewed(changing=True), 1)
        yield self.scenario([(1, 1), (2, (1 << 32) - 1), (3, 5)] * 100, (1 << 32) + 5, 2)
        yield self.scenario([(number, 1 + number % 7) for number in range(1000)], 40)

    def test_gdsf(self) -> None:
        """Without a queue, with the size itself and the age as it is, it is GDSF but for rounding."""
        scenario = next(self.scenarios())
        vector = self.template.normalized(self.template.known[0])
        ours = scenario.measure(compiled(self.template.bake(vector), self.bench)).splits["held_out"].score
        theirs = scenario.baseline("gdsf").splits["held_out"].score
        self.assertLess(abs(ours / theirs - 1), 0.02)

    def test_families(self) -> None:
        """It is searched where objects have sizes and nowhere else, and templates of equal blocks are not there."""
        scenario = next(self.scenarios())
        names = [family.name for family in familiesFor(Problem(scenario, seed=1, seconds=60))]
        self.assertIn("sized_queues", names)
        self.assertNotIn("two_queues", names)
        same = FileSystemWorkbench().scenario(writeObjects(Path(self.mktemp() + ".csv"), skewed()), {})
        names = [family.name for family in familiesFor(Problem(same, seed=1, seconds=60))]
        self.assertNotIn("sized_queues", names)
        self.assertIsNone(template.generate(Problem(scenario, seed=1, seconds=60)))
