"""The verdict on a task."""

from __future__ import annotations

from dataclasses import replace

from kernelnet.learning.hindsight import bestInHindsight
from kernelnet.learning.intervals import levelInterval, levelText
from kernelnet.learning.recommendation import Choice, Recommendation, recommend
from tests.learning.support import AcceptedTestCase
from tests.workbench.support import mixture, smallScenario


class VerdictTests(AcceptedTestCase):
    def test_learned(self) -> None:
        """What passed the guard is recommended, beside the best hand-made policy in hindsight on the same variants."""
        component = self.accepted()
        found = recommend(self.scenario, component)
        met = self.scenario.forModule(component.wasm)
        best = bestInHindsight(met)
        assert found.rival is not None
        self.assertEqual((found.use.name, found.isLearned, found.rival.name), (component.id, True, best))
        self.assertEqual(found.use.level, component.development_level)
        self.assertEqual(found.use.interval, levelInterval(met, component.wasm))
        self.assertLess(abs(found.gain - (found.use.level - met.developmentLevel(met.baselines()[best]))), 1e-9)
        self.assertTrue(found.isSure)
        held = self.claim(component).splits["held_out"]
        self.assertEqual(found.use.fuel, held.fuel / held.events)
        for words in (f"use {component.id} (learned): 0.", f"more than {best}, the best hand-made", "95% sure"):
            self.assertIn(words, str(found))

    def test_handMade(self) -> None:
        """Where nothing passed, the best hand-made policy on validation is the result."""
        scenario = smallScenario(self.folder, mixture())
        found = recommend(scenario)
        best = bestInHindsight(scenario, "validation")
        assert found.rival is not None
        self.assertEqual((found.use.name, found.isLearned), (best, False))
        self.assertNotEqual(found.rival.name, best)
        self.assertIn(f"use {best} (hand-made, the best on validation): ", str(found))
        self.assertNotIn("\n", str(found))

    def test_words(self) -> None:
        """How sure it is, and when it is worse in hindsight, is said as it is."""
        use, rival = Choice("a", 0.5, (0.4, 0.6), 30.4), Choice("b", 0.3, None, 12)
        found = Recommendation(use, True, rival, 0.2, (-0.1, 0.5), "lru", "belady")
        self.assertEqual(
            str(found),
            "use a (learned): 0.500 ± 0.10 of the way from lru to belady on held-out, 0.200 ± 0.30 more than b, the"
            " best hand-made policy in hindsight (which may be chance); 30 fuel an event, where b takes 12",
        )
        self.assertIn("0.200 ± 0.10 less than b", str(replace(found, gain=-0.2, gainInterval=(-0.3, -0.1))))
        self.assertIn("(95% sure)", str(replace(found, gain=-0.2, gainInterval=(-0.3, -0.1))))
        self.assertIn("the same as b", str(replace(found, gain=0.0, gainInterval=None)))
        self.assertIn("0.200 ± – more", str(replace(found, gainInterval=None)))
        self.assertTrue(str(replace(found, rival=None)).endswith("on held-out; 30 fuel an event"))

    def test_levels(self) -> None:
        """A narrow interval has one more digit."""
        self.assertEqual(levelText(0.41749, (0.39, 0.45)), "0.417 ± 0.03")
        self.assertEqual(levelText(0.41749, (0.4165, 0.4185)), "0.417 ± 0.001")
        self.assertEqual(levelText(-0.5, None), "-0.500 ± –")
