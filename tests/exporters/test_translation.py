"""Components of every bench, translated, decide as they do in the sandbox, to the bit."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters.building import build, compiler
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.translation import translate
from kernelnet.expressions.syntax import parse, toC
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.generators.genetic_programming import _Breeder
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.generators.templates.parameters import Template
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.workbench.abi import Abi, Signature
from kernelnet.workbench.compiler import compileC
from tests.exporters.batches import inEngine, together
from tests.exporters.twins import compiled, differences, oddNumbers

BENCHES = {bench.name: bench for bench in available(IWorkbench) if type(bench).__module__.startswith("kernelnet.")}
TEMPLATES: tuple[Template, ...] = (TWO_QUEUES, REUSE_INTERVAL, DELAY_TARGET)

GENERATED = 100
"""Rank functions of each bench; every twenty-fifth goes by C, as those that are published do."""

CALLS = 6000
"""Of each of these."""

Call = tuple[str, Sequence[float]]


def functions(abi: Abi) -> dict[str, Signature]:
    return {**abi.required, **abi.optional}


def cached(rng: random.Random) -> list[Call]:
    """What a page cache asks: every slot and key as the header promises."""
    capacity = rng.choice((1, 2, 3, 10, 64, 300))
    blocks = capacity * rng.choice((2, 3, 8))
    keys = [rng.getrandbits(64) for _ in range(blocks)]
    asked: list[Call] = [("kn_init", (capacity,))]
    slots: dict[int, int] = {}
    # A victim is chosen here and not by the component: any slot may be told to hold another block.
    for _ in range(600):
        block = min(int(rng.paretovariate(0.7)), blocks) - 1
        if block in slots:
            asked.append(("kn_hit", (slots[block],)))
            continue
        if len(slots) < capacity:
            slot = len(slots)
        else:
            gone = rng.choice(list(slots))
            slot = slots.pop(gone)
            asked.append(("kn_victim", (keys[block],)))
        slots[block] = slot
        asked.append(("kn_insert", (slot, keys[block])))
    return asked


def anything(abi: Abi, names: Sequence[str]) -> Callable[[random.Random], list[Call]]:
    """All that a component exports, in any order, with numbers that are likely, and in some rounds with any bits."""

    def number(kind: str, rng: random.Random, wild: bool) -> float:
        if kind == "f64":
            likely = rng.choice((0.0, 1.0, rng.random(), rng.expovariate(0.01), 1e6, float(rng.randrange(100))))
            odd = (-0.0, 5e-324, 1e308, float("inf"), float("-inf"), float("nan"), -rng.expovariate(1e-9))
            return rng.choice(odd) if wild and rng.random() < 0.4 else likely
        if wild and rng.random() < 0.1:
            return rng.getrandbits(32 if kind == "i32" else 64)
        return rng.choice((rng.randrange(8), rng.randrange(32), rng.randrange(1000) if kind == "i64" or wild else 3))

    def calls(rng: random.Random) -> list[Call]:
        wild = rng.random() < 0.4
        begin = [("kn_init", abi.required["kn_init"][0])] if "kn_init" in abi.required else []
        rest = [(name, functions(abi)[name][0]) for name in names if name != "kn_init"]
        asked = [*begin, *(rng.choice(rest) for _ in range(300))]
        return [(name, tuple(number(kind, rng, wild) for kind in kinds)) for name, kinds in asked]

    return calls


def likelyAndOdd(count: int, rows: int, seed: str) -> npt.NDArray[np.float64]:
    """Rows of arguments: as benches have them, with zeros and ones among them, and in a third of the rows any bits."""
    rng = np.random.default_rng(list(seed.encode()))
    found = rng.exponential(1.0, (rows, count)) * 10.0 ** rng.integers(-3, 7, (rows, count))
    found = np.where(rng.random((rows, count)) < 0.3, rng.integers(0, 5, (rows, count)), found)
    bits = rng.integers(0, 1 << 64, (rows, count), np.uint64, endpoint=False)
    edges = np.array(oddNumbers(64), np.uint64)[rng.integers(0, len(oddNumbers(64)), (rows, count))]
    odd = np.where(rng.random((rows, count)) < 0.7, edges, bits).view(np.float64)
    isOdd = (np.arange(rows)[:, None] % 3 == 0) & (rng.random((rows, count)) < 0.5)
    return np.ascontiguousarray(np.where(isOdd, odd, found))


class TranslationTests(SynchronousTestCase):
    def same(self, wasm: bytes, abi: Abi, about: str, rounds: int = 8) -> None:
        """Any calls, and of a page cache those of a page cache, have the same answers."""
        names = translate(wasm, functions(abi)).names
        library = compiled(wasm, functions(abi), Path(self.mktemp()))
        ways = [anything(abi, names)]
        if "kn_victim" in abi.required:
            ways.append(cached)
        count = 0
        for way in ways:
            rng = random.Random(len(wasm))
            made, found = differences(wasm, functions(abi), library, [way(rng) for _ in range(rounds)])
            self.assertEqual(found, [], about)
            count += made
        self.assertGreater(count, 100, about)

    def test_baselines(self) -> None:
        """Every hand-made policy of every bench."""
        for bench in BENCHES.values():
            for name in bench.baselineNames:
                wasm = bench.baselineModule(name)
                self.same(wasm, bench.abiOf(wasm), f"{bench.name}: {name}")

    def test_templates(self) -> None:
        """Every template, with values that are known to be good and with random ones, built in and by kn_param."""
        rng = random.Random(7)
        for template in TEMPLATES:
            bench = BENCHES[template.workbench]
            vectors = [*list(template.known)[:2], *([p.any(rng) for p in template.parameters] for _ in range(3))]
            sources = [template.bake(template.normalized(vector)) for vector in vectors] + [template.tunable()]
            for source in sources:
                wasm = compileC(source, bench.headerPath, trusted=True)
                self.same(wasm, bench.abiOf(wasm), template.name)

    def test_generated(self) -> None:
        """A hundred rank functions of every bench, as the genetic generator draws them, in millions of calls."""
        made = 0
        for bench in BENCHES.values():
            abi = next(each for each in bench.abis if each.function)
            rng = random.Random(bench.name)
            breeder = _Breeder(abi.features, rng)
            trees = [breeder.grown(rng.randint(1, 6)) for _ in range(GENERATED)]
            modules = [
                toWasm(tree, abi)
                if number % 25
                else compileC(toC(tree, abi, bench.headerPath.name), bench.headerPath, trusted=True)
                for number, tree in enumerate(trees)
            ]
            rows = likelyAndOdd(len(abi.features), CALLS, bench.name)
            batch = together(modules, abi.function, len(abi.features), Path(self.mktemp()))
            for number, (tree, wasm) in enumerate(zip(trees, modules, strict=True)):
                ours, theirs = batch.run(number, rows), inEngine(wasm, abi.function, rows)
                where = np.flatnonzero(ours != theirs)
                self.assertEqual(len(where), 0, f"{bench.name}: {tree} of {rows[where[:1]]}")
                made += len(rows)
        self.assertGreater(made, 2_000_000)

    def test_written(self) -> None:
        """What the compiler makes of floats, wide switches, pointers to functions, and calls with many arguments."""
        bench = BENCHES["file_system"]
        wasm = compileC(WRITTEN, bench.headerPath, trusted=True)
        self.same(wasm, bench.abiOf(wasm), "written", rounds=40)

    def test_deterministic(self) -> None:
        """The same module gives the same text, which names the module's digest and no folder."""
        wasm = BENCHES["file_system"].baselineModule("arc")
        first, second = (translate(wasm, ["kn_init", "kn_hit"]) for _ in range(2))
        self.assertEqual(first, second)
        self.assertEqual(first.names, ("kn_init", "kn_hit"))
        self.assertNotIn(str(Path.cwd()), first.source)

    def test_anyCompiler(self) -> None:
        """The compiler that comes with kernelnet gives the same decisions as the machine's own."""
        bench = BENCHES["file_system"]
        abi = next(each for each in bench.abis if each.function)
        wasm = toWasm(parse("aq(freq + hist, age) - sqrt(gap * 0.3)", abi.features), abi)
        library = compiled(wasm, abi.required, Path(self.mktemp()), command=[sys.executable, "-m", "ziglang", "cc"])
        calls, rng = anything(abi, [abi.function]), random.Random(2)
        _, found = differences(wasm, abi.required, library, [calls(rng) for _ in range(20)])
        self.assertEqual(found, [])

    def test_noCompiler(self) -> None:
        """Without a compiler it is said what to install; one that fails is named with its words."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "x.c").write_text("#error no such thing\n")
        self.assertIsNotNone(compiler())
        error = self.assertRaises(ExportError, build, [folder / "x.c"], folder / "x.so")
        self.assertIn("no such thing", str(error))
        self.assertNotIn("\n", str(error))


WRITTEN = """
#include "kn_file_system.h"
static float ratio[64];
static u32 seen, slots;
typedef float (*way)(float, float, u32);
static float add(float a, float b, u32 n) { return a + b * (float)n; }
static float over(float a, float b, u32 n) { return a / (b + 0.1f) - (float)(i32)n; }
static float root(float a) { return __builtin_sqrtf(__builtin_fabsf(a)); }
static float least(float a, float b, u32 n) { return __builtin_wasm_min_f32(root(a), b) + n; }
static way ways[] = {add, over, least, 0};
__attribute__((noinline)) static u32 wide(u32 n) {
    switch (n % 12) {
    case 0: return 5; case 1: return seen; case 2: return seen * 3; case 3: return n / 3; case 4: return n >> 2;
    case 5: return __builtin_popcount(n); case 6: return __builtin_clz(n | 1); case 7: return __builtin_ctz(n | 4);
    case 8: return (n << 7) | (n >> 25); case 9: return (u32)(signed char)n; case 10: return (u32)(short)n;
    default: return (u32)((i32)n % 7);
    }
}
void kn_init(u32 capacity) { slots = capacity; for (u32 i = 0; i < 64; i++) ratio[i] = (float)i / 3.0f; }
void kn_hit(u32 slot) {
    float *r = &ratio[slot % 64];
    *r = ways[(slot + seen) % 3](*r, ratio[seen % 64], slot);
    seen += wide(slot ^ seen) + 1;
}
u32 kn_victim(u64 key) {
    double mean = 0;
    for (u32 i = 0; i < 64; i++) mean += (double)ratio[i] * (double)(i64)(key >> (i % 60));
    u64 bits = (u64)(i64)(mean > 1e18 || mean < -1e18 || mean != mean ? 0 : mean);
    float third = ratio[3] < 1e6f && ratio[3] > -1e6f ? ratio[3] : 0;
    return (u32)(bits ^ bits >> 32 ^ (u64)(float)key) + (u32)__builtin_floorf(third);
}
void kn_insert(u32 slot, u64 key) {
    if (key % 1000 == 77) ratio[1] = ways[3](1, 2, 3); /* no such function */
    __builtin_memmove(ratio + 1, ratio, (slot % 60) * 4);
    ratio[0] = (float)(u32)key + (float)(i64)key * 0.5f;
}
"""
