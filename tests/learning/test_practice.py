"""Tests of C{kernelnet.learning.practice}: the same variants for all, and two policies in pairs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning.practice import VARIANTS, compared, practised, spread
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.suite import Suite
from kernelnet.workbench.variants import VariantScenario


class PracticeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scenario: BaseScenario = workbench.scenario(workbench.traces()[0], {"capacity": 60})
        self.arc, self.lru = (workbench.baselineModule(name) for name in ("arc", "lru"))

    def test_variants(self) -> None:
        """All modules meet the same variants, and none of these is one that the guard draws for them."""
        first, second = practised(self.scenario), practised(self.scenario)
        digests = [[each.traceDigest for each in found] for found in (first, second)]
        self.assertEqual(digests[0], digests[1])
        self.assertEqual(len(set(digests[0])), VARIANTS)
        drawn = self.scenario.forModule(self.arc)
        assert isinstance(drawn, VariantScenario)
        self.assertFalse(set(digests[0]) & {each.traceDigest for each in drawn.variants})

    def test_suite(self) -> None:
        """Of a suite each part has its variants; what can't be varied has none."""
        suite = Suite([workbench.scenario(path, {"capacity": 60}) for path in workbench.traces()])
        self.assertEqual([len(each.parts) for each in practised(suite) if isinstance(each, Suite)], [2] * VARIANTS)
        self.assertEqual(practised(practised(self.scenario)[0].forModule(self.arc)), [])

    def test_compared(self) -> None:
        """A better policy gains beyond noise; the other way round it loses as much; with itself there is nothing."""
        variants = practised(self.scenario)
        looks: list[None] = []
        better = compared(variants, self.arc, self.lru, "validation", lambda: looks.append(None))
        worse = compared(variants, self.lru, self.arc, "validation")
        same = compared(variants, self.lru, self.lru, "validation")
        self.assertGreater(better.low, 0)
        self.assertAlmostEqual(better.mean, -worse.mean)
        self.assertGreater(worse.high, 0)
        self.assertEqual((same.mean, same.low, same.high), (0, 0, 0))
        self.assertEqual(len(looks), 2 * VARIANTS)

    def test_spread(self) -> None:
        """A module has another level on each variant; the reference has none."""
        variants = practised(self.scenario)
        self.assertEqual(spread(variants, self.lru, "validation", lambda: None), [0.0] * VARIANTS)
        self.assertEqual(len(set(spread(variants, self.arc, "validation", lambda: None))), VARIANTS)
