"""What every template must do, whatever it is about; a template's own test module says which it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from kernelnet.generators.search import templates
from kernelnet.generators.templates.parameters import Template
from kernelnet.workbench.base import SPLITS, BaseScenario, BaseWorkbench
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.variants import variantLevels

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Case
else:
    _Case = object

__all__ = ["TemplateContract", "compiled"]


def compiled(source: str, bench: BaseWorkbench[Any, Any]) -> bytes:
    """The module; a warning is an error."""
    return compileC(source, bench.headerPath, trusted=True, flags=("-Werror",))


class TemplateContract(_Case):
    """
    Mixed into a C{TestCase}.

    @cvar robust: which of the known vectors is measured on the traces that ship.
    """

    bench: ClassVar[BaseWorkbench[Any, Any]]
    template: ClassVar[Template]
    robust = 0

    def scenarios(self) -> Iterator[BaseScenario]:
        """Small ones, the first of which is an ordinary one, and others at the ends of what there may be."""
        raise NotImplementedError

    def test_own(self) -> None:
        """The file as it is compiles without a warning, and is what its own parameters make."""
        source = self.template.text
        report = next(self.scenarios()).measure(compiled(source, self.bench))
        self.assertEqual(set(report.splits), set(SPLITS))

    def test_baked(self) -> None:
        """With the parameters built in it scores what it scored with kn_param, and says what they mean."""
        scenario = next(self.scenarios())
        tunable = compiled(self.template.tunable(), self.bench)
        for vector in map(self.template.normalized, self.template.known):
            source = self.template.bake(vector)
            self.assertNotIn("kn_param", source)
            for parameter in self.template.parameters:
                self.assertIn(f"#define {parameter.name} ", source)
                self.assertIn(parameter.meaning, source)
            tried = scenario.measure(tunable, parameters=vector).splits
            for split, score in scenario.measure(compiled(source, self.bench)).splits.items():
                self.assertEqual(score.score, tried[split].score)
            self.assertEqual(len(self.template.describe(vector).splitlines()), 1)

    def test_any(self) -> None:
        """Any values within the ranges make a policy that ends and keeps its contract, wherever it runs."""
        rng = random.Random(2)
        tunable = compiled(self.template.tunable(), self.bench)
        for scenario in self.scenarios():
            for extreme in ("least", "most"):
                scenario.measure(tunable, parameters=[getattr(each, extreme) for each in self.template.parameters])
            for _ in range(10):
                scenario.measure(tunable, parameters=[each.any(rng) for each in self.template.parameters])

    def test_robust(self) -> None:
        """It goes by what happens: on variants of the shipped traces its level is about that on the trace itself."""
        known = self.template.normalized(self.template.known[self.robust])
        wasm = compiled(self.template.bake(known), self.bench)
        for path in self.bench.traces():
            scenario = self.bench.scenario(path)
            levels = variantLevels(scenario, wasm)
            self.assertEqual(len(levels), scenario.variants)
            level = scenario.developmentLevel(scenario.measure(wasm))
            self.assertLess(abs(fmean(levels) - level), 0.15, (path.name, level, levels))

    def test_apart(self) -> None:
        """Its vectors are told from those of all other templates by their length."""
        self.assertIn(self.template, templates())
        sizes = [len(template.parameters) for template in templates()]
        self.assertEqual(len(sizes), len(set(sizes)))

    def test_vector(self) -> None:
        """A stranger's numbers become a vector within the ranges, or nothing."""
        count = len(self.template.parameters)
        strange: list[object] = [None, "x" * count, [], [1.0] * (count - 1), [None] * count, [float("nan")] * count]
        for numbers in strange:
            self.assertIsNone(self.template.vector(numbers))
        self.assertEqual(self.template.vector([1e9] * count), tuple(each.most for each in self.template.parameters))
