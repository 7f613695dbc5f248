"""What a claim is measured on: a few variants of the trace, drawn by the module's digest."""

from __future__ import annotations

import dataclasses
import hashlib
import statistics

import numpy as np

from kernelnet.learning.significance import WINDOWS, gains, lowerBound
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from kernelnet.workbench.suite import Suite
from kernelnet.workbench.variants import VariantScenario, variantLevels
from tests.workbench.contract import FolderCase
from tests.workbench.support import mixture, policy, smallScenario, writeTrace

BEST_OF_10000 = 3.85
"""Expected greatest of 10,000 draws of a normal distribution, in standard deviations."""


def named(source: str, number: int) -> bytes:
    """A policy with an unused constant, so that its digest is another."""
    return policy(f'{source}\nKN_EXPORT("name") u32 name(void) {{ return {number}; }}')


OWN_TABLE = """
static u32 last[1 << BITS]; static u8 often[1 << BITS];
static u32 n, capacity, *at; static u64 seed = 1;
void kn_init(u32 c) { capacity = c; at = kn_alloc(4 * c); }
static void requested(u32 i) { if (often[i] < 255) often[i]++; last[i] = ++n; }
void kn_hit(u32 slot) { requested(at[slot]); }
u32 kn_victim(u64 key) {
    u32 worst = 0; f64 least = 1e300;
    for (u32 k = 0; k < 16; k++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        u32 slot = (u32)((seed >> 32) * capacity >> 32), i = at[slot];
        f64 worth = (f64)often[i] / (f64)(n - last[i] + 1);
        if (worth < least) { least = worth; worst = slot; }
    }
    return worst;
}
void kn_insert(u32 slot, u64 key) {
    at[slot] = (u32)(key * 0x9E3779B97F4A7C15ull >> (64 - BITS));
    requested(at[slot]);
}
"""
"""Keeps what a table says is requested often and soon; two blocks in one cell are one to it."""


class VariantTests(FolderCase):
    def scenario(self, requests: int = 20_000) -> FileSystemScenario:
        return smallScenario(self.folder, mixture(requests))

    def test_sums(self) -> None:
        """Every number is the sum over the variants, for a module as for what it is compared with."""
        scenario, wasm = self.scenario(), workbench.baselineModule("arc")
        measured = scenario.forModule(wasm)
        assert isinstance(measured, VariantScenario)
        self.assertEqual(len(measured.variants), scenario.variants)
        self.assertEqual((measured.trace, measured.traceDigest), (scenario.trace, scenario.traceDigest))
        self.assertEqual(measured.settings, scenario.settings)
        report = measured.measure(wasm)
        self.assertEqual(report.splits, measured.baselines()["arc"].splits)
        for split, score in report.splits.items():
            each = [variant.measure(wasm).splits[split] for variant in measured.variants]
            self.assertEqual(score.score, sum(one.score for one in each))
            self.assertEqual(score.events, measured.events[split])
            self.assertEqual(score.fuel, sum(one.fuel for one in each))
            self.assertEqual(measured.optimum()[split], sum(variant.optimum()[split] for variant in measured.variants))
        windows = measured.measureWindows(wasm, "validation", 8)
        self.assertEqual(sum(window.score for window in windows), report.splits["validation"].score)

    def test_drawn(self) -> None:
        """The same module has the same variants everywhere; another, even if it does the same, has others."""
        one, other = named(OWN_TABLE.replace("BITS", "8"), 1), named(OWN_TABLE.replace("BITS", "8"), 2)
        scenario, again = self.scenario(), self.scenario()
        digests = [variant.traceDigest for variant in scenario.forModule(one).variants]  # type: ignore[attr-defined]
        self.assertEqual([each.traceDigest for each in again.forModule(one).variants], digests)  # type: ignore[attr-defined]
        others = [each.traceDigest for each in again.forModule(other).variants]  # type: ignore[attr-defined]
        self.assertEqual(len({*digests, *others}), 2 * scenario.variants)
        self.assertEqual(scenario.measure(one).splits, scenario.measure(other).splits)

    def test_levels(self) -> None:
        """The level on each variant is told; the reference has 0 on all, the optimum's misses would have 1."""
        scenario = self.scenario()
        self.assertEqual(variantLevels(scenario, workbench.baselineModule("lru")), [0.0] * scenario.variants)
        arc = workbench.baselineModule("arc")
        levels = variantLevels(scenario, arc, "validation")
        self.assertEqual(len(levels), scenario.variants)
        measured = scenario.forModule(arc)
        whole = measured.developmentLevel(measured.measure(arc), "validation")
        self.assertTrue(min(levels) <= whole <= max(levels))
        self.assertLess(statistics.stdev(levels), 0.1)
        other = writeTrace(self.folder / "other.txt", mixture(2000, seed=2))
        suite = Suite([scenario, FileSystemWorkbench().scenario(other)])
        self.assertEqual(variantLevels(suite, arc), [])

    def test_number(self) -> None:
        """There are more of short traces, on which luck does more, and fewer of long ones, which cost more."""
        scenario, seen = self.scenario(2000), []
        for requests in (2000, 300_000, 3_000_000):
            blocks = np.zeros(requests, np.uint32)
            self.patch(scenario.machine, "trace", dataclasses.replace(scenario.machine.trace, blocks=blocks))
            seen.append(scenario.variants)
        self.assertEqual(seen, [16, 8, 4])

    def test_memory(self) -> None:
        """Variants keep no memory that they ran in, and those of the last modules only are kept."""
        scenario = self.scenario(2000)
        for number in range(40):
            measured = scenario.forModule(named(OWN_TABLE.replace("BITS", "8"), number))
            if number < 2:
                measured.measure(workbench.baselineModule("lru"))
                self.assertEqual([len(each.machine._idle) for each in measured.variants], [0] * scenario.variants)  # type: ignore[attr-defined]
        self.assertEqual(len(scenario.workbench._variants), 32)

    def test_memoryOfSettings(self) -> None:
        """A claim about many cache sizes takes the memory of one, and its variants count once."""
        bench = FileSystemWorkbench()
        path = writeTrace(self.folder / "trace.txt", mixture(2000))
        parts = [bench.scenario(path, {"capacity": capacity}) for capacity in (10, 20, 30)]
        module = bench.baselineModule("fifo")
        each = [part.forModule(module) for part in parts]
        machines = {id(variant.machine) for one in each for variant in one.variants}  # type: ignore[attr-defined]
        self.assertEqual(len(machines), parts[0].variants)
        self.assertEqual(bench._variants.events(), sum(each[0].events.values()))
        another = parts[0].forModule(bench.baselineModule("lru"))
        self.assertEqual(bench._variants.events(), sum(each[0].events.values()) + sum(another.events.values()))

    def test_own(self) -> None:
        """A trace without variants, such as an author's own, is measured as it is."""
        scenario = self.scenario(2000)
        self.patch(scenario.machine, "trace", object())
        self.assertIs(scenario.forModule(b"any"), scenario)


class LuckTests(FolderCase):
    """Who tries many modules that differ in their digest alone keeps the luckiest."""

    digests = 24

    def means(self, scenario: FileSystemScenario, source: str, rival: str) -> tuple[list[float], list[float]]:
        """By digest, the mean gain in the windows of validation over a rival, and what the guard asks for at least."""
        found, bars = [], []
        for number in range(self.digests):
            wasm = named(source, number)
            measured = scenario.forModule(wasm)
            ours, theirs = (
                [window.score for window in measured.measureWindows(module, "validation", WINDOWS)]
                for module in (wasm, workbench.baselineModule(rival))
            )
            each = gains(ours, theirs)
            found.append(statistics.fmean(each))
            bars.append(found[-1] - lowerBound(each))
        return found, bars

    def test_grinding(self) -> None:
        """What the luckiest of 10,000 digests gains is less than the guard asks for, with tables of its own too."""
        scenario = workbench.scenario(workbench.traces()[1], {"capacity": 55})
        found, bars = self.means(scenario, OWN_TABLE.replace("BITS", "12"), "2q")
        luck = BEST_OF_10000 * statistics.stdev(found)
        self.assertGreater(luck, 0)
        self.assertLess(luck, statistics.fmean(bars))
        self.assertLess(max(found) - statistics.fmean(found), statistics.fmean(bars))

    def test_nothingOfItsOwn(self) -> None:
        """What does the same as its rival gains nothing, to the unit, whatever its digest is."""
        source = (workbench.folder / "baselines" / "arc.c").read_text("utf-8")
        scenario = smallScenario(self.folder, mixture(8000))
        found, _ = self.means(scenario, source, "arc")
        self.assertEqual(set(found), {0.0})

    def test_whyLuck(self) -> None:
        """
        On one trace a policy's luck with its keys comes of blocks that share a cell of its table: there is none, if it
        compares whole keys, as the hand-made ones do.
        """
        scenario = workbench.scenario(workbench.traces()[1], {"capacity": 55})
        cell = "(u32)(key * 0x9E3779B97F4A7C15ull >> (64 - BITS))"
        whole = OWN_TABLE.replace(cell, "node(key)").replace(
            "void kn_init(u32 c) {",
            """static kn_map map; static u32 nodes;
            static u32 node(u64 key) {
                u32 known = kn_map_get(map, key);
                if (known == KN_NONE) kn_map_put(map, key, known = nodes++);
                return known;
            }
            void kn_init(u32 c) { map = kn_map_new(1 << 16);""",
        )
        modules = {
            "shared": policy(OWN_TABLE.replace("BITS", "10")),
            "whole": policy(whole.replace("BITS", "16")),
            **{name: workbench.baselineModule(name) for name in ("arc", "2q", "lirs", "s3fifo")},
        }
        different = {}
        for name, wasm in modules.items():
            scores = set()
            for salt in range(5):
                self.patch(type(scenario.machine), "salt", hashlib.sha256(bytes([salt])).digest())
                scores.add(scenario.measure(wasm, upTo="train").splits["train"].score)
            different[name] = len(scores)
        self.assertGreater(different.pop("shared"), 3)
        self.assertEqual(set(different.values()), {1}, different)
