"""Cost of a policy: time without metering, memory in use."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import engine, machine
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.cost import costOf
from kernelnet.workbench.errors import TimedOut
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.suite import Suite
from tests.workbench.benches import BENCHES
from tests.workbench.support import HEADER, mixture, writeTrace


class CostTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.scenario = workbench.scenario(writeTrace(self.folder / "small.txt", mixture()), {"capacity": 32})

    def test_everyBench(self) -> None:
        """Each bench's policies have a time and a memory; the engine that counts fuel is used again afterwards."""
        for name, make in BENCHES.items():
            folder = Path(self.mktemp())
            folder.mkdir(parents=True)
            scenario = make(folder)
            before = scenario.reference().splits["train"].fuel
            # The last one: a reference may be a policy that does nothing, and so keeps nothing.
            found = costOf(scenario, scenario.workbench.baselineModule(scenario.workbench.baselineNames[-1]))
            assert found is not None, name
            self.assertGreater(found.nsPerEvent, 0)
            self.assertGreater(found.memoryBytes or 0, 0)
            again = scenario.measure(scenario.workbench.baselineModule(scenario.workbench.reference))
            self.assertEqual(again.splits["train"].fuel, before)
            self.assertTrue(engine.isMetered())

    def test_memory(self) -> None:
        """Only memory in which something stands counts, in pages of 4 KiB, however much there might be."""
        few, many = (
            costOf(self.scenario, compileC(self.policy(touched), HEADER, trusted=True)) for touched in (10, 500_000)
        )
        assert few is not None
        assert many is not None
        self.assertEqual((few.bytesPerSlot or 0) * 32, few.memoryBytes)
        self.assertLess(few.memoryBytes or 0, 20_000)
        self.assertLess(abs((many.memoryBytes or 0) - (few.memoryBytes or 0) - 500_000), 8192)

    def policy(self, touched: int, loop: str = "") -> str:
        source = workbench.baselineSource("fifo")
        more = "static volatile u8 table[1 << 20];\nstatic u32 n;\nstatic void touch(void)"
        more += f" {{ {loop} if (!n++) for (u32 i = 0; i < {touched}; i++) table[i] = 1; }}\n"
        victim = source.index("kn_victim(")
        line = source.rindex("\n", 0, victim) + 1
        body = source.index("{", victim) + 1
        return source[:line] + more + source[line:body] + " touch(); " + source[body:]

    def test_endless(self) -> None:
        """What loops forever is interrupted without fuel, too."""
        self.patch(machine, "wallSeconds", lambda fuel: 0.3)
        wasm = compileC(self.policy(1, "for (;;) n++;"), HEADER, trusted=True)
        self.assertRaises(TimedOut, costOf, self.scenario, wasm)

    def test_several(self) -> None:
        """Of several traces together there is no cost."""
        other = workbench.scenario(writeTrace(self.folder / "other.txt", mixture(seed=2)), {"capacity": 32})
        self.assertIsNone(costOf(Suite([self.scenario, other]), workbench.baselineModule("lru")))
