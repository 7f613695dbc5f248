"""Tests of C{kernelnet.workbench.diagnosis}: where a module fails, and what its fuel goes into."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.diagnosis import Failure, failureOf, namedModule
from kernelnet.workbench.errors import ContractBroken, OutOfFuel, Trapped
from kernelnet.workbench.file_system import workbench

_POLICY = """
#include "kn_file_system.h"
static u32 capacity, hand, inserted;
static volatile u32 sink;
static void scan(u32 rounds) { for (u32 i = 0; i < rounds; i++) sink = sink * 5 + i; }
void kn_init(u32 capacity_) { capacity = capacity_; }
void kn_hit(u32 slot) {}
u32 kn_victim(u64 key) { hand = (hand + 1) % capacity; VICTIM; return hand; }
void kn_insert(u32 slot, u64 key) { inserted++; INSERT; }
"""


class DiagnosisTest(SynchronousTestCase):
    def failure(self, victim: str = "", insert: str = "") -> Failure | None:
        """How a policy fails on the first trace that ships."""
        source = _POLICY.replace("VICTIM", victim).replace("INSERT", insert)
        scenario: BaseScenario = workbench.scenario(workbench.traces()[0])
        wasm = compileC(source, workbench.headerPath)
        return failureOf(scenario, wasm, namedModule(source, scenario), look=lambda: None)

    def failing(self, victim: str = "", insert: str = "") -> Failure:
        found = self.failure(victim, insert)
        assert found is not None
        return found

    def test_fuel(self) -> None:
        """A policy whose scans grow is out of fuel in these, within the first tenth, and more so at its end."""
        found = self.failing(insert="scan(inserted * 100)")
        self.assertIsInstance(found.error, OutOfFuel)
        self.assertEqual((found.functions[:2], found.split), (("scan", "kn_insert"), "train"))
        self.assertGreater(found.shares["scan"], 0.9)
        assert found.before is not None
        self.assertGreater(found.before.last, 2 * found.before.first)

    def test_trap(self) -> None:
        """A trap is found at the very event, in its function."""
        found = self.failing(insert="if (inserted == 700) __builtin_trap()")
        self.assertIsInstance(found.error, Trapped)
        self.assertEqual(found.functions, ("kn_insert",))
        scenario = workbench.scenario(workbench.traces()[0])
        blocks = scenario.machine.trace.blocks[: found.event]
        self.assertGreater(found.event, 700)
        self.assertLess(len(set(blocks.tolist())), 700)

    def test_contract(self) -> None:
        """A broken contract is found at the event that its message names."""
        found = self.failing(victim="if (inserted == 1500) return capacity")
        self.assertIsInstance(found.error, ContractBroken)
        self.assertIn(f"at request {found.event}", str(found.error))

    def test_soundPolicy(self) -> None:
        """A policy that doesn't fail has nothing to explain."""
        self.assertIsNone(self.failure())
