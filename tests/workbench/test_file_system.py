"""The bench of page-cache eviction: what a scenario is, and that it is the same everywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernelnet.artifacts import Pattern
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import TraceError, Unmeasurable, WorkbenchError, WrongExport
from kernelnet.workbench.file_system import FileSystemWorkbench, trace, workbench
from kernelnet.workbench.file_system.capacity import MAX_CAPACITY
from kernelnet.workbench.file_system.machine import FileSystemMachine, stackDistances
from kernelnet.workbench.file_system.patterns import learnPatterns
from kernelnet.workbench.file_system.readers import MAX_TRACE_REQUESTS
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from kernelnet.workbench.file_system.trace import Trace, makeTrace
from kernelnet.workbench.machine import Layout
from kernelnet.workbench.thinning import seedOf
from tests.workbench.contract import BenchContract, FolderCase, python
from tests.workbench.support import mixture, policy, smallScenario, writeTrace

# Its second parameter is by how much more than one slot the hand moves.
TUNABLE = """
static f64 parameter[2]; static u32 capacity, hand;
void kn_param(u32 i, f64 v) { parameter[i] = v; }
void kn_init(u32 c) { capacity = c; }
void kn_hit(u32 s) {}
u32 kn_victim(u64 k) { hand += 1 + (u32)parameter[1]; return hand % capacity; }
void kn_insert(u32 s, u64 k) {}
"""


class Case(FolderCase):
    def scenario(self, ids: list[int] | None = None, capacity: int = 32) -> FileSystemScenario:
        return smallScenario(self.folder, ids, capacity)


class ContractTests(BenchContract, Case):
    bench = workbench
    light = ("kernelnet.workbench.file_system", "kernelnet.generators.search")
    file = "small.txt"
    sources: ClassVar = {"driver.c", "rank.h"}
    shipped: ClassVar = ["compiler.txt.xz", "sqlite.txt.xz"]
    shippedBytes = 2 << 20
    # LFU and SIEVE keep the same blocks for ever on one of them.
    apart = len(workbench.baselineNames) - 1

    def small(self) -> FileSystemScenario:
        return self.scenario()


class WorkbenchTests(Case):
    def test_noNetwork(self) -> None:
        """Neither workbench nor generators import what knows a network."""
        code = (
            "import sys; import kernelnet.learning.acceptance, kernelnet.learning.problem, kernelnet.generators; "
            "import kernelnet.workbench.file_system.scenario, kernelnet.generators.search; "
            "print([m for m in sys.modules if m in ('kernelnet.wire', 'twisted.internet.reactor') "
            "or m.startswith(('kernelnet.hub', 'kernelnet.trainer'))])"
        )
        self.assertEqual(python(code), "[]\n")

    def test_oneWay(self) -> None:
        """The workbench does without generators: those may know it, not the reverse."""
        code = (
            "import sys; import kernelnet.learning.acceptance, kernelnet.learning.problem; "
            "import kernelnet.workbench.file_system.scenario; "
            "print([m for m in sys.modules if m.startswith('kernelnet.generators')])"
        )
        self.assertEqual(python(code), "[]\n")

    def test_traces(self) -> None:
        """The traces that ship are long, and on both LRU is far from the optimum."""
        for path in workbench.traces():
            scenario = workbench.scenario(path, {})
            self.assertGreater(sum(scenario.events.values()), 300_000)
            self.assertLess(scenario.optimum()["held_out"], 0.75 * scenario.reference().splits["held_out"].score)

    def test_settings(self) -> None:
        """The capacity is a tenth of the distinct blocks, at least 16; unknown and impossible settings are errors."""
        bench = FileSystemWorkbench()
        path = writeTrace(self.folder / "a.txt", list(range(1000)))
        self.assertEqual(bench.scenario(path, {}).settings, {"capacity": 100})
        self.assertEqual(bench.scenario(writeTrace(self.folder / "b.txt", [1] * 100)).settings, {"capacity": 16})
        self.assertEqual(bench.scenario(path, {"capacity": 7}).settings, {"capacity": 7})
        self.assertEqual(bench.scenario(path, {"capacity": 1000}).settings, {"capacity": 1000})
        wrong = ({"capacity": 0}, {"capacity": -1}, {"capacity": 1001}, {"capacity": 1 << 40}, {"size": 1})
        for settings in wrong:
            self.assertRaises(WorkbenchError, bench.scenario, path, settings)

    def test_changed(self) -> None:
        """A trace file that has changed is read again."""
        bench = FileSystemWorkbench()
        path = writeTrace(self.folder / "a.txt", list(range(200)))
        before = bench.scenario(path).traceDigest
        self.assertEqual(bench.scenario(path).traceDigest, before)
        writeTrace(path, [1] * 200)
        self.assertNotEqual(bench.scenario(path).traceDigest, before)

    def test_notAFile(self) -> None:
        """A folder, a device or a pipe is no trace, and nothing waits for one."""
        os.mkfifo(self.folder / "pipe.txt")
        (self.folder / "folder.txt").mkdir()
        for path in (self.folder / "pipe.txt", self.folder / "folder.txt", Path("/dev/zero")):
            self.assertIn("not a file", str(self.assertRaises(TraceError, workbench.scenario, path, {})))

    def test_strangersClaims(self) -> None:
        """Claims about traces that are not here cost no reading, however many files there are, good or bad."""
        scenario = self.scenario()
        bench, claim = scenario.workbench, scenario.measure(workbench.baselineModule("lru"))
        paths = [
            writeTrace(self.folder / f"{number}.txt", [number, 2] * 60 + list(range(number))) for number in range(12)
        ]
        paths += [writeTrace(self.folder / f"bad{number}.txt", [number]) for number in range(3)]
        other = msgspec.structs.replace(claim, trace_digest="0" * 64)
        self.assertRaises(Unmeasurable, bench.scenarioFor, other, paths)
        self.patch(trace, "readTrace", self.fail)
        for _ in range(3):
            self.assertRaises(Unmeasurable, bench.scenarioFor, other, paths)

    def test_largest(self) -> None:
        """At the largest capacity that may be claimed every baseline does with the memory it may have."""
        made = makeTrace(np.array(mixture(), np.uint64), self.folder / "a.txt")
        scenario = FileSystemScenario(workbench, FileSystemMachine(made), {"capacity": MAX_CAPACITY})
        for report in scenario.baselines().values():
            self.assertEqual(sum(split.score for split in report.splits.values()), made.distinct)

    def test_layout(self) -> None:
        """The longest trace that is read fits into a module's memory, with all that is noted of it."""
        layout = Layout()
        for size in (4, 8, 4, 4):
            layout.place(size * MAX_TRACE_REQUESTS)
        self.assertLessEqual(layout.pages, 1 << 16)

    def test_claimedSettings(self) -> None:
        """A claim with settings that can't be, or are not complete, is unmeasurable."""
        scenario = self.scenario()
        bench = scenario.workbench
        report = scenario.measure(workbench.baselineModule("lru"))
        for settings in ({"capacity": 0}, {}, {"capacity": 9, "more": 1}):
            claim = msgspec.structs.replace(report, settings=settings)
            self.assertRaises(Unmeasurable, bench.scenarioFor, claim, [self.folder / "small.txt"])


class MeasureTests(Case):
    def test_splits(self) -> None:
        """Of 2000 requests 800 are for training, 200 for validation, and the second half is held out."""
        scenario = self.scenario()
        self.assertEqual(scenario.settings, {"capacity": 32})
        self.assertEqual(scenario.events, {"train": 800, "validation": 200, "held_out": 1000})

    def test_parameters(self) -> None:
        """Parameters reach kn_param before the start, and change the score; a module without kn_param refuses them."""
        scenario = self.scenario()
        wasm = policy(TUNABLE)
        same = scenario.measure(wasm, parameters=(0.0, 0.0)).splits["train"].score
        self.assertEqual(same, scenario.measure(wasm).splits["train"].score)
        self.assertNotEqual(same, scenario.measure(wasm, parameters=(0.0, 7.0)).splits["train"].score)
        self.assertRaises(WrongExport, scenario.measure, workbench.baselineModule("lru"), parameters=(1.0,))

    def test_fresh(self) -> None:
        """Each run starts with a fresh policy: runs of others, and parameters of earlier ones, leave no trace."""
        scenario = self.scenario()
        wasm = policy(TUNABLE)
        first = scenario.measure(wasm)
        for number in range(150):
            scenario.measure(wasm, upTo=("train", "held_out")[number % 2], parameters=(0.0, float(number)))
        self.assertEqual(scenario.measure(wasm), first)

    def test_keys(self) -> None:
        """Keys are the same for all modules on a trace, and others on each of its variants."""
        source = "void kn_init(u32 c) {} void kn_hit(u32 s) {} void kn_insert(u32 s, u64 k) {} static u64 first;"
        source += "u32 kn_victim(u64 k) { if (!first) first = k; return (u32)(first & 31); }"
        scenario = self.scenario()
        one, other = policy(source), policy(source + 'KN_EXPORT("other") u32 other(void) { return 1; }')
        self.assertEqual(scenario.measure(one).splits, scenario.measure(other).splits)
        keys = set()
        for number in range(scenario.variants):
            machine = scenario.onVariant(number, one).machine
            keys.add(machine.salt)
            self.assertEqual(machine.salt, scenario.onVariant(number, one).machine.salt)
            self.assertNotEqual(machine.salt, scenario.onVariant(number, other).machine.salt)
        self.assertEqual(len(keys | {scenario.machine.salt}), 1 + scenario.variants)

    def test_nothingCounts(self) -> None:
        """No function is told what counts up, so that none tells where in the trace a request is."""
        full = workbench.abis[0]
        self.assertEqual(full.identifier, "file_system/full/2")
        told = {name: parameters for name, (parameters, _) in full.required.items()}
        self.assertEqual(
            told, {"kn_init": ("i32",), "kn_hit": ("i32",), "kn_victim": ("i64",), "kn_insert": ("i32", "i64")}
        )

    def test_asBefore(self) -> None:
        """Without the number of a request, policies miss as they did with it (full/1), to the unit."""
        scenario = workbench.scenario(workbench.traces()[1], {"capacity": 55})
        before = {
            "fifo": [88263, 23664, 119760],
            "lru": [81834, 22169, 112302],
            "clock": [79959, 21600, 109844],
            "lfu": [116373, 25769, 133584],
            "2q": [76681, 20729, 105283],
            "arc": [75740, 20419, 104157],
            "lirs": [76944, 20767, 105632],
            "s3fifo": [76032, 20529, 104476],
            "sieve": [75750, 20406, 103987],
        }
        reports = scenario.baselines()
        self.assertEqual(
            {name: [split.score for split in each.splits.values()] for name, each in reports.items()}, before
        )
        templates = (("two_queues", [75796, 20468, 104201]), ("reuse_interval", [74826, 19882, 101598]))
        for name, scores in templates:
            source = files("kernelnet.generators.templates").joinpath(f"{name}.c").read_text("utf-8")
            report = scenario.measure(compileC(source, workbench.headerPath, trusted=True))
            self.assertEqual([split.score for split in report.splits.values()], scores, name)

    def test_reserved(self) -> None:
        """Functions for what no trace has today are allowed, never called, and refused by name if they are others."""
        scenario, plain = self.scenario(), TUNABLE
        reserved = "void kn_forget(u32 s) { __builtin_trap(); } void kn_bytes(u64 c) { __builtin_trap(); }"
        reserved += "void kn_size(u32 b) { __builtin_trap(); }"
        self.assertEqual(scenario.measure(policy(plain + reserved)).splits, scenario.measure(policy(plain)).splits)
        rank = "f64 kn_rank(f64 a, f64 l, f64 f, f64 g, f64 h, f64 i, f64 j, f64 p) { return -l; }"
        sized = "f64 kn_rank_sized(f64 a, f64 l, f64 f, f64 g, f64 h, f64 i, f64 j, f64 p, f64 s) { return s; }"
        self.assertEqual(scenario.measure(policy(rank + sized)).splits, scenario.measure(policy(rank)).splits)
        wrong = (
            (plain, "kn_forget", "void other(u64 slot) {}", "(i32) -> (), but (i64) -> ()"),
            (plain, "kn_bytes", "void other(u32 bytes) {}", "(i64) -> (), but (i32) -> ()"),
            (plain, "kn_size", "u32 other(u32 bytes) { return 0; }", "(i32) -> (), but (i32) -> (i32)"),
            (rank, "kn_rank_sized", "f64 other(f64 size) { return 0; }", "but (f64) -> (f64)"),
        )
        for source, name, function, words in wrong:
            module = policy(f'{source}\n__attribute__((export_name("{name}"))) {function}')
            error = str(self.assertRaises(WrongExport, scenario.measure, module))
            self.assertIn(f"its export {name} is not a function", error)
            self.assertIn(words, error)

    def test_keysStay(self) -> None:
        """A block that comes back has the key it had."""
        # Capacity 1, blocks 1 and 2 in turn: every second key is the same; it traps on the first that is not.
        source = """
        static u64 seen[2]; static u32 n;
        void kn_init(u32 c) {} void kn_hit(u32 s) {} u32 kn_victim(u64 k) { return 0; }
        void kn_insert(u32 s, u64 k) { if (n < 2) seen[n] = k; else if (seen[n % 2] != k) __builtin_trap(); n++; }
        """
        self.assertEqual(self.scenario([1, 2] * 60, 1).measure(policy(source)).splits["held_out"].score, 60)

    def test_bigCache(self) -> None:
        """A cache larger than the trace misses each block once, under every policy and the optimum."""
        scenario = self.scenario([1, 2, 3, 4] * 50, 16)
        for report in scenario.baselines().values():
            self.assertEqual([split.score for split in report.splits.values()], [4, 0, 0])
        self.assertEqual(list(scenario.optimum().values()), [4, 0, 0])
        self.assertEqual(scenario.developmentLevel(scenario.baselines()["arc"]), 0.0)

    def test_tinyCaches(self) -> None:
        """Every baseline works at every small capacity, where queues have no place at all."""
        ids = mixture(300)
        for capacity in range(1, 13):
            scenario = self.scenario(ids, capacity)
            best = sum(scenario.optimum().values())
            for report in scenario.baselines().values():
                self.assertGreaterEqual(sum(split.score for split in report.splits.values()), best)

    def test_writebacks(self) -> None:
        """Where a trace tells writes, evicted blocks that were written are counted, by split and for both ABIs."""
        # FIFO with 16 slots on a loop of 20: every request misses, and evicts the block of 16 requests before.
        lines = [f"{'w' if number % 3 == 0 else 'r'},{number % 20}\n" for number in range(300)]
        path = self.folder / "writes.csv"
        path.write_text("op,id\n" + "".join(lines))
        scenario = FileSystemWorkbench().scenario(path, {"capacity": 16})
        evicted = [number % 3 == 0 for number in range(300 - 16)]
        expected = [sum(evicted[: 120 - 16]), sum(evicted[104 : 150 - 16]), sum(evicted[134:])]
        rank = "f64 kn_rank(f64 a, f64 l, f64 f, f64 g, f64 h, f64 i, f64 j, f64 p) { return -l; }"
        for wasm in (workbench.baselineModule("fifo"), policy(rank)):
            report = scenario.measure(wasm)
            self.assertEqual([split.score for split in report.splits.values()], [120, 30, 150])
            self.assertEqual([split.metrics for split in report.splits.values()], [{"writebacks": n} for n in expected])
        # A hit that writes makes a block dirty, once; a block that comes in again is clean.
        ids = [1, 2, 1, 1, 3, 1, 4, 2] + [2] * 100
        lines = [f"{'w' if at in (2, 3) else 'r'},{number}\n" for at, number in enumerate(ids)]
        path.write_text("op,id\n" + "".join(lines))
        report = FileSystemWorkbench().scenario(path, {"capacity": 2}).measure(workbench.baselineModule("fifo"))
        self.assertEqual(sum(split.metrics["writebacks"] for split in report.splits.values()), 1)

    def test_variant(self) -> None:
        """A variant has some of each split's requests as that split, each with whether it is a write, and turned."""
        ids = np.arange(5000, dtype=np.uint64) % np.uint64(4000)
        writes = np.arange(5000) % 3 == 0
        whole = makeTrace(ids, self.folder / "a.csv", writes)
        seed = seedOf(whole.seedFor("variants", b"module"), 0, 2)
        variant = whole.variant(seed)
        assert variant.writes is not None
        self.assertEqual(variant.digest, seed.hex())
        self.assertEqual(variant.distinct, whole.distinct)
        for (split, first, last), (_, start, end) in zip(
            whole.windows("held_out"), variant.windows("held_out"), strict=True
        ):
            self.assertTrue(0.7 < (end - start) / (last - first) < 0.9, split)
            turn = variant.turns[split]
            blocks = np.roll(variant.blocks[start:end], turn).tolist()
            written = np.roll(variant.writes[start:end], turn).tolist()
            requests = iter(zip(whole.blocks[first:last].tolist(), writes[first:last].tolist(), strict=True))
            # All are found among the split's own, in order.
            self.assertTrue(all(request in requests for request in zip(blocks, written, strict=True)), split)
        self.assertEqual(variant.ends["held_out"], len(variant.blocks))
        other = whole.variant(seedOf(whole.seedFor("variants", b"module"), 1, 2))
        self.assertNotEqual(other.blocks.tolist()[:100], variant.blocks.tolist()[:100])

    def test_variantWindows(self) -> None:
        """Windows of a variant are of the same part of the trace, whichever it begins with, and add up to the split."""
        # Validation is from 4000 to 5000, and all its requests are for one block but for the sixth window's.
        ids = np.zeros(10_000, np.uint64)
        ids[4625:4750] = np.arange(1, 126)
        path = writeTrace(self.folder / "windows.txt", ids.tolist())
        scenario = FileSystemWorkbench().scenario(path, {"capacity": 16})
        for name in ("lru", "fifo"):
            wasm = workbench.baselineModule(name)
            for number in range(6):
                variant = scenario.onVariant(number, wasm)
                windows = variant.measureWindows(wasm, "validation", 8)
                self.assertEqual(len(windows), 8)
                whole = variant.measure(wasm, upTo="validation").splits["validation"]
                self.assertEqual(sum(window.score for window in windows), whole.score)
                self.assertEqual(sum(window.events for window in windows), whole.events)
                # Half a window off, at most: more is missing in some places than in others.
                middle = sum(window.score for window in windows[4:7])
                self.assertGreater(middle, 0.9 * whole.score, (number, windows))

    def test_tinyVariants(self) -> None:
        """The smallest traces have variants too, with something in each split."""
        scenario = self.scenario([1, 2, 3, 4] * 25, 16)
        for number in range(20):
            variant = scenario.onVariant(number, b"any")
            self.assertTrue(all(events > 0 for events in variant.events.values()), variant.events)
            self.assertEqual(variant.measure(workbench.baselineModule("lru")).splits["train"].score, 4)

    def test_writesAreTold(self) -> None:
        """The same blocks with other writes are another trace; with none it is as if the file told none."""
        plain = writeTrace(self.folder / "plain.txt", mixture(300))
        digests = {workbench.scenario(plain).traceDigest}
        for name, written in (("none", ()), ("one", (7,)), ("other", (8,))):
            lines = [f"{'w' if at in written else 'r'},{number}\n" for at, number in enumerate(mixture(300))]
            (self.folder / f"{name}.csv").write_text("op,id\n" + "".join(lines))
            digests.add(workbench.scenario(self.folder / f"{name}.csv").traceDigest)
        self.assertEqual(len(digests), 3)


class DeterminismTests(Case):
    def test_pinned(self) -> None:
        """Scores and digests are what they were when the bench was made: whoever changes them changes all claims."""
        reports = self.scenario().baselines()
        scores = {name: [split.score for split in report.splits.values()] for name, report in reports.items()}
        pinned = json.loads((Path(__file__).parent / "pinned.json").read_text())
        self.assertEqual(scores, pinned["scores"])
        self.assertEqual(self.scenario().traceDigest, pinned["trace"])


def naiveDistances(blocks: Sequence[int]) -> list[int]:
    stack: list[int] = []
    found = []
    for block in blocks:
        found.append(stack.index(block) if block in stack else 0xFFFFFFFF)
        if block in stack:
            stack.remove(block)
        stack.insert(0, block)
    return found


class PatternTests(Case):
    def learn(self, ids: list[int], capacity: int = 32) -> dict[str, Pattern]:
        trace: Trace = makeTrace(np.array(ids, np.uint64), self.folder / "made.txt")
        found: dict[str, Pattern] = {}
        for pattern in learnPatterns(trace, capacity):
            found.setdefault(pattern.type, pattern)
        return found

    @given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
    def test_stackDistances(self, ids: list[int]) -> None:
        """Stack distances are those of a stack that is kept by hand."""
        seen: dict[int, int] = {}
        blocks = [seen.setdefault(number, len(seen)) for number in ids]
        self.assertEqual(stackDistances(np.array(blocks, np.uint32)).tolist(), naiveDistances(blocks))

    def test_distance(self) -> None:
        """The distance is how many other blocks came in between: LRU of n slots hits those below n."""
        scenario = self.scenario(capacity=32)
        distances = stackDistances(scenario.machine.trace.blocks)
        misses = sum(split.score for split in scenario.baselines()["lru"].splits.values())
        self.assertEqual(int(np.count_nonzero(distances >= 32)), misses)

    def test_loop(self) -> None:
        """A loop is found with its length, and is certain when validation has it too."""
        found = self.learn([number % 300 for number in range(6000)])
        self.assertEqual(found["loop"].data["length"], 300)
        self.assertGreater(found["loop"].confidence, 0.99)
        self.assertAlmostEqual(found["reuse_distance"].data["distance"] / 299, 1, places=1)

    def test_oneHits(self) -> None:
        """The share of blocks that come once is found."""
        ids = [number if number % 2 else 2 * (number % 50) for number in range(10_000, 20_000)]
        self.assertAlmostEqual(self.learn(ids)["one_hit_share"].data["share"], 0.95, places=1)

    def test_drift(self) -> None:
        """A regularity that validation does not have gets no confidence."""
        # Train: a loop; validation and after: nothing comes twice.
        ids = [number % 300 for number in range(2400)] + list(range(1000, 4600))
        found = self.learn(ids)
        self.assertLess(found["loop"].confidence, 0.01)
        self.assertLess(found["reuse_distance"].confidence, 0.01)


class HeaderTests(Case):
    def test_library(self) -> None:
        """The header's ghosts forget the oldest, find by key, and can be taken once."""
        check = """
        #define CHECK(x) do { if (!(x)) __builtin_trap(); } while (0)
        void kn_init(u32 c) {
            kn_ghosts g = kn_ghosts_new(3), none = kn_ghosts_new(0);
            for (u64 k = 10; k < 15; k++) { kn_ghosts_add(&g, k << 32, (u32)k); kn_ghosts_add(&none, k, 1); }
            CHECK(g.count == 3 && none.count == 0 && kn_ghosts_take(&none, 10) == KN_NONE);
            CHECK(kn_ghosts_take(&g, 11ull << 32) == KN_NONE);
            CHECK(kn_ghosts_take(&g, 13ull << 32) == 13 && kn_ghosts_take(&g, 13ull << 32) == KN_NONE);
            kn_ghosts_drop_oldest(&g);
            CHECK(g.count == 1 && kn_ghosts_take(&g, 12ull << 32) == KN_NONE && kn_ghosts_take(&g, 14ull << 32) == 14);
            kn_ghosts_drop_oldest(&g);
            CHECK(g.count == 0);
            u32 *a = kn_alloc(40), *b = kn_alloc(1 << 20);
            CHECK(((u32)a & 15) == 0 && b >= a + 10 && !a[9] && !b[(1 << 18) - 1]);
        }
        void kn_hit(u32 s) {} u32 kn_victim(u64 k) { return 0; } void kn_insert(u32 s, u64 k) {}
        """
        self.scenario().measure(policy(check), upTo="train")
