"""The bench of repaints against a second simulator, frame by frame on small made sessions, to the unit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.graphics import workbench
from kernelnet.workbench.graphics.machine import GraphicsMachine, optimumScores
from kernelnet.workbench.graphics.trace import makeTrace
from tests.workbench import graphics_reference as reference
from tests.workbench.graphics_support import session

SETTINGS = (
    {"period_us": 16_667, "miss_percent": 300},
    {"period_us": 8333, "miss_percent": 0},
    {"period_us": 4167, "miss_percent": 1234},
    {"period_us": 33_333, "miss_percent": 100},
)


class ReferenceTests(SynchronousTestCase):
    def machine(self, seed: int, frames: int = 400) -> GraphicsMachine:
        machine = GraphicsMachine(makeTrace(session(frames, seed), Path("made")))
        self.addCleanup(machine.close)
        return machine

    def frames(self, machine: GraphicsMachine, period: int) -> list[reference.Frame]:
        """As the reference has them, with the surfaces' keys."""
        trace = machine.trace
        keys = hashlib.shake_128(machine.salt + b"surface").digest(8 * trace.surfaces)
        found = []
        for at, work in enumerate(trace.work.tolist()):
            commits = []
            for commit in range(int(trace.first[at]), int(trace.first[at + 1])):
                number = int(trace.surface[commit])
                key = int.from_bytes(keys[8 * number : 8 * number + 8], "little")
                commits.append((key, min(period, int(trace.at[commit]) * period // trace.period)))
            found.append(reference.Frame(work, int(trace.refreshes[at]), commits))
        return found

    def same(self, wasm: bytes, make: Callable[[int, int], reference.Policy]) -> None:
        for seed, settings in enumerate(SETTINGS):
            machine, period = self.machine(seed), settings["period_us"]
            miss = period * settings["miss_percent"] // 100
            expected = reference.run(self.frames(machine, period), make(period, miss), period, miss)
            measured = machine.run(wasm, settings)
            for split, start, end in machine.trace.windows("held_out"):
                part, score = expected[start:end], measured[split]
                self.assertEqual(score.score, sum(cost for cost, _, _ in part), (seed, split))
                latency = sum(cost - missed * miss for cost, missed, _ in part)
                self.assertEqual(
                    score.metrics,
                    {
                        "mean_latency_us": latency // len(part),
                        "missed_vblanks": sum(missed for _, missed, _ in part),
                        "late_frames_permille": 1000 * sum(1 for _, missed, _ in part if missed) // len(part),
                        "mean_budget_us": sum(period - start for _, _, start in part) // len(part),
                    },
                )

    def test_erratic(self) -> None:
        """A policy that does other things whenever it is told other things has the same on both."""
        self.same(compileC(reference.ERRATIC_C, workbench.headerPath, trusted=True), reference.Erratic)

    def test_rank(self) -> None:
        """So has a pure function of all that the rank ABI keeps."""
        source = reference.rankC(workbench.abis[1].features)
        self.same(compileC(source, workbench.headerPath, trusted=True), reference.Rank)

    def test_optimum(self) -> None:
        """No start of any frame costs less than the optimum has, and one costs that."""
        for seed, settings in enumerate(SETTINGS):
            machine, period = self.machine(seed, 100), settings["period_us"]
            miss = period * settings["miss_percent"] // 100
            least = [reference.least(frame, period, miss) for frame in self.frames(machine, period)]
            windows = machine.trace.windows("held_out")
            expected = {split: sum(least[start:end]) for split, start, end in windows}
            self.assertEqual(optimumScores(machine, settings), expected, seed)
