"""Hostile modules, translated: refused, or they stop themselves in time, and nobody else."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters.errors import Untranslatable
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import ComponentError
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.machine import abiOf
from kernelnet.workbench.sandbox import loadModule
from tests.exporters.twins import Native, Trap, compiled
from tests.workbench.attacks import ATTACKS, Carrier

FUEL = 50_000_000
SECONDS = 2.0
"""Of CPU time, which a call may take."""

WORDS = {
    "unreachable": "unreachable",
    "divide by zero": "divide by zero",
    "overflow": "overflow",
    "conversion": "conversion",
    "out of bounds": "out of bounds",
    "uninitialized": "no such function",
    "table": "no such function",
    "type": "no such function",
}
"""How each trap of the sandbox is called here."""


class HostileTests(SynchronousTestCase):
    def test_attacks(self) -> None:
        """Each attack on the sandbox is refused, or ends its own instance, while another goes on beside it."""
        handlers = {
            each: signal.getsignal(each) for each in signal.Signals if each not in (signal.SIGKILL, signal.SIGSTOP)
        }
        lru = workbench.baselineModule("lru")
        required = workbench.abis[0].required
        neighbour = Native(compiled(lru, required, Path(self.mktemp())), required)
        neighbour.call("kn_init", (4,))
        stopped = 0
        for abi in workbench.abis:
            carrier = Carrier(abi)
            for name, attack in ATTACKS.items():
                if attack.once and abi is not workbench.abis[0]:
                    continue
                stopped += self.ends(carrier, name, f"{abi.identifier}: {name}")
                neighbour.call("kn_insert", (stopped % 4, stopped))
                self.assertLess(neighbour.call("kn_victim", (7,)), 4)
        self.assertGreater(stopped, 50)
        self.assertEqual(handlers, {each: signal.getsignal(each) for each in handlers})

    def ends(self, carrier: Carrier, name: str, about: str) -> bool:
        """Whether it came as far as to run."""
        attack = ATTACKS[name]
        wasm = attack.make(carrier)
        try:
            abiOf(loadModule(wasm), [carrier.abi])
            library = compiled(wasm, carrier.abi.required, Path(self.mktemp()))
        except (ComponentError, Untranslatable) as error:
            self.assertTrue(str(error).isprintable(), about)
            return False
        began = time.process_time()
        trap = self.assertRaises(Trap, self.run_, carrier, library)
        self.assertLess(time.process_time() - began, SECONDS, about)
        if name.startswith("trap: "):
            self.assertIn(WORDS[attack.words], str(trap), about)
        elif name.startswith("endless: "):
            self.assertIn("fuel", str(trap), about)
        elif name.startswith("recursion"):
            self.assertIn("nested", str(trap), about)
        return True

    def run_(self, carrier: Carrier, library: Path) -> None:
        instance = Native(library, carrier.abi.required, fuel=FUEL)
        arguments = tuple(0 for _ in carrier.abi.required[carrier.first][0])
        try:
            instance.call(carrier.first, arguments)
        except Trap:
            # what went wrong once answers nothing from then on
            self.assertRaises(Trap, instance.call, carrier.first, arguments)
            raise

    def test_frames(self) -> None:
        """Deep calls of functions with many variables don't overflow the stack of a small thread's size."""
        wide = "".join(f"double v{n} = x * {n}.5 + n; " for n in range(300))
        total = " + ".join(f"v{n} * below" for n in range(300))
        source = f"""
#include "kn_file_system.h"
__attribute__((noinline)) static double deep(double x, u32 n) {{
    {wide}
    double below = n ? deep(x + 1, n - 1) : 1;
    return {total};
}}
static double kept;
void kn_init(u32 capacity) {{ kept = deep(capacity, 4000000000u); }}
void kn_hit(u32 slot) {{}}
u32 kn_victim(u64 key) {{ return 0; }}
void kn_insert(u32 slot, u64 key) {{}}
"""
        wasm = compileC(source, workbench.headerPath, trusted=True)
        required = workbench.abis[0].required
        instance = Native(compiled(wasm, required, Path(self.mktemp())), required, fuel=1 << 40)
        caught: list[str] = []

        def call() -> None:
            try:
                instance.call("kn_init", (1,))
            except Trap as trap:
                caught.append(str(trap))

        before = threading.stack_size(512 << 10)
        try:
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
        finally:
            threading.stack_size(before)
        self.assertEqual(caught, ["calls nested too deeply"])
