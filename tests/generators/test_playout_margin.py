"""The template of jitter buffers: what its numbers mean, and that they are the source's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.generators.search import familiesFor
from kernelnet.generators.templates.marked_source import marked
from kernelnet.generators.templates.playout_margin import PLAYOUT_MARGIN
from kernelnet.learning.problem import Problem
from kernelnet.workbench.audio import AudioWorkbench, workbench
from kernelnet.workbench.audio.machine import AudioMachine
from kernelnet.workbench.audio.scenario import AudioScenario
from kernelnet.workbench.audio.trace import makeTrace
from kernelnet.workbench.compiler import compileC
from tests.generators.template_contract import TemplateContract
from tests.workbench.audio_support import varied, writeCall

DEFAULTS = {name: default for name, (default, _, _) in workbench.ranges.items()}


class Works(TemplateContract, SynchronousTestCase):
    bench = workbench
    template = PLAYOUT_MARGIN

    def scenarios(self) -> Iterator[AudioScenario]:
        """On calls with queues, quiet ones, and such with a dear delay."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        path = writeCall(folder / "varied", varied(1200))
        yield AudioWorkbench().scenario(path)
        yield AudioWorkbench().scenario(path, {"late_ms": 0, "down_ms": 20, "up_ms": 100, "base_ms": 400})
        yield AudioWorkbench().scenario(writeCall(folder / "quiet", [0] * 1000))


class PlayoutMarginTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wasm = compileC(PLAYOUT_MARGIN.tunable(), workbench.headerPath, trusted=True)

    def delay(self, transits: object, **numbers: float) -> int:
        """Mean delay on held-out, of a policy in which all that isn't given is off."""
        off = dict.fromkeys(("CHANGES", "AT_ONCE", "RISE", "PEAK", "LEVEL", "MARGIN", "SHOCK", "DRY", "STAYS"), 0.0)
        on = {"MEMORY": 500, "FADES": 100, "QUANTILE": 0.9, "FORGETS": 500, "CALM": 100, "FALLS": 20, "KNEE": 600}
        values = {**off, **on, "BEYOND": 1.0, **numbers}
        machine = AudioMachine(makeTrace(np.array(transits, np.int32), Path("made")))
        self.addCleanup(machine.close)
        vector = [values[parameter.name] for parameter in PLAYOUT_MARGIN.parameters]
        return machine.run(self.wasm, DEFAULTS, vector)["held_out"].metrics["mean_delay_ms"]

    def test_terms(self) -> None:
        """Each number does what its line says, on calls where that can be reckoned."""
        still = [40_000] * 2000
        self.assertEqual(self.delay(still), 40)
        self.assertEqual(self.delay(still, MARGIN=7.0), 47)
        self.assertEqual(self.delay(still, PEAK=1.5), 60)
        self.assertEqual(self.delay(still, LEVEL=1.25), 50)
        self.assertEqual(self.delay(still, MARGIN=60.0, KNEE=50.0, BEYOND=0.2), 60)
        # Changes of 10 ms each time: two of them above 30 and 40.
        self.assertTrue(50 <= self.delay([30_000, 40_000] * 1000, CHANGES=2.0, MEMORY=4.0) <= 60)
        # One of 100 frames takes 90 ms: the peak fades to a third in 30 frames, to 10 in 66.
        rare = [90_000 if at % 100 == 0 else 10_000 for at in range(4000)]
        self.assertGreater(self.delay(rare, PEAK=1.0, FADES=30.0), self.delay(rare) + 10)
        self.assertGreater(self.delay(rare, PEAK=1.0, FADES=3000.0), 80)
        # Who grows when the next frame isn't here has it once it is: at the last moment, and with those behind it.
        self.assertGreater(self.delay(rare, DRY=20.0), self.delay(rare))
        # What is late makes the margin greater.
        self.assertGreater(self.delay(rare, SHOCK=50.0, CALM=50.0), self.delay(rare) + 10)

    def test_slow(self) -> None:
        """It falls by so much a frame, and only where it is far enough."""
        saw = [100_000 if at % 50 < 2 else 10_000 for at in range(4000)]
        self.assertGreater(self.delay(saw, FALLS=0.5), self.delay(saw, FALLS=5.0) + 10)
        self.assertGreater(self.delay(saw, STAYS=60.0), self.delay(saw))

    def test_own(self) -> None:
        """What is published says of each number its range, so that it is a template again."""
        for vector in PLAYOUT_MARGIN.known:
            again = marked(PLAYOUT_MARGIN.bake(vector), "audio")
            assert again is not None
            self.assertEqual((again.parameters, again.known), (PLAYOUT_MARGIN.parameters, (vector,)))
            self.assertIn("above the last transit", PLAYOUT_MARGIN.describe(vector))

    def test_family(self) -> None:
        """The search of the bench has it, beside genetic programming."""
        problem = Problem(workbench.scenario(workbench.traces()[0]), seed=1, seconds=1)
        names = [family.name for family in familiesFor(problem)]
        self.assertIn("playout_margin", names)
        self.assertEqual(len(names), 2)
