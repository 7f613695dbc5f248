"""Components of congestion control in the form of the kernel's BPF machine decide as in the sandbox, to the bit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters.bpf_translation import MOST_WINDOW, translateForBpf
from kernelnet.exporters.errors import Untranslatable
from kernelnet.expressions.syntax import parse, toC
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.generators.genetic_programming import _Breeder
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.network_stack import workbench
from tests.exporters.bpf_twins import BpfTwin, bpfTwin
from tests.exporters.test_translation import anything, functions
from tests.exporters.twins import Trap, differences

GENERATED = 20

Call = tuple[str, Sequence[float]]
FULL, RANK = workbench.abis


def flow(rng: random.Random) -> list[Call]:
    """What a sender asks over some thousand packets of a link whose queue fills and drains."""
    asked: list[Call] = [("kn_init", ()), ("kn_rate", ())]
    base, speed = rng.choice((10, 40, 100)), rng.choice((0.1, 1.0, 8.0))
    queue, inflight, since = 0.0, 10, 0
    for _ in range(2000):
        elapsed = rng.choice((0, 0, 0, 1, 1, 2, 5, 30))
        queue = max(0.0, queue + rng.uniform(-0.9, 1.0) * speed * (elapsed + 1))
        rtt = max(1, int(base + queue / speed))
        inflight = max(0, min(16384, inflight + rng.randint(-2, 2)))
        since = max(1, inflight + rng.randint(-2, 3))
        if rng.random() < 0.004:
            asked += [("kn_timeout", (elapsed, inflight + 1)), ("kn_rate", ())]
            elapsed = 0
        if rng.random() < 0.02:
            asked += [("kn_loss", (elapsed, rng.randint(1, 5), rng.randrange(2), inflight)), ("kn_rate", ())]
            elapsed = 0
            queue /= 2
        asked += [("kn_ack", (elapsed, rtt, since, inflight, since / max(1, rtt))), ("kn_rate", ())]
    return asked


class BpfTranslationTests(SynchronousTestCase):
    def same(self, wasm: bytes, abi: Abi, about: str, rounds: int) -> int:
        library = bpfTwin(wasm, functions(abi), Path(self.mktemp()))
        names = [*abi.required, *abi.optional]
        names = [name for name in names if name in translateForBpf(wasm, names).names]
        ways = [anything(abi, names)]
        if abi is FULL:
            ways.append(flow)
        count = 0
        for way in ways:
            rng = random.Random(len(wasm))
            turns = [way(rng) for _ in range(rounds)]
            made, found = differences(wasm, functions(abi), library, turns, BpfTwin)
            self.assertEqual(found, [], about)
            count += made
        self.assertGreater(count, 100, about)
        return count

    def test_baselines(self) -> None:
        """Every hand-made policy."""
        for name in workbench.baselineNames:
            wasm = workbench.baselineModule(name)
            self.assertGreater(self.same(wasm, workbench.abiOf(wasm), name, 4), 10_000)

    def test_template(self) -> None:
        """The template, with values that are known to be good and with random ones, built in and by kn_param."""
        rng = random.Random(7)
        vectors = [*list(DELAY_TARGET.known)[:2], *([p.any(rng) for p in DELAY_TARGET.parameters] for _ in range(3))]
        sources = [DELAY_TARGET.bake(DELAY_TARGET.normalized(vector)) for vector in vectors]
        for source in [*sources, DELAY_TARGET.tunable()]:
            wasm = compileC(source, workbench.headerPath, trusted=True)
            self.same(wasm, workbench.abiOf(wasm), DELAY_TARGET.name, 2)

    def test_generated(self) -> None:
        """Rank functions that are known, and as the genetic generator draws them, by either way to a module."""
        rng = random.Random(3)
        breeder = _Breeder(RANK.features, rng)
        trees = [parse(text, RANK.features) for text in RANK.known]
        trees += [breeder.grown(rng.randint(1, 5)) for _ in range(GENERATED)]
        for number, tree in enumerate(trees):
            wasm = toWasm(tree, RANK)
            if number % 4 == 0:
                source = toC(tree, RANK, workbench.headerPath.name)
                wasm = compileC(source, workbench.headerPath, trusted=True)
            self.same(wasm, RANK, str(tree), 3)

    def test_hostile(self) -> None:
        """An endless loop, wild addresses, a trap: the call ends, gives 0, and the instance answers no other."""
        for body, why in (
            ("for (;;) n++;", "out of fuel"),
            ("*(volatile u32 *)(rtt * 977u) = 1;", "out of bounds"),
            ("*(volatile u32 *)0xfffffff0u = 1;", "out of bounds"),
            ("__builtin_trap();", "unreachable"),
            ("n = rtt / n;", "divide by zero"),
            ("((void (*)(u32))n)(1);", "no such function"),
            ("__builtin_memset((void *)70000000, 1, rtt / 1000);", "out of bounds"),
        ):
            wasm = compileC(FULL_OF.replace("BODY", body), workbench.headerPath, trusted=True)
            library = bpfTwin(wasm, functions(FULL), Path(self.mktemp()))
            twin = BpfTwin(library, functions(FULL), fuel=100_000)
            self.assertEqual(twin.call("kn_init", ()), 10.0)
            trap = self.assertRaises(Trap, twin.call, "kn_ack", (1, 2_000_000, 1, 1, 1.0))
            self.assertIn(why, str(trap), body)
            self.assertRaises(Trap, twin.call, "kn_rate", ())
            twin.close()

    def test_window(self) -> None:
        """Variables alone take as much as they are; with arrays it is all that there is room for; more is refused."""
        self.assertLess(translateForBpf(workbench.baselineModule("reno"), FULL.required).window.size, 128)
        self.assertEqual(translateForBpf(toWasm(parse("rtt", RANK.features), RANK), RANK.required).window.size, 0)
        self.assertEqual(translateForBpf(workbench.baselineModule("copa"), FULL.required).window.size, MOST_WINDOW)
        source = FULL_OF.replace("BODY", "n += large[rtt % 15900];").replace(
            "static", "static u32 large[15900] = {[15899] = 1};\nstatic", 1
        )
        wasm = compileC(source, workbench.headerPath, trusted=True)
        error = self.assertRaises(Untranslatable, translateForBpf, wasm, FULL.required)
        self.assertIn("in a socket's memory", str(error))

    def test_refused(self) -> None:
        """Recursion is refused by name, also through a table; the kernel has none."""
        for body in ("n = deep(rtt);", "n = (rtt ? &deep : &other)(rtt);"):
            source = FULL_OF.replace("BODY", body).replace("static", DEEP + "static", 1)
            wasm = compileC(source, workbench.headerPath, trusted=True)
            error = self.assertRaises(Untranslatable, translateForBpf, wasm, FULL.required)
            self.assertIn("the kernel has no recursion", str(error))


DEEP = """
static u32 other(u32 x);
__attribute__((noinline)) static u32 deep(u32 x) { return x ? x + deep(x / 3) * x + other(x) : 1; }
__attribute__((noinline)) static u32 other(u32 x) { return x + 2; }
"""
FULL_OF = """
#include "kn_network_stack.h"
static volatile u32 n;
f64 kn_init(void) { return 10.0; }
f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) { BODY return 20.0; }
f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) { return 10.0; }
f64 kn_timeout(u32 elapsed, u32 lost) { return 1.0; }
f64 kn_rate(void) { return 0.0; }
"""
