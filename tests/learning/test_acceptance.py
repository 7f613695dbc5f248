"""Guarded acceptance."""

from __future__ import annotations

import hashlib
import random
from typing import Any

from kernelnet.artifacts import Candidate, Report
from kernelnet.learning import acceptance
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.significance import isSignificantlyBetter
from kernelnet.workbench.base import BaseScenario
from tests.learning.support import STUBBORN, AcceptedTestCase
from tests.workbench.support import baselineSource, mixture, policy, smallScenario


class AcceptTests(AcceptedTestCase):
    def test_parents(self) -> None:
        """Each parent stands there once; who finds what he began with is not his own parent."""
        own = self.accepted().digest
        candidate = Candidate(STUBBORN, (own, "1" * 64, own, "1" * 64))
        component, _ = accept(self.scenario, candidate, generator="test", seed=7)
        assert component is not None
        self.assertEqual(self.manifest(component).parents, ["1" * 64])

    def test_known(self) -> None:
        """What is no better on validation than what is known gets no claim, and held-out is not looked at."""
        known, wasteful = (
            self.accepted(),
            STUBBORN.replace("(u32 s) {}", "(u32 s) { volatile u32 more = s; more += s; }"),
        )
        self.scenario.baselines()
        looked = self.watched()
        component, reason = accept(self.scenario, Candidate(wasteful), generator="test", seed=7, known=known)
        self.assertIsNone(component)
        self.assertIn(f"known already, {known.id}", reason)
        self.assertEqual(looked, {"validation"})
        wasted, _ = accept(self.scenario, Candidate(wasteful), generator="test", seed=7)
        component, reason = accept(self.scenario, Candidate(STUBBORN), generator="test", seed=7, known=wasted)
        self.assertIsNotNone(component, reason)

    def test_knownFails(self) -> None:
        """What is known, and fails where the candidate is measured, is no bar."""
        known = self.accepted()
        known.wasm = policy(STUBBORN.replace("return capacity - 1;", "__builtin_trap();"))
        component, reason = accept(self.scenario, Candidate(STUBBORN), generator="test", seed=7, known=known)
        self.assertIsNotNone(component, reason)

    def watched(self) -> set[str]:
        """The parts up to which anything is measured from now on, on whatever variant."""
        looked: set[str] = set()
        measure = BaseScenario.measure

        def noting(scenario: BaseScenario, wasm: bytes, upTo: str = "held_out", *more: Any, **others: Any) -> Report:
            looked.add(upTo)
            return measure(scenario, wasm, upTo, *more, **others)

        self.patch(BaseScenario, "measure", noting)
        return looked

    def test_accepted(self) -> None:
        """What beats the best hand-made policy on validation is published with a complete manifest and claim."""
        component = self.accepted()
        manifest, report = self.manifest(component), self.claim(component)
        self.assertEqual(component.implementation, STUBBORN)
        self.assertEqual(manifest.source_sha256, hashlib.sha256(STUBBORN.encode()).hexdigest())
        self.assertEqual(manifest.wasm_sha256, hashlib.sha256(component.wasm).hexdigest())
        self.assertEqual((manifest.abi, manifest.workbench), ("file_system/full/2", "file_system"))
        self.assertEqual((manifest.generator, manifest.seed), ("test", 7))
        self.assertEqual((manifest.parents, manifest.parameters), (["0" * 64], [1.0, 2.5]))
        self.assertEqual(set(report.splits), {"train", "validation", "held_out"})
        self.assertEqual(component.specialization, "file_system")
        self.assertIn(component.digest[:12], component.id)
        variants = self.scenario.forModule(component.wasm)
        self.assertEqual(component.development_level, variants.developmentLevel(report))
        self.assertGreater(component.development_level or 0, 0.4)

    def test_guard(self) -> None:
        """A policy that is only as good as the best hand-made one is not published, and its held-out part not run."""
        scenario = smallScenario(self.folder, mixture())
        rival = bestInHindsight(scenario, "validation")
        looked = self.watched()
        component, reason = accept(scenario, Candidate(baselineSource(rival)), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn(f"hand-made policy {rival}", reason)
        self.assertEqual(looked, {"validation"})

    def test_everyRival(self) -> None:
        """
        It has to beat every hand-made policy, not only the one that is best on train; the reason names both.

        Train is a loop that does not fit, where LIRS is best; later LRU is, and a copy of it is much better than LIRS.
        """
        rng = random.Random(2)
        ids = [number % 60 for number in range(6400)]
        recent = list(range(40))
        while len(ids) < 16_000:
            at = min(int(rng.expovariate(1 / 12)), 39)
            recent.insert(0, recent.pop(at))
            ids.append(2000 + recent[0])
        scenario = smallScenario(self.folder, ids)
        chosen, best = chosenOnTrain(scenario), bestInHindsight(scenario, "validation")
        self.assertNotEqual(chosen, best)
        scores = {name: report.splits["validation"].score for name, report in scenario.baselines().items()}
        middling = sorted(scores, key=lambda name: scores[name])[1]
        wasm, rival = (policy(baselineSource(name)) for name in (middling, chosen))
        self.assertTrue(isSignificantlyBetter(scenario.forModule(wasm), wasm, rival))
        component, reason = accept(scenario, Candidate(baselineSource(middling)), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn("no better on validation", reason)
        self.assertIn(f"the hand-made policy {best} (", reason)
        self.assertIn(f"chosen on train was {chosen}", reason)

    def test_refusedEarly(self) -> None:
        """What may be luck beside the hardest rival is refused before any other one is measured."""
        compared: list[bytes] = []

        def lucky(scenario: object, wasm: bytes, rival: bytes, **options: object) -> bool:
            compared.append(rival)
            return False

        self.patch(acceptance, "isSignificantlyBetter", lucky)
        measured: list[bytes] = []
        met = self.scenario.forModule(policy(STUBBORN))
        measure = met.measure

        def noted(wasm: bytes, **options: Any) -> Any:
            measured.append(wasm)
            return measure(wasm, **options)

        self.patch(met, "measure", noted)
        component, reason = accept(self.scenario, Candidate(STUBBORN), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn("not all along", reason)
        self.assertEqual(measured, [policy(STUBBORN), *compared])
        self.assertEqual(compared, [policy(baselineSource(bestInHindsight(self.scenario, "validation")))])

    def test_broken(self) -> None:
        """What does not compile, or traps anywhere before held-out ends, is not published."""
        late = "static unsigned calls;\n" + STUBBORN.replace(
            "return capacity - 1;", "if (++calls > 2600) __builtin_trap(); return capacity - 1;"
        )
        for source, words in (("int f(", "does not compile"), (late, "it fails: "), ("", "kn_init")):
            component, reason = accept(self.scenario, Candidate(source), generator="test", seed=0)
            self.assertIsNone(component)
            self.assertIn(words, reason)
            self.assertEqual(len(reason.splitlines()), 1)
