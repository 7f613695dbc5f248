"""The driver beside a second bench in plain Python: the same frames, scores and metrics, to the unit."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.window_manager import workbench
from kernelnet.workbench.window_manager.tuned import TUNED
from tests.workbench import window_manager_reference as reference
from tests.workbench.window_manager_support import smallScenario, strokes

KINDS = ((1, 8000, 16_667), (2, 1000, 33_333), (3, 15_600, 1000), (4, 5000, 20_000))
"""Seed, microseconds between samples, horizon."""


class ReferenceTests(SynchronousTestCase):
    def same(self, wasm: bytes, policy: reference.Policy, kind: tuple[int, int, int], name: str = "") -> None:
        seed, interval, horizon = kind
        samples = strokes(8 if interval < 5000 else 16, seed, interval)
        folder = Path(self.mktemp())
        folder.mkdir()
        report = smallScenario(folder, samples, horizon).measure(wasm)
        expected = reference.run(samples, policy, horizon)
        for split, found in report.splits.items():
            self.assertEqual(found.events, len(expected[split].errors), (name, kind, split))
            self.assertEqual(found.score, expected[split].score, (name, kind, split))
            self.assertEqual(found.metrics, expected[split].metrics, (name, kind, split))

    def test_handMade(self) -> None:
        """Each hand-made predictor, written twice, has the same on both."""
        for name, make in reference.HAND_MADE.items():
            for kind in KINDS:
                self.same(workbench.baselineModule(name), make(), kind, name)

    def test_tuned(self) -> None:
        """So has each with its knobs tuned."""
        for name, (base, numbers) in TUNED.items():
            self.same(workbench.baselineModule(name), reference.HAND_MADE[base](**numbers), KINDS[0], name)

    def test_all(self) -> None:
        """No hand-made predictor is missing."""
        self.assertEqual([*reference.HAND_MADE, *TUNED], list(workbench.baselineNames))

    def test_erratic(self) -> None:
        """A policy whose answers depend on all that it is told, and are no numbers at times, has the same on both."""
        wasm = compileC(reference.ERRATIC_C, workbench.headerPath, trusted=True)
        for kind in KINDS:
            self.same(wasm, reference.Erratic(), kind)

    def test_rank(self) -> None:
        """So has a pure function of all that the rank ABI keeps."""
        wasm = compileC(reference.RANK_C, workbench.headerPath, trusted=True)
        for kind in KINDS:
            self.same(wasm, reference.Rank(), kind)
