"""Guarded acceptance."""

from __future__ import annotations

import hashlib
from typing import Any

from kernelnet.artifacts import Candidate, Report
from kernelnet.learning.acceptance import accept, bestBaseline
from tests.learning.support import STUBBORN, AcceptedTestCase
from tests.workbench.support import baselineSource, mixture, smallScenario


class AcceptTests(AcceptedTestCase):
    def test_parents(self) -> None:
        """Each parent stands there once; who finds what he began with is not his own parent."""
        own = self.accepted().digest
        candidate = Candidate(STUBBORN, (own, "1" * 64, own, "1" * 64))
        component, _ = accept(self.scenario, candidate, generator="test", seed=7)
        assert component is not None
        self.assertEqual(self.manifest(component).parents, ["1" * 64])

    def test_known(self) -> None:
        """What is worse on validation than what is known already gets no claim, and held-out is not looked at."""
        score = self.claim(self.accepted()).splits["validation"].score
        candidate = Candidate(STUBBORN)
        for known, passes in ((score, True), (score + 1, True), (score - 1, False)):
            component, reason = accept(self.scenario, candidate, generator="test", seed=7, known=known)
            self.assertEqual(component is not None, passes, reason)
        self.assertIn("known already", reason)
        looked: list[str] = []
        measure = self.scenario.measure

        def noting(wasm: bytes, upTo: str = "held_out", **more: Any) -> Any:
            looked.append(upTo)
            return measure(wasm, upTo=upTo, **more)

        self.patch(self.scenario, "measure", noting)
        accept(self.scenario, candidate, generator="test", seed=7, known=score - 1)
        self.assertEqual(looked, ["validation"])

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
        self.assertEqual(component.development_level, self.scenario.developmentLevel(report))
        self.assertGreater(component.development_level or 0, 0.5)

    def test_guard(self) -> None:
        """A policy that is only as good as the best hand-made one is not published, and its held-out part not run."""
        scenario = smallScenario(self.folder, mixture())
        rival = bestBaseline(scenario)
        measured: list[str] = []
        measure = scenario.measure

        def watched(wasm: bytes, upTo: str = "held_out", **options: Any) -> Report:
            measured.append(upTo)
            return measure(wasm, upTo, **options)

        self.patch(scenario, "measure", watched)
        component, reason = accept(scenario, Candidate(baselineSource(rival)), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn(f"hand-made policy, {rival}", reason)
        self.assertEqual(measured, ["validation"])

    def test_rival(self) -> None:
        """The rival is chosen on train, whatever it does later."""
        scenario = smallScenario(self.folder, mixture())
        scores = {name: report.splits["train"].score for name, report in scenario.baselines().items()}
        self.assertEqual(scores[bestBaseline(scenario)], min(scores.values()))

    def test_broken(self) -> None:
        """What does not compile, or traps anywhere before held-out ends, is not published."""
        late = STUBBORN.replace("return capacity - 1;", "if (n > 2900) __builtin_trap(); return capacity - 1;")
        for source, words in (("int f(", "does not compile"), (late, "it fails: "), ("", "kn_init")):
            component, reason = accept(self.scenario, Candidate(source), generator="test", seed=0)
            self.assertIsNone(component)
            self.assertIn(words, reason)
            self.assertEqual(len(reason.splitlines()), 1)
